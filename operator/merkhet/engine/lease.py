"""Who leads? The one replica that keeps renewing the Lease; who cannot renew it any more stops at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merkhet.api.meta import Api, Body
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import AlreadyExists, Cluster, Conflict, NotFound
from merkhet.errors import MerkhetError

LEASE = Api("coordination.k8s.io", "v1", "Lease", "leases")
MANAGER = "merkhet"
_log = logging.getLogger(__name__)


class LeadershipLost(MerkhetError):
    """Another replica may be leading by now: this process must not write any more."""

    reason = "LeadershipLost"


@dataclass(frozen=True, slots=True)
class Terms:
    """How leadership is kept; the holder gives up before the others may take over.

    Units: seconds.
    """

    duration: int = 15  # after the last renewal that they saw, others take over
    give_up: float = 10.0  # after its last renewal, the holder stops
    period: float = 2.0  # between renewals, and between looks of those who wait


class Leadership:
    """One replica's part in the election.

    The holder's clock does not count: how long a record is unchanged is measured by our own monotonic clock.
    """

    def __init__(
        self, cluster: Cluster, clock: Clock, *, namespace: str, name: str, identity: str, terms: Terms | None = None
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._terms = terms or Terms()
        self._renewed: float | None = None
        self._seen: tuple[str, float] | None = None  # the other's record, and since when it is unchanged

    def holds(self) -> bool:
        """Whether nobody else can be leading now."""
        return self._renewed is not None and self._clock.monotonic() - self._renewed < self._terms.give_up

    async def wait(self) -> None:
        """Return when this replica leads."""
        while not await self._try():
            await self._clock.sleep(self._terms.period)
        _log.info("%s leads", self._identity)

    async def keep(self) -> None:
        """Renew for as long as that works.

        Raises: LeadershipLost.
        """
        while True:
            await self._clock.sleep(self._terms.period)
            if not await self._try_in_time() and not self.holds():
                raise LeadershipLost(
                    f"Lease {self._namespace}/{self._name} could not be renewed in time by {self._identity}; it stops"
                )

    async def release(self) -> None:
        """Let another replica take over at once."""
        if self._renewed is None:
            return
        self._renewed = None
        try:
            lease = await self._cluster.get(LEASE, self._namespace, self._name)
            if _spec(lease).get("holderIdentity") == self._identity:
                await self._write(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except MerkhetError as error:
            _log.info("the lease was not released: %s", error)

    async def _try_in_time(self) -> bool:
        """Renew, and give up on an answer that would come after another replica may have taken over."""
        since = 0.0 if self._renewed is None else self._clock.monotonic() - self._renewed
        try:
            async with asyncio.timeout(max(0.0, self._terms.give_up - since)):
                return await self._try()
        except TimeoutError:
            _log.warning("the lease could not be renewed: the API server did not answer in time")
            return False

    async def _try(self) -> bool:
        """Take or renew the lease; whether it is ours now."""
        asked = self._clock.monotonic()
        try:
            lease = await self._read()
            if lease is None:
                await self._make()
            elif not self._may_take(lease):
                self._renewed = None
                return False
            else:
                await self._write(lease, self._record(_spec(lease)))
        except (Conflict, AlreadyExists):
            return False
        except MerkhetError as error:
            _log.warning("the lease could not be renewed: %s", error)
            return False
        # From before the request: it may have taken effect at any moment since.
        self._renewed = asked
        return True

    def _may_take(self, lease: Body) -> bool:
        spec = _spec(lease)
        holder = spec.get("holderIdentity") or ""
        if holder in {"", self._identity}:
            return True
        record = str(lease["metadata"]["resourceVersion"])
        if self._seen is None or self._seen[0] != record:
            self._seen = (record, self._clock.monotonic())
        return self._clock.monotonic() - self._seen[1] >= float(spec.get("leaseDurationSeconds") or 0)

    async def _read(self) -> Body | None:
        try:
            return await self._cluster.get(LEASE, self._namespace, self._name)
        except NotFound:
            return None

    async def _make(self) -> None:
        body = {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._record({}),
        }
        await self._cluster.create(LEASE, self._namespace, body, manager=MANAGER)

    async def _write(self, lease: Body, spec: Mapping[str, Any]) -> None:
        patch = {"metadata": {"resourceVersion": lease["metadata"]["resourceVersion"]}, "spec": spec}
        await self._cluster.patch(LEASE, self._namespace, self._name, patch, manager=MANAGER)

    def _record(self, former: Mapping[str, Any]) -> dict[str, Any]:
        now = moment(self._clock)
        record = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._terms.duration,
            "renewTime": now,
        }
        if former.get("holderIdentity") != self._identity:
            record["acquireTime"] = now
            record["leaseTransitions"] = int(former.get("leaseTransitions") or 0) + bool(former)
        return record


def moment(clock: Clock) -> str:
    """Now, as Kubernetes writes times of leases: to the microsecond."""
    return clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _spec(lease: Body) -> Mapping[str, Any]:
    return lease.get("spec") or {}
