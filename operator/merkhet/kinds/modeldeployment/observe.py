"""What is read before a ModelDeployment is planned."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body
from merkhet.kinds import apis
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.modeldeployment.types import ModelDeploymentSpec, ModelDeploymentStatus
from merkhet.kinds.modelversion.registered import Registered, versions
from merkhet.manifests.serving import selector

ModelDeployment = Resource[ModelDeploymentSpec, ModelDeploymentStatus]


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
    known = await versions(world, namespace, resource.spec.model.name)
    return Seen(
        setup=world.setup,
        versions=known.usable,
        unusable=known.unusable,
        revisions=tuple(world.owned(apis.DEPLOYMENT, resource.meta.uid)),
        service=world.get(apis.SERVICE, namespace, name),
        pods=tuple(world.select(apis.POD, namespace, selector(name))),
        features=world.get(apis.FEATURESET, namespace, features) if features is not None else None,
    )
