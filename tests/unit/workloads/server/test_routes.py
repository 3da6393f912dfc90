"""What is done under more requests than the model can answer, and before it is there."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from merkhet.workloads.server.http import Request, Response
from merkhet.workloads.server.metrics import Metrics
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.readiness import prepare
from merkhet.workloads.server.routes import Gateway
from tests.unit.workloads.server.served import DEADLINE, asking, eventually, numeric, task_for


class Held(Model):
    """A model that answers when the test lets it."""

    allowed: threading.Event

    def run(self, feed: Any, wanted: Any = None) -> Any:
        assert self.allowed.wait(DEADLINE)
        return super().run(feed, wanted)


def gateway(store: Path) -> tuple[Gateway, Model]:
    task = task_for(numeric(), store)
    return Gateway(task, Metrics({}), lambda call, *values: call(*values)), prepare(task, store)


def request() -> Request:
    return Request(b"POST", b"/v2/models/m/infer", {}, json.dumps(asking(numeric().rows[:1])).encode())


def test_before_the_model_is_there_callers_are_told_to_come_again(tmp_path: Path) -> None:
    early, _ = gateway(tmp_path)
    found = early.answer(request(), list[Response]().append)
    assert found is not None
    assert (found.status, found.extra) == (503, b"retry-after: 1\r\n")
    assert b"model m is not ready" in found.body
    ready = early.answer(Request(b"GET", b"/v2/health/ready", {}, b""), list[Response]().append)
    assert ready is not None
    assert ready.status == 503


def test_more_than_the_model_can_answer_is_refused_at_once_and_the_rest_is_answered(tmp_path: Path) -> None:
    busy, model = gateway(tmp_path)
    held = Held(numeric().onnx, numeric().signature, model.name)
    held.allowed = threading.Event()
    held.seconds_per_run = 0.4  # so that two may wait
    busy.serve(held)
    busy.most_pending = 2
    answers: list[Response] = []
    assert [busy.answer(request(), answers.append) for _ in range(2)] == [None, None]
    refused = busy.answer(request(), answers.append)
    assert refused is not None
    assert (refused.status, refused.extra) == (503, b"retry-after: 1\r\n")
    held.allowed.set()
    eventually(lambda: len(answers) == 2)
    assert [each.status for each in answers] == [200, 200]
    assert busy.pending == 0


def test_a_model_that_fails_is_answered_with_500_and_no_detail(tmp_path: Path) -> None:
    broken, model = gateway(tmp_path)
    broken.serve(model)
    model.everything.sources.append("no such output")
    found = broken.answer(request(), list[Response]().append)
    assert found is not None
    assert (found.status, found.body) == (500, b'{"error":"the server failed; its log says why"}')
