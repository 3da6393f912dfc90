"""What the container may use and has used, as the kernel's control groups say, version 1 or 2."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
# Version 1 says "no limit" by the largest multiple of a page below 2^63.
UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class Limits:
    """None: no limit. Units: bytes, cores."""

    memory: int | None
    cpus: float | None

    @property
    def threads(self) -> int | None:
        """How many threads make sense."""
        return None if self.cpus is None else max(1, round(self.cpus))


@dataclass(frozen=True, slots=True)
class Consumption:
    """Since the container began. Units: bytes, seconds."""

    peak_memory: int
    cpu_seconds: float


def limits(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Limits:
    """What this process may use."""
    groups = _Groups.found(cgroups, membership)
    if groups.unified:
        quota, _, period = groups.text("cpu.max").partition(" ")
        return Limits(_bounded(groups.number("memory.max")), _ratio(quota, period))
    return Limits(
        _bounded(groups.number("memory.limit_in_bytes")),
        _ratio(groups.text("cpu.cfs_quota_us"), groups.text("cpu.cfs_period_us")),
    )


def consumption(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Consumption:
    """What the container has used; what this process has used where the kernel does not say more."""
    groups = _Groups.found(cgroups, membership)
    if groups.unified:
        peak = groups.number("memory.peak")
        microseconds = dict(line.split(" ", 1) for line in groups.text("cpu.stat").splitlines()).get("usage_usec")
        seconds = None if microseconds is None else int(microseconds) / 1e6
    else:
        peak = groups.number("memory.max_usage_in_bytes")
        nanoseconds = groups.number("cpuacct.usage")
        seconds = None if nanoseconds is None else nanoseconds / 1e9
    own = resource.getrusage(resource.RUSAGE_SELF)
    return Consumption(
        peak_memory=own.ru_maxrss * 1024 if peak is None else peak,
        cpu_seconds=own.ru_utime + own.ru_stime if seconds is None else seconds,
    )


@dataclass(frozen=True, slots=True)
class _Groups:
    """Folders in which the kernel's files of this process may stand, the nearest first."""

    folders: tuple[Path, ...]
    unified: bool  # version 2

    @classmethod
    def found(cls, cgroups: Path, membership: Path) -> _Groups:
        """Inside a container its own group is mounted at the root, whatever path the membership names."""
        lines = [line.split(":", 2) for line in _text(membership).splitlines()]
        named = {controller: path for _, controllers, path in lines for controller in controllers.split(",")}
        if (cgroups / "cgroup.controllers").exists():
            own = named.get("", "/").lstrip("/")
            return cls((cgroups / own, cgroups), unified=True)
        folders = [
            folder
            for controller in ("memory", "cpu", "cpuacct")
            for folder in (cgroups / controller / named.get(controller, "/").lstrip("/"), cgroups / controller)
        ]
        return cls(tuple(folders), unified=False)

    def text(self, name: str) -> str:
        return next((text for folder in self.folders if (text := _text(folder / name))), "")

    def number(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def _bounded(limit: int | None) -> int | None:
    return None if limit is None or limit >= UNLIMITED else limit


def _ratio(quota: str, period: str) -> float | None:
    if not quota.isdigit() or not period.isdigit():  # "max", "-1" or not there
        return None
    return int(quota) / int(period)
