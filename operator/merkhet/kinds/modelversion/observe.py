"""What is read before anything is said of a ModelVersion."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body
from merkhet.kinds import apis
from merkhet.kinds.kind import Resource, World
from merkhet.kinds.modelversion.policies import policy_is_in_force
from merkhet.kinds.modelversion.types import ModelVersionSpec, ModelVersionStatus, Record

ModelVersion = Resource[ModelVersionSpec, ModelVersionStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    policy_in_force: bool
    served_by: tuple[str, ...] = ()


async def observe(resource: ModelVersion, world: World) -> Seen:
    """Read the approval policy, and who serves this version."""
    deployments = world.select(apis.MODELDEPLOYMENT, resource.meta.namespace, {})
    return Seen(
        policy_in_force=await approvals_are_guarded(world),
        served_by=tuple(body["metadata"]["name"] for body in deployments if serves(body, resource.spec.record)),
    )


async def approvals_are_guarded(world: World) -> bool:
    """Whether the API server asks who may decide about versions."""
    name = world.setup.approval_policy
    policy = await world.read(apis.POLICY, None, name)
    return policy_is_in_force(policy, await world.read(apis.POLICY_BINDING, None, name))


def serves(deployment: Body, record: Record) -> bool:
    """Whether a ModelDeployment says that it serves this version."""
    said = deployment.get("status") or {}
    return bool(said.get("model") == record.model and said.get("version") == record.version)
