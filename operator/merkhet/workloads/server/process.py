"""What do all servers do as processes: read their task, open their ports, settle, and say why they end?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

import uvloop
from pydantic import ValidationError

from merkhet.contract.base import Message
from merkhet.contract.runs import DONE, FAILED, REFUSED, STORE_PATH, TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT
from merkhet.errors import Corrupt, MerkhetError, Missing, Refused
from merkhet.workloads import log
from merkhet.workloads.server.http import Limits, Server

logger = logging.getLogger(__name__)

TERMINATION_LOG = Path("/dev/termination-log")
LONGEST_TERMINATION_MESSAGE = 4000  # bytes; the kubelet keeps 4096
BACKLOG = 1024
ADMIN_LIMITS = Limits(body=1 << 10, connections=64)  # of the kubelet and of Prometheus, who send next to nothing

Task = TypeVar("Task", bound=Message)


def run(
    kind: type[Task],
    words: Callable[[Task], dict[str, str]],
    serve: Callable[[Task, argparse.Namespace], Coroutine[None, None, None]],
    arguments: argparse.Namespace,
) -> int:
    """Serve the task of the environment until SIGTERM and give the exit code: 3 for what must not be served.

    ``kind`` is the task's class, ``words`` what each line of the log says of it.
    """
    try:
        task = kind.load(os.environ.get(TASK_VARIABLE, ""))
    except ValidationError as failure:
        log.start()
        told = f"{TASK_VARIABLE} is no task that this image understands: {failure}; use one version for all images"
        return ended(told, REFUSED, arguments.termination_log)
    log.start(None, **words(task))
    try:
        uvloop.run(serve(task, arguments))
    except (Refused, Corrupt, Missing) as failure:
        return ended(f"{failure.reason}: {failure}", REFUSED, arguments.termination_log)
    except (MerkhetError, OSError) as failure:
        return ended(f"{type(failure).__name__}: {failure}", FAILED, arguments.termination_log)
    return DONE


def parsed(argv: Sequence[str], program: str, description: str, http_port: str) -> argparse.Namespace:
    """The command line, ``http_port`` says what that port is of; pods give nothing."""
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--host", default="", help="address to listen at; all of them by default")
    parser.add_argument("--http-port", type=int, default=HTTP_PORT, help=f"{http_port}; 0 is any free one")
    parser.add_argument("--admin-port", type=int, default=ADMIN_PORT, help="of /live, /ready and /metrics")
    parser.add_argument("--store", type=Path, default=Path(os.environ.get("MERKHET_STORE", STORE_PATH)))
    parser.add_argument("--termination-log", type=Path, default=TERMINATION_LOG)
    return parser.parse_args(argv)


def told_to_end() -> asyncio.Event:
    """What is set once the process is told to end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    loop.add_signal_handler(signal.SIGINT, told.set)
    return told


@contextlib.asynccontextmanager
async def listening(port: Server, host: str, number: int, name: str) -> AsyncIterator[asyncio.Server]:
    """While inside, a port is served and its slow clients are looked for; the log says where it is."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host or (not host and socket.has_dualstack_ipv6()) else socket.AF_INET
    dual = not host and family == socket.AF_INET6
    opened = socket.create_server((host, number), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    port.tick(loop.time())
    listener = await loop.create_server(port.connection, sock=opened, backlog=BACKLOG)
    logger.info("%s listens on port %d", name, opened.getsockname()[1])
    sweeping = asyncio.ensure_future(port.sweep())
    try:
        yield listener
    finally:
        sweeping.cancel()
        listener.close()
        for connection in list(port.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the loop closes them in its next round


def settle_memory() -> None:
    """What loading left stays as it is: the collector need not look at it with each round."""
    gc.collect()
    gc.freeze()


def ended(message: str, code: int, termination_log: Path) -> int:
    """Say why the process ends, in the log and where the kubelet looks."""
    logger.error(message)
    with contextlib.suppress(OSError):
        if termination_log.exists():  # the kubelet made it
            termination_log.write_bytes(message.encode()[:LONGEST_TERMINATION_MESSAGE])
    return code
