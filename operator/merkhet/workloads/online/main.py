"""``merkhet lookup``: answer look-ups of a FeatureSet's latest rows (in a Deployment)."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy reads it when it is imported

from merkhet.contract.online import LookupTask
from merkhet.workloads.online.metrics import Metrics
from merkhet.workloads.online.routes import Gateway
from merkhet.workloads.online.table import Current, watching
from merkhet.workloads.server import process
from merkhet.workloads.server.drain import drain
from merkhet.workloads.server.http import Limits, Server

logger = logging.getLogger(__name__)

# A thousand keys of long text; a query stands in the head of a request.
LIMITS = Limits(head=64 << 10, body=1 << 20, buffered=32 << 20)


def main(argv: Sequence[str]) -> int:
    """Answer until SIGTERM and give the exit code."""
    told = "Answer look-ups of MERKHET_TASK's features."
    return process.run(LookupTask, words_of, serve, process.parsed(argv, "merkhet lookup", told, "of look-ups"))


def words_of(task: LookupTask) -> dict[str, str]:
    """What the log says of it."""
    return {"namespace": task.namespace, "name": task.feature_set}


async def serve(task: LookupTask, arguments: argparse.Namespace) -> None:
    """Listen, follow the pointer beside that, and drain on SIGTERM."""
    told_to_end = process.told_to_end()
    current = Current(arguments.store, task.feature_set, task.ttl_seconds)
    gateway = Gateway(task, current, Metrics(current))
    port = Server(gateway.answer, LIMITS)
    admin = Server(gateway.answer_admin, process.ADMIN_LIMITS)
    process.settle_memory()
    async with (
        process.listening(admin, arguments.host, arguments.admin_port, "admin"),
        process.listening(port, arguments.host, arguments.http_port, "http") as listener,
        watching(current),
    ):
        await told_to_end.wait()
        logger.info("told to end; answering on for up to %g s", task.drain_seconds)
        gateway.draining = True
        await drain(port, listener, task.drain_seconds)
