"""Which request gets which answer?"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import orjson

from merkhet import __name__ as product
from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Tensor
from merkhet.workloads.online.table import Current
from merkhet.workloads.server.dispatch import Handler, Route, dispatch, failed, path_of, refused
from merkhet.workloads.server.entities import EntityReader
from merkhet.workloads.server.http import Reply, Request, Response
from merkhet.workloads.server.metrics import CONTENT_TYPE, Metrics
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.openapi import document
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.requests import Call, Reader
from merkhet.workloads.server.responses import Writer
from merkhet.workloads.server.words import shown

logger = logging.getLogger(__name__)

EXTENSIONS = ["binary_tensor_data"]
PLATFORM = "onnx_onnxv1"
# How long a request may wait for the worker thread before it is better refused.
PATIENCE_SECONDS = 1.0


class Gateway:
    """The model behind the protocol. Until ``serve`` is called it is alive and not ready."""

    def __init__(
        self,
        task: ServingTask,
        metrics: Metrics,
        call_soon: Callable[..., object],
        features: Current | None = None,
    ) -> None:
        self.task = task
        self.version = str(task.number)
        self.metrics = metrics
        self.call_soon = call_soon  # the event loop's, from any thread
        self.features = features  # what is looked up where callers send entities
        self.reader = (
            Reader(task.signature, task.max_batch_rows)
            if features is None
            else EntityReader(task.signature, task.max_batch_rows, features)
        )
        self.writer = Writer(task.model, self.version, task.signature)
        self.worker = ThreadPoolExecutor(1, thread_name_prefix="model")
        self.model: Model | None = None
        self.pending = 0  # of the worker thread
        self.most_pending = 0
        self.draining = False
        self.routes = self._routes()
        self.admin_routes = self._admin_routes()

    def serve(self, model: Model) -> None:
        """From now on it is ready."""
        self.most_pending = max(4, min(1024, int(PATIENCE_SECONDS / max(model.seconds_per_run, 1e-6))))
        self.model = model

    @property
    def is_ready(self) -> bool:
        """Whether new callers should come."""
        can_look_up = self.features is None or self.features.table is not None
        return self.model is not None and can_look_up and not self.draining

    def answer(self, request: Request, reply: Reply) -> Response | None:
        """The protocol's port."""
        return dispatch(self.routes, self._unknown, request, reply, self.metrics.answered)

    def answer_admin(self, request: Request, reply: Reply) -> Response | None:
        """The port of the kubelet and of Prometheus."""
        return dispatch(self.admin_routes, self._unknown, request, reply, self.metrics.answered)

    # The paths

    def _routes(self) -> dict[bytes, Route]:
        name = self.task.model
        metadata = Route("metadata", b"GET", self._fixed(server_metadata()))
        model_metadata = Route("model_metadata", b"GET", self._fixed(self._model_metadata()))
        model_ready = Route("model_ready", b"GET", self._model_ready)
        infer = Route("infer", b"POST", self._infer)
        paths = {
            "/v2": metadata,
            "/v2/": metadata,
            "/v2/health/live": Route("live", b"GET", self._fixed({"live": True})),
            "/v2/health/ready": Route("ready", b"GET", self._ready),
            "/v2/models": Route("models", b"GET", self._fixed({"models": [name]})),
            "/v2/openapi.json": Route("openapi", b"GET", self._fixed(document(self.task))),
        }
        for model in (f"/v2/models/{name}", f"/v2/models/{name}/versions/{self.version}"):
            paths |= {model: model_metadata, f"{model}/ready": model_ready, f"{model}/infer": infer}
        self._unknown = Route("unknown", b"", self._refuse_unknown)
        return {path.encode(): route for path, route in paths.items()}

    def _admin_routes(self) -> dict[bytes, Route]:
        return {
            b"/live": Route("admin", b"GET", self._fixed({"live": True})),
            b"/ready": Route("admin", b"GET", self._ready),
            b"/metrics": Route("admin", b"GET", self._metrics),
        }

    def _fixed(self, content: Any) -> Handler:
        body = orjson.dumps(content)
        return lambda _request, _reply: Response(200, body)

    def _ready(self, _request: Request, _reply: Reply) -> Response:
        status = 200 if self.is_ready else 503
        return Response(status, orjson.dumps({"live": True, "ready": self.is_ready}))

    def _model_ready(self, _request: Request, _reply: Reply) -> Response:
        if self.is_ready:
            return Response(200, orjson.dumps({"name": self.task.model, "ready": True}))
        body = {"name": self.task.model, "ready": False, "error": f"model {self.task.model} is not ready"}
        return Response(503, orjson.dumps(body))

    def _metrics(self, _request: Request, _reply: Reply) -> Response:
        return Response(200, self.metrics.text().encode(), CONTENT_TYPE)

    def _model_metadata(self) -> dict[str, Any]:
        signature = self.task.signature
        return {
            "name": self.task.model,
            "versions": [self.version],
            "platform": PLATFORM,
            "inputs": [described(tensor) for tensor in signature.inputs],
            "outputs": [described(tensor) for tensor in signature.outputs],
        }

    def _refuse_unknown(self, request: Request, _reply: Reply) -> Response:
        words = path_of(request.target).decode(errors="replace").split("/")
        if words[1:3] == ["v2", "models"] and len(words) > 3 and words[3] != self.task.model:
            raise Refusal(f"there is no model {shown(words[3])} here; this server has {shown(self.task.model)}", 404)
        if words[1:3] == ["v2", "models"] and words[4:5] == ["versions"] and words[5:6] != [self.version]:
            told = f"model {self.task.model} has no version {shown('/'.join(words[5:6]))} here"
            raise Refusal(f"{told}; this server has {shown(self.version)}", 404)
        raise Refusal(f"there is nothing at {shown('/'.join(words))}; /v2/openapi.json tells what there is", 404)

    # Inference

    def _infer(self, request: Request, reply: Reply) -> Response | None:
        start = perf_counter()
        model = self.model
        if model is None:
            raise Refusal(f"model {self.task.model} is not ready; try again", 503, retry_after=1)
        call = self.reader.read(request.body, json_length(request) if request.headers else None)
        if call.rows > model.inline_rows:
            self._submit(model, call, start, reply)
            return None
        return self._answered(call, model.run(call.feed, names_of(call)), start)

    def _answered(self, call: Call, answers: dict[str, Any], start: float) -> Response:
        body, length = self.writer.write(call, answers)
        self.metrics.inferred(call.rows, perf_counter() - start)
        if length is None:
            return Response(200, body)
        return Response(200, body, b"application/octet-stream", b"inference-header-content-length: %d\r\n" % length)

    def _submit(self, model: Model, call: Call, start: float, reply: Reply) -> None:
        """Hand a long run to the worker thread, which lets go of the interpreter while it computes."""
        if self.pending >= self.most_pending:
            raise Refusal(f"{self.pending} requests wait for the model already; try again", 503, retry_after=1)
        self.pending += 1
        future = self.worker.submit(model.run, call.feed, names_of(call))
        future.add_done_callback(partial(self.call_soon, self._finish, call, start, reply))

    def _finish(self, call: Call, start: float, reply: Reply, future: Future[dict[str, Any]]) -> None:
        self.pending -= 1
        try:
            response = self._answered(call, future.result(), start)
        except Refusal as refusal:
            response = refused(refusal)
        except Exception:
            logger.exception("an inference failed")
            response = failed()
        self.metrics.answered("infer", response.status)
        reply(response)


def names_of(call: Call) -> list[str] | None:
    """The outputs that are asked for."""
    return None if call.outputs is None else [name for name, _ in call.outputs]


def json_length(request: Request) -> int | None:
    """The length of the JSON before the bytes of tensors, where a header says so."""
    if request.headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal("compressed bodies are not read; send the body as it is", 415)
    header, size = request.headers.get(b"inference-header-content-length"), len(request.body)
    if header is None:
        return None
    if not header.isdigit() or int(header) > size:
        told = shown(header.decode(errors="replace"))
        raise Refusal(
            f"Inference-Header-Content-Length is {told} and the body has {size} bytes; send the JSON's length"
        )
    return int(header)


def server_metadata() -> dict[str, Any]:
    """What `GET /v2` tells."""
    return {"name": product, "version": "2", "extensions": EXTENSIONS}


def described(tensor: Tensor) -> dict[str, Any]:
    """A tensor in the metadata; the columns of a tensor that has several are among its parameters."""
    told: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
    if tensor.columns:
        told["parameters"] = {"columns": list(tensor.columns)}
    return told
