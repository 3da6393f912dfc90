"""What does a server pod do, from its task to its end?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Sums of a few thousand numbers are no work for a pool of threads; numpy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import uvloop
from pydantic import ValidationError

from merkhet.contract.runs import DONE, FAILED, REFUSED, STORE_PATH, TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT, ServingTask
from merkhet.errors import Corrupt, MerkhetError, Missing, Refused
from merkhet.workloads import cgroup, log
from merkhet.workloads.online.table import Current, watching
from merkhet.workloads.server.drain import drain
from merkhet.workloads.server.entities import columns_of
from merkhet.workloads.server.http import Limits, Server
from merkhet.workloads.server.metrics import Metrics
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.process import TERMINATION_LOG, ended, listening, settle_memory
from merkhet.workloads.server.readiness import prepare
from merkhet.workloads.server.routes import Gateway

logger = logging.getLogger(__name__)

# A number in JSON takes up to about so many bytes, with what stands between it and the next.
BYTES_PER_ELEMENT = 40
SMALLEST_BODY, LARGEST_BODY = 1 << 20, 64 << 20


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM and give the exit code: 3 for a model that must not be served."""
    arguments = parsed(argv)
    try:
        task = ServingTask.load(os.environ.get(TASK_VARIABLE, ""))
    except ValidationError as failure:
        log.start()
        told = f"{TASK_VARIABLE} is no task that this image understands: {failure}; use one version for all images"
        return ended(told, REFUSED, arguments.termination_log)
    log.start(namespace=task.namespace, name=task.deployment, revision=task.revision)
    try:
        uvloop.run(serve(task, arguments))
    except (Refused, Corrupt, Missing) as failure:
        return ended(f"{failure.reason}: {failure}", REFUSED, arguments.termination_log)
    except (MerkhetError, OSError) as failure:
        return ended(f"{type(failure).__name__}: {failure}", FAILED, arguments.termination_log)
    return DONE


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; pods give nothing."""
    parser = argparse.ArgumentParser(prog="merkhet serve", description="Serve the model of MERKHET_TASK.")
    parser.add_argument("--host", default="", help="address to listen at; all of them by default")
    parser.add_argument("--http-port", type=int, default=HTTP_PORT, help="of the protocol; 0 is any free one")
    parser.add_argument("--admin-port", type=int, default=ADMIN_PORT, help="of /live, /ready and /metrics")
    parser.add_argument("--store", type=Path, default=Path(os.environ.get("MERKHET_STORE", STORE_PATH)))
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG)
    return parser.parse_args(argv)


async def serve(task: ServingTask, arguments: argparse.Namespace) -> None:
    """Listen, prove the model beside that, serve it, and drain on SIGTERM.

    *Raises* MerkhetError where it must not be served.
    """
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    loop.add_signal_handler(signal.SIGINT, told_to_end.set)
    limits = cgroup.limits()
    metrics = Metrics(facts_of(task))
    features = features_for(task, arguments.store)
    gateway = Gateway(task, metrics, loop.call_soon_threadsafe, features)
    port = Server(gateway.answer, limits_for(task, limits.memory))
    admin = Server(gateway.answer_admin, Limits(body=1 << 10, connections=64))
    metrics.gauge("pending", "Requests that wait for the model.", lambda: gateway.pending)
    metrics.gauge("connections", "Connections open.", lambda: len(port.connections))
    if features is not None:
        metrics.gauge("features_version", "Version of the features that are looked up.", lambda: features.number)
        metrics.gauge("features_failures", "Versions of them that could not be opened.", lambda: features.failures)
    metrics.gauge("ready", "Whether new callers should come.", lambda: int(gateway.is_ready))
    async with (
        listening(admin, arguments.host, arguments.admin_port, "admin"),
        listening(port, arguments.host, arguments.http_port, "http") as listener,
        watching(features) if features is not None else contextlib.nullcontext(),
    ):
        loading = asyncio.ensure_future(asyncio.to_thread(prepare, task, arguments.store, limits.threads or 1))
        model = await first(loading, told_to_end)
        if model is not None:
            gateway.serve(model)
            metrics.load_seconds = time.perf_counter() - start
            settle_memory()
            await told_to_end.wait()
            logger.info("told to end; serving on for up to %g s", task.drain_seconds)
            gateway.draining = True
            await drain(port, listener, task.drain_seconds)
    if model is None:
        os._exit(DONE)  # the thread that loads cannot be told to end, and would be waited for
    gateway.worker.shutdown(wait=False, cancel_futures=True)


async def first(loading: asyncio.Future[Model], told_to_end: asyncio.Event) -> Model | None:
    """The model, or None where the process is told to end before it is loaded."""
    ending = asyncio.ensure_future(told_to_end.wait())
    waited: set[asyncio.Future[Any]] = {loading, ending}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    return loading.result() if loading.done() else None


def features_for(task: ServingTask, store: Path) -> Current | None:
    """What is looked up where callers send entities."""
    asked = task.features
    if asked is None:
        return None
    return Current(store, asked.feature_set, asked.ttl_seconds, tuple(columns_of(task.signature)))


def limits_for(task: ServingTask, memory: int | None) -> Limits:
    """What clients may send: the largest request the model takes, and all bodies together within memory."""
    elements = sum(max(1, *tensor.shape[1:], 1) for tensor in task.signature.inputs) * task.max_batch_rows
    body = min(max(elements * BYTES_PER_ELEMENT, SMALLEST_BODY), LARGEST_BODY)
    return Limits(body=body, buffered=max(body, (memory or 512 << 20) // 8))


def facts_of(task: ServingTask) -> dict[str, str]:
    """What the metrics say of the model."""
    return {
        "model": task.model,
        "registry_model": task.registry_model,
        "model_version": str(task.number),
        "revision": task.revision,
        "digest": task.digest,
    }
