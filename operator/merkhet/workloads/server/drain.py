"""How does a server go without failing a request?

Endpoints are taken away from clients only some time after SIGTERM, so that new connections still come: it says it is
not ready, answers whoever comes with `Connection: close`, and ends when nobody has come for a while or its time is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from merkhet.workloads.server.http import Server

POLL_SECONDS = 0.05
QUIET_FRACTION = 0.5  # of the time to drain: how long, at least, new connections are waited for
LAST_ANSWERS_SECONDS = 1.0


async def drain(port: Server, listener: asyncio.Server, seconds: float) -> None:
    """Serve on until the clients have gone, or for so many seconds, and finish what was asked."""
    port.draining = True
    await asyncio.sleep(seconds * QUIET_FRACTION)
    await until(lambda: not port.connections, seconds * (1 - QUIET_FRACTION))
    listener.close()
    for connection in list(port.connections):
        connection.end()
    await until(lambda: not port.connections, LAST_ANSWERS_SECONDS)


async def until(fact: Callable[[], bool], seconds: float) -> None:
    """Wait for a fact, at most so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        if fact():
            return
        await asyncio.sleep(POLL_SECONDS)
