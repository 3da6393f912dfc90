"""A ModelTraining that joins other FeatureSets: which versions it learns from, and what it waits for."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from tests import make
from tests.unit.kinds.modeltraining.test_training import features
from tests.unit.kinds.runs.scene import Scene


def other(*numbers: int, columns: tuple[str, ...] = ("region", "income")) -> Body:
    """FeatureSet ``regions`` with these versions."""
    found = [{"name": name, "type": "float64"} for name in columns]
    return make.featureset("regions", status=make.featureset_status(*numbers, columns=found) if numbers else {})


def training(join: Body | None = None, **data: Any) -> Body:
    """A ModelTraining of the usual FeatureSet joined with regions."""
    joins = [{"featureSet": {"name": "regions"}, "by": ["region"], **(join or {})}]
    usual = {"featureSet": {"name": "employment"}, "target": "employed", "join": joins}
    return make.modeltraining(spec={"data": {**usual, **data}})


def of(number: int) -> Body:
    """A version of regions as a task names it."""
    return {"featureSet": "regions", "version": number, "digest": f"sha256:{number:064x}"}


def test_the_task_names_the_joined_version_and_how_it_is_joined() -> None:
    task = Scene(training({"maxAge": "720h"}), features(1), other(3, 4)).look().task
    assert task["joins"] == [{"data": of(4), "by": ["region"], "maxAgeSeconds": 2592000.0}]
    assert task["data"]["version"] == 1


def test_a_pinned_join_is_the_one() -> None:
    join = {"featureSet": {"name": "regions", "version": 3}}
    assert Scene(training(join), features(1), other(3, 4)).look().task["joins"][0]["data"] == of(3)


def test_a_try_again_joins_the_version_that_the_run_began_with() -> None:
    scene = Scene(training(), features(1), other(3)).look().begin().fail({"exitCode": 137, "reason": "OOMKilled"})
    entry = scene.status["runs"][0]
    assert entry["inputs"] == [{"name": "regions", "version": 3, "digest": of(3)["digest"]}]
    assert entry["dataVersion"] == 1
    scene.bodies["FeatureSet", "regions"] = other(4)
    scene.edit(resources={"limits": {"memory": "9Gi"}}).look()
    assert len(scene.created) == 2
    assert scene.task["joins"][0]["data"] == of(3)


def test_new_versions_of_what_is_joined_start_nothing() -> None:
    scene = Scene(training(), features(1), other(3)).look()
    scene.bodies["FeatureSet", "regions"] = other(3, 4)
    assert len(scene.look(4).created) == 1


BLOCKED: dict[str, tuple[Body, list[Body], str, bool]] = {
    "what is joined does not exist": (training(), [], "FeatureSetMissing", False),
    "what is joined has no version": (training(), [other()], "NoVersionYet", False),
    "a pinned version is not there": (
        training({"featureSet": {"name": "regions", "version": 9}}),
        [other(1)],
        "VersionMissing",
        True,
    ),
}


@pytest.mark.parametrize(("owner", "others", "reason", "stalls"), BLOCKED.values(), ids=BLOCKED)
def test_a_training_does_not_start_without(owner: Body, others: list[Body], reason: str, stalls: bool) -> None:
    scene = Scene(owner, features(1), *others).look(4)
    assert (scene.created, scene.ready.reason) == ([], reason)
    assert "FeatureSet people/regions" in scene.ready.message
    assert (scene.fact("Stalled").status == "True") is stalls
    assert len(_put_right(scene).look().created) == 1


def _put_right(scene: Scene) -> Scene:
    scene.bodies["FeatureSet", "regions"] = other(1, 9)
    return scene


def test_columns_may_be_of_what_is_joined() -> None:
    assert len(Scene(training(exclude=["income"]), features(1), other(1)).look().created) == 1
    scene = Scene(training(exclude=["incom"]), features(1), other(1)).look()
    assert scene.ready.reason == "ColumnMissing"
    assert "did you mean income?" in scene.ready.message
    assert "FeatureSet people/employment version 1 and FeatureSet people/regions version 1" in scene.ready.message
