"""The parts of the engine, put together: from a change in the cluster to a pass over whom it concerns."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from merkhet.api.conditions import STALLED
from merkhet.api.meta import Api, Body, Key
from merkhet.engine.attach import watched
from merkhet.engine.cache import Cache
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import Cluster
from merkhet.engine.events import Events
from merkhet.engine.interest import Interest
from merkhet.engine.loop import Loop
from merkhet.engine.metrics import Metrics
from merkhet.engine.queue import Pace, Priority, Queue
from merkhet.engine.resync import Resync
from merkhet.engine.world import FRESH, Unwatched
from merkhet.errors import MerkhetError
from merkhet.kinds.kind import Kind
from merkhet.settings import Settings

_log = logging.getLogger(__name__)


class Engine:
    """Everything between the watch and the API server, for one set of kinds."""

    def __init__(
        self,
        kinds: Sequence[Kind],
        settings: Settings,
        *,
        cluster: Cluster,
        clock: Clock,
        metrics: Metrics,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._custom = [kind.api.kind for kind in kinds if kind.custom]
        self.metrics = metrics
        self.watched = watched(kinds)
        self.queue = Queue(clock.monotonic, Pace(rate=settings.rate, burst=settings.burst))
        self.interest = Interest(kinds)
        self.cache = Cache(self._changed)
        self.unwatched = Unwatched(cluster, clock, self.interest, self.queue.add)
        self.resync = Resync(self.watched, settings.scope, cluster, self.cache, metrics)
        self.loop = Loop(
            kinds,
            cluster=cluster,
            cache=self.cache,
            interest=self.interest,
            queue=self.queue,
            unwatched=self.unwatched,
            events=Events(cluster, clock, settings.identity),
            metrics=metrics,
            clock=clock,
            setup=settings.setup,
            may_write=may_write,
        )
        self.synced = False

    def seen(self, api: Api, change: str | None, body: Body) -> None:
        """The watch tells of an object: listed, added, modified or deleted."""
        if change == "DELETED":
            self.cache.lost(api, body)
        else:
            self.cache.saw(api, body, listed=change is None)

    async def start(self) -> None:
        """Know the cluster: from now on passes may judge by the cache."""
        await self.resync.once(first=True)
        self.synced = True

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._settings.workers):
                tasks.create_task(self.loop.work(), name=f"worker {number}")
            tasks.create_task(self._repeat(self._settings.resync, self.resync.once), name="resync")
            tasks.create_task(self._repeat(FRESH, self.unwatched.refresh), name="unwatched")

    def measure(self) -> None:
        """Bring the measurements up to date that are read rather than counted."""
        self.metrics.queue_depth.set(len(self.queue))
        for kind, count in self.cache.sizes():
            self.metrics.objects.labels(kind).set(count)
        self.metrics.stall(self._stalled())

    def _stalled(self) -> Counter[tuple[str, str]]:
        """How many of our objects are stalled, by kind and reason, as their status says."""
        # Unparsed: this runs at each scrape, over all that is known.
        return Counter(
            (kind, str(one.get("reason", "")))
            for kind in self._custom
            for body in self.cache.bodies(kind)
            for one in (body.get("status") or {}).get("conditions") or ()
            if (one.get("type"), one.get("status")) == (STALLED, "True")
        )

    async def _repeat(self, seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self._clock.sleep(seconds)
            try:
                await act()
            except MerkhetError as error:
                _log.warning("tried again in %g seconds: %s", seconds, error)

    def _changed(self, key: Key, former: Body | None, body: Body | None, listed: bool) -> None:
        if former is not None and (body is None or body["metadata"]["uid"] != former["metadata"]["uid"]):
            self.loop.gone(former["metadata"]["uid"])
        priority = Priority.RESYNC if listed else Priority.CHANGE
        for concerned in self.interest.concerned(key, former, body):
            self.queue.add(concerned, priority)
