"""Golden files: what one pass plans and says, as YAML that is reviewed like code.

``make golden`` (``pytest tests/golden --update-golden``) writes them anew; the diff shows what a change does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from merkhet.api.meta import Body
from merkhet.contract.runs import TASK_VARIABLE
from merkhet.kinds.kind import Child, Kind, Live, Problem
from tests import make

HERE = Path(__file__).parent
Golden = Callable[..., None]


class _Readable(yaml.SafeDumper):
    """YAML without anchors, lists indented."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares one pass over an object with ``<kind>/<name>.yaml``; ``full`` shows the children's bodies too."""

    def check(
        kind: Kind,
        name: str,
        body: Body,
        *others: Body,
        full: bool = False,
        now: datetime = make.NOW,
        problems: tuple[Problem, ...] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        world = make.world(*others, **(settings or {}))
        text = _dumped(one_pass(kind, body, world, now=now, problems=problems, full=full))
        path = HERE / kind.api.kind.lower() / f"{name}.yaml"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path.name} is not there: run pytest tests/golden --update-golden and review it"
        assert text == path.read_text(encoding="utf-8"), f"{path} is no longer what the pass says"

    return check


def one_pass(
    kind: Kind,
    body: Body,
    world: make.FakeWorld,
    *,
    now: datetime = make.NOW,
    problems: tuple[Problem, ...] = (),
    full: bool = False,
) -> Body:
    """What the engine would do and say: children, next look, status and conditions."""
    resource = make.resource(kind, body)
    seen = asyncio.run(_observed(kind, resource, world))
    plan = kind.plan(resource, seen, now)
    missing = {(problem.api.kind, problem.name) for problem in problems}
    made = [_live(child, world) for child in plan.children if (child.api.kind, child.name) not in missing]
    live = Live({(one["kind"], one["metadata"]["name"]): one for one in made}, problems)
    said = kind.report(resource, seen, live, now)
    return {
        "children": [_shown(child, full=full) for child in plan.children],
        "lookAgain": str(plan.look_again) if plan.look_again else None,
        "status": said.status.body(),
        "conditions": [
            {"type": fact.type, "status": fact.status, "reason": fact.reason, "message": fact.message}
            for fact in said.facts
        ],
    }


async def _observed(kind: Kind, resource: Any, world: make.FakeWorld) -> Any:
    return await kind.observe(resource, world)


def _live(child: Child, world: make.FakeWorld) -> Body:
    known = (one for one in world.bodies if (one["kind"], one["metadata"]["name"]) == (child.api.kind, child.name))
    return next(known, child.body)


def _shown(child: Child, *, full: bool) -> Body:
    marks = {"rule": child.rule, "owned": child.owned, "shared": child.shared}
    usual = {"rule": "apply", "owned": True, "shared": False}
    shown: Body = {"child": f"{child.api.kind} {child.name}"}
    shown |= {word: value for word, value in marks.items() if value != usual[word]}
    return {**shown, "body": _with_tasks(child.body)} if full else shown


def _with_tasks(value: Any) -> Any:
    """The body with the tasks of pods as YAML, not as one long line."""
    if isinstance(value, list | tuple):
        return [_with_tasks(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("name") == TASK_VARIABLE:
        return {**value, "value": json.loads(value["value"])}
    return {word: _with_tasks(one) for word, one in value.items()}


def _dumped(value: Body) -> str:
    plain = json.loads(json.dumps(value))
    return yaml.dump(plain, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=118)
