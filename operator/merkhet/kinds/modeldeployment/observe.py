"""What is read before a ModelDeployment is planned."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body, Meta
from merkhet.kinds import apis
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.modeldeployment.types import ModelDeploymentSpec, ModelDeploymentStatus
from merkhet.kinds.modelversion.observe import approvals_are_guarded
from merkhet.kinds.modelversion.policies import Decision, effective_decision, fault_of
from merkhet.kinds.modelversion.types import ModelVersionSpec, Record
from merkhet.manifests import labels
from merkhet.manifests.serving import selector

ModelDeployment = Resource[ModelDeploymentSpec, ModelDeploymentStatus]


@dataclass(frozen=True, slots=True)
class Registered:
    """A usable version of the model, and the decision that counts."""

    record: Record
    decision: Decision

    @property
    def number(self) -> int:
        """Number of the version."""
        return self.record.version


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    versions: tuple[Registered, ...] = ()  # by number
    unusable: tuple[str, ...] = ()  # why some that claim to be of this model are none
    revisions: tuple[Body, ...] = ()  # Deployments
    service: Body | None = None
    pods: tuple[Body, ...] = ()
    features: Body | None = None  # the FeatureSet that callers may send entities of


async def observe(resource: ModelDeployment, world: World) -> Seen:
    """Read the model's versions, the approval policy, and what serves already."""
    namespace, name = resource.meta.namespace, resource.meta.name
    features = resource.spec.features_name
    guarded = await approvals_are_guarded(world)
    bodies = world.select(apis.MODELVERSION, namespace, {labels.MODEL: resource.spec.model.name})
    read = [registered(body, policy_in_force=guarded) for body in bodies]
    versions = [version for version in read if isinstance(version, Registered)]
    return Seen(
        setup=world.setup,
        versions=tuple(sorted(versions, key=lambda version: version.number)),
        unusable=tuple(reason for reason in read if isinstance(reason, str)),
        revisions=tuple(world.owned(apis.DEPLOYMENT, resource.meta.uid)),
        service=world.get(apis.SERVICE, namespace, name),
        pods=tuple(world.select(apis.POD, namespace, selector(name))),
        features=world.get(apis.FEATURESET, namespace, features) if features is not None else None,
    )


def registered(body: Body, *, policy_in_force: bool) -> Registered | str:
    """A ModelVersion as it counts, or why it does not."""
    meta = Meta.of(body)
    try:
        spec = ModelVersionSpec.model_validate(body.get("spec") or {})
    except ValueError as error:
        return f"ModelVersion {meta.name} cannot be read: {error}"
    fault = fault_of(meta.name, meta.labels, spec.record)
    if fault is not None:
        return fault.message
    return Registered(spec.record, effective_decision(spec.record, spec.approval, policy_in_force=policy_in_force))
