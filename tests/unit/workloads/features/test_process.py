"""``merkhet features`` as its pod runs it: a process with a task, a store and a report, killed at any moment."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from merkhet.contract.features import FeaturesResult, FeaturesTask
from merkhet.contract.runs import DONE, REFUSED, RunReport
from tests.unit.workloads.features.making import Workshop, workshop

ROOT = Path(__file__).parents[4]
SECONDS = 300.0


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(shop: Workshop, task: FeaturesTask) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "operator"),
        "MERKHET_TASK": task.dump(),
        "MERKHET_STORE": str(shop.places.store),
        "MERKHET_REPORT": str(shop.places.report),
        "MERKHET_SCRATCH": str(shop.places.scratch),
    }
    return subprocess.Popen([sys.executable, "-m", "merkhet", "features"], env=environment, stderr=subprocess.DEVNULL)


def report(shop: Workshop) -> RunReport:
    return RunReport.load((shop.places.report / "report.json").read_bytes())


def test_however_often_it_is_killed_there_is_one_version_in_the_end(
    shop: Workshop, started: list[subprocess.Popen[bytes]]
) -> None:
    shop.put("t.parquet", {"n": list(range(50_000)), "s": [f"row {n % 977}" for n in range(50_000)]})
    task = shop.task({"t": "store://raw/t.parquet"}, query="select n, s from t", entity=["n"])
    clock = random.Random(11)
    for _ in range(8):
        process = start(shop, task)
        started.append(process)
        time.sleep(clock.uniform(0.1, 1.2))  # the moment of death, not something waited for
        process.kill()
        process.wait()
    started.append(start(shop, task))
    assert started[-1].wait(timeout=SECONDS) == DONE
    result = FeaturesResult.model_validate(report(shop).result)
    assert (result.number, result.rows, result.unchanged) == (1, 50_000, False)
    assert [path for path in shop.store.list("featuresets") if path.endswith(".manifest.json")] == [
        "featuresets/adults/1.manifest.json"
    ]
    assert shop.table().column("n").to_pylist() == list(range(50_000))


def test_a_file_put_right_lets_the_same_run_succeed(shop: Workshop, started: list[subprocess.Popen[bytes]]) -> None:
    task = shop.task({"t": "store://raw/t.parquet"})
    shop.put("t.parquet", b"<html>please sign in</html>")
    for content, code in ((None, REFUSED), ({"n": [1]}, DONE)):
        if content is not None:
            shop.put("t.parquet", content)
        started.append(start(shop, task))
        assert started[-1].wait(timeout=SECONDS) == code
        assert report(shop).phase == ("Succeeded" if code == DONE else "Refused")


def test_a_query_that_cannot_be_read_is_refused_for_good(
    shop: Workshop, started: list[subprocess.Popen[bytes]]
) -> None:
    shop.put("t.parquet", {"n": [1]})
    task = shop.task({"t": "store://raw/t.parquet"}, query="selec n from t")
    started.append(start(shop, task))
    assert started[-1].wait(timeout=SECONDS) == REFUSED
    assert report(shop).reason == "InvalidQuery"
    record = json.loads(shop.store.read(f"runs/{task.run.key}/record.json"))
    assert record["phase"] == "Refused"
