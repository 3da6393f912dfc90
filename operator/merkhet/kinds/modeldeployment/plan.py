"""What should exist because of a ModelDeployment: revisions, the Service that leads to one of them, their budget."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from merkhet.kinds.common import sooner, store_children
from merkhet.kinds.kind import Child, Plan
from merkhet.kinds.modeldeployment import children
from merkhet.kinds.modeldeployment.observe import ModelDeployment, Seen
from merkhet.kinds.modeldeployment.policies import Chosen
from merkhet.kinds.modeldeployment.rollout import Rollout, rollout
from merkhet.kinds.trouble import patience_left


def plan(deployment: ModelDeployment, seen: Seen, now: datetime) -> Plan:
    """The next step of the rollout."""
    step = rollout(deployment, seen, now)
    return Plan(
        children=(
            *store_children(seen.setup),
            *_revisions(deployment, seen, step),
            *_in_front(deployment, step),
        ),
        look_again=sooner(
            step.drain_left if _somebody_drains(step) else None,
            patience_left(seen.pods, now),
        ),
    )


def _revisions(deployment: ModelDeployment, seen: Seen, step: Rollout) -> Iterator[Child]:
    """The revision that should serve, made if it is not there, and others as they stand."""
    there = {revision.revision: revision for revision in step.revisions}
    for revision, replicas in sorted(step.replicas.items()):
        if revision in there:
            yield children.present_revision(there[revision], replicas)
        elif revision == step.target and isinstance(step.choice, Chosen):
            yield children.new_revision(deployment, step.choice, revision, replicas, seen.setup)


def _in_front(deployment: ModelDeployment, step: Rollout) -> Iterator[Child]:
    if step.selected is not None:
        yield children.service(deployment, step.selected)
        yield children.disruption_budget(deployment, step.selected)


def _somebody_drains(step: Rollout) -> bool:
    needed = {step.target, step.selected}
    return any(revision.asked for revision in step.revisions if revision.revision not in needed)
