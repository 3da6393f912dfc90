"""What should exist because of a ModelVersion: nothing, it is a record; but one that was brought is judged."""

from __future__ import annotations

from datetime import datetime

from merkhet.kinds import runs
from merkhet.kinds.kind import Plan
from merkhet.kinds.modelversion import brought
from merkhet.kinds.modelversion.observe import ModelVersion, Seen


def plan(version: ModelVersion, seen: Seen, now: datetime) -> Plan:
    """The Job that judges it, where it was not trained here."""
    judging = version.spec.evaluation
    children = brought.children(version, seen, now)
    if judging is None or not children:
        return Plan()
    return Plan(children, runs.look_again(brought.state_of(version, judging, seen, now), seen.runs))
