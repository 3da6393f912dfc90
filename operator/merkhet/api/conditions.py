"""Conditions: what is true of an object, why, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from merkhet.api.base import StatusPart

Truth = Literal["True", "False", "Unknown"]
READY, RECONCILING, STALLED = "Ready", "Reconciling", "Stalled"
# The API server takes 32 768; a person reads the beginning.
MESSAGE_LENGTH = 2048


class Condition(StatusPart):
    """One fact about the object."""

    type: Annotated[str, Field(max_length=64)] = Field(description="What the condition is about.")
    status: Truth = Field(description="Whether it holds; Unknown where that cannot be said yet.")
    reason: Annotated[str, Field(max_length=128)] = Field(description="Why, in one CamelCase word for programs.")
    message: Annotated[str, Field(max_length=MESSAGE_LENGTH)] = Field(
        default="", description="Why, in words for a person."
    )
    last_transition_time: Annotated[str, Field(max_length=32)] = Field(
        default="", description="When the status last changed from one value to another."
    )
    observed_generation: int = Field(default=0, description="The generation of the spec that this was said of.")


@dataclass(frozen=True, slots=True)
class Fact:
    """A condition before it is dated: what a kind's report says."""

    type: str
    status: Truth
    reason: str
    message: str = ""


def ready(reason: str, message: str = "") -> tuple[Fact, ...]:
    """The object is as asked for."""
    return (Fact(READY, "True", reason, message), *_kstatus(reconciling=None, stalled=None))


def progressing(reason: str, message: str = "") -> tuple[Fact, ...]:
    """The object is on its way: nobody needs to do anything but wait."""
    return (Fact(READY, "False", reason, message), *_kstatus(reconciling=(reason, message), stalled=None))


def stalled(reason: str, message: str = "", *, still_ready: str | None = None) -> tuple[Fact, ...]:
    """Nothing more happens until somebody acts; ``still_ready`` says what goes on working meanwhile."""
    first = Fact(READY, "False", reason, message) if still_ready is None else Fact(READY, "True", reason, still_ready)
    return (first, *_kstatus(reconciling=None, stalled=(reason, message)))


def waiting_for_a_person(reason: str, message: str = "") -> tuple[Fact, ...]:
    """Not ready, and neither progressing nor at fault: a person has to decide."""
    return (Fact(READY, "False", reason, message), *_kstatus(reconciling=None, stalled=None))


def _kstatus(*, reconciling: tuple[str, str] | None, stalled: tuple[str, str] | None) -> tuple[Fact, Fact]:
    return (
        Fact(RECONCILING, "True", *reconciling) if reconciling else Fact(RECONCILING, "False", "Settled"),
        Fact(STALLED, "True", *stalled) if stalled else Fact(STALLED, "False", "NotStalled"),
    )


def dated(facts: Iterable[Fact], former: Iterable[Condition], *, generation: int, now: datetime) -> list[Condition]:
    """Conditions of these facts; the time of one whose status stays is kept."""
    before = {condition.type: condition for condition in former}
    return [_dated(fact, before.get(fact.type), generation, now) for fact in facts]


def _dated(fact: Fact, former: Condition | None, generation: int, now: datetime) -> Condition:
    stays = former is not None and former.status == fact.status and former.last_transition_time
    since = former.last_transition_time if former is not None and stays else timestamp(now)
    return Condition(
        type=fact.type,
        status=fact.status,
        reason=fact.reason,
        message=fact.message[:MESSAGE_LENGTH],
        last_transition_time=since,
        observed_generation=generation,
    )


def timestamp(moment: datetime) -> str:
    """A time as Kubernetes writes it, to the second, in UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of this type."""
    return next((condition for condition in conditions if condition.type == type_), None)
