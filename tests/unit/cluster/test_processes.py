"""The cluster's processes are known by the mark they carry, and no other process is touched."""

import os
import signal
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.machine import wait_for

SYSTEM_PATH = "/usr/bin:/bin"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.end(processes.marked(str(tmp_path)), patience_seconds=0)


def start(state: Path, *command: str, shows: str = "") -> None:
    with warnings.catch_warnings():
        # The process is meant to outlive whoever started it.
        warnings.simplefilter("ignore", ResourceWarning)
        processes.start(*command, state=state, path=SYSTEM_PATH, log=state / "log" / "program.log")
    wait_for("the program runs", lambda: (shows or command[0]) in processes.running(str(state)))


def test_a_started_program_is_found_by_the_state_it_belongs_to(state: Path) -> None:
    start(state, "sleep", "600")
    assert processes.running(str(state)) == {"sleep"}
    assert processes.running(str(state / "another")) == set()


def test_a_child_of_a_started_program_is_found_too(state: Path) -> None:
    start(state, "sh", "-c", "sleep 600 & wait")
    wait_for("the child runs", lambda: processes.running(str(state)) == {"sh", "sleep"})


def test_ending_leaves_none_of_them_and_spares_others(state: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        start(state, "sleep", "600")
        processes.end(processes.marked(str(state)), patience_seconds=60)
        assert processes.marked(str(state)) == []
        assert other.poll() is None
        other.kill()


def test_a_program_that_will_not_end_is_made_to(state: Path) -> None:
    # A signal that is ignored stays so across exec.
    start(state, "sh", "-c", "trap '' TERM; exec sleep 600", shows="sleep")
    processes.end(processes.marked(str(state)), patience_seconds=0.2)
    assert processes.marked(str(state)) == []


def test_a_pid_that_is_another_process_by_now_is_spared(state: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        processes.end([processes.Marked(other.pid, str(state), "sleep")], patience_seconds=0)
        assert other.poll() is None
        os.kill(other.pid, signal.SIGKILL)


def test_the_end_of_a_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(f"line {number}\n" for number in range(20)))
    assert processes.last_lines(tmp_path / "log", count=2) == "    line 18\n    line 19"


def test_a_log_that_is_missing_is_told(tmp_path: Path) -> None:
    assert processes.last_lines(tmp_path / "log") == "    (no log)"
