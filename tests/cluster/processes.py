"""The cluster's own processes: started apart from the terminal, known again after any crash, ended for certain.

A process is known by a mark in its environment, which it keeps for life and hands to its children (a container's shim,
but not what runs in the container). Unlike a recorded pid it needs no write that a crash can lose, and it is never
another process's.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.machine import ClusterProblem

MARK = "MERKHET_CLUSTER_STATE"


@dataclass(frozen=True, slots=True)
class Marked:
    """A live process that carries the mark: which cluster's, by the folder of its state, and which program."""

    pid: int
    state: str
    program: str


def start(program: str, *arguments: str, state: Path, path: str, log: Path) -> None:
    """Start a program of a cluster in a session of its own, its output at the end of a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    home = os.environ.get("HOME", "/")
    with log.open("ab") as output:
        subprocess.Popen(
            [program, *arguments],
            env={MARK: str(state), "PATH": path, "HOME": home},
            cwd=state,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def marked(state: str | None = None) -> list[Marked]:
    """The live processes of one cluster, or of every cluster."""
    return [process for process in _all_marked() if state is None or process.state == state]


def running(state: str) -> set[str]:
    """The programs of a cluster that run now."""
    return {process.program for process in marked(state)}


def end(processes: Iterable[Marked], patience_seconds: float) -> None:
    """Ask the processes to end, then make them.

    Raises: ClusterProblem when one outlives even that.
    """
    left = _signal(processes, signal.SIGTERM)
    deadline = time.monotonic() + patience_seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [process for process in left if _is_still(process)]
    left = _signal(left, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while left := [process for process in left if _is_still(process)]:
        if time.monotonic() > deadline:
            raise ClusterProblem(f"{left[0].program} (pid {left[0].pid}) does not end, not even by SIGKILL")
        time.sleep(0.05)


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, indented, to close a message with."""
    lines = log.read_text(errors="replace").splitlines()[-count:] if log.exists() else ["(no log)"]
    return "\n".join(f"    {line[:400]}" for line in lines)


def _all_marked() -> Iterator[Marked]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := _read(int(entry.name))):
            yield process


def _read(pid: int) -> Marked | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if f"{MARK}=".encode() not in environment:
            return None
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None  # gone, or not ours to look at
    states = [line for line in environment.split(b"\0") if line.startswith(f"{MARK}=".encode())]
    if not states or status.rpartition(")")[2].split()[0] == "Z":
        return None
    return Marked(pid, states[0].partition(b"=")[2].decode(), Path(argv[0].decode()).name)


def _is_still(process: Marked) -> bool:
    return _read(process.pid) == process


def _signal(processes: Iterable[Marked], number: signal.Signals) -> list[Marked]:
    return [process for process in processes if _signal_one(process, number)]


def _signal_one(process: Marked, number: signal.Signals) -> bool:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Looked at once more while the handle is held: a pid may have passed to another process in between.
        if not _is_still(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True
