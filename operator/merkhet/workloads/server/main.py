"""What does a server pod do, from its task to its end?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Sums of a few thousand numbers are no work for a pool of threads; numpy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from merkhet.contract.runs import DONE
from merkhet.contract.serving import ServingTask
from merkhet.workloads import cgroup
from merkhet.workloads.online.table import Current, watching
from merkhet.workloads.server import process
from merkhet.workloads.server.drain import drain
from merkhet.workloads.server.entities import columns_of
from merkhet.workloads.server.http import Limits, Server
from merkhet.workloads.server.metrics import Metrics
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.readiness import prepare
from merkhet.workloads.server.routes import Gateway

logger = logging.getLogger(__name__)

# A number in JSON takes up to about so many bytes, with what stands between it and the next.
BYTES_PER_ELEMENT = 40
SMALLEST_BODY, LARGEST_BODY = 1 << 20, 64 << 20


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM and give the exit code: 3 for a model that must not be served."""
    arguments = process.parsed(argv, "merkhet serve", "Serve the model of MERKHET_TASK.", "of the protocol")
    return process.run(ServingTask, words_of, serve, arguments)


def words_of(task: ServingTask) -> dict[str, str]:
    """What the log says of it."""
    return {"namespace": task.namespace, "name": task.deployment, "revision": task.revision}


async def serve(task: ServingTask, arguments: argparse.Namespace) -> None:
    """Listen, prove the model beside that, serve it, and drain on SIGTERM.

    *Raises* MerkhetError where it must not be served.
    """
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    told_to_end = process.told_to_end()
    limits = cgroup.limits()
    metrics = Metrics(facts_of(task))
    features = features_for(task, arguments.store)
    gateway = Gateway(task, metrics, loop.call_soon_threadsafe, features)
    port = Server(gateway.answer, limits_for(task, limits.memory))
    admin = Server(gateway.answer_admin, process.ADMIN_LIMITS)
    metrics.gauge("pending", "Requests that wait for the model.", lambda: gateway.pending)
    metrics.gauge("connections", "Connections open.", lambda: len(port.connections))
    if features is not None:
        metrics.gauge("features_version", "Version of the features that are looked up.", lambda: features.number)
        metrics.gauge("features_failures", "Versions of them that could not be opened.", lambda: features.failures)
    metrics.gauge("ready", "Whether new callers should come.", lambda: int(gateway.is_ready))
    async with (
        process.listening(admin, arguments.host, arguments.admin_port, "admin"),
        process.listening(port, arguments.host, arguments.http_port, "http") as listener,
        watching(features) if features is not None else contextlib.nullcontext(),
    ):
        loading = asyncio.ensure_future(asyncio.to_thread(prepare, task, arguments.store, limits.threads or 1))
        model = await first(loading, told_to_end)
        if model is not None:
            gateway.serve(model)
            metrics.load_seconds = time.perf_counter() - start
            process.settle_memory()
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
