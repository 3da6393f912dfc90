"""What a Component starts, what it says of its examples, and which versions stand."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from merkhet.api.meta import Body
from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.component.types import MAX_SOURCE, ComponentSpec
from tests import make
from tests.unit.kinds.runs.scene import Scene

DIGEST = f"sha256:{1:064x}"
BAND = {"macros": "create macro band(a) as a > 25"}
ASKED = {"input": {"AGEP": [30]}, "output": {"band": [True]}, "query": "select band(AGEP) as band from input"}
CLEANED = {"input": {"AGEP": [-1]}, "output": {"AGEP": [0]}}
CLEAN = "def clean(table):\n    return table\n"
MAPPED: Body = {
    "sklearn": None,
    "python": {"entrypoint": "clean", "configMap": {"name": "sources", "key": "clean.py"}},
    "examples": [CLEANED],
}


def component(spec: Body | None = None, *others: Body, **parts: Any) -> Scene:
    """A Component before its first pass."""
    return Scene(make.component(spec=spec, **parts), *others)


def sources(**texts: str) -> Body:
    """A ConfigMap of a person's."""
    return make.body(CONFIGMAP, "sources", data={name.replace("_", "."): text for name, text in texts.items()})


def result(version: str = "1", digest: str = DIGEST, **more: Any) -> Body:
    """What the Job answers."""
    kept = {"version": version, "digest": digest, "flavour": "sklearn", "created": f"2026-11-22T11:4{version}:00Z"}
    examples = [{"number": 1, "passed": True}]
    return {"version": version, "digest": digest, "examples": examples, "versions": [kept], **more}


def failed(*messages: str) -> Body:
    """What the Job answers where examples do not come out."""
    examples = [{"number": at, "passed": not words, "message": words} for at, words in enumerate(messages, 1)]
    return {"version": "1", "digest": "", "examples": examples, "versions": []}


def done(spec: Body | None = None, **parts: Any) -> Scene:
    """A Component whose version stands."""
    return component(spec, **parts).look().begin().succeed(result())


def test_a_version_stands_when_its_examples_come_out() -> None:
    scene = done()
    assert (scene.ready.status, scene.ready.reason) == ("True", "Registered")
    assert scene.ready.message == "Component people/preparation version 1 stands: its example comes out"
    assert (scene.status["version"], scene.status["digest"], scene.status["flavour"]) == ("1", DIGEST, "sklearn")
    assert scene.status["tried"]["examples"] == [{"number": 1, "passed": True, "message": ""}]
    assert [(one["version"], one["digest"]) for one in scene.status["versions"]] == [("1", DIGEST)]


def test_a_second_pass_changes_nothing() -> None:
    scene = done()
    before = scene.status
    assert scene.look(3).status == before
    assert len(scene.created) == 1
    assert scene.look_again is None


TASKS: dict[str, tuple[Body, Body]] = {
    "sklearn": (
        {"sklearn": [{"estimator": "sklearn.preprocessing.OneHotEncoder", "columns": ["SCHL"]}]},
        {"flavour": "sklearn", "steps": [
            {"estimator": "sklearn.preprocessing.OneHotEncoder", "parameters": {}, "columns": {"names": ["SCHL"]}}
        ]},
    ),
    "sql": (
        {"sklearn": None, "sql": BAND, "examples": [ASKED]},
        {"flavour": "sql", "steps": [], "macros": BAND["macros"]},
    ),
    "python": (
        {"sklearn": None, "python": {"entrypoint": "clean", "source": CLEAN, "timeout": "30s"}, "examples": [CLEANED]},
        {"flavour": "python", "steps": [],
         "python": {"entrypoint": "clean", "source": CLEAN, "network": False, "timeoutSeconds": 30.0}},
    ),
    "onnx": (
        {"sklearn": None, "onnx": {"uri": "store://raw/a.onnx", "digest": DIGEST, "columns": ["a"]}, "examples": None},
        {"flavour": "onnx", "steps": [], "onnx": {"digest": DIGEST, "columns": ["a"]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "document"), TASKS.values(), ids=TASKS)
def test_the_task_says_all_that_the_pod_must_know(spec: Body, document: Body) -> None:
    scene = component(spec).look()
    task = scene.task
    assert task["document"] == {"format": 1, "name": "preparation", "version": "1", **document}
    assert task.get("uri") == (spec.get("onnx") or {}).get("uri")
    assert len(task["examples"]) == len(scene.owner["spec"].get("examples") or [])
    assert scene.job["spec"]["template"]["spec"]["containers"][0]["args"] == ["component"]


def test_an_example_reaches_the_pod_whole() -> None:
    example = {"input": {"AGEP": [30, None]}, "output": {"AGEP": [1.5, None]}, "tolerance": 0.5}
    assert component({"examples": [example]}).look().task["examples"] == [example]


STARTS_NOTHING: dict[str, Body] = {
    "another description": {"description": "other words"},
    "more memory": {"resources": {"limits": {"memory": "9Gi"}}},
    "another deadline": {"deadline": "3h"},
    "the usual tolerance": {
        "examples": [{"input": {"AGEP": [30, None, 40]}, "output": {"AGEP": [30, 35, 40]}, "tolerance": 0}]
    },
}


@pytest.mark.parametrize("spec", STARTS_NOTHING.values(), ids=STARTS_NOTHING)
def test_what_is_no_part_of_it_starts_nothing(spec: Body) -> None:
    assert len(done().edit(**spec).look().created) == 1


STARTS_A_RUN: dict[str, Body] = {
    "another version": {"version": "2"},
    "another step": {"sklearn": [{"estimator": "sklearn.preprocessing.StandardScaler"}]},
    "another example": {"examples": [CLEANED]},
}


@pytest.mark.parametrize("spec", STARTS_A_RUN.values(), ids=STARTS_A_RUN)
def test_what_it_is_and_what_proves_it_starts_a_run(spec: Body) -> None:
    assert len(done().edit(**spec).look().created) == 2


def test_failed_examples_stall_and_are_told() -> None:
    scene = component({"examples": [CLEANED, CLEANED]}).look().begin()
    scene.succeed(failed("", "example 2: column SCHL row 3 is 4, wanted 5"))
    stalled = scene.fact("Stalled")
    assert (scene.ready.status, stalled.status, stalled.reason) == ("False", "True", "ExamplesFailed")
    assert "1 of 2 examples does not come out: example 2: column SCHL row 3 is 4, wanted 5" in stalled.message
    assert "version" not in scene.status
    assert [one["passed"] for one in scene.status["tried"]["examples"]] == [True, False]
    assert scene.status["runs"][0]["reason"] == "ExamplesFailed"
    assert len(scene.look(4).created) == 1


def test_a_corrected_example_is_tried_again() -> None:
    scene = component().look().begin().succeed(failed("example 1: 3 rows come out, wanted 1"))
    scene.edit(examples=[CLEANED]).look().begin().succeed(result())
    assert len(scene.created) == 2
    assert (scene.ready.status, scene.fact("Stalled").status) == ("True", "False")


def test_a_standing_version_whose_new_examples_fail_still_stands() -> None:
    scene = done().edit(examples=[CLEANED]).look().begin().succeed(failed("example 1: 3 rows come out, wanted 1"))
    assert (scene.ready.status, scene.ready.reason) == ("False", "ExamplesFailed")
    assert "the version stands as it was tried before" in scene.ready.message
    assert (scene.status["version"], scene.status["digest"]) == ("1", DIGEST)


def test_a_taken_version_is_not_ready() -> None:
    scene = component().look().begin().refuse("VersionTaken", f"it stands for {DIGEST} and this is sha256:ff")
    stalled = scene.fact("Stalled")
    assert (scene.ready.status, stalled.reason) == ("False", "VersionTaken")
    assert DIGEST in stalled.message


def test_a_taken_version_is_not_ready_though_it_stood_before() -> None:
    scene = done().edit(sklearn=[{"estimator": "sklearn.preprocessing.StandardScaler"}]).look().begin()
    scene.refuse("VersionTaken", "it stands for another")
    assert (scene.ready.status, scene.fact("Stalled").reason) == ("False", "VersionTaken")
    assert "version" not in scene.status
    assert [one["version"] for one in scene.status["versions"]] == ["1"]


def test_old_versions_are_remembered() -> None:
    scene = done().edit(version="2").look().begin().succeed(result("2", digest=f"sha256:{2:064x}"))
    assert [one["version"] for one in scene.status["versions"]] == ["2", "1"]
    assert scene.status["version"] == "2"


def test_versions_of_the_store_come_back_with_the_first_run_of_a_new_object() -> None:
    scene = component({"version": "3"}).look().begin()
    kept = [
        {"version": version, "digest": DIGEST, "flavour": "sklearn", "created": f"2026-11-2{version}T00:00:00Z"}
        for version in ("1", "2", "3")
    ]
    scene.succeed(result("3", versions=kept))
    assert [one["version"] for one in scene.status["versions"]] == ["3", "2", "1"]


def test_no_more_than_the_newest_versions_are_remembered() -> None:
    kept = [
        {"version": str(at), "digest": DIGEST, "flavour": "sql", "created": f"2026-11-22T10:{at:02}:00Z"}
        for at in range(40)
    ]
    status = component().look().begin().succeed(result(versions=kept)).status
    assert [one["version"] for one in status["versions"]] == [str(at) for at in range(39, 7, -1)]


def test_a_result_that_cannot_be_read_is_said() -> None:
    scene = component().look().begin().succeed({"examples": "many"})
    assert (scene.ready.status, scene.fact("Stalled").reason) == ("False", "ResultUnreadable")


def test_a_suspended_one_starts_nothing() -> None:
    scene = component({"suspend": True}).look()
    assert (scene.created, scene.ready.reason) == ([], "Suspended")


def test_the_source_in_a_config_map_reaches_the_pod() -> None:
    task = component(MAPPED, sources(clean_py=CLEAN)).look().task
    assert task["document"]["python"]["source"] == CLEAN


def test_another_source_in_the_config_map_is_another_run() -> None:
    scene = component(MAPPED, sources(clean_py=CLEAN)).look().begin().succeed(result())
    scene.bodies["ConfigMap", "sources"] = sources(clean_py=CLEAN + "\n")
    assert len(scene.look().created) == 2


def test_a_config_map_is_waited_for() -> None:
    scene = component(MAPPED).look()
    assert (scene.created, scene.ready.reason) == ([], "ConfigMapMissing")
    assert (scene.fact("Reconciling").status, scene.fact("Stalled").status) == ("True", "False")
    assert "ConfigMap people/sources does not exist" in scene.ready.message
    scene.bodies["ConfigMap", "sources"] = sources(clean_py=CLEAN)
    assert len(scene.look().created) == 1


LACKS: dict[str, tuple[Body, str, str]] = {
    "another key": (sources(dirty_py=CLEAN), "SourceMissing", "has no key clean.py, there is dirty.py"),
    "nothing": (make.body(CONFIGMAP, "sources"), "SourceMissing", "there is nothing"),
    "an empty text": (sources(clean_py=""), "SourceMissing", "has 0 bytes"),
    "a long text": (sources(clean_py="#" * (MAX_SOURCE + 1)), "SourceTooLarge", "has 65537 bytes"),
    "a long text of few letters": (sources(clean_py="é" * MAX_SOURCE), "SourceTooLarge", "has 131072 bytes"),
}


@pytest.mark.parametrize(("found", "reason", "said"), LACKS.values(), ids=LACKS)
def test_a_config_map_without_the_source_stalls(found: Body, reason: str, said: str) -> None:
    scene = component(MAPPED, found).look()
    stalled = scene.fact("Stalled")
    assert (scene.created, stalled.status, stalled.reason) == ([], "True", reason)
    assert said in stalled.message


IMPUTER = "sklearn.impute.SimpleImputer"
FAULTS: dict[str, tuple[Body, str, str]] = {
    "an unknown estimator": (
        {"sklearn": [{"estimator": "sklearn.impute.SimpleInputer"}]}, "UnknownEstimator", "did you mean"
    ),
    "an unknown parameter": (
        {"sklearn": [{"estimator": IMPUTER, "parameters": {"strateg": "mean"}}]}, "UnknownParameter", "mean strategy?"
    ),
    "a predictor": (
        {"sklearn": [{"estimator": "sklearn.linear_model.LogisticRegression"}]}, "MisplacedPredictor", "is a classifier"
    ),
    "columns too late": (
        {"sklearn": [{"estimator": IMPUTER}, {"estimator": IMPUTER, "columns": ["a"]}]},
        "InvalidPipeline",
        "step 1 has none",
    ),
    "more than a pod can be told": (
        {"examples": [{"input": {"a": ["x" * 9000] * 2}, "output": {"a": ["x"]}}] * 8}, "TooLarge", "reach a pod"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "reason", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_stalls_before_any_job_starts(spec: Body, reason: str, said: str) -> None:
    scene = component(spec).look()
    stalled = scene.fact("Stalled")
    assert (scene.created, stalled.status, stalled.reason, scene.ready.status) == ([], "True", reason, "False")
    assert said in stalled.message


def test_who_uses_it_is_said() -> None:
    named = [{"name": "preparation", "version": "1"}, {"name": "other", "version": "1"}]
    pipeline = [
        {"component": {"name": "preparation", "version": "2"}},
        {"estimator": "sklearn.linear_model.LogisticRegression"},
    ]
    features = make.featureset("cleaned", spec={"components": named})
    training = make.modeltraining("income", spec={"pipeline": pipeline})
    scene = component(None, features, training, make.featureset("plain"), make.modeltraining("plain")).look()
    assert scene.status["usedBy"] == [
        {"kind": "FeatureSet", "name": "cleaned", "version": "1"},
        {"kind": "ModelTraining", "name": "income", "version": "2"},
    ]


REFUSED: dict[str, tuple[Body, str]] = {
    "two things": ({"sql": BAND}, "found sklearn and sql"),
    "nothing": ({"sklearn": None}, "found none"),
    "no example": ({"examples": None}, "at least one under examples"),
    "a query for steps": ({"examples": [ASKED]}, "others have none"),
    "macros without a query": ({"sklearn": None, "sql": BAND}, "examples of sql have a query"),
    "columns of different lengths": (
        {"examples": [{"input": {"a": [1], "b": [1, 2]}, "output": {"a": [1]}}]}, "a has 1, b has 2"
    ),
    "outputs of different lengths": (
        {"examples": [{"input": {"a": [1]}, "output": {"a": [1], "b": []}}]}, "output has no value"
    ),
    "no input": ({"examples": [{"input": {}, "output": {"a": [1]}}]}, "input has no value"),
    "two sources": (
        {"sklearn": None, "python": {"entrypoint": "f", "source": "x", "configMap": {"name": "a", "key": "b"}}},
        "either source or configMap",
    ),
    "no source": ({"sklearn": None, "python": {"entrypoint": "f"}}, "either source or configMap"),
    "an entrypoint that is no name": ({"sklearn": None, "python": {"entrypoint": "a.b", "source": "x"}}, "entrypoint"),
    "a component in a component": ({"sklearn": [{"component": {"name": "a", "version": "1"}}]}, "estimator"),
    "a version that is a path": ({"version": "../1"}, "version"),
    "a file of a bucket": ({"sklearn": None, "onnx": {"uri": "s3://a/b", "digest": DIGEST}}, "uri"),
    "a negative tolerance": (
        {"examples": [{"input": {"a": [1]}, "output": {"a": [1]}, "tolerance": -1}]}, "greater than or equal to 0"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "said"), REFUSED.values(), ids=REFUSED)
def test_a_spec_is_refused(spec: Body, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ComponentSpec.model_validate(make.component(spec=spec)["spec"])
