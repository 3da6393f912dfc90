"""What a ModelTraining starts, waits for and registers."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.apis import MODELVERSION
from merkhet.kinds.kind import Problem
from merkhet.kinds.modelversion.types import ModelVersionSpec
from tests import make
from tests.unit.kinds.runs.scene import Scene


def features(*numbers: int, **more: Any) -> Body:
    """The FeatureSet with these versions."""
    return make.featureset(status=make.featureset_status(*numbers, **more) if numbers else {"conditions": []})


def training(spec: Body | None = None, *, data: Body | None = None, **settings: Any) -> Scene:
    """A ModelTraining whose FeatureSet has a version."""
    return Scene(make.modeltraining(spec=spec), data or features(1), **settings)


def answer(scene: Scene, number: int | None = 1, **more: Any) -> Body:
    """What the pod of the Job answers."""
    key = scene.job["metadata"]["labels"]["merkhet.dev/run"]
    result = make.training_result(number, **more)
    result["lineage"]["training"]["run"] = key
    return result


def done(spec: Body | None = None, *, number: int | None = 1, more: Body | None = None, **settings: Any) -> Scene:
    """A training whose first run ended well."""
    scene = training(spec, **settings).look().begin()
    return scene.succeed(answer(scene, number, **(more or {})))


def version(scene: Scene, name: str = "employment-v1") -> Body:
    """A ModelVersion that the training made."""
    return scene.bodies["ModelVersion", name]


def test_a_run_gives_a_version_with_its_record() -> None:
    scene = done(cpu_hour_price=0.05)
    made = version(scene)
    spec = ModelVersionSpec.model_validate(made["spec"])
    assert made["metadata"]["labels"]["merkhet.dev/model"] == "employment"
    assert "ownerReferences" not in made["metadata"]
    assert (spec.record.version, spec.record.metrics[0].name, spec.record.usage.cost) == (1, "roc_auc", 0.000433)
    assert (scene.ready.status, scene.ready.reason) == ("True", "Registered")
    assert "employment-v1" in scene.ready.message
    assert "roc_auc 0.905" in scene.ready.message
    assert scene.status["latestVersion"] == 1
    assert (scene.status["runs"][0]["version"], scene.status["runs"][0]["dataVersion"]) == (1, 1)


def test_the_task_says_all_that_the_pod_must_know() -> None:
    scene = training(
        {
            "data": {
                "featureSet": {"name": "employment"},
                "target": "employed",
                "exclude": ["SCHL"],
                "split": {"method": "Group", "column": "AGEP", "testFraction": 0.3, "seed": 7},
            },
            "gates": {"metrics": [{"name": "roc_auc", "min": 0.85}], "parity": {"maxDifference": 0.001}},
            "card": {"intendedUse": "to show"},
            "author": "dana@example.com",
        }
    )
    scene.annotate("monday").owner["metadata"]["annotations"]["merkhet.dev/revision"] = "abc123"
    task = scene.look().task
    assert task["run"]["trigger"] == "annotation/monday"
    assert task["run"]["revision"] == "abc123"
    assert task["run"]["image"] == "merkhet/trainer:1"
    assert task["data"] == {"featureSet": "employment", "version": 1, "digest": f"sha256:{1:064x}"}
    assert task["split"] == {"method": "Group", "column": "AGEP", "testFraction": 0.3, "seed": 7}
    assert task["gates"]["metrics"] == [{"name": "roc_auc", "min": 0.85, "source": "spec"}]
    assert task["gates"]["parity"] == {"maxDifference": 0.001, "source": "spec"}
    assert (task["model"], task["author"]) == ("employment", "dana@example.com")
    assert task["card"] == {"intendedUse": "to show"}


STARTS_NOTHING: dict[str, Body] = {
    "another description": {"description": "other words"},
    "another card": {"card": {"limitations": "few rows"}},
    "another author": {"author": "kim@example.com"},
    "another approval": {"approval": "Automatic"},
    "more history": {"historyLimit": 9},
    "more memory": {"resources": {"limits": {"memory": "9Gi"}}},
    "the model's own name": {"model": "employment"},
    "the default split": {
        "data": {"featureSet": {"name": "employment"}, "target": "employed", "split": {"method": "Random"}}
    },
}


@pytest.mark.parametrize("spec", STARTS_NOTHING.values(), ids=STARTS_NOTHING)
def test_what_does_not_decide_the_model_starts_nothing(spec: Body) -> None:
    assert len(done().edit(**spec).look().created) == 1


STARTS_A_RUN: dict[str, Body] = {
    "another parameter": {
        "pipeline": [{"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 60}}]
    },
    "another target": {"data": {"featureSet": {"name": "employment"}, "target": "SCHL"}},
    "a pinned version": {"data": {"featureSet": {"name": "employment", "version": 1}, "target": "employed"}},
    "another gate": {"gates": {"metrics": [{"name": "roc_auc", "min": 0.9}]}},
    "another class that is looked for": {"positive": 0},
    "another model": {"model": "jobs"},
    "an experiment": {"register": False},
}


@pytest.mark.parametrize("spec", STARTS_A_RUN.values(), ids=STARTS_A_RUN)
def test_what_decides_the_model_starts_a_run(spec: Body) -> None:
    assert len(done().edit(**spec).look().created) == 2


def test_new_data_alone_starts_no_training() -> None:
    scene = done()
    scene.bodies["FeatureSet", "employment"] = features(1, 2, 3)
    assert len(scene.look(4).created) == 1


def test_the_latest_version_when_the_run_starts_is_the_one() -> None:
    assert training(data=features(1, 2, 5)).look().task["data"]["version"] == 5


def test_a_pinned_version_is_the_one() -> None:
    spec = {"data": {"featureSet": {"name": "employment", "version": 2}, "target": "employed"}}
    assert training(spec, data=features(1, 2, 5)).look().task["data"]["version"] == 2


def test_a_job_made_again_works_on_the_data_it_began_with() -> None:
    scene = training().look().begin()
    scene.bodies["FeatureSet", "employment"] = features(1, 2)
    scene.remove("Job").remove("Pod").look()
    assert scene.task["data"]["version"] == 1


def test_a_training_waits_for_a_feature_set_that_does_not_exist() -> None:
    scene = Scene(make.modeltraining()).look()
    assert scene.created == []
    assert (scene.ready.status, scene.ready.reason) == ("False", "FeatureSetMissing")
    assert (scene.fact("Reconciling").status, scene.fact("Stalled").status) == ("True", "False")
    assert "FeatureSet people/employment does not exist" in scene.ready.message
    scene.bodies["FeatureSet", "employment"] = features(1)
    assert len(scene.look().created) == 1


def test_a_training_waits_for_the_first_version() -> None:
    scene = training(data=features()).look()
    assert (scene.created, scene.ready.reason) == ([], "NoVersionYet")
    assert "people/employment has no version yet" in scene.ready.message


def test_a_training_stalls_with_a_feature_set_that_stalls_without_a_version() -> None:
    stalled = {"type": "Stalled", "status": "True", "reason": "NoParquet", "message": "poem.parquet is no parquet"}
    data = make.featureset(status={"conditions": [stalled]})
    scene = training(data=data).look()
    assert (scene.created, scene.fact("Stalled").reason) == ([], "FeatureSetStalled")
    assert "poem.parquet" in scene.fact("Stalled").message
    scene.bodies["FeatureSet", "employment"] = features(1)
    assert (len(scene.look().created), scene.fact("Stalled").status) == (1, "False")


def test_a_stalled_feature_set_with_a_version_keeps_no_training_from_starting() -> None:
    stalled = {"type": "Stalled", "status": "True", "reason": "NoParquet", "message": "x"}
    assert len(training(data=features(1, conditions=[stalled])).look().created) == 1


def pipeline(*steps: Body) -> Body:
    """A spec with this pipeline."""
    return {"pipeline": list(steps)}


def source(target: str = "employed", **more: Any) -> Body:
    """A spec that learns from this."""
    return {"data": {"featureSet": {"name": "employment"}, "target": target, **more}}


BOOSTING = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier"}
FAULTS: dict[str, tuple[Body, str, tuple[str, ...]]] = {
    "an unknown estimator": (
        pipeline({"estimator": "sklearn.ensemble.HistGradientBostingClassifier"}),
        "UnknownEstimator",
        ("step 1", "HistGradientBostingClassifier", "did you mean", "HistGradientBoostingClassifier"),
    ),
    "code that is no estimator": (pipeline({"estimator": "os.system"}), "UnknownEstimator", ("os.system",)),
    "an estimator of another module": (
        pipeline({"estimator": "sklearn.tree.HistGradientBoostingClassifier"}),
        "UnknownEstimator",
        ("sklearn.ensemble.HistGradientBoostingClassifier",),
    ),
    "an unknown parameter": (
        pipeline({**BOOSTING, "parameters": {"max_itr": 5}}),
        "UnknownParameter",
        ("max_itr", "did you mean", "max_iter"),
    ),
    "no predictor": (
        pipeline({"estimator": "sklearn.impute.SimpleImputer"}),
        "NoPredictor",
        ("transformer", "classifier"),
    ),
    "a regressor for classes": (
        pipeline({"estimator": "sklearn.ensemble.HistGradientBoostingRegressor"}),
        "NoPredictor",
        ("regressor", "Classification"),
    ),
    "two predictors": (pipeline(BOOSTING, BOOSTING), "MisplacedPredictor", ("step 1", "only the last")),
    "columns for the predictor": (
        pipeline({**BOOSTING, "columns": {"type": "numeric"}}),
        "InvalidPipeline",
        ("step 1", "leave out its columns"),
    ),
    "columns after a step that takes all": (
        pipeline(
            {"estimator": "sklearn.impute.SimpleImputer"},
            {"estimator": "sklearn.impute.SimpleImputer", "columns": ["AGEP"]},
            BOOSTING,
        ),
        "InvalidPipeline",
        ("step 2", "step 1 has none"),
    ),
    "a target that is not there": (
        source("emploied"),
        "TargetMissing",
        ("people/employment version 1", "emploied", "did you mean employed"),
    ),
    "a target unlike any column": (source("xyz"), "TargetMissing", ("it has AGEP",)),
    "a regression of words": (
        {**source("name"), "task": "Regression", "positive": None},
        "NoPredictor",
        ("regressor",),
    ),
    "an excluded column that is not there": (
        source(exclude=["RAC1P"]),
        "ColumnMissing",
        ("RAC1P", "spec.data.exclude"),
    ),
    "a group that is not there": (
        source(split={"method": "Group", "column": "household"}),
        "ColumnMissing",
        ("household", "spec.data.split.column"),
    ),
    "a step's column that is not there": (
        pipeline({"estimator": "sklearn.impute.SimpleImputer", "columns": ["AGE"]}, BOOSTING),
        "ColumnMissing",
        ("AGE", "step 1"),
    ),
    "a search for an unknown parameter": (
        {"search": {"space": {"max_dept": {"values": [3]}}}},
        "UnknownParameter",
        ("spec.search.space.max_dept", "did you mean", "max_depth"),
    ),
    "a search for a parameter of a step that has another": (
        {
            **pipeline({"estimator": "sklearn.impute.SimpleImputer"}, BOOSTING),
            "search": {"space": {"step1__max_depth": {"integers": [3, 9]}}},
        },
        "UnknownParameter",
        ("step1__max_depth", "SimpleImputer"),
    ),
    "a search for a parameter of no step": (
        {"search": {"space": {"step2__max_depth": {"integers": [3, 9]}}}},
        "UnknownParameter",
        ("no step 2", "has 1"),
    ),
    "a version that does not exist": (
        {"data": {"featureSet": {"name": "employment", "version": 9}, "target": "employed"}},
        "VersionMissing",
        ("no version 9", "there are 1"),
    ),
}


@pytest.mark.parametrize(("spec", "reason", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_stalls_before_any_job_starts(spec: Body, reason: str, words: tuple[str, ...]) -> None:
    scene = training(spec).look()
    stalled = scene.fact("Stalled")
    assert scene.created == []
    assert (stalled.status, stalled.reason, scene.ready.status) == ("True", reason, "False")
    assert [word for word in words if word not in stalled.message] == []


MISTYPED: dict[str, tuple[str, str, str]] = {
    "a regression of words": ("Regression", "sklearn.ensemble.HistGradientBoostingRegressor", "string"),
    "a regression of truths": ("Regression", "sklearn.ensemble.HistGradientBoostingRegressor", "boolean"),
    "a class for each moment": ("Classification", "sklearn.ensemble.HistGradientBoostingClassifier", "timestamp"),
}


@pytest.mark.parametrize(("task", "estimator", "type_"), MISTYPED.values(), ids=MISTYPED)
def test_a_mistyped_target_stalls_before_any_job_starts(task: str, estimator: str, type_: str) -> None:
    data = features(1, columns=[{"name": "employed", "type": type_}])
    scene = training({"task": task, "positive": None, **pipeline({"estimator": estimator})}, data=data).look()
    assert (scene.created, scene.fact("Stalled").reason) == ([], "TargetMistyped")
    assert type_ in scene.fact("Stalled").message


def test_a_corrected_fault_starts_the_run() -> None:
    scene = training(source("emploied")).look().edit(**source())
    assert len(scene.look().created) == 1
    assert scene.fact("Stalled").status == "False"


def test_a_fault_of_an_edited_spec_leaves_the_version_as_it_is() -> None:
    scene = done().edit(**source("emploied")).look()
    assert (scene.ready.status, scene.fact("Stalled").reason) == ("True", "TargetMissing")
    assert "employment-v1" in scene.ready.message


def test_data_that_goes_away_after_a_run_changes_nothing() -> None:
    scene = done().remove("FeatureSet").look()
    assert (scene.ready.status, scene.ready.reason) == ("True", "Registered")


PASSED = {"name": "roc_auc", "result": "Passed", "value": 0.9, "limit": 0.85}
FAILED = {"name": "recall", "result": "Failed", "value": 0.7, "limit": 0.8, "message": "recall is 0.7, 0.8 was wanted"}
OPEN = {"name": "recall", "result": "Inconclusive"}
ACCOUNT = "system:serviceaccount:merkhet:merkhet"
DECISIONS: dict[str, tuple[str, list[Body], str, str]] = {
    "manual, all passed": ("Manual", [PASSED], "Pending", ""),
    "manual, no gates": ("Manual", [], "Pending", ""),
    "manual, one failed": ("Manual", [PASSED, FAILED], "Rejected", ACCOUNT),
    "automatic, all passed": ("Automatic", [PASSED], "Approved", ACCOUNT),
    "automatic, no gates": ("Automatic", [], "Approved", ACCOUNT),
    "automatic, one failed": ("Automatic", [PASSED, FAILED], "Rejected", ACCOUNT),
    "automatic, one open": ("Automatic", [PASSED, OPEN], "Pending", ""),
}


@pytest.mark.parametrize(("approval", "gates", "decision", "by"), DECISIONS.values(), ids=DECISIONS)
def test_a_version_is_decided_by_its_gates(approval: str, gates: list[Body], decision: str, by: str) -> None:
    made = version(done({"approval": approval}, more={"gates": gates}))["spec"]["approval"]
    assert (made["decision"], made["by"]) == (decision, by)
    assert [gate["name"] for gate in gates if gate["result"] == "Failed" and gate["name"] not in made["reason"]] == []


def test_a_failed_gate_is_found_out_and_no_fault() -> None:
    scene = done(more={"gates": [PASSED, FAILED]})
    assert (scene.ready.status, scene.fact("Stalled").status) == ("True", "False")
    assert (scene.fact("GatesPassed").status, scene.fact("GatesPassed").reason) == ("False", "GateFailed")
    assert "0.8 was wanted" in scene.fact("GatesPassed").message


def test_an_experiment_is_reported_and_not_registered() -> None:
    scene = done({"register": False}, number=None)
    assert (scene.ready.status, scene.ready.reason) == ("True", "Evaluated")
    assert [key for key in scene.bodies if key[0] == "ModelVersion"] == []
    assert "latestVersion" not in scene.status


def test_a_deleted_version_does_not_come_back() -> None:
    scene = done().remove("ModelVersion").look(5)
    assert [key for key in scene.bodies if key[0] == "ModelVersion"] == []
    assert (len(scene.created), scene.ready.status) == (1, "True")


def test_a_decision_on_a_version_is_never_undone() -> None:
    scene = done()
    version(scene)["spec"]["approval"] = {"decision": "Rejected", "by": "gwen", "reason": "no"}
    scene.forget_status().look(4)
    assert version(scene)["spec"]["approval"]["by"] == "gwen"
    assert scene.status["latestVersion"] == 1


def test_a_version_of_that_name_that_is_somebody_elses_stalls_until_it_is_gone() -> None:
    scene = training().look().begin()
    message = "exists and is not ours; delete or rename it"
    scene.problems = (Problem(MODELVERSION, "employment-v1", "NameTaken", message),)
    scene.succeed(answer(scene))
    assert (scene.fact("Stalled").reason, scene.status["runs"][0]["settled"]) == ("NameTaken", False)
    scene.problems = ()
    assert scene.look().ready.reason == "Registered"


def test_the_next_run_waits_until_the_version_of_the_last_one_is_there() -> None:
    scene = training().look().begin()
    scene.problems = (Problem(MODELVERSION, "employment-v1", "Forbidden", "not now"),)
    scene.edit(positive=0).succeed(answer(scene))
    assert len(scene.look(4).created) == 1
    scene.problems = ()
    assert len(scene.look(4).created) == 2
    assert version(scene)["spec"]["record"]["version"] == 1


def test_a_result_whose_report_went_before_the_version_was_made_is_told_again() -> None:
    scene = training().look().begin()
    scene.problems = (Problem(MODELVERSION, "employment-v1", "Forbidden", "not now"),)
    scene.succeed(answer(scene)).remove("ConfigMap").look()
    scene.problems = ()
    scene.now = scene.now.replace(hour=13)
    scene.look()
    scene.begin().succeed(answer(scene))
    assert version(scene)["spec"]["record"]["version"] == 1


WORTHLESS: dict[str, Body] = {
    "of another run": {"lineage": {"training": {"run": "f" * 20}, "data": []}},
    "without an artifact": {"artifact": None},
    "without a signature": {"signature": None},
}


@pytest.mark.parametrize("more", WORTHLESS.values(), ids=WORTHLESS)
def test_a_result_that_is_of_no_use_stalls_and_registers_nothing(more: Body) -> None:
    scene = training().look().begin()
    scene.succeed({**answer(scene), **more}).look(4)
    assert scene.fact("Stalled").reason == "ResultUnreadable"
    assert [key for key in scene.bodies if key[0] == "ModelVersion"] == []
    assert len(scene.created) == 1


def test_another_run_gives_the_next_version() -> None:
    scene = done().annotate("again").look().begin()
    scene.succeed(answer(scene, 2))
    assert {name for kind, name in scene.bodies if kind == "ModelVersion"} == {"employment-v1", "employment-v2"}
    assert scene.status["latestVersion"] == 2


def test_a_renamed_model_counts_its_own_versions() -> None:
    scene = done(number=7).edit(model="jobs").look().begin()
    scene.succeed(answer(scene, 1, model="jobs"))
    assert (scene.status["model"], scene.status["latestVersion"]) == ("jobs", 1)
    assert "jobs-v1" in scene.ready.message


def test_the_history_keeps_as_many_runs_as_asked() -> None:
    scene = done({"historyLimit": 2})
    for number in range(2, 6):
        scene.edit(positive=number).look().begin()
        scene.succeed(answer(scene, number))
    assert len(scene.status["runs"]) == 2


def test_a_long_revision_is_cut_to_what_a_record_keeps() -> None:
    scene = training()
    scene.annotate("monday").owner["metadata"]["annotations"]["merkhet.dev/revision"] = "a" * 2000
    assert len(scene.look().task["run"]["revision"]) == 512


def test_the_table_shows_four_digits_of_the_main_figure() -> None:
    metrics = [{"name": "roc_auc", "value": 0.8632322814920387}]
    scene = done(more={"metrics": metrics})
    assert (scene.status["figure"], scene.status["metrics"][0]["value"]) == ("0.8632", 0.8632322814920387)
