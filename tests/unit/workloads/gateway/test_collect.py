"""A pass of the collector as people and the store's pod start it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.live import KINDS, LiveList
from merkhet.store import paths
from merkhet.store.collector import last_collection
from merkhet.store.volume import Volume
from merkhet.workloads.gateway.main import prepare

ROOT = Path(__file__).parents[4]
DEADLINE_SECONDS = 120.0


@dataclass(slots=True)
class Pod:
    """The store's pod: a store, and beside it the list of who lives."""

    folder: Path

    @property
    def store(self) -> Volume:
        return Volume(self.folder / "store")

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "operator"),
            "MERKHET_STORE": str(self.store.root),
            "MERKHET_LIVE": str(self.folder / "live"),
            "MERKHET_NAMESPACE": "people",
            **variables,
        }
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "merkhet", *words]
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    def collect(self, *words: str) -> tuple[int, dict[str, Any], str]:
        with self.start("store", "collect", *words) as process:
            out, error = process.communicate()
            return process.returncode, json.loads(out) if out else {}, error

    def list(self, **more: Any) -> None:
        """The operator's list, as the kubelet brings it."""
        (self.folder / "live").mkdir(exist_ok=True)
        usual = {"complete": True, "made": datetime.now(UTC).isoformat(), "namespace": "people", "kinds": KINDS}
        live = LiveList(**{**usual, **more})
        (self.folder / "live" / "live.json").write_text(live.dump())


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    (tmp_path / "store").mkdir()
    prepare(tmp_path / "store", now=time.time())
    return Pod(tmp_path)


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not found():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)


def test_two_passes_let_go_of_what_nothing_names(pod: Pod) -> None:
    lost = pod.store.add(b"lost")
    pod.list()
    code, first, _ = pod.collect("--grace", "0s")
    assert (code, first["blobs"], first["waiting"], first["stopped"]) == (0, 0, 1, "")
    code, second, _ = pod.collect("--grace", "0s")
    assert (code, second["blobs"], second["bytes"], second["waiting"]) == (0, 1, 4, 0)
    assert not pod.store.exists(paths.blob(lost))


def test_by_itself_an_hour_has_to_pass(pod: Pod) -> None:
    pod.store.add(b"lost")
    pod.list()
    for _ in range(2):
        code, said, _ = pod.collect()
        assert (code, said["blobs"], said["waiting"]) == (0, 0, 1)


def spoilt(pod: Pod) -> None:
    (pod.folder / "live").mkdir()
    (pod.folder / "live" / "live.json").write_text('{"version": 2}')


def incomplete(pod: Pod) -> None:
    pod.list(message="too many")
    file = pod.folder / "live" / "live.json"
    file.write_text(file.read_text().replace('"complete":true', '"complete":false'))


def edited(pod: Pod) -> None:
    pod.list(keep={"adults": 1})
    file = pod.folder / "live" / "live.json"
    file.write_text(file.read_text().replace('"adults":1', '"adults":0'))


def cut_short(pod: Pod) -> None:
    pod.list()
    file = pod.folder / "live" / "live.json"
    file.write_text(file.read_text()[:-5])


LISTS: dict[str, tuple[Callable[[Pod], None], str]] = {
    "is of another namespace": (lambda pod: pod.list(namespace="sales"), "is of namespace sales, wanted people"),
    "does not say whose it is": (lambda pod: pod.list(namespace=""), "is of namespace ?, wanted people"),
    "is of an older operator": (lambda pod: pod.list(kinds=KINDS[:1]), "does not speak of Components"),
    "was edited to keep nothing": (edited, "greater than or equal to 1"),
    "is cut short": (cut_short, "it cannot be read"),
    "is not there": (lambda _: None, "is not there; the operator writes it"),
    "is of a version to come": (spoilt, "use one version for all images"),
    "is not complete": (incomplete, "too many"),
}


@pytest.mark.parametrize(("make", "said"), LISTS.values(), ids=LISTS)
def test_a_pass_is_stopped_where_the_list(pod: Pod, make: Callable[[Pod], None], said: str) -> None:
    make(pod)
    code, told, _ = pod.collect("--grace", "0s")
    assert code == 1
    assert said in told["stopped"]


def test_what_the_last_pass_did_is_told_in_words(pod: Pod) -> None:
    code, told = status(pod)
    assert code == 0
    assert "GiB are free" in told
    assert "has made no pass yet" in told
    pod.store.add(b"lost")
    pod.list()
    pod.collect("--grace", "0s")
    assert "0 blobs of 0 bytes; 1 blobs that nothing names wait" in status(pod)[1]
    pod.collect("--grace", "0s")
    assert "1 blobs of 4 bytes; 0 blobs" in status(pod)[1]
    incomplete(pod)
    pod.collect("--grace", "0s")
    code, told = status(pod)
    assert code == 1
    assert "is not complete: too many" in told


def status(pod: Pod) -> tuple[int, str]:
    """What ``merkhet store status`` says."""
    with pod.start("store", "status") as process:
        out, _ = process.communicate()
        return process.returncode, out


def test_a_grace_that_is_no_duration_is_refused(pod: Pod) -> None:
    code, told, error = pod.collect("--grace", "soon")
    assert (code, told) == (1, {})
    assert "--grace: 'soon' is no duration" in error


def test_one_pass_at_a_time(pod: Pod) -> None:
    pod.list()
    with (pod.store.root / ".collector.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, told, error = pod.collect()
    assert (code, told) == (1, {})
    assert "at work" in error


def test_the_pod_collects_at_once_and_again_and_ends_when_told(pod: Pod) -> None:
    lost = pod.store.add(b"lost")
    pod.list()
    variables = {"MERKHET_COLLECT_SECONDS": "0.1", "MERKHET_COLLECT_GRACE": "0s"}
    with pod.start("gateway", **variables) as process:
        until(lambda: not pod.store.exists(paths.blob(lost)), "the blob goes")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=DEADLINE_SECONDS) == 0
    assert stopped(pod) == ""


def stopped(pod: Pod) -> str | None:
    """What stopped the last pass; None before the first."""
    last = last_collection(pod.store)
    return None if last is None else last.stopped


def test_a_pass_that_is_stopped_does_not_stop_the_pod(pod: Pod) -> None:
    with pod.start("gateway", MERKHET_COLLECT_SECONDS="0.1") as process:
        until(lambda: bool(stopped(pod)), "a pass that is stopped")
        pod.list()
        until(lambda: stopped(pod) == "", "a pass that is not stopped")
        assert process.poll() is None
        process.kill()
