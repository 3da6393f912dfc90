"""Who lives in a namespace, and what they need of its store: the list without which the collector lets nothing go.

It is judged from the cache, which is whole before any pass begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from merkhet.api.conditions import timestamp
from merkhet.api.meta import Api, Body
from merkhet.contract.live import LIVE_FILE, LiveList, LiveObject, PinnedVersion
from merkhet.kinds.apis import COMPONENT, CONFIGMAP, FEATURESET, MODELTRAINING, MODELVERSION
from merkhet.kinds.featureset.inputs import task_of
from merkhet.kinds.run import FINAL
from merkhet.manifests import names
from merkhet.store.references import digests

KINDS = (FEATURESET, COMPONENT, MODELTRAINING, MODELVERSION)
NEEDED = ("artifact", "reports", "lineage")  # the parts of a version's record that name digests
KEEP = 10  # versions of a FeatureSet that does not say
MOST = 900 * 1024  # bytes; a ConfigMap ends at 1 MiB

Objects = Mapping[Api, tuple[Body, ...]]
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def live_map(
    objects: Objects,
    former: Body | None,
    now: datetime,
    *,
    namespace: str = "",
    serving: Iterable[Body] = (),
    least: int = 1,
) -> Body:
    """The ConfigMap with the list; the former one's content where nothing has changed.

    ``serving`` are the Deployments that serve models: they need theirs even when its version is gone. ``least`` is how
    many versions of each FeatureSet are kept whatever it says.
    """
    wanted = bounded(live_list(objects, timestamp(now), namespace=namespace, serving=serving, least=least))
    before = told(former)
    if before is not None and before.model_copy(update={"made": wanted.made}) == wanted:
        wanted = before
    return {
        "apiVersion": CONFIGMAP.api_version,
        "kind": CONFIGMAP.kind,
        "metadata": {"name": names.LIVE},
        "data": {LIVE_FILE: wanted.dump()},
    }


def live_list(
    objects: Objects, made: str, *, namespace: str = "", serving: Iterable[Body] = (), least: int = 1
) -> LiveList:
    """All that keeps something in the store."""
    features, trainings = objects[FEATURESET], objects[MODELTRAINING]
    judging = (_judging(body) for body in objects[MODELVERSION])
    pins = {pin for body in (*features, *trainings, *judging) for pin in _pins(body)}
    needed = digests([_needs(body) for api in KINDS for body in objects[api]])
    return LiveList(
        complete=True,
        made=made,
        namespace=namespace,
        kinds=tuple(api.kind for api in KINDS),
        objects=tuple(_living(api, body) for api in KINDS for body in objects[api]),
        keep={_name(body): max(least, int((_spec(body).get("history") or {}).get("keep", KEEP))) for body in features},
        pins=tuple(PinnedVersion(feature_set=name, version=version) for name, version in sorted(pins)),
        needed=tuple(sorted(needed.union(_pinned(features, pins), _served(serving)))),
    )


def bounded(live: LiveList, most: int = MOST) -> LiveList:
    """The list, or why it is not written: half of it would be worse than none."""
    size = len(live.dump().encode())
    if size <= most:
        return live
    message = (
        f"the {len(live.objects)} objects of the namespace take {size} bytes, more than the {most} that fit into a "
        f"ConfigMap; delete ModelVersions that nobody needs: until then nothing is let go"
    )
    return live.model_copy(
        update={"complete": False, "message": message, "objects": (), "keep": {}, "pins": (), "needed": ()}
    )


def told(former: Body | None) -> LiveList | None:
    """The list in a ConfigMap; None where there is none that can be read."""
    try:
        return LiveList.load(((former or {}).get("data") or {}).get(LIVE_FILE, ""))
    except ValidationError:
        return None


def _living(api: Api, body: Body) -> LiveObject:
    unfinished = tuple(sorted(str(run["key"]) for run in _unfinished(body)))
    return LiveObject(kind=api.kind, name=_name(body), uid=str(body["metadata"]["uid"]), runs=unfinished)


def _unfinished(body: Body) -> Iterator[Body]:
    """The runs that are at work, or from whose result something has still to follow."""
    for run in (body.get("status") or {}).get("runs") or ():
        if run.get("phase") not in FINAL or (run["phase"] == "Succeeded" and not run.get("settled")):
            yield run


def _begun(body: Body) -> Iterator[Body]:
    """The same and those that failed: with other means they are tried again, on what they began with."""
    yield from _unfinished(body)
    yield from (run for run in (body.get("status") or {}).get("runs") or () if run.get("phase") == "Failed")


def _needs(body: Body) -> Any:
    """Where the digests stand that an object needs: a version's record or evaluation, and what runs are started on."""
    record = _spec(body).get("record") or {}
    inputs = [run.get("inputs") for run in _begun(body)]
    found = (body.get("status") or {}).get("evaluation") or {}
    return [[record[part] for part in NEEDED if part in record], [found.get("reports"), found.get("data")], inputs]


def _judging(body: Body) -> Body:
    """A version as if its spec were how it is judged: its record names no FeatureSet by number, and is long."""
    return {**body, "spec": _spec(body).get("evaluation") or {}}


def _pins(body: Body) -> Iterator[tuple[str, int]]:
    """The versions of FeatureSets that a spec names, and those that a run is being started on."""
    home = body["metadata"].get("namespace")
    for reference in _references(_spec(body)):
        if reference.get("version") is not None and reference.get("namespace") in (None, home):
            yield str(reference["name"]), int(reference["version"])
    learnt = ((_spec(body).get("data") or {}).get("featureSet") or {}).get("name")
    for run in _begun(body):
        if learnt and run.get("dataVersion"):
            yield str(learnt), int(run["dataVersion"])


def _pinned(features: Iterable[Body], pins: set[tuple[str, int]]) -> Iterator[str]:
    """The digests of pinned versions: a run finds them by these, also where a name went before it was pinned."""
    for body in features:
        for version in (body.get("status") or {}).get("versions") or ():
            if (_name(body), version.get("version")) in pins and version.get("digest"):
                yield str(version["digest"])


def _served(serving: Iterable[Body]) -> Iterator[str]:
    """The digests that servers of models are told of."""
    for body in serving:
        yield from _DIGEST.findall(task_of(body))


def _references(value: Any) -> Iterator[Body]:
    """All ``featureSet: {name, version}`` of a spec, wherever they stand in it."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found = one.get("featureSet")
            if isinstance(found, dict) and "name" in found:
                yield found
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _spec(body: Body) -> Body:
    return body.get("spec") or {}
