"""The reporter stays small, ends when told, and does not give up before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from merkhet.contract import runs
from merkhet.manifests.runs import GRACE_SECONDS, REPORT_TO
from merkhet.workloads.reporter import main as reporter
from merkhet.workloads.reporter.main import ConfigMap, carry

ROOT = Path(__file__).parents[4]
SECONDS = 120.0


class Deaf(ConfigMap):
    """A ConfigMap whose API server fails some times and notes what it was told then."""

    failures = 0
    told: list[str]

    def patch(self, key: str, value: str) -> None:
        assert key == runs.REPORT_KEY
        if self.failures > 0:
            self.failures -= 1
            raise ConnectionResetError("gone")
        self.told.append(value)


@pytest.fixture
def deaf(tmp_path: Path) -> Deaf:
    made = Deaf("income", "127.0.0.1", 1, tmp_path)
    made.told = []
    return made


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "operator"), "MERKHET_REPORT": str(folder), **more}


def test_its_words_are_those_of_the_contract() -> None:
    assert (reporter.TOKEN_PATH, reporter.REPORT_FOLDER, reporter.REPORT_FILE, reporter.REPORT_KEY) == (
        runs.TOKEN_PATH,
        runs.REPORT_FOLDER,
        runs.REPORT_FILE,
        runs.REPORT_KEY,
    )
    assert reporter.CONFIGMAP_VARIABLE == REPORT_TO
    assert reporter.GRACE_SECONDS < GRACE_SECONDS


def test_it_imports_nothing_but_the_standard_library() -> None:
    program = "import sys, merkhet.workloads.reporter.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(ROOT), capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    # What a package's .pth file loads into every process is no import of ours.
    idle = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    before = {name.partition(".")[0] for name in idle.stdout.split()}
    assert loaded - before - set(sys.stdlib_module_names) == {"merkhet"}


def test_without_a_report_it_ends_cleanly_when_told(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "merkhet", "report"],
        env=environment(tmp_path, MERKHET_REPORT_TO="income"),
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert b"waiting" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == 0


def test_without_the_maps_name_it_says_so(tmp_path: Path) -> None:
    bare = {name: value for name, value in environment(tmp_path).items() if name != "MERKHET_REPORT_TO"}
    done = subprocess.run(
        [sys.executable, "-m", "merkhet", "report"], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "MERKHET_REPORT_TO is not set" in done.stderr


@pytest.mark.parametrize("content", [None, ""])
def test_no_report_is_not_told_as_an_empty_one(deaf: Deaf, tmp_path: Path, content: str | None) -> None:
    report = tmp_path / "report.json"
    if content is not None:
        report.write_text(content)
    ended = threading.Event()
    ended.set()
    carry(report, deaf, ended, grace_seconds=SECONDS)
    assert deaf.told == []


def test_the_last_report_is_tried_again_until_it_arrives(deaf: Deaf, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("done")
    deaf.failures = 2
    ended = threading.Event()
    ended.set()
    carry(report, deaf, ended, grace_seconds=SECONDS)
    assert deaf.told == ["done"]


def test_the_last_report_is_given_up_at_the_end_of_the_grace(deaf: Deaf, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("done")
    deaf.failures = 1_000
    ended = threading.Event()
    ended.set()
    carry(report, deaf, ended, grace_seconds=0.0)
    assert deaf.told == []


def test_a_report_that_was_told_is_not_told_again(deaf: Deaf, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("done")
    ending = threading.Event()
    carrier = threading.Thread(target=carry, args=(report, deaf, ending))
    carrier.start()
    try:
        deadline = time.monotonic() + SECONDS
        while not deaf.told:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        ending.set()
        carrier.join(timeout=SECONDS)
    assert deaf.told == ["done"]


def test_told_to_end_at_any_moment_of_its_waiting_it_ends(tmp_path: Path) -> None:
    program = """
import os, signal, sys, threading
wait = threading.Event.wait
def told_while_waiting(event, timeout=None):
    if timeout == reporter.POLL_SECONDS:
        with event._cond:
            os.kill(os.getpid(), signal.SIGTERM)
    return wait(event, timeout)
from merkhet.workloads.reporter import main as reporter
threading.Event.wait = told_while_waiting
sys.exit(reporter.main())
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment(tmp_path, MERKHET_REPORT_TO="income"), timeout=SECONDS, check=False)
    assert done.returncode == 0
