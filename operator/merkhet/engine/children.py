"""How does a child come to be as planned, without ever taking what is not ours?

Its first write is a create, which cannot touch anything that is there. Later writes carry the uid, so that they
cannot touch a namesake made meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merkhet import GROUP
from merkhet.api.meta import Api, Body, Key, Meta
from merkhet.engine.cache import Cache
from merkhet.engine.cluster import AlreadyExists, ApiError, Cluster, Forbidden, NotFound, Unprocessable
from merkhet.engine.compare import at, covers, digest, pointer, projected, same_members
from merkhet.engine.managers import adopted
from merkhet.errors import Unavailable
from merkhet.kinds.kind import Child, Kind, Live, Problem
from merkhet.manifests import labels

APPLIED = f"{GROUP}/applied"  # the digest of what was applied: shows that a field is no longer wanted
NAME_TAKEN = "NameTaken"


class Leaving(Unavailable):
    """An object of the child's name is being deleted: the child can be made when it is gone."""

    reason = "Leaving"


class Taken(ApiError):
    """An object of the child's name belongs to somebody else."""

    reason = NAME_TAKEN


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that the children of a pass are for."""

    kind: Kind
    meta: Meta

    @property
    def reference(self) -> Body:
        """The owner reference that makes it the controller of a child."""
        api = self.kind.api
        return {
            "apiVersion": api.api_version,
            "kind": api.kind,
            "name": self.meta.name,
            "uid": self.meta.uid,
            "controller": True,
        }

    @property
    def labels(self) -> dict[str, str]:
        """The labels that every child carries."""
        return {
            labels.MANAGED_BY: labels.MANAGER,
            labels.KIND: self.kind.api.kind.lower(),
            labels.NAME: self.meta.name,
        }


class Children:
    """Makes the children of a plan so."""

    def __init__(self, cluster: Cluster, cache: Cache) -> None:
        self._cluster = cluster
        self._cache = cache
        self._settled: dict[str, tuple[str, str]] = {}  # by uid: what was asked and what the API server made of it
        self._taken: set[Key] = set()

    async def put(self, children: Sequence[Child], owner: Owner) -> tuple[Live, bool]:
        """The children as they are now, and whether some must wait for a namesake to go."""
        bodies: dict[tuple[str, str], Body] = {}
        problems: list[Problem] = []
        leaving = False
        for child in children:
            try:
                bodies[child.api.kind, child.name] = await self._put(child, owner)
            except Leaving:
                leaving = True
            except (Taken, Forbidden, Unprocessable) as error:
                problems.append(Problem(child.api, child.name, error.reason, str(error)))
        return Live(bodies, tuple(problems)), leaving

    def forget(self, uid: str) -> None:
        """The object of this uid is gone."""
        self._settled.pop(uid, None)

    async def _put(self, child: Child, owner: Owner) -> Body:
        key = Key(child.api.kind, owner.meta.namespace, child.name)
        live = self._cache.get(key)
        wanted = desired(child, owner)
        if live is None and key in self._taken:
            live = await self._look(child.api, key)
        if live is None:
            live, made = await self._create(child.api, key, wanted, owner)
            if made:
                return live
        if child.shared:
            return self._everybodys(key, live)
        live = await self._ours(child, key, live, owner)
        return await _RULES[child.rule](self, child, key, live, wanted, owner)

    async def _create(self, api: Api, key: Key, wanted: Body, owner: Owner) -> tuple[Body, bool]:
        try:
            body = await self._cluster.create(api, key.namespace, wanted, manager=owner.kind.manager)
        except AlreadyExists:
            live = await self._look(api, key)
            if live is None:
                raise Leaving(f"{key} was there and went; it is made at the next look") from None
            return live, False
        self._taken.discard(key)
        self._cache.saw(api, body)
        return body, True

    async def _look(self, api: Api, key: Key) -> Body | None:
        try:
            return await self._cluster.get(api, key.namespace, key.name)
        except NotFound:
            return None

    def _everybodys(self, key: Key, live: Body) -> Body:
        """A shared object where Merkhet made it, for whomever."""
        if not _carries(live["metadata"], {labels.MANAGED_BY: labels.MANAGER}):
            raise self._is_taken(key, "somebody else")
        self._taken.discard(key)
        return live

    async def _ours(self, child: Child, key: Key, live: Body, owner: Owner) -> Body:
        """The object where it is ours, with our reference where it lost that."""
        meta = live["metadata"]
        controller = _controller(meta)
        if child.owned and controller is not None:
            self._belongs(key, controller, owner)
        elif not _carries(meta, owner.labels):
            raise self._is_taken(key, "somebody else")
        if meta.get("deletionTimestamp"):
            raise Leaving(f"{key} is being deleted; it is made again when it is gone")
        self._taken.discard(key)
        if child.owned and controller is None:
            return await self._take_back(child.api, key, live, owner)
        return live

    def _belongs(self, key: Key, controller: Body, owner: Owner) -> None:
        if controller["uid"] == owner.meta.uid:
            return
        if (controller["kind"], controller["name"]) == (owner.kind.api.kind, owner.meta.name):
            raise Leaving(f"{key} belongs to an owner of the same name that was deleted, and goes with it")
        raise self._is_taken(key, f"{controller['kind']} {controller['name']}")

    def _is_taken(self, key: Key, whose: str) -> Taken:
        self._taken.add(key)
        return Taken(f"{key} exists and belongs to {whose}; delete or rename it, or rename the object that needs it")

    async def _take_back(self, api: Api, key: Key, live: Body, owner: Owner) -> Body:
        """Ours by its labels and orphaned: a deletion that left the children, or a restore."""
        meta = live["metadata"]
        references = [*(meta.get("ownerReferences") or ()), owner.reference]
        condition = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
        return await self._patch(api, key, {"metadata": {**condition, "ownerReferences": references}}, owner)

    async def _leave(self, _child: Child, _key: Key, live: Body, _wanted: Body, _owner: Owner) -> Body:
        return live

    async def _scale(self, child: Child, key: Key, live: Body, wanted: Body, owner: Owner) -> Body:
        replicas = at(wanted, ("spec", "replicas"))
        if replicas is None or at(live, ("spec", "replicas")) == replicas:
            return live
        patch = {"metadata": {"uid": live["metadata"]["uid"]}, "spec": {"replicas": replicas}}
        return await self._patch(child.api, key, patch, owner)

    async def _apply(self, child: Child, key: Key, live: Body, wanted: Body, owner: Owner) -> Body:
        if self._is_settled(child, live, wanted):
            return live
        live = await self._cluster.get(child.api, key.namespace, key.name)
        live = await self._ours(child, key, live, owner)
        live = await self._restore_exact(child, key, live, wanted, owner)
        live = await self._adopt(child.api, key, live, owner)
        identified = {**wanted, "metadata": {**wanted["metadata"], "uid": live["metadata"]["uid"]}}
        live = await self._cluster.apply(child.api, key.namespace, identified, manager=owner.kind.manager)
        self._cache.saw(child.api, live)
        if not _agrees(child, live, wanted):
            self._settled[live["metadata"]["uid"]] = (digest(wanted), digest(projected(live, wanted)))
        return live

    def _is_settled(self, child: Child, live: Body, wanted: Body) -> bool:
        if _agrees(child, live, wanted):
            return True
        # The API server writes some values differently (1000m as 1), or keeps what others added to a list.
        settled = self._settled.get(live["metadata"]["uid"])
        return settled is not None and settled == (digest(wanted), digest(projected(live, wanted)))

    async def _restore_exact(self, child: Child, key: Key, live: Body, wanted: Body, owner: Owner) -> Body:
        broken = [path for path in child.exact if not same_members(at(live, path), at(wanted, path))]
        present = [path for path in broken if at(live, path) is not None and at(wanted, path) is not None]
        if not present:
            return live
        test = {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]}
        replace = [{"op": "replace", "path": pointer(path), "value": at(wanted, path)} for path in present]
        return await self._patch(child.api, key, [test, *replace], owner)

    async def _adopt(self, api: Api, key: Key, live: Body, owner: Owner) -> Body:
        fields = adopted(live["metadata"].get("managedFields") or [], owner.kind.manager)
        if fields is None:
            return live
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ]
        return await self._patch(api, key, patch, owner)

    async def _patch(
        self, api: Api, key: Key, patch: Mapping[str, Any] | Sequence[Mapping[str, Any]], owner: Owner
    ) -> Body:
        body = await self._cluster.patch(api, key.namespace, key.name, patch, manager=owner.kind.manager)
        self._cache.saw(api, body)
        return body


_RULES = {"apply": Children._apply, "create": Children._leave, "scale": Children._scale}


def desired(child: Child, owner: Owner) -> Body:
    """The child as it is written: as planned, with our labels, its owner, and what tells a later pass what it was."""
    meta: dict[str, Any] = {**child.body["metadata"], "namespace": owner.meta.namespace}
    # What several ask for alike is nobody's: the name of whoever came first would mislead.
    ours = {labels.MANAGED_BY: labels.MANAGER} if child.shared else owner.labels
    meta["labels"] = {**(meta.get("labels") or {}), **ours}
    if child.owned:
        meta["ownerReferences"] = [owner.reference]
    body: Body = {
        "apiVersion": child.api.api_version,
        "kind": child.api.kind,
        **{word: part for word, part in child.body.items() if word not in {"apiVersion", "kind", "metadata"}},
        "metadata": meta,
    }
    if child.rule == "apply":
        meta["annotations"] = {**(meta.get("annotations") or {}), APPLIED: digest(body)}
    return body


def _agrees(child: Child, live: Body, wanted: Body) -> bool:
    return covers(live, wanted) and all(same_members(at(live, path), at(wanted, path)) for path in child.exact)


def _controller(meta: Mapping[str, Any]) -> Body | None:
    return next((reference for reference in meta.get("ownerReferences") or () if reference.get("controller")), None)


def _carries(meta: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= (meta.get("labels") or {}).items()
