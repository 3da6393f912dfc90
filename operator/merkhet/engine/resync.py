"""What did the watch lose? A full list, compared with what we know."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from merkhet.api.meta import Api
from merkhet.engine.cache import Cache
from merkhet.engine.cluster import Cluster, Expired
from merkhet.engine.metrics import Metrics

_log = logging.getLogger(__name__)
LIST_TRIES = 3  # a list that is too large to be read before it is too old is begun again


@dataclass(frozen=True, slots=True)
class Watched:
    """A kind of object that is watched, and which of them."""

    api: Api
    labels: str = ""  # a label selector


class Resync:
    """Lists everything that is watched: once to know the cluster, then to repair what the watch lost."""

    def __init__(
        self,
        watched: Sequence[Watched],
        namespaces: Sequence[str | None],
        cluster: Cluster,
        cache: Cache,
        metrics: Metrics,
    ) -> None:
        self._watched = watched
        self._namespaces = namespaces
        self._cluster = cluster
        self._cache = cache
        self._metrics = metrics

    async def once(self, *, first: bool = False) -> int:
        """List everything; how many objects were other than known."""
        self._cache.begin_round()
        found = 0
        for watched in self._watched:
            for namespace in self._namespaces:
                found += await self._list(watched, namespace, first=first)
        return found

    async def _list(self, watched: Watched, namespace: str | None, *, first: bool) -> int:
        for _ in range(LIST_TRIES - 1):
            try:
                return await self._list_once(watched, namespace, first=first)
            except Expired:
                _log.info("the list of %s grew too old while it was read; it is begun again", watched.api.plural)
        return await self._list_once(watched, namespace, first=first)

    async def _list_once(self, watched: Watched, namespace: str | None, *, first: bool) -> int:
        names: set[tuple[str, str]] = set()
        changed = version = 0
        async for page in self._cluster.pages(watched.api, namespace, labels=watched.labels):
            version = int(page.resource_version or 0)
            for body in page.items:
                meta = body["metadata"]
                names.add((meta.get("namespace", ""), meta["name"]))
                changed += self._cache.saw(watched.api, body, listed=True)
            await asyncio.sleep(0)  # a long list must not hold up leadership and probes
        gone = self._cache.listed(watched.api, namespace, names, version)
        if not first:
            self._report(watched.api, changed, len(gone))
        return changed + len(gone)

    def _report(self, api: Api, changed: int, gone: int) -> None:
        if changed or gone:
            _log.warning("the watch of %s had lost %d changes and %d deletions", api.plural, changed, gone)
            self._metrics.repaired(api.kind, "changed", changed)
            self._metrics.repaired(api.kind, "deleted", gone)
