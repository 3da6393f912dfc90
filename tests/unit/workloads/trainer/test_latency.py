"""Calls of one row are timed, each by itself, and a slow model does not hold up the run."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from merkhet.workloads.trainer import latency
from merkhet.workloads.trainer.features import Features


@pytest.fixture(scope="module")
def model() -> bytes:
    rows = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    fitted = LogisticRegression().fit(rows, rows[:, 0] > 0)
    graph = to_onnx(fitted, rows[:1], options={"zipmap": False}, target_opset={"": 21, "ai.onnx.ml": 3})
    graph.graph.input[0].name = "input"
    for node in graph.graph.node:
        node.input[:] = ["input" if name == "X" else name for name in node.input]
    content: bytes = graph.SerializeToString()
    return content


ROWS = Features(("a", "b"), ("number", "number"), (np.arange(3, dtype=np.float32), np.ones(3, np.float32)))


def test_a_small_model_answers_in_well_under_ten_milliseconds(model: bytes) -> None:
    found = latency.measured(model, ROWS)
    assert found.calls == latency.CALLS
    assert 0 < found.p50 <= found.p99 < 10


def ticking(*steps: float) -> Iterator[float]:
    """The warm-up takes no time; each call then takes the next of these, over and over."""
    now, at = 0.0, 0
    for _ in range(latency.WARM_UP + 2):
        yield now
    while True:
        yield now
        now += steps[at % len(steps)]
        at += 1
        yield now


def test_a_slow_model_is_asked_for_two_seconds(model: bytes) -> None:
    moments = ticking(0.3)
    found = latency.measured(model, ROWS, lambda: next(moments))
    assert (found.p50, found.p99, found.calls) == (300, 300, 7)


def test_the_slowest_calls_are_told(model: bytes) -> None:
    moments = ticking(*[0.0005] * 97, 0.005, 0.005, 0.005)
    found = latency.measured(model, ROWS, lambda: next(moments))
    assert (found.p50, found.p99, found.calls) == (0.5, 5, 2000)


def test_a_busy_neighbour_is_not_the_models_fault(model: bytes) -> None:
    quiet, disturbed = [0.0005] * (latency.CALLS // latency.ROUNDS), [0.0005, 0.0012] * (latency.CALLS // 2)
    moments = ticking(*disturbed[: latency.CALLS - len(quiet)], *quiet)
    found = latency.measured(model, ROWS, lambda: next(moments))
    assert (found.p50, found.p99) == (0.5, 0.5)
