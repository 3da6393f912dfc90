"""A run from task to record, in real processes that are killed, told to end, and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.runs import DONE, FAILED, REFUSED, RunReport
from merkhet.store import claims, paths
from merkhet.store.volume import Volume
from merkhet.workloads.cgroup import Consumption, Limits, consumption, limits

ROOT = Path(__file__).parents[3]
KEY = "0123456789abcdef0123"
DEADLINE_SECONDS = 120.0

# A workload whose task says by `trigger` what becomes of it.
WORKLOAD = """
import sys, threading, time
from merkhet import errors
from merkhet.contract.base import Message
from merkhet.contract.runs import Run
from merkhet.store import claims, paths
from merkhet.workloads import run

class Task(Message):
    run: Run

class Result(Message):
    number: int

def work(task, store, progress):
    progress("fitting step 1 of 2")
    number = claims.claim_number(store, paths.models("income"), task.run.key)
    fate = task.run.trigger
    if fate == "sleep":
        progress("sleeping")
        time.sleep(600)
    if fate == "native":
        progress("sleeping")
        import duckdb
        duckdb.connect().execute("select count(*) from range(10000000) a, range(10000000) b where hash(a, b) = 7")
    if fate == "crash":
        raise RuntimeError("the roof fell in")
    if fate == "now":
        raise run.RefusedForNow("raw/x.csv has no row", reason="NoRows")
    if fate != "done":
        raise getattr(errors, fate)("not like this: " + "x" * 5000)
    return Result(number=number)

# As the pools that numpy makes when it is imported: a thread that was there before and hears every signal.
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
sys.exit(run.main(Task, work))
"""


@dataclass(slots=True)
class Pod:
    """The folders of a pod, and runs of the workload in them."""

    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def store(self) -> Volume:
        return Volume(self.folder / "store")

    def start(self, fate: str, task: str | None = None) -> subprocess.Popen[bytes]:
        origin = {"kind": "ModelTraining", "namespace": "people", "name": "income", "uid": "u"}
        body = {"run": {"key": KEY, "trigger": fate, "origin": origin}}
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "operator"),
            "MERKHET_TASK": json.dumps(body) if task is None else task,
            "MERKHET_STORE": str(self.folder / "store"),
            "MERKHET_REPORT": str(self.folder / "report"),
            "MERKHET_SCRATCH": str(self.folder / "scratch"),
        }
        command = [sys.executable, "-c", WORKLOAD]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        self.processes.append(process)
        return process

    def run(self, fate: str, task: str | None = None) -> int:
        process = self.start(fate, task)
        self.log = process.communicate()[1].decode()
        return process.returncode

    log: str = ""

    def report(self) -> RunReport | None:
        try:
            return RunReport.load((self.folder / "report" / "report.json").read_bytes())
        except FileNotFoundError:
            return None

    def last_report(self) -> RunReport:
        report = self.report()
        assert report is not None
        return report

    def await_progress(self, words: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (report := self.report()) is None or report.progress != words:
            assert time.monotonic() < deadline, f"never came so far as: {words}"
            time.sleep(0.02)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    for name in ("store", "report", "scratch"):
        (tmp_path / name).mkdir()
    made = Pod(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()


def test_a_finished_run_is_recorded_and_reported_with_its_usage(pod: Pod) -> None:
    assert pod.run("done") == DONE
    report = pod.last_report()
    assert (report.key, report.phase, report.result) == (KEY, "Succeeded", {"number": 1})
    assert report.started <= report.finished
    assert report.usage.peak_memory > 1_000_000
    assert report.usage.wall_seconds > 0
    assert claims.recorded(pod.store, KEY) == report


def test_a_finished_run_is_reported_again_without_working_again(pod: Pod) -> None:
    pod.run("done")
    first = pod.last_report()
    (pod.folder / "report" / "report.json").unlink()
    assert pod.run("crash") == DONE
    assert pod.last_report() == first


def test_a_run_killed_in_the_middle_is_carried_on_with_the_same_number(pod: Pod) -> None:
    process = pod.start("sleep")
    pod.await_progress("sleeping")
    process.kill()
    process.wait()
    assert claims.recorded(pod.store, KEY) is None
    assert pod.run("done") == DONE
    assert pod.last_report().result == {"number": 1}


def test_two_pods_of_one_run_report_the_same_record(pod: Pod) -> None:
    first, second = pod.start("done"), pod.start("done")
    assert [first.wait(), second.wait()] == [DONE, DONE]
    assert claims.recorded(pod.store, KEY) == pod.last_report()


@pytest.mark.parametrize("fate", ["sleep", "native"])
def test_told_to_end_it_ends_at_once_also_in_native_code_and_the_run_stays_open(pod: Pod, fate: str) -> None:
    process = pod.start(fate)
    pod.await_progress("sleeping")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=DEADLINE_SECONDS) == 143
    report = pod.last_report()
    assert (report.phase, report.reason, report.progress) == ("Running", "Terminated", "sleeping")
    assert claims.recorded(pod.store, KEY) is None


@pytest.mark.parametrize(
    ("fate", "code", "told", "recorded"),
    [
        pytest.param("Refused", REFUSED, ("Refused", "Refused"), True, id="refused for good"),
        pytest.param("InvalidSpec", REFUSED, ("Refused", "InvalidSpec"), True, id="a spec that cannot be meant"),
        pytest.param("now", REFUSED, ("Refused", "NoRows"), False, id="refused for what a file holds today"),
        pytest.param("Missing", REFUSED, ("Refused", "Missing"), False, id="a file that is not there yet"),
        pytest.param("Corrupt", REFUSED, ("Refused", "Corrupt"), False, id="a blob that may be restored"),
        pytest.param("Unavailable", FAILED, ("Running", "Unavailable"), False, id="a world that does not answer"),
        pytest.param("crash", FAILED, ("Running", "Failed"), False, id="an error nobody thought of"),
    ],
)
def test_how_a_run_ends_says_whether_it_is_tried_again_and_remembered(
    pod: Pod, fate: str, code: int, told: tuple[str, str], recorded: bool
) -> None:
    assert pod.run(fate) == code
    report = pod.last_report()
    assert (report.phase, report.reason) == told
    assert 0 < len(report.message) <= 4096
    assert (claims.recorded(pod.store, KEY) is not None) is recorded


def test_an_error_nobody_thought_of_has_its_traceback_in_the_log_and_one_line_in_the_report(pod: Pod) -> None:
    pod.run("crash")
    assert pod.last_report().message == "RuntimeError: the roof fell in"
    (line,) = [line for line in pod.lines() if line["level"] == "error"]
    assert "Traceback" in line["traceback"]


def test_every_line_of_the_log_is_json_and_says_whose_it_is(pod: Pod) -> None:
    pod.run("done")
    assert pod.lines()
    for line in pod.lines():
        assert {"time", "level", "message"} <= line.keys()
        assert (line["kind"], line["namespace"], line["name"], line["run"]) == (
            "ModelTraining",
            "people",
            "income",
            KEY,
        )


def test_a_refusal_stays_although_the_next_try_would_succeed(pod: Pod) -> None:
    pod.run("Refused")
    assert pod.run("done") == REFUSED
    assert pod.last_report().phase == "Refused"


def test_without_a_store_the_run_is_tried_again(pod: Pod) -> None:
    (pod.folder / "store").rmdir()
    assert pod.run("done") == FAILED
    assert (pod.last_report().phase, pod.last_report().reason) == ("Running", "Unavailable")


def test_a_record_that_cannot_be_read_is_refused_and_left_as_it_is(pod: Pod) -> None:
    pod.store.create(paths.run_record(KEY), b"{")
    assert pod.run("done") == REFUSED
    assert pod.last_report().reason == "Corrupt"
    assert pod.store.read(paths.run_record(KEY)) == b"{"


@pytest.mark.parametrize("task", ["", "{}", "[]", '{"run": {"key": "../../etc"}}', "nonsense"])
def test_a_task_that_cannot_be_read_is_refused(pod: Pod, task: str) -> None:
    assert pod.run("done", task) == REFUSED
    assert "MERKHET_TASK is no task" in pod.log
    assert list(pod.store.list("")) == []


def test_a_task_of_another_version_is_told_to_the_run_it_names(pod: Pod) -> None:
    assert pod.run("done", json.dumps({"run": {"key": KEY, "origin": {}}})) == REFUSED
    assert (pod.last_report().key, pod.last_report().reason) == (KEY, "InvalidTask")


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


TWO = {
    "groups/cgroup.controllers": "cpu memory",
    "groups/memory.max": "536870912\n",
    "groups/cpu.max": "150000 100000\n",
    "groups/memory.peak": "123456789\n",
    "groups/cpu.stat": "usage_usec 2500000\nuser_usec 1\n",
    "self": "0::/\n",
}
ONE = {
    "groups/memory/memory.limit_in_bytes": "536870912\n",
    "groups/cpu/cpu.cfs_quota_us": "150000\n",
    "groups/cpu/cpu.cfs_period_us": "100000\n",
    "groups/memory/memory.max_usage_in_bytes": "123456789\n",
    "groups/cpuacct/cpuacct.usage": "2500000000\n",
    "self": "4:memory:/kubepods/pod1/c1\n2:cpu,cpuacct:/kubepods/pod1/c1\n1:name=systemd:/\n",
}
NESTED = {
    name.replace("groups/memory/", "groups/memory/kubepods/pod1/c1/"): content for name, content in ONE.items()
} | {"groups/memory/memory.limit_in_bytes": "9223372036854771712", "groups/memory/memory.max_usage_in_bytes": "1"}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(TWO, id="version 2"),
        pytest.param(ONE, id="version 1, with the container's group at the root"),
        pytest.param(NESTED, id="version 1, with the group where the membership says"),
    ],
)
def test_limits_and_usage_are_those_of_the_containers_group(tmp_path: Path, files: dict[str, str]) -> None:
    tree(tmp_path, files)
    where = (tmp_path / "groups", tmp_path / "self")
    assert limits(*where) == Limits(memory=512 * 1024**2, cpus=1.5)
    assert limits(*where).threads == 2
    assert consumption(*where) == Consumption(peak_memory=123456789, cpu_seconds=2.5)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="no control groups"),
        pytest.param({**TWO, "groups/memory.max": "max", "groups/cpu.max": "max 100000"}, id="version 2"),
        pytest.param(
            {
                **ONE,
                "groups/memory/memory.limit_in_bytes": "9223372036854771712",
                "groups/cpu/cpu.cfs_quota_us": "-1",
            },
            id="version 1",
        ),
    ],
)
def test_no_limit_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    tree(tmp_path, files)
    assert limits(tmp_path / "groups", tmp_path / "self") == Limits(memory=None, cpus=None)
    assert limits(tmp_path / "groups", tmp_path / "self").threads is None


def test_without_control_groups_the_process_counts_itself(tmp_path: Path) -> None:
    used = consumption(tmp_path, tmp_path / "self")
    assert used.peak_memory > 1_000_000
    assert used.cpu_seconds > 0
