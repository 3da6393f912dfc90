"""What is read before anything is said of a ModelVersion."""

from __future__ import annotations

from dataclasses import dataclass, field

from merkhet.api.meta import Body
from merkhet.kinds import apis, policy, runs
from merkhet.kinds.featureset.inputs import Known, read, use_of
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.modelversion.registered import approvals_are_guarded, versions
from merkhet.kinds.modelversion.types import ModelVersionSpec, ModelVersionStatus, Record
from merkhet.kinds.policy import UNGOVERNED, SeenPolicy
from merkhet.kinds.run import Evidence

SHORT = "mv"
ModelVersion = Resource[ModelVersionSpec, ModelVersionStatus]

NO_RUN = Evidence()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says; but for the first three it is asked of models that were brought alone."""

    setup: Setup
    policy_in_force: bool
    served_by: tuple[str, ...] = ()
    runs: Evidence = NO_RUN
    features: Known = field(default_factory=dict)  # what it is judged on
    policy: SeenPolicy = UNGOVERNED
    champion: Record | None = None  # the highest approved version besides


async def observe(resource: ModelVersion, world: World) -> Seen:
    """Read the approval policy, who serves this version, and how far it is judged."""
    deployments = world.select(apis.MODELDEPLOYMENT, resource.meta.namespace, {})
    record, judging = resource.spec.record, resource.spec.evaluation
    guarded = await approvals_are_guarded(world)
    served_by = tuple(body["metadata"]["name"] for body in deployments if serves(body, record))
    if judging is None or not record.is_brought:
        return Seen(world.setup, guarded, served_by)
    home = resource.meta.namespace
    others = (await versions(world, home, record.model)).besides(record.version)
    return Seen(
        world.setup,
        guarded,
        served_by,
        runs=await runs.observe(resource.meta, world, apis.MODELVERSION.kind, SHORT),
        features=read((use_of(judging.feature_set, home),), home, world),
        policy=await policy.observe(home, world),
        champion=None if others.champion is None else others.champion.record,
    )


def serves(deployment: Body, record: Record) -> bool:
    """Whether a ModelDeployment says that it serves this version."""
    said = deployment.get("status") or {}
    return bool(said.get("model") == record.model and said.get("version") == record.version)
