"""A python component: one function from table to table, run in a process that can do nothing else.

The process is ``sandbox.py``. It is handed the rows in a file, and what it leaves is believed in nothing: the outcome
is read up to a bound, the table is validated before anybody looks at it.
"""

from __future__ import annotations

import builtins
import json
import logging
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from merkhet.contract.component import PythonStep
from merkhet.errors import Refused
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.components import sandbox
from merkhet.workloads.run import RefusedForNow

logger = logging.getLogger(__name__)

PROGRAM = Path(sandbox.__file__)
MOST_COLUMNS = 1000
MOST_PRINTED = 64 * 1024  # bytes that go to the log
MOST_LINE = 1000  # characters
MOST_OUTCOME = 16 * 1024  # bytes
# Of the pod's memory. The rest is for the database and for reading the result.
SHARE = 0.4
LEAST_MEMORY = 256 * 1024**2  # bytes beyond what interpreter and libraries take
MOST_RESULT = 4 * 1024**3  # bytes
# What a column may be, and what it becomes for the database.
KEPT = (pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_boolean, pa.types.is_string,
        pa.types.is_large_string, pa.types.is_date32, pa.types.is_timestamp, pa.types.is_decimal128)  # fmt: skip
ARROWS = frozenset({name for name in dir(pa) if name.startswith("Arrow")})  # exceptions
HINTS = {
    "PermissionError": "a component may not start programs, reach the network (but with `network: true`) or touch "
    "files outside its temporary folder",
    "ModuleNotFoundError": "there are pyarrow, numpy, scipy, scikit-learn and the standard library",
}


def apply(
    step: PythonStep, table: pa.Table, limits: Limits, *, what: str = "the component", personal: bool = False
) -> pa.Table:
    """What the function makes of the table.

    ``what`` names the component in messages and in the log. ``personal``: values may be somebody's, and then neither
    what the code prints nor the text of its exception is told. *Raises* Refused with the line of the source.
    """
    folder = Path(tempfile.mkdtemp(prefix="component-"))
    try:
        run = _Run(step, folder, _memory(limits), what, personal=personal)
        run.prepare(table, threads=limits.threads or os.cpu_count() or 1)
        run.start_and_wait()
        return run.result()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Run:
    """One process and its folder."""

    step: PythonStep
    folder: Path
    memory: int  # bytes
    what: str
    personal: bool

    def prepare(self, table: pa.Table, threads: int) -> None:
        """Put what the process reads where it looks."""
        (self.folder / sandbox.ROOM).mkdir()
        request = {
            "source": self.step.source,
            "entrypoint": self.step.entrypoint,
            "network": self.step.network,
            "parent": os.getpid(),
            "packages": _packages(),
            "landlock": self._landlock(),
            "readable": [sys.prefix, str(Path(os.__file__).parent), _packages()],
            "memory_bytes": self.memory,
            "file_bytes": min(self.memory, MOST_RESULT),
            "cpu_seconds": math.ceil(self.step.timeout_seconds * threads) + 1,
        }
        (self.folder / sandbox.REQUEST).write_text(json.dumps(request))
        with pa.ipc.new_file(str(self.folder / sandbox.ROWS), table.schema) as writer:
            writer.write_table(table)

    def start_and_wait(self) -> None:
        """Run to the end, or to the end of its time."""
        with subprocess.Popen(
            # Without the user's site, without site-packages, without the working folder.
            [sys.executable, "-s", "-S", "-P", "-B", str(PROGRAM), str(self.folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(self.folder / sandbox.ROOM),
            cwd=self.folder,
            start_new_session=True,
        ) as process:
            printed = _Printed.read(process.stdout)
            try:
                process.wait(self.step.timeout_seconds)
            except subprocess.TimeoutExpired:
                raise self._refused(
                    f"was not done after {self.step.timeout_seconds:g} s; make it quicker or raise `timeout`",
                    "ComponentTimeout",
                ) from None
            finally:
                process.kill()  # it has no children: the filter lets it make none
                printed.log(self.what, shown=not self.personal)
            self._see_end(process.wait())

    def result(self) -> pa.Table:
        """The table that was left, validated."""
        try:
            with pa.memory_map(str(self.folder / sandbox.RESULT)) as stream:
                table = pa.ipc.open_file(stream).read_all()
            self._see_columns(table.schema)
            table.validate(full=True)
            return pa.table({name: self._kept(at, table.column(name)) for at, name in enumerate(table.column_names)})
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._refused(
                f"leaves a table that cannot be read: {type(error).__name__}", "ComponentFailed"
            ) from error

    def _kept(self, position: int, column: pa.ChunkedArray) -> pa.ChunkedArray:
        try:
            return _plain(column)
        except pa.ArrowInvalid as error:  # of times alone: all else keeps its values
            raise self._refused(
                f"gives column {position + 1} as {column.type} with a time that is no whole number of microseconds, or "
                "too far away for them; round it or leave it out",
                "ComponentFailed",
            ) from error

    def _landlock(self) -> bool:
        there = sandbox.landlock_version() > 0
        if not there and self.step.network:
            raise self._refused(
                "wants the network, for which names are looked up in files, and this node's kernel has no Landlock to "
                "open these alone; run it on a node with Linux 5.13 or later and Landlock",
                "NoSandbox",
            )
        return there

    def _see_end(self, code: int) -> None:
        try:
            with (self.folder / sandbox.OUTCOME).open("rb") as file:
                outcome = json.loads(file.read(MOST_OUTCOME))
            refused = None if outcome["problem"] is None else self._meaning(str(outcome["problem"]), outcome)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            refused = self._ended(code)
        if refused is not None:
            raise refused

    def _meaning(self, problem: str, outcome: dict[str, Any]) -> Refused:
        line = outcome.get("line")
        where = f", line {line}" if isinstance(line, int) else ""
        if problem == "NoSandbox":
            why = "" if self.personal else f": {outcome['said']}"
            return self._refused(f"is not run, because it could not be held{why}", "NoSandbox")
        if problem == "NoResult":
            unsaid = (
                f"{self.step.entrypoint} gives no pyarrow Table, or there is no such function, or it gives too much"
            )
            return Refused(f"{self.what}: {unsaid if self.personal else outcome['said']}", reason="ComponentFailed")
        if problem == "Memory":
            return self._refused(
                f"needs more than {self.memory // 1024**2} MiB{where}; raise resources.limits.memory or do with less",
                "OutOfMemory",
            )
        told = not self.personal or not outcome["compiled"]
        kind = self._named(str(outcome["type"]))
        said = f": {outcome['said']}" if told and outcome["said"] else ""
        hint = f" ({HINTS[kind]})" if kind in HINTS else ""
        return RefusedForNow(f"{self.what}{where}: {kind}{said}{hint}", reason="ComponentFailed")

    def _named(self, kind: str) -> str:
        """What an exception is called; code may give its own any name, one of a value too."""
        known = hasattr(builtins, kind) or kind in HINTS or kind in ARROWS
        return kind if known or not self.personal else "an exception of its own"

    def _ended(self, code: int) -> Refused:
        """What it means that there is no outcome."""
        if code == -signal.SIGKILL:
            return self._refused(
                "was ended by the kernel: it took more memory or more processor time than it may; raise "
                "resources.limits.memory or `timeout`, or do with less",
                "ComponentKilled",
            )
        ended = f"by signal {-code}" if code < 0 else f"with code {code}"
        return self._refused(f"ended its process {ended} and gave no table", "ComponentFailed")

    def _refused(self, words: str, reason: str) -> RefusedForNow:
        return RefusedForNow(f"{self.what} {words}", reason=reason)

    def _see_columns(self, schema: pa.Schema) -> None:
        if not 1 <= len(schema) <= MOST_COLUMNS:
            raise self._refused(f"gives {len(schema)} columns; wanted 1 to {MOST_COLUMNS}", "ComponentFailed")
        twice = [name for name, count in Counter(name.lower() for name in schema.names).items() if count > 1]
        if twice:
            called = "of the same name" if self.personal else twice[0][:64]
            raise self._refused(f"gives more than one column {called}; name them apart", "ComponentFailed")
        for number, column in enumerate(schema, 1):
            if not column.name.isprintable() or not 1 <= len(column.name) <= 255:
                called = f"{number} without a good name" if self.personal else f"named {column.name[:64]!r}"
                raise self._refused(
                    f"gives a column {called}; wanted 1 to 255 characters that can be printed",
                    "ComponentFailed",
                )
            kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
            if not any(fits(_simple(kind)) for fits in KEPT):
                called = number if self.personal else column.name
                shown = str(column.type)[:64]
                shown = shown.partition("<")[0] if self.personal else shown  # parts have names too
                raise self._refused(
                    f"gives column {called} as {shown}, which a feature cannot be; wanted "
                    "integers, float32, float64, decimals, booleans, text, dates or timestamps: cast it",
                    "ComponentFailed",
                )


class _Printed:
    """What a process prints: the beginning is kept, the rest is read and dropped, for it never to wait."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = bytearray()
        self._size = 0
        self._thread = threading.Thread(target=self._read, daemon=True)

    @classmethod
    def read(cls, stream: IO[bytes] | None) -> _Printed:
        """From now on."""
        assert stream is not None
        printed = cls(stream)
        printed._thread.start()
        return printed

    def _read(self) -> None:
        while piece := os.read(self._stream.fileno(), 65536):
            self._kept += piece[: MOST_PRINTED - len(self._kept)]
            self._size += len(piece)

    def log(self, what: str, *, shown: bool) -> None:
        """Say it in the log, once the process has ended."""
        self._thread.join()
        if self._size and not shown:
            logger.info("%s printed %d bytes, which are not shown: there are personal columns", what, self._size)
            return
        for line in self._kept.decode(errors="replace").splitlines():
            logger.info("%s: %s", what, line[:MOST_LINE])
        if self._size > len(self._kept):
            logger.info("%s printed %d bytes more, which are not shown", what, self._size - len(self._kept))


def _environment(room: Path) -> dict[str, str]:
    """All that the process knows of the world."""
    return {
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(room),
        "TMPDIR": str(room),
        "PYTHONHASHSEED": "0",  # the same rows in the same order, also where the code goes through a set
        # Libraries that reserve room or start threads of their own accord would not stay within the limits.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "MALLOC_ARENA_MAX": "2",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def _memory(limits: Limits) -> int:
    """Bytes that the code may take."""
    total = limits.memory or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(LEAST_MEMORY, int(total * SHARE))


def _packages() -> str:
    """The folder of the installed packages."""
    return str(Path(pa.__file__).parent.parent)


def _simple(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", None if kind.tz is None else "UTC")  # the same instant, as the database counts
    return pa.string() if str(kind) == "string_view" else kind


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without ways to write it that the database does not know."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(_simple(kind)) if _simple(kind) != column.type else column
