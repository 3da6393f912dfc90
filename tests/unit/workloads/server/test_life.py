"""From the task to the end: what must never be served, and going without a failed request."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from merkhet.contract.runs import DONE, FAILED, REFUSED
from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Tensor
from tests.unit.workloads.server.served import (
    DEADLINE,
    Made,
    Process,
    asking,
    eventually,
    numeric,
    put,
    running,
    task_for,
)

INFER = "/v2/models/m/infer"


def ended(task: ServingTask, store: Path) -> tuple[int, str, str]:
    """Exit code, termination message and log of a server that must not become ready."""
    message = store / "termination-log"
    message.touch()
    process = Process(task, store, log=message)
    try:
        code = process.wait()
    finally:
        process.process.kill()
        assert process.process.stderr is not None
        process.process.stderr.close()
    return code, message.read_text(), "".join(process.lines)


def corrupted(store: Path, made: Made) -> ServingTask:
    task = task_for(made, store)
    blob = store / "blobs" / "sha256" / task.digest.removeprefix("sha256:")
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    return task


def gone(store: Path, made: Made) -> ServingTask:
    task = task_for(made, store)
    (store / "blobs" / "sha256" / task.digest.removeprefix("sha256:")).unlink()
    return task


def golden_otherwise(store: Path, made: Made) -> ServingTask:
    outputs = json.loads(json.dumps(made.golden.outputs))
    outputs["score"][4] = [0.25, 0.75]
    return task_for(made, store, golden=put(store, made.golden.model_copy(update={"outputs": outputs}).dump().encode()))


def label_otherwise(store: Path, made: Made) -> ServingTask:
    labels = [1 - label for label in made.golden.outputs["label"]]
    changed = made.golden.model_copy(update={"outputs": {"label": labels}})
    return task_for(made, store, golden=put(store, changed.dump().encode()))


def golden_unreadable(store: Path, made: Made) -> ServingTask:
    return task_for(made, store, golden=put(store, b"{}"))


def signature_otherwise(store: Path, made: Made) -> ServingTask:
    inputs = (Tensor(name="X", datatype="FP32", shape=(-1, 29)),)
    return task_for(made, store, signature=made.signature.model_copy(update={"inputs": inputs}), golden=None)


def no_model(store: Path, made: Made) -> ServingTask:
    content = b"this was never a model"
    return task_for(made, store, digest=put(store, content), size=len(content))


NEVER_SERVED: dict[str, tuple[Callable[[Path, Made], ServingTask], int, str]] = {
    "corrupt blob": (corrupted, REFUSED, "Corrupt: blob sha256:"),
    "missing blob": (gone, REFUSED, "Missing: blob sha256:"),
    "golden answers otherwise": (golden_otherwise, REFUSED, "GoldenMismatch: model m version 3 answers 1 of 20 golden"),
    "golden labels otherwise": (label_otherwise, REFUSED, "answers 20 of 20 golden requests otherwise"),
    "golden requests unreadable": (golden_unreadable, REFUSED, "InvalidGolden: the golden requests sha256:"),
    "signature otherwise": (
        signature_otherwise,
        REFUSED,
        "takes X (FP32 [-1, 30]); its signature wants X (FP32 [-1, 29])",
    ),
    "no model": (no_model, REFUSED, "InvalidModel: model m version 3 is no ONNX file"),
}


@pytest.mark.parametrize(("make", "code", "words"), NEVER_SERVED.values(), ids=NEVER_SERVED.keys())
def test_a_model_that_is_not_as_it_should_be_is_never_served(
    tmp_path: Path, make: Callable[[Path, Made], ServingTask], code: int, words: str
) -> None:
    found, message, log = ended(make(tmp_path, numeric()), tmp_path)
    assert found == code
    assert words in message
    assert " is ready after " not in log
    assert json.loads(log.splitlines()[-1])["message"] == message


def test_a_corrupt_blob_is_told_with_both_digests(tmp_path: Path) -> None:
    task = corrupted(tmp_path, numeric())
    _, message, _ = ended(task, tmp_path)
    assert message.count("sha256:") == 3
    assert f"wanted {task.digest}" in message


def test_a_store_that_is_not_there_may_come_later(tmp_path: Path) -> None:
    task = task_for(numeric(), tmp_path)
    (tmp_path / "empty").mkdir()
    code, message, _ = ended(task, tmp_path / "empty")
    assert code == FAILED
    assert "no store is mounted at" in message


def test_a_label_at_the_very_threshold_may_fall_either_way(tmp_path: Path) -> None:
    made = numeric()
    scores = np.array(made.golden.outputs["score"])[:, 1]
    undecided = int(np.argmin(np.abs(scores - 0.5)))
    labels = [int(score >= scores[undecided]) for score in scores]
    labels[undecided] = 0
    kept = made.golden.model_copy(update={"outputs": {"label": labels, "score": made.golden.outputs["score"]}})
    signature = made.signature.model_copy(update={"threshold": float(scores[undecided])})
    task = task_for(made, tmp_path, signature=signature, golden=put(tmp_path, kept.dump().encode()))
    with running(task, tmp_path) as process:
        assert process.get("/v2/health/ready")[0] == 200


def test_the_server_needs_neither_scikit_learn_nor_what_trains(server: Process) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    for name in ("sklearn", "scipy", "pandas", "pyarrow", "duckdb", "aiohttp"):
        assert f"/site-packages/{name}" not in maps


class Caller(threading.Thread):
    """Asks over one connection until the server ends it; a request that is not answered well is a failure."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.answered = 0
        self.failures: list[str] = []
        self.body = json.dumps(asking(numeric().rows[:3]))

    def run(self) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)) as connection:
            closes = False
            while not closes:
                try:
                    connection.request("POST", INFER, self.body)
                    response = connection.getresponse()
                    content: dict[str, Any] = json.loads(response.read())
                except (OSError, http.client.HTTPException, ValueError) as error:
                    self.failures.append(repr(error))
                    return
                if response.status != 200 or len(content["outputs"]) != 2:
                    self.failures.append(str(content))
                self.answered += 1
                closes = response.getheader("connection") == "close"


def test_draining_fails_no_request(tmp_path: Path) -> None:
    with running(task_for(numeric(), tmp_path, drain_seconds=20.0), tmp_path) as process:
        callers = [Caller(process.port) for _ in range(4)]
        for caller in callers:
            caller.start()
        eventually(lambda: all(caller.answered for caller in callers))
        process.process.terminate()
        process.line("told to end")
        assert process.get("/ready", admin=True) == (503, {"live": True, "ready": False})
        assert process.get("/v2/models/m/ready")[0] == 503
        late = Caller(process.port)  # an endpoint that was not taken away in time
        late.start()
        for caller in [*callers, late]:
            caller.join(DEADLINE)
            assert caller.failures == []
            assert caller.answered >= 1
        assert process.wait() == DONE


def test_a_server_told_to_end_before_it_is_ready_ends(tmp_path: Path) -> None:
    process = Process(task_for(numeric(), tmp_path, drain_seconds=0.1), tmp_path)
    try:
        process.ports()
        assert process.end() == DONE
    finally:
        process.process.kill()
        assert process.process.stderr is not None
        process.process.stderr.close()


def test_a_task_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    task = task_for(numeric(), tmp_path).model_copy(update={"version": 9})
    code, message, _ = ended(task, tmp_path)
    assert code == REFUSED
    assert "MERKHET_TASK is no task that this image understands" in message


def test_answers_go_on_while_garbage_comes(server: Process) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)) as connection:
        for _ in range(50):
            connection.request("POST", INFER, b"\x00\xff garbage")
            response = connection.getresponse()
            assert response.status == 400
            assert "error" in json.loads(response.read())
    assert server.post(INFER, asking(numeric().rows[:1]))[0] == 200


def test_a_server_told_to_end_while_its_store_does_not_answer_ends(tmp_path: Path) -> None:
    task = task_for(numeric(), tmp_path)
    blob = tmp_path / "blobs" / "sha256" / task.digest.removeprefix("sha256:")
    blob.unlink()
    os.mkfifo(blob)  # whoever reads it waits for ever
    process = Process(task, tmp_path)
    try:
        process.ports()
        assert process.end() == DONE
    finally:
        process.process.kill()
        assert process.process.stderr is not None
        process.process.stderr.close()
