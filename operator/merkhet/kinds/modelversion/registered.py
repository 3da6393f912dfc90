"""The versions of a model as they count: the usable ones, each with the decision that holds."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body, Meta
from merkhet.contract import training as contract
from merkhet.kinds import apis
from merkhet.kinds.kind import World
from merkhet.kinds.modelversion.policies import (
    Decision,
    completed,
    effective_decision,
    fault_of,
    policy_is_in_force,
)
from merkhet.kinds.modelversion.types import ModelVersionSpec, ModelVersionStatus, Record
from merkhet.manifests import labels


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
class Versions:
    """The versions of a model, by number; ``unusable`` says why some that claim to be of it are none."""

    usable: tuple[Registered, ...] = ()
    unusable: tuple[str, ...] = ()

    @property
    def champion(self) -> Registered | None:
        """The highest approved one."""
        return max((one for one in self.usable if one.decision.name == "Approved"), key=_number, default=None)

    def besides(self, number: int) -> Versions:
        """All but one."""
        return Versions(tuple(one for one in self.usable if one.number != number), self.unusable)


async def versions(world: World, namespace: str, model: str) -> Versions:
    """Those that carry the model's label."""
    guarded = await approvals_are_guarded(world)
    bodies = world.select(apis.MODELVERSION, namespace, {labels.MODEL: model})
    read = [registered(body, policy_in_force=guarded) for body in bodies]
    usable = [version for version in read if isinstance(version, Registered)]
    return Versions(
        tuple(sorted(usable, key=_number)), unusable=tuple(reason for reason in read if isinstance(reason, str))
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
    status = ModelVersionStatus.read(body.get("status"))
    decision = effective_decision(spec, status, policy_in_force=policy_in_force)
    return Registered(completed(spec.record, status.evaluation), decision)


async def approvals_are_guarded(world: World) -> bool:
    """Whether the API server asks who may decide about versions."""
    name = world.setup.approval_policy
    policy = await world.read(apis.POLICY, None, name)
    return policy_is_in_force(policy, await world.read(apis.POLICY_BINDING, None, name))


def champion_of(record: Record | None) -> contract.Champion | None:
    """The champion as a pod is told of it."""
    if record is None:
        return None
    made_by = record.lineage.training.get("run")
    return contract.Champion(number=record.version, digest=record.artifact.digest, run=made_by)


def _number(version: Registered) -> int:
    return version.number
