"""What does one pass see? The cache, and live reads of what nobody watches; what it asked is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from merkhet.api.meta import Api, Body, Key
from merkhet.engine.cache import Cache
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import Cluster, NotFound
from merkhet.engine.interest import Controlled, Interest, Labelled, Named, Question
from merkhet.kinds.kind import Setup

# How old an unwatched object may be when a pass reads it.
#
# Units: seconds.
FRESH = 60.0


class Sight:
    """The world as one pass sees it: implements ``kinds.kind.World``."""

    def __init__(
        self, setup: Setup, cache: Cache, unwatched: Unwatched, asks: Callable[[Question], None] = lambda _: None
    ) -> None:
        """``asks`` is told of each question before it is answered."""
        self._setup = setup
        self._cache = cache
        self._unwatched = unwatched
        self._asks = asks
        self._questions: set[Question] = set()

    @property
    def setup(self) -> Setup:
        """What the installation decides."""
        return self._setup

    @property
    def questions(self) -> frozenset[Question]:
        """What was asked so far."""
        return frozenset(self._questions)

    def ask_for(self, keys: Iterable[Key]) -> None:
        """Remember that these matter, without reading them."""
        for key in keys:
            self._ask(Named(key))

    def get(self, api: Api, namespace: str, name: str) -> Body | None:
        """An object from the cache, or None."""
        key = Key(api.kind, namespace, name)
        self._ask(Named(key))
        return self._cache.get(key)

    def select(self, api: Api, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        """The objects that carry all these labels, from the cache, by name."""
        self._ask(Labelled(api.kind, namespace, frozenset(labels.items())))
        return self._cache.select(api, namespace, labels)

    def owned(self, api: Api, uid: str) -> list[Body]:
        """The objects of this kind whose controller has this uid, from the cache, by name."""
        self._ask(Controlled(api.kind, uid))
        return self._cache.owned(uid, api)

    async def read(self, api: Api, namespace: str | None, name: str) -> Body | None:
        """An object as the API server has it now, a minute old at most."""
        self._ask(Named(Key(api.kind, namespace or "", name)))
        return await self._unwatched.read(api, namespace, name)

    def _ask(self, question: Question) -> None:
        self._questions.add(question)
        self._asks(question)


class Unwatched:
    """Objects of kinds that are not watched: read at most once a minute, for all who ask."""

    def __init__(self, cluster: Cluster, clock: Clock, interest: Interest, queue: Callable[[Key], None]) -> None:
        self._cluster = cluster
        self._clock = clock
        self._interest = interest
        self._queue = queue
        self._known: dict[Key, tuple[float, Body | None]] = {}
        self._apis: dict[str, Api] = {}

    async def read(self, api: Api, namespace: str | None, name: str) -> Body | None:
        """The object, from the last minute's reading or from the API server."""
        key = Key(api.kind, namespace or "", name)
        self._apis[api.kind] = api
        known = self._known.get(key)
        if known is not None and self._clock.monotonic() - known[0] < FRESH:
            return known[1]
        return await self._fetch(key)

    async def refresh(self) -> None:
        """Read anew what somebody still asks for, forget the rest, and queue those for whom it changed."""
        for key, (since, _) in list(self._known.items()):
            if any(True for _ in self._interest.askers(Named(key))):
                await self._fetch(key)
            elif self._clock.monotonic() - since > 2 * FRESH:
                # Younger than that, it may have been read by a pass whose questions are not known before its end.
                del self._known[key]

    async def _fetch(self, key: Key) -> Body | None:
        body: Body | None
        try:
            body = await self._cluster.get(self._apis[key.kind], key.namespace or None, key.name)
        except NotFound:
            body = None
        former = self._known.get(key)
        self._known[key] = (self._clock.monotonic(), body)
        # Whoever finds the change tells all: who comes later finds none.
        if former is not None and _version(former[1]) != _version(body):
            for asker in list(self._interest.askers(Named(key))):
                self._queue(asker)
        return body


def _version(body: Body | None) -> str | None:
    return None if body is None else str(body["metadata"].get("resourceVersion"))
