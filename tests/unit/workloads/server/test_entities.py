"""A model that is asked by entity answers as it does by columns, wholly or not at all."""

from __future__ import annotations

import json
import struct
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.serving import EntityFeatures, ServingTask
from tests.unit.workloads.online.making import publish
from tests.unit.workloads.server.served import Process, answer, asking, eventually, mixed, numeric, running, task_for

INFER = "/v2/models/m/infer"
FEATURES = EntityFeatures(feature_set="adults", ttl_seconds=3600.0)
NOW = 2**62  # microseconds; nobody lives to see it become stale


def rows(count: int) -> list[dict[str, Any]]:
    """The first rows of the numeric model, by number and region."""
    some = numeric().rows[:count].astype(float).tolist()
    return [{"id": at, "region": "n/s", **{f"c{i}": v for i, v in enumerate(row)}} for at, row in enumerate(some)]


def asked(store: Path, **more: Any) -> ServingTask:
    return task_for(numeric(0.9), store, features=FEATURES, max_batch_rows=600, **more)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Twenty entities, the last of an hour ago."""
    store = tmp_path_factory.mktemp("store")
    times = [*[NOW] * 19, 0]
    publish(store, tmp_path_factory.mktemp("scratch"), rows(20), "id", "region", number=4, times=times)
    with running(asked(store), store) as process:
        yield process


def by_entity(*numbers: int, region: str = "n/s", nested: bool = False, **more: Any) -> dict[str, Any]:
    shape = [len(numbers), 1] if nested else [len(numbers)]
    regions = {"name": "region", "datatype": "BYTES", "shape": shape, "data": [region] * len(numbers)}
    return {"inputs": [regions, {"name": "id", "datatype": "INT64", "shape": shape, "data": list(numbers)}], **more}


@pytest.mark.parametrize("nested", [False, True], ids=["[n]", "[n, 1]"])
def test_by_entity_is_by_columns(served: Process, nested: bool) -> None:
    wanted = served.post(INFER, asking(numeric().rows[[3, 0, 7]], id="a"))
    assert wanted[0] == 200
    assert served.post(INFER, by_entity(3, 0, 7, nested=nested, id="a")) == wanted


def test_all_rows_and_one_output(served: Process) -> None:
    outputs: dict[str, Any] = {"outputs": [{"name": "score"}]}
    wanted = served.post(INFER, asking(numeric().rows[:19], **outputs))
    assert served.post(INFER, by_entity(*range(19), **outputs)) == wanted


def test_keys_may_be_bytes_behind_the_json(served: Process) -> None:
    region, number = struct.pack("<I3s", 3, b"n/s"), struct.pack("<q", 5)
    document = by_entity(5)
    for tensor, blob in zip(document["inputs"], (region, number), strict=True):
        del tensor["data"]
        tensor["parameters"] = {"binary_data_size": len(blob)}
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    request = urllib.request.Request(served.url(INFER), head + region + number, headers, method="POST")
    assert answer(request) == served.post(INFER, asking(numeric().rows[[5]]))


@pytest.mark.parametrize(
    ("request_", "status", "words"),
    [
        pytest.param(by_entity(1, 99, 2), 404, "entity 1: there is no such entity in version 4", id="nobody"),
        pytest.param(by_entity(1, region="x"), 404, "entity 0: there is no such entity", id="elsewhere"),
        pytest.param(by_entity(0, 1, 19), 404, "entity 2: its latest row is older", id="too old"),
        pytest.param({"inputs": by_entity(1)["inputs"][:1]}, 400, "there is no input", id="half a key"),
        pytest.param({"inputs": by_entity(1)["inputs"] * 2}, 400, "send each of id, region once", id="twice a key"),
        pytest.param(
            {"inputs": [*by_entity(1)["inputs"], *asking(numeric().rows[:1])["inputs"]]}, 400, "no input", id="both"
        ),
        pytest.param(
            {"inputs": [by_entity(1)["inputs"][0], by_entity(1, 2)["inputs"][1]]},
            400,
            "differ in their rows",
            id="uneven",
        ),
        pytest.param(by_entity(*range(601)), 400, "at most 600", id="too many"),
        pytest.param({"inputs": [{"name": ["id"]}, *by_entity(1)["inputs"]]}, 400, "there is no input", id="no name"),
    ],
)
def test_no_answer_is_in_part(served: Process, request_: Any, status: int, words: str) -> None:
    found, told = served.post(INFER, request_)
    assert (found, words in told["error"]) == (status, True), told


def test_keys_of_another_type_are_refused(served: Process) -> None:
    request = by_entity(1)
    request["inputs"][1] |= {"datatype": "BYTES", "data": ["1"]}
    status, told = served.post(INFER, request)
    assert (status, "send INT64" in told["error"]) == (400, True), told


def test_it_is_not_ready_before_it_can_look_up_and_then_follows_versions(tmp_path: Path) -> None:
    store = tmp_path / "store"
    process = Process(asked(store), store)
    try:
        process.ports()
        process.line("is ready after")
        assert process.get("/v2/health/ready")[0] == 503
        publish(store, tmp_path, rows(1), "id", "region", number=1, times=[NOW])
        process.ready()
        assert process.post(INFER, by_entity(1))[0] == 404
        lacking = [{name: value for name, value in row.items() if name != "c29"} for row in rows(2)]
        publish(store, tmp_path, lacking, "id", "region", number=2, times=[NOW] * 2)
        process.line("version 2 of adults has no column c29")
        assert process.post(INFER, by_entity(0))[0] == 200
        publish(store, tmp_path, rows(2), "id", "region", number=3, times=[NOW] * 2)
        eventually(lambda: process.post(INFER, by_entity(1))[0] == 200, process)
    finally:
        process.process.kill()
        process.wait()
        assert process.process.stderr is not None
        process.process.stderr.close()


def test_texts_and_values_that_the_model_does_not_take(tmp_path: Path) -> None:
    store = tmp_path / "store"
    people: list[dict[str, Any]] = [
        {"name": "zoë", "age": 40.5, "job": "baker"},
        {"name": "ada", "age": 30.0, "job": "pilot"},
        {"name": "eve", "age": None, "job": "miner"},
    ]
    task = task_for(mixed(), store, features=FEATURES.model_copy(update={"ttl_seconds": None}))
    publish(store, tmp_path, people, "name", number=1)

    def ask(name: str) -> tuple[int, Any]:
        tensor = {"name": "name", "datatype": "BYTES", "shape": [1], "data": [name]}
        return process.post(INFER, {"inputs": [tensor]})

    with running(task, store) as process:
        age = {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [40.5]}
        job = {"name": "job", "datatype": "BYTES", "shape": [1, 1], "data": ["baker"]}
        assert ask("zoë") == process.post(INFER, {"inputs": [age, job]})
        assert "unknown in training" in ask("ada")[1]["error"]
        assert "is missing" in ask("eve")[1]["error"]
