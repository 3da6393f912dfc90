"""The least a Python server can do for the same answer: no routes, no checks, no limits, no metrics."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httptools
import numpy as np
import onnxruntime
import orjson
import uvloop

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.enable_cpu_mem_arena = False
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])


def infer(body: bytes) -> bytes:
    """JSON in, JSON out."""
    document = orjson.loads(body)
    tensor = document["inputs"][0]
    label, score = session.run(None, {"X": np.asarray(tensor["data"], np.float32).reshape(tensor["shape"])})
    outputs = [
        {"name": "label", "datatype": "INT64", "shape": label.shape, "data": label.ravel()},
        {"name": "score", "datatype": "FP32", "shape": score.shape, "data": score.ravel()},
    ]
    return orjson.dumps({"model_name": "m", "outputs": outputs}, option=orjson.OPT_SERIALIZE_NUMPY)


class Bare(asyncio.Protocol):
    """A body, an answer."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.parts: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.parts = []

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        answer = infer(b"".join(self.parts))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(answer)
        self.transport.write(head + answer)


async def main() -> None:
    """Say the port, then serve."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0)
    sys.stderr.write(f"http listens on port {server.sockets[0].getsockname()[1]}\n")
    await server.serve_forever()


uvloop.run(main())
