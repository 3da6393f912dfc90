"""What does the cluster hold, as far as we have seen or written it ourselves?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from merkhet import GROUP
from merkhet.api.meta import Api, Body, Key, controller_uid

# What no kind reads and what is larger than many an object itself.
UNREAD_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"
INDEXED = f"{GROUP}/"  # labels that objects are found by
# Words such as names of kinds and of namespaces recur in every object; texts do not.
WORD_LENGTH = 24

Changed = Callable[[Key, Body | None, Body | None, bool], None]


class Cache:
    """The newest state known of every object: an older one never replaces it, wherever it comes from.

    Kubernetes' resource versions can be compared as numbers (KEP-5504). So an answer to one of our own writes stays
    until the watch shows that or something newer, and no pass acts on what was true before its own last write.

    ``changed`` is called with the key, the former and the new state, and whether the object was listed, not watched.
    """

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._bodies: dict[str, dict[tuple[str, str], Body]] = {}
        self._controlled: dict[str, set[Key]] = {}
        self._labelled: dict[tuple[str, str, str, str], set[tuple[str, str]]] = {}
        self._gone: dict[str, tuple[int, int]] = {}  # by uid: up to which version, and in which round of lists
        self._round = 0

    # What is known.

    def get(self, key: Key) -> Body | None:
        """An object; it is not a copy, do not change it."""
        return self._bodies.get(key.kind, {}).get((key.namespace, key.name))

    def select(self, api: Api, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        """The objects of a namespace that carry all these labels, by name."""
        found = [
            self._bodies[api.kind][place]
            for place in self._candidates(api.kind, namespace, labels)
            if labels.items() <= (self._bodies[api.kind][place]["metadata"].get("labels") or {}).items()
        ]
        return sorted(found, key=_name)

    def owned(self, uid: str, api: Api | None = None) -> list[Body]:
        """The objects whose controller has this uid, of one kind or of all, by name."""
        keys = self._controlled.get(uid, ())
        found = (self.get(key) for key in keys if api is None or key.kind == api.kind)
        return sorted((body for body in found if body is not None), key=_name)

    def keys(self, kind: str) -> list[Key]:
        """All objects of a kind."""
        return [Key(kind, namespace, name) for namespace, name in self._bodies.get(kind, ())]

    def bodies(self, kind: str) -> Iterable[Body]:
        """All objects of a kind; they are not copies, do not change them."""
        return self._bodies.get(kind, {}).values()

    def sizes(self) -> Iterator[tuple[str, int]]:
        """How many objects of each kind are known."""
        return ((kind, len(bodies)) for kind, bodies in self._bodies.items())

    # What is learned.

    def saw(self, api: Api, body: Body, *, listed: bool = False) -> bool:
        """Take in a state of an object; whether it was news."""
        meta = body["metadata"]
        place = (meta.get("namespace", ""), meta["name"])
        bodies = self._bodies.setdefault(api.kind, {})
        former = bodies.get(place)
        version = _number(meta)
        if former is not None and version <= _number(former["metadata"]):
            return False
        if self._is_gone(meta["uid"], version):
            return False
        body = slim(body)
        # Kubernetes leaves both out of the items of a list.
        body.setdefault("apiVersion", api.api_version)
        body.setdefault("kind", api.kind)
        key = Key(api.kind, *place)
        if former is not None:
            self._unlink(key, former)
        bodies[place] = body
        self._link(key, body)
        self._changed(key, former, body, listed)
        return True

    def lost(self, api: Api, body: Body) -> bool:
        """Take in that an object is gone, or no longer among those we watch; whether that was news."""
        meta = body["metadata"]
        key = Key(api.kind, meta.get("namespace", ""), meta["name"])
        version = _number(meta)
        self._gone[meta["uid"]] = (version, self._round)
        former = self.get(key)
        if former is None or former["metadata"]["uid"] != meta["uid"] or _number(former["metadata"]) > version:
            return False
        self._remove(key, former)
        return True

    def deleted(self, key: Key, uid: str) -> None:
        """Take in that our own deletion of an object was done at once."""
        former = self.get(key)
        if former is not None and former["metadata"]["uid"] == uid:
            self._gone[uid] = (sys.maxsize, self._round)
            self._remove(key, former)

    def listed(self, api: Api, namespace: str | None, names: set[tuple[str, str]], version: int) -> list[Key]:
        """Take in which objects a complete list showed: what it lacks and is not newer than it was lost unseen."""
        missing = [
            (place, body)
            for place, body in self._bodies.get(api.kind, {}).items()
            if (namespace is None or place[0] == namespace)
            and place not in names
            and _number(body["metadata"]) <= version
        ]
        for place, body in missing:
            self._remove(Key(api.kind, *place), body)
        return [Key(api.kind, *place) for place, _ in missing]

    def begin_round(self) -> None:
        """All kinds are about to be listed: forget what went two rounds ago, nobody speaks of it any more."""
        self._round += 1
        self._gone = {uid: gone for uid, gone in self._gone.items() if gone[1] >= self._round - 1}

    def _remove(self, key: Key, former: Body) -> None:
        del self._bodies[key.kind][key.namespace, key.name]
        self._unlink(key, former)
        self._changed(key, former, None, False)

    def _is_gone(self, uid: str, version: int) -> bool:
        return bool(self._gone) and version <= self._gone.get(uid, (-1, 0))[0]

    def _candidates(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        indexed = [(kind, namespace, label, value) for label, value in labels.items() if label.startswith(INDEXED)]
        if indexed:
            return min((self._labelled.get(entry, set()) for entry in indexed), key=len)
        return [place for place in self._bodies.get(kind, ()) if place[0] == namespace]

    def _link(self, key: Key, body: Body) -> None:
        uid = controller_uid(body)
        if uid is not None:
            self._controlled.setdefault(uid, set()).add(key)
        for entry in _entries(key, body):
            self._labelled.setdefault(entry, set()).add((key.namespace, key.name))

    def _unlink(self, key: Key, body: Body) -> None:
        uid = controller_uid(body)
        if uid is not None:
            _discard(self._controlled, uid, key)
        for entry in _entries(key, body):
            _discard(self._labelled, entry, (key.namespace, key.name))


def slim(body: Body) -> Body:
    """A copy of an object without what no kind reads, its keys and short words shared with all others.

    That is a third of the memory that parsed JSON takes.
    """
    copy: Body = {word: _shared(part) for word, part in body.items() if word != "metadata"}
    meta = {word: _shared(part) for word, part in body["metadata"].items() if word != "managedFields"}
    if "annotations" in meta:
        meta["annotations"].pop(UNREAD_ANNOTATION, None)
    copy["metadata"] = meta
    return copy


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(key): _shared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shared(item) for item in value]
    if isinstance(value, str) and len(value) <= WORD_LENGTH:
        return sys.intern(value)
    return value


def _entries(key: Key, body: Body) -> Iterator[tuple[str, str, str, str]]:
    for label, value in (body["metadata"].get("labels") or {}).items():
        if label.startswith(INDEXED):
            yield key.kind, key.namespace, label, value


def _number(meta: Mapping[str, Any]) -> int:
    return int(meta.get("resourceVersion") or 0)


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _discard(index: dict[Any, set[Any]], entry: Any, member: Any) -> None:
    members = index.get(entry)
    if members is not None:
        members.discard(member)
        if not members:
            del index[entry]
