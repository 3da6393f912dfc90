"""What the users of a Component wait for, and what stays theirs when it is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.component.types import MAX_VERSIONS
from tests import make
from tests.unit.kinds.modeltraining.test_training import answer
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import result

FINAL = {"estimator": "sklearn.linear_model.LogisticRegression"}
NAMED = {"name": "preparation", "version": "1"}
DIGEST = f"sha256:{1:064x}"


def features(*others: Body, age: timedelta = timedelta(hours=1)) -> Scene:
    """A FeatureSet that names version 1, made so long ago."""
    created = {"creationTimestamp": (make.NOW - age).isoformat()}
    return Scene(make.featureset(spec={"components": [NAMED]}, metadata=created), *others)


def training(*others: Body, steps: list[Body] | None = None) -> Scene:
    """A ModelTraining whose pipeline begins with version 1."""
    pipeline = [{"component": NAMED}, FINAL] if steps is None else steps
    data = make.featureset(status=make.featureset_status(1))
    return Scene(make.modeltraining(spec={"pipeline": pipeline}), data, *others)


def component(*standing: str, flavour: str = "sql", spec: Body | None = None, **more: object) -> Body:
    """The Component, with versions that stand."""
    status = make.component_status(*standing, flavour=flavour, **more)
    parts: Body = {"sklearn": None, flavour: {}} if flavour != "sklearn" else {}
    return make.component(spec={**parts, **(spec or {})}, status=status)


@pytest.mark.parametrize("flavour", ["sql", "python", "onnx"])
def test_the_digest_of_a_standing_version_reaches_the_pod(flavour: str) -> None:
    assert features(component("1", "2", flavour=flavour)).look().task["components"] == [{**NAMED, "digest": DIGEST}]


def test_a_pipeline_names_its_components_in_their_place() -> None:
    task = training(component("1", flavour="sklearn")).look().task
    first, last = task["pipeline"]
    assert first["component"] == {**NAMED, "digest": DIGEST}
    assert last["estimator"] == FINAL["estimator"]


def test_an_old_version_is_used_while_the_next_one_fails() -> None:
    conditions = [{"type": "Stalled", "status": "True", "reason": "ExamplesFailed", "message": "wrong"}]
    other = component("1", spec={"version": "2"}, conditions=conditions)
    assert features(other).look().task["components"] == [{**NAMED, "digest": DIGEST}]


STALLED = {"type": "Stalled", "status": "True", "reason": "ExamplesFailed", "message": "example 1: 3 rows come out"}
TAKEN = {"type": "Stalled", "status": "True", "reason": "VersionTaken", "message": "it stands for another"}


def test_a_component_made_again_with_another_content_leaves_its_users_what_they_had() -> None:
    scene = features(component(conditions=[TAKEN])).look()
    assert scene.task["components"] == [NAMED]
    scene.begin().succeed(result(components=[{**NAMED, "digest": DIGEST}]))
    assert scene.ready.status == "True"
    assert scene.ready.message.endswith("; component preparation has another content now; version 1 stays in use")


def test_a_component_made_again_is_asked_of_the_store_once_its_run_was_refused() -> None:
    scene = features(component(spec={"version": "2"})).look()
    assert (scene.created, scene.ready.reason) == ([], "ComponentNotReady")
    scene.bodies["Component", "preparation"] = component(spec={"version": "2"}, conditions=[TAKEN])
    assert scene.look().task["components"] == [NAMED]


def test_a_version_older_than_a_status_can_tell_is_asked_of_the_store() -> None:
    newer = [str(number) for number in range(2, 2 + MAX_VERSIONS)]
    assert features(component(*newer, spec={"version": newer[-1]})).look().task["components"] == [NAMED]


BLOCKS: dict[str, tuple[Body, str, bool, str]] = {
    "it does not stand yet": (component(), "ComponentNotReady", False, "version 1 does not stand yet"),
    "it is stalled": (component(conditions=[STALLED]), "ComponentStalled", True, "example 1: 3 rows come out"),
    "it has another version": (
        component("2", "3", spec={"version": "3"}), "ComponentVersionMissing", True, "there are 3, 2: name one of these"
    ),
    "nothing stands": (
        component(spec={"version": "3"}, tried={}), "ComponentVersionMissing", True, "no version 1; there are 3"
    ),
    "it is of scikit-learn": (component("1", flavour="sklearn"), "ComponentMisplaced", True, "spec.pipeline of a"),
    "it will be of scikit-learn": (component(flavour="sklearn"), "ComponentNotReady", False, "does not stand yet"),
}  # fmt: skip


@pytest.mark.parametrize(("other", "reason", "stalls", "said"), BLOCKS.values(), ids=BLOCKS)
def test_a_feature_set_does_not_start_before(other: Body, reason: str, stalls: bool, said: str) -> None:
    scene = features(other).look()
    assert (scene.created, scene.ready.status, scene.ready.reason) == ([], "False", reason)
    assert scene.fact("Stalled").status == ("True" if stalls else "False")
    assert said in scene.ready.message


@pytest.mark.parametrize("flavour", ["sql", "python", "onnx"])
def test_a_pipeline_takes_steps_of_scikit_learn_alone(flavour: str) -> None:
    scene = training(component("1", flavour=flavour)).look()
    assert (scene.created, scene.fact("Stalled").reason) == ([], "ComponentMisplaced")
    assert f"preparation version 1 is of {flavour}" in scene.ready.message


def test_it_starts_when_the_component_stands() -> None:
    scene = features(component()).look()
    scene.bodies["Component", "preparation"] = component("1")
    assert len(scene.look().created) == 1


def test_a_component_that_is_applied_a_little_later_is_waited_for() -> None:
    scene = features(age=timedelta(seconds=5)).look()
    assert (scene.created, scene.ready.reason) == ([], "ComponentMissing")
    assert scene.look_again is not None
    assert scene.look_again <= timedelta(seconds=25)
    scene.now += timedelta(seconds=30)
    assert len(scene.look().created) == 1


def test_a_deleted_component_stays_in_use() -> None:
    scene = features().look()
    assert scene.task["components"] == [NAMED]
    scene.begin().succeed(result(components=[{**NAMED, "digest": DIGEST}]))
    assert scene.ready.status == "True"
    assert scene.ready.message.endswith("; component preparation was deleted; version 1 stays in use")
    assert scene.status["components"] == [{**NAMED, "digest": DIGEST}]


def test_deletion_starts_nothing() -> None:
    scene = features(component("1")).look().begin().succeed(result(components=[{**NAMED, "digest": DIGEST}]))
    assert "deleted" not in scene.ready.message
    assert len(scene.remove("Component").look().created) == 1
    assert "component preparation was deleted" in scene.ready.message


def test_a_training_says_that_its_component_was_deleted() -> None:
    scene = training().look().begin()
    assert scene.task["pipeline"][0]["component"] == NAMED
    scene.succeed(answer(scene))
    assert "component preparation was deleted; version 1 stays in use" in scene.ready.message


def test_another_version_starts_a_run() -> None:
    scene = features(component("1", "2")).look().begin().succeed(result())
    assert len(scene.edit(components=[{**NAMED, "version": "2"}]).look().created) == 2


def test_a_pipeline_cannot_end_in_a_component() -> None:
    scene = training(component("1", flavour="sklearn"), steps=[{"component": NAMED}]).look()
    assert (scene.created, scene.fact("Stalled").reason) == ([], "NoPredictor")


def test_columns_may_stand_behind_a_component_whose_own_the_pod_knows() -> None:
    scaler = {"estimator": "sklearn.preprocessing.StandardScaler", "columns": ["AGEP"]}
    scene = training(component("1", flavour="sklearn"), steps=[{"component": NAMED}, scaler, FINAL]).look()
    assert len(scene.created) == 1


def test_the_lineage_of_a_version_names_its_components() -> None:
    scene = training(component("1", flavour="sklearn")).look().begin()
    found = answer(scene)
    found["lineage"]["components"] = [{**NAMED, "digest": DIGEST}]
    scene.succeed(found)
    record = scene.bodies["ModelVersion", "employment-v1"]["spec"]["record"]
    assert record["lineage"]["components"] == [{**NAMED, "digest": DIGEST}]
