"""What is written into an object's status, and as which change?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from merkhet.api.conditions import STALLED, Condition, Fact, dated
from merkhet.api.meta import Body, Meta
from merkhet.kinds.kind import Live, Report


def composed(report: Report, former: Iterable[Condition], meta: Meta, now: datetime) -> Body:
    """The whole status: what the kind says, its facts dated, and of which generation all that is said."""
    conditions = dated(report.facts, former, generation=meta.generation, now=now)
    return report.status.body() | {
        "observedGeneration": meta.generation,
        "conditions": [condition.body() for condition in conditions],
    }


def judged_again(status: Mapping[str, Any], facts: Iterable[Fact], meta: Meta, now: datetime) -> Body:
    """The status as it stands with these facts in it: for what the kind could not judge itself."""
    former = conditions_of(status)
    new = {condition.type: condition for condition in dated(facts, former, generation=meta.generation, now=now)}
    kept = [new.pop(condition.type, condition) for condition in former]
    conditions = [condition.body() for condition in (*kept, *new.values())]
    return {**status, "observedGeneration": meta.generation, "conditions": conditions}


def conditions_of(status: Mapping[str, Any]) -> list[Condition]:
    """The conditions of a status; what does not parse was never said."""
    read = (_condition(item) for item in status.get("conditions") or ())
    return [condition for condition in read if condition is not None]


def _condition(item: Any) -> Condition | None:
    try:
        return Condition.model_validate(item)
    except ValidationError:
        return None


def with_problems(facts: tuple[Fact, ...], live: Live) -> tuple[Fact, ...]:
    """The facts, and where they pass over a child that could not be made, that too: nothing fails in silence."""
    reasons = {fact.reason for fact in facts}
    unsaid = [problem for problem in live.problems if problem.reason not in reasons]
    if not unsaid or not facts:
        return facts
    message = " ".join(f"{problem.api.kind} {problem.name}: {problem.message}" for problem in unsaid)
    stalled = Fact(STALLED, "True", unsaid[0].reason, message)
    return tuple(stalled if fact.type == STALLED else fact for fact in facts)


def written(uid: str, status: Body) -> list[Body]:
    """The patch that puts a status in place of the former, whole, on the object of this uid and no namesake.

    A merge patch would need to know what to take away, and the API server ignores a uid in a patch of a status.
    """
    return [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status", "value": status},
    ]
