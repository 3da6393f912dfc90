"""The control groups under which the bare cluster's pods run: one root of our own, so that they end for certain."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.machine import ClusterProblem

NAME = "merkhet"
MOUNT = Path("/sys/fs/cgroup")


def make() -> None:
    """Make the root in every hierarchy; the kubelet wants it there before it starts."""
    for hierarchy in _hierarchies():
        root = hierarchy / NAME
        root.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            _inherit(hierarchy / setting, root / setting)
    if _is_unified():
        offered = (MOUNT / "cgroup.controllers").read_text().split()
        wanted = [name for name in ("cpu", "cpuset", "memory", "pids", "io", "hugetlb") if name in offered]
        (MOUNT / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))


def end() -> None:
    """Kill what runs in the pods and remove the groups.

    Raises: ClusterProblem when a process outlives that.
    """
    deadline = time.monotonic() + 20
    while pids := _pids():
        if time.monotonic() > deadline:
            raise ClusterProblem(f"processes {sorted(pids)} of the cluster's pods do not end, not even by SIGKILL")
        for pid in pids:
            _kill(pid)
        time.sleep(0.05)
    for root in _roots():
        for folder, _, _ in os.walk(root, topdown=False):
            _remove(Path(folder), deadline)


def _inherit(above: Path, own: Path) -> None:
    """In version 1 a group without cores of its own takes no process."""
    if above.exists() and own.exists() and not own.read_text().strip():
        own.write_text(above.read_text())


def _pids() -> set[int]:
    files = [Path(folder, "cgroup.procs") for root in _roots() for folder, _, _ in os.walk(root)]
    return {int(pid) for file in files for pid in _read(file).split()}


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""  # the group has just gone


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove(group: Path, deadline: float) -> None:
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as problem:
            # A killed process leaves its group a moment after it is gone from the list.
            if time.monotonic() > deadline:
                raise ClusterProblem(f"control group {group} cannot be removed: {problem}") from problem
            time.sleep(0.05)
        else:
            return


def _roots() -> Iterator[Path]:
    return (hierarchy / NAME for hierarchy in _hierarchies() if (hierarchy / NAME).is_dir())


def _hierarchies() -> list[Path]:
    if _is_unified():
        return [MOUNT]
    return [path for path in MOUNT.iterdir() if path.is_dir() and not path.is_symlink()]


def _is_unified() -> bool:
    return (MOUNT / "cgroup.controllers").exists()
