"""What do people read under Events? The changes of conditions, each once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence

from merkhet.api.conditions import READY, RECONCILING, STALLED, Condition
from merkhet.api.meta import Api, Body, Meta
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import AlreadyExists, Cluster
from merkhet.errors import MerkhetError

EVENT = Api("events.k8s.io", "v1", "Event", "events")
NOTE_BYTES = 1024  # what the API server takes
_log = logging.getLogger(__name__)


class Events:
    """Tells of changes; an event that cannot be written is logged and stops nothing."""

    def __init__(self, cluster: Cluster, clock: Clock, identity: str) -> None:
        self._cluster = cluster
        self._clock = clock
        self._identity = identity

    async def tell(self, api: Api, meta: Meta, former: Iterable[Condition], new: Iterable[Condition]) -> None:
        """One event for each condition that changed."""
        for condition in changes(former, new):
            try:
                await self._write(self._event(api, meta, condition), meta.namespace)
            except MerkhetError as error:
                _log.warning("event not written: %s", error, extra=_where(api, meta))

    async def _write(self, event: Body, namespace: str) -> None:
        try:
            await self._cluster.create(EVENT, namespace, event, manager="merkhet")
        except AlreadyExists:
            name = event["metadata"]["name"]
            known = await self._cluster.get(EVENT, namespace, name)
            count = (known.get("series") or {}).get("count", 1) + 1
            series = {"count": count, "lastObservedTime": event["eventTime"]}
            await self._cluster.patch(EVENT, namespace, name, {"series": series}, manager="merkhet")

    def _event(self, api: Api, meta: Meta, condition: Condition) -> Body:
        # The same thing said of the same object again is the same event, counted: also after a restart.
        said = "/".join((meta.uid, condition.type, condition.status, condition.reason, condition.message))
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {
                "name": f"{meta.name}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
                "namespace": meta.namespace,
            },
            "eventTime": self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": "merkhet.dev/operator",
            "reportingInstance": self._identity,
            "action": "Reconcile",
            "type": "Warning" if _is_alarming(condition) else "Normal",
            "reason": condition.reason,
            "note": _bounded(condition.message or f"{condition.type} is {condition.status}"),
            "regarding": {
                "apiVersion": api.api_version,
                "kind": api.kind,
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
            },
        }


def _bounded(text: str) -> str:
    """The beginning of a text, whole characters of it."""
    return text.encode()[:NOTE_BYTES].decode(errors="ignore")


def changes(former: Iterable[Condition], new: Iterable[Condition]) -> Sequence[Condition]:
    """The conditions that say something else than before; what Ready says already is not told twice."""
    before = {condition.type: (condition.status, condition.reason) for condition in former}
    told: dict[str, Condition] = {}
    for condition in new:
        if before.get(condition.type) == (condition.status, condition.reason):
            continue
        if condition.type in {RECONCILING, STALLED} and condition.status != "True":
            continue
        # Reconciling and Stalled mostly repeat Ready: the alarming one of two with the same reason is told.
        known = told.get(condition.reason)
        if known is None or (_is_alarming(condition) and not _is_alarming(known)):
            told[condition.reason] = condition
    return list(told.values())


def _is_alarming(condition: Condition) -> bool:
    if condition.type in {READY, RECONCILING}:
        return False
    return condition.status == ("True" if condition.type == STALLED else "False")


def _where(api: Api, meta: Meta) -> dict[str, str]:
    return {"object_kind": api.kind, "object_namespace": meta.namespace, "object_name": meta.name}
