"""Our server beside a bare protocol that does the same work: `python -m tests.bench.serving.run`.

One core for the server, one for the load. Compare within one run only: absolute figures are the machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.bench.serving.load import Figures, load
from tests.unit.workloads.server.served import ROOT, Made, answer, asking, eventually, numeric, running, task_for

Peer = AbstractContextManager[tuple[str, str]]  # name and URL
SERVER_CORE, LOAD_CORE = 0, 1
PINNED = ("taskset", "-c", str(SERVER_CORE))


@dataclass(frozen=True, slots=True)
class Body:
    """What is asked. ``header``: length of the JSON where tensors follow as bytes."""

    name: str
    content: bytes
    header: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of one server with one body."""

    server: str
    body: str
    figures: Figures


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="the best of so many, taken in turns")
    parser.add_argument("--mlserver", type=Path, help="Python of an environment with mlserver and onnxruntime")
    arguments = parser.parse_args()
    made = numeric()
    bodies = [json_body(made, 1), json_body(made, 64), binary_body(made, 64)]
    with tempfile.TemporaryDirectory() as folder:
        peers: list[Peer] = [bare(made, Path(folder))]
        if arguments.mlserver:
            peers.append(mlserver(made, Path(folder), arguments.mlserver))
        results, notes = measured(made, bodies, Path(folder), peers, seconds=arguments.seconds, rounds=arguments.rounds)
    print(table(results))
    print(notes)


def measured(
    made: Made, bodies: list[Body], folder: Path, peers: list[Peer], *, seconds: int, rounds: int
) -> tuple[list[Result], str]:
    """All servers at once, asked in turns, so that what else the machine does falls on both."""
    best: dict[tuple[str, str], Figures] = {}
    with running(task_for(made, folder), folder, prefix=PINNED) as server, ExitStack() as stack:
        targets = {"merkhet": server.url("/v2/models/m/infer")}
        targets |= dict(stack.enter_context(peer) for peer in peers)
        for _ in range(rounds):
            for body in bodies:
                for name, url in targets.items():
                    if name != "merkhet" and body.header is not None:
                        continue  # it knows no binary tensors
                    figures = load(url, body.content, body.header, seconds=seconds, folder=folder, core=LOAD_CORE)
                    known = best.get((name, body.name))
                    if known is None or figures.rate > known.rate:
                        best[name, body.name] = figures
        text = server.get("/metrics", admin=True)[1]
        resident = next(line for line in text.splitlines() if line.startswith("process_resident")).split()[1]
        notes = f"ready after {server.ready_seconds:.2f} s, resident {int(resident) / 1e6:.0f} MB after the load"
    return [Result(name, body, figures) for (name, body), figures in best.items()], notes


def table(results: list[Result]) -> str:
    """Markdown, each figure beside the bare protocol's JSON of as many rows."""
    bare_rates = {result.body: result.figures.rate for result in results if result.server == "bare protocol"}
    lines = ["| request | server | req/s | of the bare protocol | p50 ms | p99 ms |", "|---|---|---|---|---|---|"]
    for result in sorted(results, key=lambda each: (each.body, each.server)):
        figures = result.figures
        share = figures.rate / bare_rates[result.body.replace("binary", "JSON")]
        lines.append(
            f"| {result.body} | {result.server} | {figures.rate:,.0f} | {share:.0%} "
            f"| {figures.p50:.2f} | {figures.p99:.2f} |"
        )
    return "\n".join(lines)


def json_body(made: Made, rows: int) -> Body:
    """As most clients send it."""
    return Body(f"JSON {rows}", json.dumps(asking(made.rows[:rows])).encode())


def binary_body(made: Made, rows: int) -> Body:
    """With the tensor behind the JSON, both ways."""
    blob = np.ascontiguousarray(made.rows[:rows], "<f4").tobytes()
    tensor = {"name": "X", "datatype": "FP32", "shape": [rows, 30], "parameters": {"binary_data_size": len(blob)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return Body(f"binary {rows}", head + blob, len(head))


@contextmanager
def bare(made: Made, folder: Path) -> Iterator[tuple[str, str]]:
    """The bare protocol and its URL."""
    model = folder / "model.onnx"
    model.write_bytes(made.onnx)
    command = [*PINNED, sys.executable, "-m", "tests.bench.serving.bare", str(model)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        port = process.stderr.readline().split()[-1]
        yield "bare protocol", f"http://127.0.0.1:{port}/v2/models/m/infer"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


MLSERVER_MODEL = """
import numpy, onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
class Onnx(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession("model.onnx", options)
        return True
    async def predict(self, request):
        rows = NumpyCodec.decode_input(request.inputs[0]).astype(numpy.float32)
        found = zip(("label", "score"), self.session.run(None, {"X": rows}))
        outputs = [NumpyCodec.encode_output(name, values) for name, values in found]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""


@contextmanager
def mlserver(made: Made, folder: Path, python: Path) -> Iterator[tuple[str, str]]:
    """MLServer with the same model in its own process, as light as it can be set."""
    ports = {"http_port": 19202, "grpc_port": 19302, "metrics_port": 19402}
    settings = {**ports, "debug": False, "parallel_workers": 0, "access_log": False}
    (folder / "model.onnx").write_bytes(made.onnx)
    (folder / "onnxmodel.py").write_text(MLSERVER_MODEL)
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps({"name": "m", "implementation": "onnxmodel.Onnx"}))
    command = [*PINNED, str(python.parent / "mlserver"), "start", "."]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": "."}, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{ports['http_port']}/v2/models/m"
    try:
        eventually(lambda: answer(urllib.request.Request(f"{url}/ready"))[0] == 200)
        yield "MLServer", f"{url}/infer"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
