"""The components that the documentation and the example show are proven by their examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from merkhet.contract.component import ComponentTask
from merkhet.workloads.components.main import try_and_keep
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.workloads.components.trying import bench

ROOT = Path(__file__).resolve().parents[4]
FENCED = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def shown() -> Iterator[tuple[str, Any]]:
    """The spec of each."""
    page = (ROOT / "docs" / "kinds" / "component.md").read_text(encoding="utf-8")
    yield from ((f"page, block {at}", yaml.safe_load(text)["spec"]) for at, text in enumerate(FENCED.findall(page), 1))
    files = (ROOT / "examples" / "employment" / "components.yaml").read_text(encoding="utf-8")
    yield from ((body["metadata"]["name"], body["spec"]) for body in yaml.safe_load_all(files))


SHOWN = dict(shown())


@pytest.mark.parametrize("spec", SHOWN.values(), ids=SHOWN)
def test_what_is_shown_stands(tmp_path: Path, spec: Any) -> None:
    component = make.component()
    place = bench(tmp_path)
    task = ComponentTask.model_validate(Scene({**component, "spec": spec}).look().task)
    result = try_and_keep(task, place.store, place.said.append, places=place.places, now=place.now)
    assert [one.message for one in result.examples if not one.passed] == []
    assert result.digest
