"""What do all servers do as processes: open their ports, settle, and say why they end?"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from merkhet.workloads.server.http import Server

logger = logging.getLogger(__name__)

TERMINATION_LOG = Path("/dev/termination-log")
LONGEST_TERMINATION_MESSAGE = 4000  # bytes; the kubelet keeps 4096
BACKLOG = 1024


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
