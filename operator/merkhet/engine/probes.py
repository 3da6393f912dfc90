"""Is the operator alive, is it ready, and what does it measure? Over HTTP, for the kubelet and Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Check = Callable[[], str | None]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def probes(port: int, *, live: Check, ready: Check, metrics: Callable[[], bytes]) -> AsyncIterator[int]:
    """Answer /live, /ready and /metrics meanwhile; a check says what is wrong, or None. Gives the port."""
    app = web.Application()
    app.add_routes([
        web.get("/live", _answering(live)),
        web.get("/ready", _answering(ready)),
        web.get("/metrics", _measuring(metrics)),
    ])  # fmt: skip
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "0.0.0.0", port, shutdown_timeout=1)  # noqa: S104 - the kubelet asks from the node
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _answering(check: Check) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        fault = check()
        return web.Response(status=503 if fault else 200, text=f"{fault or 'ok'}\n")

    return answer


def _measuring(metrics: Callable[[], bytes]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return answer
