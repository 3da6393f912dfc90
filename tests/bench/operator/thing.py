"""The kind of the comparison: for each Thing one ConfigMap and a status, as the Go program does it."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import Any

from merkhet.api.base import Part, StatusPart
from merkhet.api.conditions import Condition
from merkhet.api.meta import Api
from merkhet.engine import logs
from merkhet.engine.main import run
from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.kind import Child, Kind, Live, Plan, Report, Resource, World
from merkhet.settings import from_environment

THING = Api("bench.test", "v1", "Thing", "things")


class ThingSpec(Part):
    """What a Thing says."""

    x: int = 0


class ThingStatus(StatusPart):
    """What is said of it."""

    phase: str = ""
    observed_generation: int = -1
    conditions: tuple[Condition, ...] = ()


ThingResource = Resource[ThingSpec, ThingStatus]


async def observe(_resource: ThingResource, _world: World) -> None:
    """Look at nothing."""


def plan(resource: ThingResource, _seen: None, _now: datetime) -> Plan:
    """One small ConfigMap."""
    return Plan((Child(CONFIGMAP, {"metadata": {"name": resource.meta.name}, "data": {"a": "b"}}),))


def report(_resource: ThingResource, _seen: None, live: Live, _now: datetime) -> Report:
    """Ready as soon as the ConfigMap is there; no facts, as the Go program writes no conditions and no events."""
    return Report(ThingStatus(phase="Failed" if live.problems else "Ready"), ())


def kind(**changes: Any) -> Kind:
    """The kind itself."""
    values: dict[str, Any] = {
        "api": THING,
        "short": "th",
        "purpose": "to compare operators",
        "spec": ThingSpec,
        "status": ThingStatus,
        "observe": observe,
        "plan": plan,
        "report": report,
        "children": (CONFIGMAP,),
    }
    return Kind(**(values | changes))


if __name__ == "__main__":
    settings = from_environment(os.environ)
    logs.set_up(settings.log_level)
    sys.exit(run([kind()], settings))
