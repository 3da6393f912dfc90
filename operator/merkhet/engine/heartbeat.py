"""Does the watch still hear? A write of our own must come back through it."""

from __future__ import annotations

import logging

from merkhet.api.meta import Body
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import Cluster, NotFound
from merkhet.engine.lease import LEASE, MANAGER, moment
from merkhet.errors import MerkhetError
from merkhet.manifests import labels

NAME = "merkhet-heartbeat"
# Units: seconds.
PERIOD = 30.0
DEAF_AFTER = 90.0
_log = logging.getLogger(__name__)


class Heartbeat:
    """A Lease that is written twice a minute and watched like everything else."""

    def __init__(self, cluster: Cluster, clock: Clock, namespace: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._unheard: tuple[int, float] | None = None  # the first beat that did not come back, and when it was written
        self._heard = clock.monotonic()

    async def beat(self) -> None:
        """Write once; an API server that does not answer says nothing about the watch."""
        written = self._clock.monotonic()
        try:
            body = await self._write()
        except MerkhetError as error:
            _log.warning("no heartbeat written: %s", error)
            return
        if self._unheard is None:
            self._unheard = (int(body["metadata"]["resourceVersion"]), written)

    async def keep(self) -> None:
        """Beat for ever."""
        while True:
            await self.beat()
            await self._clock.sleep(PERIOD)

    def heard(self, body: Body) -> None:
        """A beat came back through the watch."""
        if body["metadata"]["name"] != NAME:
            return
        self._heard = self._clock.monotonic()
        if self._unheard is not None and int(body["metadata"]["resourceVersion"]) >= self._unheard[0]:
            self._unheard = None

    def age(self) -> float:
        """Seconds since a beat was last heard."""
        return self._clock.monotonic() - self._heard

    def is_deaf(self) -> bool:
        """Whether a beat should have come back long ago."""
        return self._unheard is not None and self._clock.monotonic() - self._unheard[1] > DEAF_AFTER

    async def _write(self) -> Body:
        spec = {"renewTime": moment(self._clock)}
        try:
            return await self._cluster.patch(LEASE, self._namespace, NAME, {"spec": spec}, manager=MANAGER)
        except NotFound:
            meta = {"name": NAME, "namespace": self._namespace, "labels": {labels.MANAGED_BY: labels.MANAGER}}
            body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta, "spec": spec}
            return await self._cluster.create(LEASE, self._namespace, body, manager=MANAGER)
