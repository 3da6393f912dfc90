"""What governance asks of every model of a namespace: the ConfigMap ``merkhet-policy``, which authors cannot weaken.

Of what it says and what a spec says the stricter holds: its limits come beside the spec's, and all are judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator

from merkhet.api.base import Part
from merkhet.contract import training as contract
from merkhet.contract.base import canonical
from merkhet.kinds import gates
from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.gates import Gates
from merkhet.kinds.kind import World
from merkhet.kinds.run import Block

EVERY = 1_000_000_000
NAME, KEY = "merkhet-policy", "policy.yaml"
CardField = Literal["intendedUse", "outOfScope", "limitations", "ethicalConsiderations", "license", "contact"]
Limit = TypeVar("Limit", bound=contract.MetricLimit | contract.GroupLimit | contract.FairnessLimit)


class Retention(Part):
    """What is kept at least."""

    versions: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Versions of each FeatureSet, whatever its history.keep says."
    )


class Policy(Part):
    """What stands under ``policy.yaml`` of the ConfigMap."""

    gates: Gates = Field(default=Gates(), description="Limits that every model has to keep, as in a ModelTraining.")
    approval: Literal["Manual", "Automatic"] = Field(
        default="Automatic", description="Manual: a person approves each version, whatever the training says."
    )
    card: Annotated[tuple[CardField, ...], Field(max_length=6)] = Field(
        default=(), description="What every card has to say."
    )
    author: bool = Field(default=False, description="Whether every training has to name its author.")
    retention: Retention = Field(default=Retention(), description="What is kept at least.")

    @field_validator("gates")
    @classmethod
    def _mean_something(cls, asked: Gates) -> Gates:
        """The API server checks those of a spec; of a ConfigMap nobody but us: a limit that is misspelt is none."""
        if (fault := next(_faults_of_limits(asked), None)) is not None:
            raise ValueError(fault)
        return asked


NOTHING_ASKED = Policy()


@dataclass(frozen=True, slots=True)
class SeenPolicy:
    """The policy in force: one that asks for nothing where there is none; ``fault`` says why it cannot be read."""

    policy: Policy = NOTHING_ASKED
    fault: str = ""

    @property
    def versions_kept(self) -> int:
        """How many versions of each FeatureSet are kept at least; all, while nobody knows what the policy says."""
        return EVERY if self.fault else self.policy.retention.versions or 1


UNGOVERNED = SeenPolicy()


async def observe(namespace: str, world: World) -> SeenPolicy:
    """The namespace's policy. People's ConfigMaps are not watched: a change counts within a minute."""
    body = await world.read(CONFIGMAP, namespace, NAME)
    if body is None:
        return UNGOVERNED
    text = (body.get("data") or {}).get(KEY)
    where = f"ConfigMap {namespace}/{NAME}"
    if text is None:
        return SeenPolicy(fault=f"{where} has no key {KEY}; put the policy there")
    try:
        said = yaml.safe_load(text)
        return SeenPolicy(Policy.model_validate({} if said is None else said))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        fault = f"{place}: {first['msg'].removeprefix('Value error, ')}"
    except (yaml.YAMLError, ValueError) as error:  # a date that is none is a ValueError
        fault = " ".join(str(error).split())
    except RecursionError:
        fault = "it is nested too deeply"
    return SeenPolicy(fault=f"{KEY} of {where} is no policy ({fault}); whoever governs it has to mend it")


def merged(spec: contract.Gates, policy: Policy, task: contract.TaskName) -> contract.Gates:
    """All limits, those of the policy marked as its own; what a task does not have is not asked of it."""
    asked = gates.asked(policy.gates, "policy")
    classifies = task == "Classification"
    return contract.Gates(
        metrics=_beside(spec.metrics, [one for one in asked.metrics if one.name in contract.FIGURES[task]]),
        groups=_beside(spec.groups, [one for one in asked.groups if one.metric in contract.FIGURES[task]]),
        fairness=_beside(spec.fairness, asked.fairness if classifies else ()),
        parity=_tighter(spec.parity, asked.parity) if "parity" in policy.gates.model_fields_set else spec.parity,
        latency=min(
            (one for one in (spec.latency, asked.latency) if one is not None),
            key=lambda one: one.p99_milliseconds,
            default=None,
        ),
        min_group_size=_smaller(spec.min_group_size, policy.gates),
    )


def faults(
    seen: SeenPolicy, card: dict[str, str], author: str | None, sensitive: Sequence[str], task: contract.TaskName
) -> Iterator[Block]:
    """What keeps a training from starting under the policy; ``card`` is what people wrote."""
    if seen.fault:
        yield Block("PolicyInvalid", f"nothing is trained: {seen.fault}", stalls=True)
        return
    asks = f"the policy of the namespace (ConfigMap {NAME}) asks for"
    empty = [name for name in seen.policy.card if not card.get(name, "").strip()]
    if empty:
        named = ", ".join(f"spec.card.{name}" for name in empty)
        yield Block("CardIncomplete", f"{asks} {named}: write what users of the model should know", stalls=True)
    if seen.policy.author and not author:
        yield Block("AuthorMissing", f"{asks} spec.author: name who answers for the model", stalls=True)
    asked = merged(contract.Gates(), seen.policy, task)
    grouped = (*(one.by for one in asked.groups), *(one.by for one in asked.fairness))
    columns = [column for column in grouped if column not in sensitive]
    if columns:
        wanted = ", ".join(dict.fromkeys(columns))
        yield Block("SensitiveMissing", f"{asks} figures by {wanted}: add it to spec.data.sensitive", stalls=True)


def too_many(
    own: contract.Gates, tests: Sequence[gates.BusinessTest], seen: SeenPolicy, task: contract.TaskName
) -> Iterator[Block]:
    """Whether a model would be judged by more gates than the record of a version holds."""
    count = gates.count(merged(own, seen.policy, task)) + len(tests)
    if count > gates.MOST:
        message = (
            f"the limits and tests of spec and policy (ConfigMap {NAME}) make {count} gates, and the record of a "
            f"version holds {gates.MOST}: take some away"
        )
        yield Block("TooManyGates", message, stalls=True)


def words(seen: SeenPolicy, task: contract.TaskName) -> tuple[str, ...]:
    """What the policy adds, for a status."""
    asked = merged(contract.Gates(parity=contract.ParityLimit(max_difference=1.0)), seen.policy, task)
    limits = [_said(one.name, one.min, one.max, one.max_drop_from_champion) for one in asked.metrics]
    of_groups: tuple[contract.GroupLimit | contract.FairnessLimit, ...] = (*asked.groups, *asked.fairness)
    limits += [_said(f"{one.metric} by {one.by}", one.min, one.max) for one in of_groups]
    limits += (
        []
        if "parity" not in seen.policy.gates.model_fields_set
        else [f"parity at most {asked.parity.max_difference:g}"]
    )
    limits += [] if asked.latency is None else [f"latency at most {asked.latency.p99_milliseconds:g} ms"]
    limits += ["approval by a person"] if seen.policy.approval == "Manual" else []
    limits += [f"card.{name}" for name in seen.policy.card]
    return (*limits, *(["author"] if seen.policy.author else []))


def _faults_of_limits(asked: Gates) -> Iterator[str]:
    """What makes a limit one that no model could ever miss."""
    figures = dict.fromkeys(name for names in contract.FIGURES.values() for name in names)
    for name in (*(one.name for one in asked.metrics), *(one.metric for one in asked.groups)):
        if name not in figures:
            yield f"there is no figure {name}; there are {', '.join(figures)}"
    for limit in asked.metrics:
        if limit.min is limit.max is limit.max_drop_from_champion is None:
            yield f"the limit on {limit.name} lets everything pass; give it min, max or maxDropFromChampion"
    for group in asked.groups:
        if group.min is group.max is None:
            yield f"the limit on {group.metric} by {group.by} lets everything pass; give it min or max"
    for one in asked.fairness:
        right, wrong = (one.min, one.max) if contract.FAIRNESS[one.metric] else (one.max, one.min)
        if right is None or wrong is not None:
            yield f"the limit on {one.metric} by {one.by}: a difference has a max, a ratio a min, and no other"
    try:
        canonical(asked.body())
    except ValueError:
        yield "a limit is infinite or no number; write it in digits"


def _beside(own: tuple[Limit, ...], asked: Sequence[Limit]) -> tuple[Limit, ...]:
    """The spec's limits and those of the policy that it does not have word for word."""
    same = [one.model_copy(update={"source": "policy"}) for one in own]
    return (*own, *(one for one in asked if one not in same))


def _tighter(one: contract.ParityLimit, other: contract.ParityLimit) -> contract.ParityLimit:
    return min(one, other, key=lambda limit: limit.max_difference)


def _smaller(size: int, policy: Gates) -> int:
    return min(size, policy.min_group_size) if "min_group_size" in policy.model_fields_set else size


def _said(name: str, least: float | None, most: float | None, drop: float | None = None) -> str:
    ends = [f"at least {least:g}"] if least is not None else []
    ends += [f"at most {most:g}"] if most is not None else []
    ends += [f"at most {drop:g} worse than the champion"] if drop is not None else []
    return f"{name} {' and '.join(ends)}"
