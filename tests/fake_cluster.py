"""An API server in memory, as far as the engine needs one, that loses, delays and refuses on demand.

What it does like the real one is held to the same tests as the real one (tests/api/engine).
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from merkhet.api.meta import Api, Body
from merkhet.engine.cluster import (
    AlreadyExists,
    Conflict,
    NotFound,
    Page,
    Patch,
    Propagation,
)

PAGE = 500
# Lists that Kubernetes merges by key under server-side apply; all others are atomic here.
LIST_KEYS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("metadata", "ownerReferences"): ("uid",),
    ("spec", "ports"): ("port", "protocol"),
    ("status", "conditions"): ("type",),
    ("spec", "template", "spec", "containers"): ("name",),
}
# Mappings that it replaces whole.
ATOMIC = {("spec", "selector")}
DEFAULTS: Mapping[tuple[str, ...], Body] = {("spec", "ports"): {"protocol": "TCP"}}
SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "deletionTimestamp")

Seen = Callable[[Api, str | None, Body], None]
Place = tuple[str, str]
Value = TypeVar("Value")


class Crash(BaseException):
    """The process ends here: nothing catches this."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, as far as faults and tests look at it."""

    verb: Literal["get", "list", "create", "apply", "patch", "delete"]
    kind: str
    namespace: str
    name: str
    part: str = ""

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return self.verb not in {"get", "list"}


@dataclass(slots=True)
class Fault:
    """What goes wrong: at the requests that match, from the first on, so many times."""

    error: Callable[[], BaseException]
    when: Literal["before", "after"] = "before"
    matches: Callable[[Request], bool] = field(default=lambda request: request.writes)
    skip: int = 0
    times: int = 1

    def strikes(self, request: Request, when: str) -> bool:
        """Whether it strikes now."""
        if when != self.when or not self.matches(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if not self.times:
            return False
        self.times -= 1
        return True


@dataclass(slots=True)
class Watch:
    """Events on their way to somebody who watches; they stay here until they are delivered."""

    seen: Seen
    selectors: Mapping[str, str]  # by kind: the label and value that an object must carry; empty for all
    apis: Mapping[str, Api]
    drops: Callable[[int], bool] = field(default=lambda _: False)
    pending: list[tuple[str, str, Body]] = field(default_factory=list)
    count: int = 0

    def tell(self, kind: str, change: str, former: Body | None, body: Body) -> None:
        """Something changed."""
        if kind not in self.apis:
            return
        before, now = former is not None and self._selects(kind, former), self._selects(kind, body)
        if not before and not now:
            return
        if change != "DELETED":
            change = "MODIFIED" if before and now else "ADDED" if now else "DELETED"
        number, self.count = self.count, self.count + 1
        if not self.drops(number):
            self.pending.append((kind, change, body))

    def deliver(self, order: random.Random | None = None) -> bool:
        """Hand on what is pending; shuffled, only the order of the events of one object is kept."""
        pending, self.pending = self.pending, []
        for kind, change, body in _shuffled(pending, order) if order else pending:
            self.seen(self.apis[kind], change, copied(body))
        return bool(pending)

    def _selects(self, kind: str, body: Body) -> bool:
        selector = self.selectors.get(kind, "")
        label, _, value = selector.partition("=")
        return not selector or (body["metadata"].get("labels") or {}).get(label) == value


class FakeCluster:
    """Implements ``engine.cluster.Cluster``."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        # Which writes are not allowed, for as long as they are not.
        self.refuses: Callable[[Request, Body], BaseException | None] = lambda _request, _body: None
        self._objects: dict[str, dict[Place, Body]] = {}
        self._watches: list[Watch] = []
        self._version = 100
        self._made = 0

    # Requests.

    async def get(self, api: Api, namespace: str | None, name: str) -> Body:
        """The object as it is now."""
        request = Request("get", api.kind, namespace or "", name)
        self._begin(request)
        body = self._known(api, namespace, name)
        self._end(request)
        return copied(body)

    async def pages(self, api: Api, namespace: str | None, *, labels: str = "") -> AsyncIterator[Page]:
        """All objects of a kind, page by page."""
        request = Request("list", api.kind, namespace or "", "")
        self._begin(request)
        found = [
            copied(body)
            for place, body in sorted(self._objects.get(api.kind, {}).items())
            if (not namespace or place[0] == namespace) and _carries(body, labels)
        ]
        version = str(self._version)
        for start in range(0, max(1, len(found)), PAGE):
            yield Page(found[start : start + PAGE], version)
        self._end(request)

    async def create(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Make an object that is not there."""
        name = body["metadata"]["name"]
        request = Request("create", api.kind, namespace or "", name)
        self._begin(request, body)
        if (namespace or "", name) in self._objects.get(api.kind, {}):
            raise AlreadyExists(f"{api.plural} {name!r} already exists")
        made = self._new(api, namespace, body)
        made["metadata"]["managedFields"] = [_entry(manager, "Update", _fields(_owned_part(body)))]
        self._store(api, None, made)
        self._end(request)
        return copied(made)

    async def apply(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Server-side apply, forced."""
        name, uid = body["metadata"]["name"], body["metadata"].get("uid")
        request = Request("apply", api.kind, namespace or "", name)
        self._begin(request, body)
        former = self._objects.get(api.kind, {}).get((namespace or "", name))
        if uid is not None and (former is None or former["metadata"]["uid"] != uid):
            raise Conflict(f"uid mismatch: the provided object specified uid {uid}")
        wanted = _with_defaults(_owned_part(body))
        live = former or self._new(api, namespace, {"metadata": {"name": name}})
        new = _applied(copied(live), wanted, manager)
        self._commit(api, former, new)
        self._end(request)
        return copied(self._known(api, namespace, name))

    async def patch(
        self, api: Api, namespace: str | None, name: str, patch: Patch, *, manager: str, part: str | None = None
    ) -> Body:
        """Change an object, or its status."""
        request = Request("patch", api.kind, namespace or "", name, part or "")
        self._begin(request, patch if isinstance(patch, dict) else {})
        former = self._known(api, namespace, name)
        changed: Body = merged(former, patch) if isinstance(patch, Mapping) else _json_patched(copied(former), patch)
        self._check(former, changed, ("resourceVersion",) if part else ("uid", "resourceVersion"))
        if part == "status":
            new = copied(former) | {"status": changed.get("status", {})}
        else:
            new = changed | ({"status": former["status"]} if "status" in former else {})
            _note_update(former, new, manager)
        self._commit(api, former, new)
        self._end(request)
        return copied(self._known(api, namespace, name))

    async def delete(
        self, api: Api, namespace: str | None, name: str, *, uid: str, propagation: Propagation
    ) -> Body | None:
        """Delete the object of that uid; the object where finalizers keep it."""
        request = Request("delete", api.kind, namespace or "", name)
        self._begin(request)
        former = self._known(api, namespace, name)
        if former["metadata"]["uid"] != uid:
            raise Conflict(f"Precondition failed: UID in precondition: {uid}")
        rest = self.remove(api, namespace or "", name)
        self._end(request)
        return rest

    # What people and other controllers do; it is neither counted nor does it fail.

    def put(self, api: Api, body: Body, manager: str = "kubectl") -> Body:
        """Make an object, or give one another spec, data and labels, as `kubectl replace` does."""
        meta = body["metadata"]
        former = self.find(api, meta.get("namespace", ""), meta["name"])
        if former is None:
            new = self._new(api, meta.get("namespace"), body)
            new["metadata"]["managedFields"] = [_entry(manager, "Update", _fields(_owned_part(body)))]
            self._store(api, None, new)
        else:
            new = {**copied(body), "metadata": {**former["metadata"], **meta}}
            if "status" in former:
                new["status"] = former["status"]
            self._commit(api, former, new)
        return self.at(api, meta.get("namespace", ""), meta["name"])

    def edit(self, api: Api, namespace: str, name: str, patch: Mapping[str, Any], manager: str = "kubectl") -> Body:
        """Merge something into an object, its status included."""
        former = self.at(api, namespace, name)
        new = merged(former, patch)
        _note_update(former, new, manager)
        self._commit(api, former, new)
        return self.at(api, namespace, name)

    def remove(self, api: Api, namespace: str, name: str) -> Body | None:
        """Delete an object; the object where finalizers keep it."""
        former = self._known(api, namespace, name)
        if former["metadata"].get("finalizers"):
            self._commit(api, former, merged(former, {"metadata": {"deletionTimestamp": "2026-11-22T00:00:00Z"}}))
            return self.at(api, namespace, name)
        del self._objects[api.kind][namespace, name]
        self._tell(api, "DELETED", former, merged(former, {"metadata": {"resourceVersion": self._next()}}))
        return None

    def collect(self) -> int:
        """Delete the objects whose owners are all gone, as the garbage collector does; how many there were."""
        alive = {body["metadata"]["uid"] for bodies in self._objects.values() for body in bodies.values()}
        orphans = [
            (kind, place)
            for kind, bodies in self._objects.items()
            for place, body in bodies.items()
            if (owners := body["metadata"].get("ownerReferences")) and not any(o["uid"] in alive for o in owners)
        ]
        for kind, place in orphans:
            self.remove(Api("", "", kind, ""), *place)
        return len(orphans) + (self.collect() if orphans else 0)

    # What there is.

    def at(self, api: Api, namespace: str, name: str) -> Body:
        """An object; do not change it."""
        return self._known(api, namespace, name)

    def find(self, api: Api, namespace: str, name: str) -> Body | None:
        """An object, or None."""
        return self._objects.get(api.kind, {}).get((namespace, name))

    def all(self, api: Api) -> list[Body]:
        """All objects of a kind, by name."""
        return [body for _, body in sorted(self._objects.get(api.kind, {}).items())]

    def state(self) -> dict[str, Any]:
        """Everything there is but for what differs from one run to the next: uids, versions, who owns which field."""
        return {
            f"{kind} {'/'.join(place)}": _comparable(body)
            for kind, bodies in sorted(self._objects.items())
            if kind != "Event"
            for place, body in sorted(bodies.items())
        }

    def writes(self, *, since: int = 0) -> list[Request]:
        """The requests that could change something, from the so-maniest request on."""
        return [request for request in self.requests[since:] if request.writes]

    def watch(self, seen: Seen, apis: Iterable[Api], selectors: Mapping[str, str] | None = None) -> Watch:
        """Begin to watch: what is there comes at once as listed, what changes when it is delivered."""
        watch = Watch(seen, selectors or {}, {api.kind: api for api in apis})
        for kind in watch.apis:
            for body in list(self._objects.get(kind, {}).values()):
                if _carries(body, watch.selectors.get(kind, "")):
                    seen(watch.apis[kind], None, copied(body))
        self._watches.append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """End a watch."""
        self._watches.remove(watch)

    # How it does that.

    def _begin(self, request: Request, body: Body | None = None) -> None:
        self.requests.append(request)
        self._strike(request, "before")
        error = self.refuses(request, body or {}) if request.writes else None
        if error is not None:
            raise error

    def _end(self, request: Request) -> None:
        self._strike(request, "after")

    def _strike(self, request: Request, when: str) -> None:
        for fault in self.faults:
            if fault.strikes(request, when):
                raise fault.error()

    def _known(self, api: Api, namespace: str | None, name: str) -> Body:
        body = self._objects.get(api.kind, {}).get((namespace or "", name))
        if body is None:
            raise NotFound(f"{api.plural} {name!r} not found")
        return body

    def _new(self, api: Api, namespace: str | None, body: Body) -> Body:
        self._made += 1
        new = _with_defaults({word: part for word, part in copied(body).items() if word != "status"})
        meta = {word: value for word, value in new["metadata"].items() if word not in SERVER_FIELDS}
        new["metadata"] = {
            **meta,
            **({"namespace": namespace} if namespace else {}),
            "uid": f"uid-{self._made}",
            "creationTimestamp": "2026-11-22T00:00:00Z",
            "generation": 1,
        }
        return {"apiVersion": api.api_version, "kind": api.kind, **new}

    def _check(self, former: Body, changed: Body, words: Iterable[str]) -> None:
        for word in words:
            if changed["metadata"].get(word) != former["metadata"][word]:
                raise Conflict(
                    f"the object's {word} is {former['metadata'][word]}: apply your changes to the latest one"
                )

    def _commit(self, api: Api, former: Body | None, new: Body) -> None:
        _with_defaults(new)
        if former is not None and _without_times(former) == _without_times(new):
            return
        if former is not None and _content(former) != _content(new):
            new["metadata"]["generation"] = former["metadata"]["generation"] + 1
        self._store(api, former, new)

    def _store(self, api: Api, former: Body | None, new: Body) -> None:
        meta = new["metadata"]
        meta["resourceVersion"] = self._next()
        self._objects.setdefault(api.kind, {})[meta.get("namespace", ""), meta["name"]] = new
        self._tell(api, "MODIFIED", former, new)

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    def _tell(self, api: Api, change: str, former: Body | None, body: Body) -> None:
        for watch in self._watches:
            watch.tell(api.kind, change, former, copied(body))


def copied(value: Value) -> Value:
    """A deep copy, as a trip over the network makes one."""
    copy: Value = json.loads(json.dumps(value))
    return copy


def merged(target: Any, patch: Any) -> Any:
    """A JSON value with a merge patch applied.

    Source: RFC 7396.
    """
    if not isinstance(patch, Mapping):
        return copied(patch)
    result = copied(target) if isinstance(target, dict) else {}
    for word, value in patch.items():
        if value is None:
            result.pop(word, None)
        else:
            result[word] = merged(result.get(word), value)
    return result


def _json_patched(body: Body, patch: Sequence[Mapping[str, Any]]) -> Body:
    for step in patch:
        *path, last = [word.replace("~1", "/").replace("~0", "~") for word in step["path"].split("/")[1:]]
        place = body
        for word in path:
            place = place[word]
        if step["op"] == "test":
            if place.get(last) != step["value"]:
                raise Conflict(f"testing path {step['path']} failed")
        elif step["op"] == "remove":
            del place[last]
        else:
            place[last] = copied(step["value"])
    return body


def _owned_part(body: Body) -> Body:
    """What a writer can own: neither identity nor what the API server writes."""
    part = {word: value for word, value in copied(body).items() if word not in {"apiVersion", "kind", "status"}}
    meta = {
        word: value for word, value in part.pop("metadata").items() if word not in {*SERVER_FIELDS, "name", "namespace"}
    }
    return {**part, **({"metadata": meta} if meta else {})}


def _with_defaults(body: Body) -> Body:
    for path, default in DEFAULTS.items():
        place: Any = body
        for word in path:
            place = place.get(word) if isinstance(place, dict) else None
        for item in place or ():
            for word, value in default.items():
                item.setdefault(word, value)
    return body


# Fields are kept as the API server keeps them: {"f:spec": {"f:ports": {'k:{"port":80}': {…}}}}, {} for a leaf.


def _fields(value: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if isinstance(value, dict) and value and path not in ATOMIC:
        return {f"f:{word}": _fields(part, (*path, word)) for word, part in value.items()}
    if isinstance(value, list) and path in LIST_KEYS:
        return {f"k:{_list_key(item, path)}": _fields(item, (*path, "*")) for item in value}
    return {}


def _list_key(item: Body, path: tuple[str, ...]) -> str:
    return json.dumps({word: item.get(word) for word in LIST_KEYS[path]}, separators=(",", ":"))


def _entry(manager: str, operation: str, fields: dict[str, Any]) -> Body:
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}


def _applied(live: Body, wanted: Body, manager: str) -> Body:
    entries = live["metadata"].get("managedFields") or []
    mine = next((e for e in entries if (e["manager"], e["operation"]) == (manager, "Apply")), None)
    others = [entry for entry in entries if entry is not mine]
    fields = _fields(wanted)
    for dropped in _leaves(mine["fieldsV1"]) - _leaves(fields) if mine else ():
        if not any(dropped in _leaves(other["fieldsV1"]) for other in others):
            _drop(live, dropped)
    new: Body = _overlaid(live, wanted, ())
    contested = _leaves(fields)
    kept = [
        {**entry, "fieldsV1": _without(entry["fieldsV1"], {leaf for leaf in contested if _differs(live, wanted, leaf)})}
        for entry in others
    ]
    new["metadata"]["managedFields"] = [
        *(entry for entry in kept if entry["fieldsV1"]),
        _entry(manager, "Apply", fields),
    ]
    return new


def _overlaid(live: Any, wanted: Any, path: tuple[str, ...]) -> Any:
    if isinstance(wanted, dict) and isinstance(live, dict) and path not in ATOMIC:
        both = dict(live)
        for word, value in wanted.items():
            both[word] = _overlaid(live.get(word), value, (*path, word))
        return both
    if isinstance(wanted, list) and isinstance(live, list) and path in LIST_KEYS:
        known = {_list_key(item, path): item for item in live}
        for item in wanted:
            key = _list_key(item, path)
            known[key] = _overlaid(known.get(key), item, (*path, "*"))
        return list(known.values())
    return copied(wanted)


def _leaves(fields: Mapping[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not fields:
        return {path} if path else set()
    return {leaf for word, inner in fields.items() for leaf in _leaves(inner, (*path, word))}


def _without(fields: Mapping[str, Any], leaves: set[tuple[str, ...]], path: tuple[str, ...] = ()) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for word, inner in fields.items():
        if (*path, word) in leaves:
            continue
        rest = _without(inner, leaves, (*path, word))
        if rest or not inner:
            kept[word] = rest
    return kept


def _at_leaf(body: Any, leaf: tuple[str, ...]) -> Any:
    value: Any = body
    for word in leaf:
        if word.startswith("f:"):
            value = value.get(word[2:]) if isinstance(value, dict) else None
        else:
            wanted = json.loads(word[2:])
            items = value if isinstance(value, list) else []
            value = next((item for item in items if wanted.items() <= item.items()), None)
    return value


def _differs(live: Body, wanted: Body, leaf: tuple[str, ...]) -> bool:
    return bool(_at_leaf(live, leaf) != _at_leaf(wanted, leaf))


def _drop(body: Body, leaf: tuple[str, ...]) -> None:
    """Remove a leaf, and the item of a list of which it is the last that anybody owns: here, any leaf of it."""
    for index, word in enumerate(leaf):
        if word.startswith("k:"):
            items, item = _at_leaf(body, leaf[:index]), _at_leaf(body, leaf[: index + 1])
            if isinstance(items, list) and item in items:
                items.remove(item)
            return
    place = _at_leaf(body, leaf[:-1])
    if isinstance(place, dict):
        place.pop(leaf[-1][2:], None)


def _note_update(former: Body, new: Body, manager: str) -> None:
    """Who changes a value by anything but an apply owns it from then on, alone."""
    if former["metadata"].get("managedFields") != new["metadata"].get("managedFields"):
        return
    before, after = _owned_part(former), _owned_part(new)
    changed = {leaf for leaf in _leaves(_fields(after)) if _differs(before, after, leaf)}
    gone = _leaves(_fields(before)) - _leaves(_fields(after))
    if not changed and not gone:
        return
    entries = [
        {**entry, "fieldsV1": _without(entry["fieldsV1"], changed | gone)}
        for entry in new["metadata"].get("managedFields") or []
    ]
    mine: dict[str, Any] = {}
    for leaf in changed:
        place = mine
        for word in leaf:
            place = place.setdefault(word, {})
    own = next((e for e in entries if (e["manager"], e["operation"]) == (manager, "Update")), None)
    if own is not None:
        entries.remove(own)
        mine = _both(own["fieldsV1"], mine)
    new["metadata"]["managedFields"] = [
        entry for entry in (*entries, _entry(manager, "Update", mine)) if entry["fieldsV1"]
    ]


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {word: _both(one.get(word, {}), other.get(word, {})) for word in {**one, **other}}


def _content(body: Body) -> Body:
    return {word: part for word, part in body.items() if word not in {"metadata", "status"}}


def _without_times(body: Body) -> Body:
    return {**body, "metadata": {word: value for word, value in body["metadata"].items() if word != "resourceVersion"}}


def _comparable(body: Body) -> Body:
    comparable: Body = copied(body)
    for word in ("uid", "resourceVersion", "generation", "managedFields"):
        comparable["metadata"].pop(word, None)
    (comparable["metadata"].get("annotations") or {}).pop("merkhet.dev/applied", None)
    for reference in comparable["metadata"].get("ownerReferences") or ():
        reference.pop("uid")
    for condition in (comparable.get("status") or {}).get("conditions") or ():
        condition.pop("lastTransitionTime", None)
        condition.pop("observedGeneration", None)
    return comparable


def _carries(body: Body, selector: str) -> bool:
    label, _, value = selector.partition("=")
    return not selector or (body["metadata"].get("labels") or {}).get(label) == value


def _shuffled(pending: list[tuple[str, str, Body]], order: random.Random) -> list[tuple[str, str, Body]]:
    lanes: dict[tuple[str, str], list[tuple[str, str, Body]]] = {}
    for event in pending:
        lanes.setdefault((event[0], event[2]["metadata"]["uid"]), []).append(event)
    shuffled = []
    while lanes:
        lane = order.choice(list(lanes))
        shuffled.append(lanes[lane].pop(0))
        if not lanes[lane]:
            del lanes[lane]
    return shuffled
