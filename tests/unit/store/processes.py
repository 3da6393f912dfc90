"""Real processes that write to a store until they are killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OPERATOR = Path(__file__).parents[3] / "operator"
DEADLINE_SECONDS = 120.0


@contextlib.contextmanager
def running(program: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process; killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(OPERATOR)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_line(process: subprocess.Popen[str]) -> str:
    """What the process says first; blocks until it does or ends."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def eventually(condition: object, wanted: str) -> None:
    """Wait until a callable is true."""
    assert callable(condition)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {wanted}"
        time.sleep(0.01)
