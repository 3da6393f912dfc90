"""What should exist because of a ModelVersion: nothing. It is a record."""

from __future__ import annotations

from datetime import datetime

from merkhet.kinds.kind import Plan
from merkhet.kinds.modelversion.observe import ModelVersion, Seen


def plan(_version: ModelVersion, _seen: Seen, _now: datetime) -> Plan:
    """Nothing at all."""
    return Plan()
