"""The engine on the fake cluster, driven by hand: no time passes but what a test lets pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from merkhet.engine.engine import Engine
from merkhet.engine.metrics import Metrics
from merkhet.kinds.kind import Kind
from merkhet.settings import Settings
from tests.fake_cluster import Crash, FakeCluster, Watch
from tests.unit.engine import gadget

Result = TypeVar("Result")
PASSES = 2000  # for each object, more than any test needs: who passes more often goes in circles


class FakeClock:
    """A clock that stands until it is set on; who sleeps is woken by that."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        """The wall's time."""
        return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was set on so far."""
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.seconds + seconds, future))
        await future

    async def pass_(self, seconds: float) -> None:
        """Let time pass; whoever wakes meanwhile runs until it sleeps again."""
        end = self.seconds + seconds
        await _let_run()
        while due := sorted(((at, future) for at, future in self._sleepers if at <= end), key=lambda one: one[0]):
            at, future = due[0]
            self.seconds = max(self.seconds, at)
            self._sleepers.remove((at, future))
            if not future.done():
                future.set_result(None)
            await _let_run()
        self.seconds = end


async def _let_run() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class Rig:
    """One operator on one cluster; it can be ended and begun again."""

    def __init__(
        self, cluster: FakeCluster | None = None, kinds: Sequence[Kind] | None = None, settings: Settings | None = None
    ) -> None:
        self.cluster = cluster or FakeCluster()
        self.clock = FakeClock()
        self.kinds = kinds or [gadget.kind()]
        self.settings = settings or Settings(rate=0)
        self.drops: Callable[[int], bool] = lambda _: False
        self.order: random.Random | None = None
        self.passes = 0
        self._watch: Watch | None = None
        self.engine = self._new()

    def restart(self) -> None:
        """A new process on the same cluster: all that was only in memory is gone."""
        if self._watch is not None:
            self.cluster.unwatch(self._watch)
        self._watch = None
        self.engine = self._new()

    async def start(self) -> None:
        """Begin to watch, and list."""
        watched = self.engine.watched
        selectors = {one.api.kind: one.labels for one in watched}
        self._watch = self.cluster.watch(self.engine.seen, [one.api for one in watched], selectors)
        self._watch.drops = self.drops
        await self.engine.start()

    def deliver(self) -> bool:
        """Hand on what the watch holds."""
        assert self._watch is not None
        return self._watch.deliver(self.order)

    async def settle(self, seconds: float = 30.0, *, deliver: bool = True) -> None:
        """Work until nothing is left to do for so many seconds."""
        if self._watch is None:
            await self.start()
        end = self.clock.seconds + seconds
        for _ in range(PASSES * max(1, len(self.engine.queue))):
            if deliver:
                self.deliver()
            key = self.engine.queue.next()
            if key is not None:
                self.passes += 1
                await self.engine.loop.once(key)
                continue
            if deliver and self._watch is not None and self._watch.pending:
                continue
            wakes = self.engine.queue.wakes_at()
            if wakes is None or wakes > end:
                return
            self.clock.seconds = max(self.clock.seconds, wakes)
        raise AssertionError("the engine goes in circles")

    async def settle_through_crashes(self, restarts: int = 20) -> int:
        """Work until all is done, starting again after each crash; how many there were."""
        for crashes in range(restarts):
            try:
                await self.settle()
            except Crash:
                self.restart()
            else:
                return crashes
        raise AssertionError("it crashes for ever")

    def _new(self) -> Engine:
        return Engine(self.kinds, self.settings, cluster=self.cluster, clock=self.clock, metrics=Metrics())


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end."""
    return asyncio.run(work)
