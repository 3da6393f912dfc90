"""Which children are planned no more, and how do they go?"""

from __future__ import annotations

import contextlib

from merkhet.api.meta import Api, Body, Key
from merkhet.engine.cache import Cache
from merkhet.engine.cluster import Cluster, Conflict, NotFound, Propagation
from merkhet.kinds.apis import CLAIM
from merkhet.kinds.kind import Kind, Plan
from merkhet.manifests import labels

# What holds data is never deleted by us, whoever's it seems to be.
KEPT = frozenset({CLAIM.kind})


async def prune(kind: Kind, uid: str, plan: Plan, cluster: Cluster, cache: Cache) -> int:
    """Delete the children that this object controls and does not plan; how many there were."""
    planned = {(child.api.kind, child.name) for child in plan.children}
    unplanned = [
        (api, body)
        for api in kind.children
        if api.kind not in KEPT
        for body in cache.owned(uid, api)
        if (api.kind, body["metadata"]["name"]) not in planned and _is_disposable(body)
    ]
    for api, body in unplanned:
        await _delete(api, body, cluster, cache)
    return len(unplanned)


def _is_disposable(body: Body) -> bool:
    meta = body["metadata"]
    ours = (meta.get("labels") or {}).get(labels.MANAGED_BY) == labels.MANAGER
    return ours and not meta.get("deletionTimestamp")


async def _delete(api: Api, body: Body, cluster: Cluster, cache: Cache) -> None:
    meta = body["metadata"]
    key = Key(api.kind, meta["namespace"], meta["name"])
    propagation: Propagation = "Background"
    # A namesake of another uid is not the one that we know: it has to be seen before it can be judged.
    with contextlib.suppress(Conflict):
        try:
            rest = await cluster.delete(api, key.namespace, key.name, uid=meta["uid"], propagation=propagation)
        except NotFound:
            rest = None
        if rest is None:
            cache.deleted(key, meta["uid"])
        else:
            cache.saw(api, rest)
