"""What does a process use, and how does it end for sure?"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

END_AFTER = 5.0  # seconds that a process has to end by itself
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used so far.

    Units: seconds of CPU time, user's and system's; bytes of memory that were resident at most, and are now.
    """

    cpu: float
    peak: int
    resident: int


def usage(process: subprocess.Popen[bytes]) -> Usage:
    """What a running process used.

    Source: proc(5).
    """
    # The second field, the program's name in parentheses, may hold spaces.
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    kibibytes = {name: int(lines[name].split()[0]) for name in ("VmHWM", "VmRSS")}
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    return Usage(cpu, kibibytes["VmHWM"] * 1024, kibibytes["VmRSS"] * 1024)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it."""
    process.terminate()
    try:
        process.wait(END_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
