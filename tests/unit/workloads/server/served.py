"""Makes what a server is given: models, their golden requests, a store, a task; and starts a server's process."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from merkhet.contract.base import Message
from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Golden, Signature, Tensor

ROOT = Path(__file__).parents[4]
OPSET = {"": 21, "ai.onnx.ml": 3}
DEADLINE = 120.0  # seconds; nothing here takes them on a machine that is free


@dataclass(frozen=True)
class Made:
    """A model, how it is called, and some rows with scikit-learn's answers."""

    onnx: bytes
    signature: Signature
    golden: Golden
    rows: Any


@cache
def numeric(threshold: float | None = None) -> Made:
    """Thirty numbers in one tensor; a logistic regression of microseconds."""
    x, y = load_breast_cancer(return_X_y=True)
    x = x.astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    return Made(
        converted(pipeline, x), numeric_signature(x.shape[1], threshold), golden(pipeline, x[:20], threshold), x
    )


@cache
def slow() -> Made:
    """The same, by a forest that takes far more than a tenth of a millisecond a request."""
    x, y = load_breast_cancer(return_X_y=True)
    x = x.astype(np.float32)
    forest = RandomForestClassifier(600, random_state=0).fit(x, y)
    return Made(converted(forest, x), numeric_signature(x.shape[1], None), golden(forest, x[:5], None), x)


@cache
def mixed() -> Made:
    """A number and a text, each an input of its own; the text is one of three."""
    rng = np.random.default_rng(0)
    age = rng.uniform(18, 80, 300).astype(np.float32)
    job = rng.choice(["baker", "clerk", "miner"], 300)
    y = np.where((age > 50) ^ (job == "miner"), "yes", "no")
    table = np.array([*zip(age.tolist(), job.tolist(), strict=True)], dtype=object)
    columns = ColumnTransformer([("age", StandardScaler(), [0]), ("job", OneHotEncoder(), [1])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(table, y)
    types = [("age", FloatTensorType([None, 1])), ("job", StringTensorType([None, 1]))]
    model = to_onnx(pipeline, initial_types=types, options={id(pipeline[-1]): {"zipmap": False}}, target_opset=OPSET)
    signature = Signature(
        inputs=(
            Tensor(name="age", datatype="FP32", shape=(-1, 1)),
            Tensor(name="job", datatype="BYTES", shape=(-1, 1), categories=("baker", "clerk", "miner")),
        ),
        outputs=(
            Tensor(name="label", datatype="BYTES", shape=(-1,)),
            Tensor(name="probabilities", datatype="FP32", shape=(-1, 2)),
        ),
        task="Classification",
        classes=("no", "yes"),
        graph={"label": "label", "probabilities": "probabilities"},
    )
    some = table[:10]
    kept = Golden(
        inputs={"age": [float(row[0]) for row in some], "job": [row[1] for row in some]},
        outputs={"label": pipeline.predict(some).tolist(), "probabilities": pipeline.predict_proba(some).tolist()},
        tolerance=1e-4,
    )
    return Made(model.SerializeToString(), signature, kept, table)


def converted(estimator: Any, x: Any) -> bytes:
    """ONNX's bytes."""
    final = estimator[-1] if hasattr(estimator, "steps") else estimator
    options = {id(final): {"zipmap": False}}
    return bytes(to_onnx(estimator, x[:1], options=options, target_opset=OPSET).SerializeToString())


def numeric_signature(width: int, threshold: float | None) -> Signature:
    """As training writes it for numbers alone."""
    return Signature(
        inputs=(Tensor(name="X", datatype="FP32", shape=(-1, width), columns=tuple(f"c{i}" for i in range(width))),),
        outputs=(
            Tensor(name="label", datatype="INT64", shape=(-1,)),
            Tensor(name="score", datatype="FP32", shape=(-1, 2)),
        ),
        task="Classification",
        classes=(0, 1),
        threshold=threshold,
        positive=1,
        graph={"label": "label", "score": "probabilities"},
    )


def golden(estimator: Any, x: Any, threshold: float | None) -> Golden:
    """Rows with scikit-learn's answers."""
    scores = estimator.predict_proba(x)
    labels = estimator.predict(x) if threshold is None else (scores[:, 1] >= threshold).astype(int)
    return Golden(
        inputs={"X": x.tolist()}, outputs={"label": labels.tolist(), "score": scores.tolist()}, tolerance=1e-4
    )


def put(store: Path, content: bytes) -> str:
    """Store a blob."""
    digest = hashlib.sha256(content).hexdigest()
    file = store / "blobs" / "sha256" / digest
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return f"sha256:{digest}"


def task_for(made: Made, store: Path, **changes: Any) -> ServingTask:
    """A task whose blobs are in the store."""
    golden_digest = put(store, made.golden.dump().encode())
    values: dict[str, Any] = {
        "namespace": "people", "deployment": "d", "revision": "r1", "model": "m", "registry_model": "m", "number": 3,
        "digest": put(store, made.onnx), "size": len(made.onnx), "signature": made.signature, "golden": golden_digest,
        "drain_seconds": 4.0,
    }  # fmt: skip
    return ServingTask(**(values | changes))


class Process:
    """A server's own process, as a pod runs it."""

    module = "merkhet.workloads.server.main"

    def __init__(self, task: Message, store: Path, *, prefix: tuple[str, ...] = (), log: Path | None = None) -> None:
        self.termination_log = log
        code = f"import sys; from {self.module} import main; sys.exit(main(sys.argv[1:]))"
        options = ["--host", "127.0.0.1", "--http-port", "0", "--admin-port", "0", "--store", str(store)]
        if log is not None:
            options += ["--termination-log", str(log)]
        environment = os.environ | {"MERKHET_TASK": task.dump(), "PYTHONPATH": str(ROOT / "operator")}
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", "-c", code, *options],
            env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._coming: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            self._coming.put(line)
        self._coming.put("")

    def line(self, pattern: str) -> re.Match[str]:
        """The first line of the log from here on that matches."""
        while True:
            line = self._coming.get(timeout=DEADLINE)
            assert line, f"the server ended before it said {pattern!r}:\n{''.join(self.lines)}"
            if match := re.search(pattern, line):
                return match

    def ports(self) -> None:
        """Wait for both ports."""
        self.admin = int(self.line(r"admin listens on port (\d+)")[1])
        self.port = int(self.line(r"http listens on port (\d+)")[1])

    def ready(self) -> None:
        """Wait until it is ready."""
        eventually(lambda: self.get("/v2/health/ready")[0] == 200, self)
        self.ready_seconds = time.monotonic() - self.started

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path: str, *, admin: bool = False) -> tuple[int, Any]:
        """Status and JSON."""
        port = self.admin if admin else self.port
        return answer(urllib.request.Request(f"http://127.0.0.1:{port}{path}"))

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return answer(urllib.request.Request(self.url(path), content, method="POST"))

    def end(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code."""
        code = self.process.wait(DEADLINE)
        self._reader.join(DEADLINE)
        return code


def answer(request: urllib.request.Request) -> tuple[int, Any]:
    """Status and JSON, or text."""
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE) as response:
            status, content = response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, content = error.code, error.read()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode()


def eventually(fact: Any, server: Process | None = None) -> None:
    """Wait for a fact."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            if fact():
                return
        except OSError:
            assert server is None or server.process.poll() is None, "".join(server.lines)
        threading.Event().wait(0.02)
    raise AssertionError("it did not come to pass" + ("" if server is None else ":\n" + "".join(server.lines)))


@contextmanager
def running(task: ServingTask, store: Path, *, prefix: tuple[str, ...] = ()) -> Iterator[Process]:
    """A ready server."""
    process = Process(task, store, prefix=prefix)
    try:
        process.ports()
        process.ready()
        yield process
    finally:
        process.process.kill()
        process.wait()
        assert process.process.stderr is not None
        process.process.stderr.close()


def asking(rows: Any, **more: Any) -> dict[str, Any]:
    """A request for the numeric models."""
    data = np.asarray(rows).ravel().tolist()
    return {"inputs": [{"name": "X", "datatype": "FP32", "shape": [len(rows), 30], "data": data}], **more}
