"""A FeatureSet of many rows beside plain DuckDB on the same query: `python -m tests.bench.features.run`.

Both run in turns, each in a control group of its own with the same memory, on the same cores. Plain DuckDB copies the
query's rows to parquet; ours digests them, stores them by content and publishes a version. When its last rows are in
the store, its log says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from merkhet.contract.features import FeaturesTask, Source
from merkhet.contract.runs import Origin, Run, run_key

MEMORY = Path("/sys/fs/cgroup/memory")
UNIFIED = Path("/sys/fs/cgroup")
GIB = 1024**3
STORED = '"message": "written '  # of so many rows; the last of these lines tells of all
QUERY = "select * replace (x3 + x4 as x3) from wide where x0 >= 0"
PLAIN = """
import duckdb, sys
source, target, scratch, memory, order = sys.argv[1:]
connection = duckdb.connect(config={"memory_limit": memory, "temp_directory": scratch, "threads": 2})
connection.execute("set enable_progress_bar = false")
connection.execute(f"create view wide as select * from read_parquet('{source}')")
connection.execute(f"copy ({QUERY} {order}) to '{target}' (format parquet, compression zstd)")
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one way. Units: seconds, seconds of all cores together, bytes."""

    name: str
    seconds: float
    cpu_seconds: float
    peak: int


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--memory", type=float, default=2.0, help="of each, in GiB")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="room for some GB; default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        print(table(measured(asked, Path(folder))))


def measured(asked: argparse.Namespace, folder: Path) -> list[Figures]:
    """The median of each way, measured in turns."""
    source = folder / "store" / "raw" / "wide.parquet"
    source.parent.mkdir(parents=True)
    make(source, asked.rows, asked.columns)
    limit = int(asked.memory * GIB)
    found: dict[str, list[Figures]] = {}
    for number in range(asked.rounds):
        for name, command, environment in ways(source, folder, number, limit):
            print(f"round {number + 1}: {name}", file=sys.stderr)
            for figures in timed(name, command, environment, limit):
                found.setdefault(figures.name, []).append(figures)
    return [
        Figures(
            name,
            statistics.median(one.seconds for one in all_of),
            statistics.median(one.cpu_seconds for one in all_of),
            max(one.peak for one in all_of),
        )
        for name, all_of in found.items()
    ]


def make(source: Path, rows: int, columns: int) -> None:
    """Rows of an entity, a time, numbers and a few words, in no order."""
    numbers = ", ".join(f"(random() * 1000)::float as x{at}" for at in range(columns - 4))
    duckdb.execute(
        f"copy (select hash(range)::uint64 as entity, timestamp '2026-01-01' + to_seconds(range % 31536000) as moment, "
        f"{numbers}, (range % 97)::int as code, 'group ' || (range % 13) as word from range({rows})) "
        f"to '{source}' (format parquet, compression zstd)"
    )


def ways(source: Path, folder: Path, number: int, limit: int) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Name, command and environment of each way."""
    scratch = folder / f"scratch-{number}"
    for name, order in (("plain DuckDB", ""), ("plain DuckDB, sorted", "order by all")):
        target = folder / f"plain-{number}.parquet"
        program = PLAIN.replace("{QUERY}", QUERY)
        arguments = [str(source), str(target), str(scratch), f"{int(limit * 0.8) // 1024**2}MiB", order]
        yield name, [sys.executable, "-c", program, *arguments], {}
        target.unlink(missing_ok=True)
    report = folder / f"report-{number}"
    report.mkdir()
    scratch.mkdir(exist_ok=True)
    places = {"MERKHET_STORE": str(folder / "store"), "MERKHET_REPORT": str(report), "MERKHET_SCRATCH": str(scratch)}
    command = [sys.executable, "-m", "merkhet.cli", "features"]
    yield "merkhet features", command, {**places, "MERKHET_TASK": task(number).dump()}
    said = json.loads((report / "report.json").read_text())
    if said["phase"] != "Succeeded":
        raise SystemExit(f"the run did not end well: {said}")


def task(number: int) -> FeaturesTask:
    """The FeatureSet; each round is one of its own, so that none finds the other's version."""
    name = f"wide-{number}"
    origin = Origin(kind="FeatureSet", namespace="bench", name=name, uid=name)
    run = Run(key=run_key("FeatureSet", name, "spec/bench"), trigger="spec/bench", origin=origin)
    source = Source(name="wide", uri="store://raw/wide.parquet")
    return FeaturesTask(
        run=run, feature_set=name, sources=(source,), query=QUERY, entity=("entity",), timestamp="moment"
    )


def timed(name: str, command: list[str], environment: dict[str, str], limit: int) -> Iterator[Figures]:
    """Run within the limit: until its rows are in the store, where it says when that is, and all of it."""
    stored: Figures | None = None
    with group(limit) as folder:
        started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        with subprocess.Popen(
            command,
            env={**os.environ, **environment},
            preexec_fn=lambda: enter(folder),  # noqa: PLW1509 - there are no other threads
            stdout=sys.stderr,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for line in process.stderr or ():
                sys.stderr.write(line)
                if STORED in line:
                    words = f"{name}: rows digested and in the store"
                    stored = Figures(words, time.perf_counter() - started, cpu_seconds(process.pid), peak(folder))
        seconds, done = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode:
            raise SystemExit(f"{name} ended with code {process.returncode}")
        spent = done.ru_utime + done.ru_stime - used.ru_utime - used.ru_stime
        all_of_it = Figures(name, seconds, spent, peak(folder))
    yield from [all_of_it] if stored is None else [stored, all_of_it]


def cpu_seconds(process: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(folder: Path) -> int:
    """The most memory that a control group has used."""
    names = ("memory.max_usage_in_bytes", "memory.peak")
    return next(int((folder / one).read_text()) for one in names if (folder / one).exists())


@contextmanager
def group(limit: int) -> Iterator[Path]:
    """A control group with this much memory, version 1 or 2."""
    base, setting = (MEMORY, "memory.limit_in_bytes") if MEMORY.exists() else (UNIFIED, "memory.max")
    folder = base / f"merkhet-bench-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / setting).write_text(str(limit))
        yield folder
    finally:
        folder.rmdir()


def enter(folder: Path) -> None:
    """Make the calling process one of the group."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def table(figures: list[Figures]) -> str:
    """The figures for docs."""
    plain = figures[0]
    lines = [
        f"| {one.name} | {one.seconds:.1f} | {plain.seconds / one.seconds:.2f} | {one.cpu_seconds:.1f} "
        f"| {plain.cpu_seconds / one.cpu_seconds:.2f} | {one.peak / GIB:.2f} |"
        for one in figures
    ]
    head = "| way | seconds | of plain | core seconds | of plain | peak memory, GiB |\n|---|---|---|---|---|---|"
    return "\n".join([head, *lines])


if __name__ == "__main__":
    main()
