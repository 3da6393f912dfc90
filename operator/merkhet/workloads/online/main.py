"""``merkhet lookup``: answer look-ups of a FeatureSet's latest rows (in a Deployment)."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy reads it when it is imported

import uvloop
from pydantic import ValidationError

from merkhet.contract.online import LookupTask
from merkhet.contract.runs import DONE, FAILED, REFUSED, STORE_PATH, TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT
from merkhet.errors import MerkhetError
from merkhet.workloads import log
from merkhet.workloads.online.metrics import Metrics
from merkhet.workloads.online.routes import Gateway
from merkhet.workloads.online.table import Current, watching
from merkhet.workloads.server.drain import drain
from merkhet.workloads.server.http import Limits, Server
from merkhet.workloads.server.process import TERMINATION_LOG, ended, listening, settle_memory

logger = logging.getLogger(__name__)

# A thousand keys of long text; a query stands in the head of a request.
LIMITS = Limits(head=64 << 10, body=1 << 20, buffered=32 << 20)


def main(argv: Sequence[str]) -> int:
    """Answer until SIGTERM and give the exit code."""
    arguments = parsed(argv)
    try:
        task = LookupTask.load(os.environ.get(TASK_VARIABLE, ""))
    except ValidationError as failure:
        log.start()
        told = f"{TASK_VARIABLE} is no task that this image understands: {failure}; use one version for all images"
        return ended(told, REFUSED, arguments.termination_log)
    log.start(namespace=task.namespace, name=task.feature_set)
    try:
        uvloop.run(serve(task, arguments))
    except (MerkhetError, OSError) as failure:
        return ended(f"{type(failure).__name__}: {failure}", FAILED, arguments.termination_log)
    return DONE


def parsed(argv: Sequence[str]) -> argparse.Namespace:
    """The command line; pods give nothing."""
    parser = argparse.ArgumentParser(prog="merkhet lookup", description="Answer look-ups of MERKHET_TASK's features.")
    parser.add_argument("--host", default="", help="address to listen at; all of them by default")
    parser.add_argument("--http-port", type=int, default=HTTP_PORT, help="of look-ups; 0 is any free one")
    parser.add_argument("--admin-port", type=int, default=ADMIN_PORT, help="of /live, /ready and /metrics")
    parser.add_argument("--store", type=Path, default=Path(os.environ.get("MERKHET_STORE", STORE_PATH)))
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG)
    return parser.parse_args(argv)


async def serve(task: LookupTask, arguments: argparse.Namespace) -> None:
    """Listen, follow the pointer beside that, and drain on SIGTERM."""
    loop = asyncio.get_running_loop()
    told_to_end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told_to_end.set)
    loop.add_signal_handler(signal.SIGINT, told_to_end.set)
    current = Current(arguments.store, task.feature_set, task.ttl_seconds)
    gateway = Gateway(task, current, Metrics(current))
    port = Server(gateway.answer, LIMITS)
    admin = Server(gateway.answer_admin, Limits(body=1 << 10, connections=64))
    settle_memory()
    async with (
        listening(admin, arguments.host, arguments.admin_port, "admin"),
        listening(port, arguments.host, arguments.http_port, "http") as listener,
        watching(current),
    ):
        await told_to_end.wait()
        logger.info("told to end; answering on for up to %g s", task.drain_seconds)
        gateway.draining = True
        await drain(port, listener, task.drain_seconds)
