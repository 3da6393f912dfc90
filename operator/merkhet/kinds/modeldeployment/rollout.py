"""Which revision serves, which one should, and how many pods has each of them until then?

The former revision serves until every pod of the next one is ready; then the Service leads to the next one, and the
former pods stay until nobody can still be sending them requests. What serves is read from the Service itself: a
status may be lost or late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from merkhet.api.meta import Body, Meta
from merkhet.contract.runs import digest_of
from merkhet.kinds.common import parsed_time
from merkhet.kinds.modeldeployment.held import Held
from merkhet.kinds.modeldeployment.observe import ModelDeployment, Seen
from merkhet.kinds.modeldeployment.policies import Chosen, choose
from merkhet.manifests import labels, serving

# How long former pods stay after the Service was led to others. Endpoints and kube-proxy follow within two seconds on
# a healthy cluster; the rest is for a busy one.
DRAIN = timedelta(seconds=15)
FORMER_REVISIONS_KEPT = 2


@dataclass(frozen=True, slots=True)
class Revision:
    """A Deployment of ours, as far as a rollout looks at it."""

    name: str
    revision: str
    model: str
    version: int
    asked: int  # pods
    ready: int
    settled: bool  # whether its status speaks of its present spec
    created: str
    body: Body

    def serves_with(self, wanted: int) -> bool:
        """Whether as many pods as wanted are ready, by a status that speaks of now."""
        return self.settled and self.ready >= wanted


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a ModelDeployment stands in its rollout."""

    choice: Chosen | Held
    target: str | None  # the revision that should serve; None where no version can be named
    serving: Revision | None  # the revision the Service leads to before this pass
    selected: str | None  # the revision it is to lead to after it
    replicas: dict[str, int]  # pods of each revision that should exist
    revisions: tuple[Revision, ...]  # those that exist, the newest first
    drain_left: timedelta | None  # how long former pods still have to stay


def rollout(deployment: ModelDeployment, seen: Seen, now: datetime) -> Rollout:
    """The next step, from what is there and what is asked for."""
    revisions = tuple(sorted(map(read, seen.revisions), key=lambda r: (r.created, r.name), reverse=True))
    former = _serving(deployment, seen, revisions)
    choice = choose(deployment, seen, (former.model, former.version) if former else None)
    target = revision_of(deployment, choice) if isinstance(choice, Chosen) else None
    selected = _selected(deployment, revisions, former, target)
    left = _drain_left(deployment, selected, now)
    return Rollout(
        choice=choice,
        target=target,
        serving=former,
        selected=selected,
        replicas=dict(_replicas(deployment, revisions, {target, selected} - {None}, draining=left is not None)),
        revisions=revisions,
        drain_left=left,
    )


def revision_of(deployment: ModelDeployment, chosen: Chosen) -> str:
    """The name of a revision: what its pods do, and nothing about the operator that made it.

    Fields that nobody set do not count, so that a newer operator with more of them restarts nothing.
    """
    record, spec = chosen.version.record, deployment.spec
    return digest_of(
        [
            record.model,
            record.version,
            record.artifact.digest,
            record.signature.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            record.reports.get("golden"),
            spec.resources.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            spec.pod_template.model_dump(mode="json", by_alias=True, exclude_defaults=True),
            deployment.meta.annotations.get(labels.RESTART),
            *([] if chosen.features is None else [chosen.features.body()]),
        ]
    )


def read(body: Body) -> Revision:
    """A revision from its Deployment; its pods' labels say what they serve."""
    meta, status = Meta.of(body), body.get("status") or {}
    marks = body["spec"]["template"]["metadata"].get("labels") or {}
    return Revision(
        name=meta.name,
        revision=marks.get(labels.REVISION, ""),
        model=marks.get(labels.MODEL, ""),
        version=int(marks.get(serving.VERSION, 0)),
        asked=body["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        settled=status.get("observedGeneration", 0) >= meta.generation,
        created=meta.created,
        body=body,
    )


def selected_by(service: Body | None) -> str | None:
    """The revision a Service leads to."""
    chosen: dict[str, str] = ((service or {}).get("spec") or {}).get("selector") or {}
    return chosen.get(labels.REVISION)


def _serving(deployment: ModelDeployment, seen: Seen, revisions: tuple[Revision, ...]) -> Revision | None:
    """The revision that serves: by the Service, by our status, or else the newest that was given pods."""
    by_name = {revision.revision: revision for revision in revisions}
    said = (selected_by(seen.service), deployment.status.revision)
    known = [by_name[revision] for revision in said if revision in by_name]
    with_pods = [revision for revision in (*known, *revisions) if revision.asked > 0]
    return next(iter((*with_pods, *known)), None)


def _selected(
    deployment: ModelDeployment, revisions: tuple[Revision, ...], former: Revision | None, target: str | None
) -> str | None:
    """The next revision as soon as all its pods are ready, or any where nothing serves; until then what serves."""
    if former is None or target is None:
        return former.revision if former else target
    wanted = deployment.spec.replicas if former.ready else min(deployment.spec.replicas, 1)
    ready = any(revision.revision == target and revision.serves_with(wanted) for revision in revisions)
    return target if ready else former.revision


def _drain_left(deployment: ModelDeployment, selected: str | None, now: datetime) -> timedelta | None:
    """How long former pods have to stay: all of the time where the status has not recorded the switch yet."""
    status = deployment.status
    if status.revision != selected:
        return DRAIN
    switched = parsed_time(status.switched_at)
    left = DRAIN - (now - switched) if switched else timedelta()
    return left if left > timedelta() else None


def _replicas(
    deployment: ModelDeployment, revisions: tuple[Revision, ...], needed: set[str | None], *, draining: bool
) -> Iterator[tuple[str, int]]:
    """Pods per revision: all that is wanted for those needed; former ones keep theirs for a while, then none."""
    yield from ((name, deployment.spec.replicas) for name in needed if name is not None)
    former = [revision for revision in revisions if revision.revision not in needed]
    for place, revision in enumerate(former):
        if draining:
            yield revision.revision, revision.asked
        elif place < FORMER_REVISIONS_KEPT:
            yield revision.revision, 0
