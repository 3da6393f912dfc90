"""What a training keeps from the collector, and what it says of a version that went before it began."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.errors import Missing
from merkhet.store import paths
from merkhet.store.roots import root_at
from merkhet.store.volume import Volume
from merkhet.workloads.trainer.train import train
from tests.unit.workloads.trainer.conftest import MakeTask


def silent(_: str) -> None:
    """Nobody listens to the progress."""


def test_a_model_holds_all_that_it_is_and_was_made_of(
    make_task: MakeTask, store: Volume, people: dict[str, Any]
) -> None:
    task = make_task(people)
    result = train(task, store, silent)
    (path,) = [path for path in store.list("roots") if path.startswith(f"roots/mv-{task.model}-1-")]
    root = root_at(store, path)
    assert (root.owner.kind, root.owner.name, root.owner.uid) == ("ModelVersion", f"{task.model}-v1", None)
    assert result.artifact is not None
    assert set(root.digests) == {result.artifact.digest, *result.reports.values(), task.data.digest}


def test_a_version_that_is_gone_is_named_with_what_to_do(
    make_task: MakeTask, store: Volume, people: dict[str, Any]
) -> None:
    task = make_task(people)
    store.delete(paths.blob(task.data.digest))
    with pytest.raises(Missing, match=r"is not in the store any more: .* history\.keep") as caught:
        train(task, store, silent)
    assert f"version {task.data.version} of FeatureSet" in str(caught.value)
