"""What is said of a ModelDeployment: what serves, what comes next, and why it does not come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from merkhet.api.conditions import Fact, progressing, ready, stalled, timestamp, waiting_for_a_person
from merkhet.kinds import apis
from merkhet.kinds.common import moving, problem_facts
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.modeldeployment import rollout as steps
from merkhet.kinds.modeldeployment.held import Held, Wants
from merkhet.kinds.modeldeployment.observe import ModelDeployment, Seen
from merkhet.kinds.modeldeployment.policies import Chosen
from merkhet.kinds.modeldeployment.rollout import Revision, Rollout
from merkhet.kinds.modeldeployment.types import Candidate, ModelDeploymentStatus
from merkhet.kinds.trouble import Trouble, trouble
from merkhet.manifests import labels, serving

SERVING = "Serving"


@dataclass(frozen=True, slots=True)
class Situation:
    """What a report speaks of."""

    deployment: ModelDeployment
    step: Rollout
    serving: Revision | None  # what the Service leads to now
    next: Revision | None  # what it should lead to
    trouble: Trouble | None  # of the next one

    @property
    def wanted(self) -> int:
        """Pods that should answer."""
        return self.deployment.spec.replicas

    @property
    def still(self) -> str | None:
        """What goes on working, if anything does."""
        if self.serving is None or not self.serving.ready:
            return None
        return f"version {self.serving.version} of {self.serving.model} serves with {_pods(self.serving.ready)}"


def report(deployment: ModelDeployment, seen: Seen, live: Live, now: datetime) -> Report:
    """The status of a deployment, by what the API server answered."""
    found = _situation(deployment, seen, live, now)
    facts = problem_facts(live, still_ready=found.still) or _facts(found)
    return Report(_status(found, seen, now), facts)


def _situation(deployment: ModelDeployment, seen: Seen, live: Live, now: datetime) -> Situation:
    step = steps.rollout(deployment, seen, now)
    there = {revision.revision: revision for revision in _living(step, live)}
    service = live.get(apis.SERVICE, deployment.meta.name) or seen.service
    following = there.get(step.target or "")
    pods = [pod for pod in seen.pods if (pod["metadata"].get("labels") or {}).get(labels.REVISION) == step.target]
    return Situation(
        deployment=deployment,
        step=step,
        serving=there.get(steps.selected_by(service) or ""),
        next=following,
        trouble=trouble(following.body if following else None, pods, now),
    )


def _living(step: Rollout, live: Live) -> list[Revision]:
    """The revisions as they are after this pass."""
    answered = [steps.read(body) for (kind, _), body in live.bodies.items() if kind == apis.DEPLOYMENT.kind]
    names = {revision.name for revision in answered}
    return [*answered, *(revision for revision in step.revisions if revision.name not in names)]


def _facts(found: Situation) -> tuple[Fact, ...]:
    choice = found.step.choice
    if isinstance(choice, Held):
        return _held(choice, found.still)
    if found.next is None or found.serving is None or found.next.revision != found.serving.revision:
        return _rolling(found, choice)
    return _settled(found, choice)


def _held(choice: Held, still: str | None) -> tuple[Fact, ...]:
    """No version can be named: what serves goes on."""
    if still is None:
        return _HELD_WITHOUT_PODS[choice.wants](choice.reason, choice.message)
    if choice.wants is Wants.A_CHANGE:
        return stalled(choice.reason, choice.message, still_ready=still)
    if choice.wants is Wants.TIME:
        return moving(choice.reason, choice.message, still_ready=still)
    if choice.wants is Wants.NOTHING:
        return ready(choice.reason, f"{still}; {choice.message}")
    return ready(SERVING, f"{still}; {choice.message}")


# Without pods even a version that was deleted is missed: nothing brings it back by itself.
_HELD_WITHOUT_PODS = {
    Wants.TIME: progressing,
    Wants.A_DECISION: waiting_for_a_person,
    Wants.A_CHANGE: stalled,
    Wants.NOTHING: stalled,
}


def _rolling(found: Situation, choice: Chosen) -> tuple[Fact, ...]:
    """Another revision is on its way."""
    if found.trouble is not None:
        return stalled(found.trouble.reason, found.trouble.message, still_ready=found.still)
    up = found.next.ready if found.next else 0
    message = f"version {choice.version.number} is coming up: {up} of {_pods(found.wanted)} ready"
    return moving("RollingOut", message, still_ready=found.still)


def _settled(found: Situation, choice: Chosen) -> tuple[Fact, ...]:
    """The revision that should serve is the one the Service leads to."""
    assert found.next is not None
    number, up = choice.version.number, found.next.ready
    if not found.wanted:
        return ready("ScaledToZero", f"version {number} is chosen, and spec.replicas asks for no pods")
    if found.next.serves_with(found.wanted):
        note = f"; {choice.note}" if choice.note else ""
        return ready(SERVING, f"version {number} of {found.next.model} serves with {_pods(up)}{note}")
    if found.trouble is not None:
        return stalled(found.trouble.reason, found.trouble.message, still_ready=found.still)
    message = f"version {number}: {up} of {_pods(found.wanted)} ready"
    return moving("Scaling" if up else "Starting", message, still_ready=found.still)


def _status(found: Situation, seen: Seen, now: datetime) -> ModelDeploymentStatus:
    meta, before, serving_now = found.deployment.meta, found.deployment.status, found.serving
    leads_to = serving_now.revision if serving_now else None
    switched = timestamp(now) if leads_to != before.revision and leads_to else before.switched_at
    model, version = _served(found)
    return ModelDeploymentStatus(
        observed_generation=meta.generation,
        url=serving.url(meta.name, meta.namespace, seen.setup.cluster_domain) if leads_to else None,
        model=model,
        version=version,
        revision=leads_to,
        candidate=_candidate(found),
        replicas=serving_now.asked if serving_now else 0,
        ready_replicas=serving_now.ready if serving_now else 0,
        selector=",".join(f"{word}={value}" for word, value in serving.selector(meta.name).items()),
        switched_at=switched if leads_to else None,
    )


def _served(found: Situation) -> tuple[str | None, int | None]:
    """Model and number that serve: those the Service leads to, once a pod of them has answered."""
    before, revision = found.deployment.status, found.serving
    if revision is None:
        return None, None
    if revision.ready or (before.revision == revision.revision and before.version == revision.version):
        return revision.model, revision.version
    return None, None


def _candidate(found: Situation) -> Candidate | None:
    """The revision that is to serve and does not yet."""
    choice, target = found.step.choice, found.step.target
    if not isinstance(choice, Chosen) or target is None:
        return None
    if found.serving is not None and found.serving.revision == target and _served(found)[1] is not None:
        return None
    return Candidate(version=choice.version.number, revision=target)


def _pods(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"
