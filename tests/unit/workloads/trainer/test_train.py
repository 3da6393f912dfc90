"""A whole training, from rows in the store to a record whose graph answers as scikit-learn does."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from merkhet.contract.evaluation import Evaluation
from merkhet.contract.runs import DONE, REFUSED, RunReport
from merkhet.contract.training import (
    Columns,
    Gates,
    Golden,
    MetricLimit,
    ParityLimit,
    Split,
    Step,
    TrainingResult,
    TrainingTask,
)
from merkhet.errors import Refused
from merkhet.store.volume import Volume
from merkhet.workloads.trainer.main import main
from merkhet.workloads.trainer.train import train

MakeTask = Callable[..., TrainingTask]
People = dict[str, Any]
HGB = "sklearn.ensemble.HistGradientBoostingClassifier"


def silent(_: str) -> None:
    """Nobody listens."""


def trained(task: TrainingTask, store: Volume) -> TrainingResult:
    return train(task, store, silent)


def content(store: Volume, digest: str) -> bytes:
    with store.open(digest) as stream:
        return stream.read()


def test_a_training_registers_a_graph_that_answers_its_golden_requests(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    result = trained(make_task(people, gates=Gates(metrics=(MetricLimit(name="roc_auc", min=0.6),))), store)

    assert result.number == 1
    assert result.artifact is not None
    assert result.signature is not None
    golden = Golden.load(content(store, result.reports["golden"]))
    session = ort.InferenceSession(content(store, result.artifact.digest))
    rows = np.array([[np.nan if v is None else v for v in row] for row in golden.inputs["input"]], np.float32)
    answers = session.run(["probabilities"], {"input": rows})[0]
    assert abs(answers - np.array(golden.outputs["probabilities"])).max() <= golden.tolerance
    assert golden.outputs["label"] == [int(score >= 0.5) for _, score in golden.outputs["probabilities"]]
    assert len(golden.truth) == len(rows) >= 24
    assert [(gate.name, gate.result) for gate in result.gates] == [("roc_auc", "Passed"), ("parity", "Passed")]


def test_the_signature_names_the_columns_in_order_and_those_that_may_be_missing(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    signature = trained(make_task(people), store).signature

    assert signature is not None
    (tensor,) = signature.inputs
    assert (tensor.name, tensor.datatype, tensor.shape) == ("input", "FP32", (-1, 3))
    assert tensor.columns == tensor.missing_columns == ("age", "hours", "school")
    assert (signature.classes, signature.positive, signature.threshold) == ((0, 1), 1, 0.5)
    assert [(output.name, output.datatype, output.shape) for output in signature.outputs] == [
        ("label", "INT64", (-1,)),
        ("probabilities", "FP32", (-1, 2)),
    ]


def test_text_columns_give_one_input_a_column_and_keep_their_names(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    random = np.random.default_rng(2)
    people |= {"label": random.choice(["a b", "é", "c"], 2000), "home town": random.choice(["x", "y"], 2000)}
    encode = Step(
        estimator="sklearn.preprocessing.OneHotEncoder",
        parameters={"handle_unknown": "ignore"},
        columns=Columns(names=("home town",)),
    )
    strict = Step(estimator="sklearn.preprocessing.OneHotEncoder", columns=Columns(names=("label",)))
    result = trained(make_task(people, pipeline=(encode, strict, Step(estimator=HGB))), store)

    assert result.signature is not None
    assert result.artifact is not None
    told = {tensor.name: (tensor.datatype, tensor.missing, tensor.categories) for tensor in result.signature.inputs}
    assert told == {
        "age": ("FP32", True, None),
        "hours": ("FP32", True, None),
        "school": ("FP32", True, None),
        "label": ("BYTES", False, ("a b", "c", "é")),
        "home town": ("BYTES", False, None),
    }
    golden = Golden.load(content(store, result.reports["golden"]))
    session = ort.InferenceSession(content(store, result.artifact.digest))
    feed = {
        name: np.array([np.nan if v is None else v for v in values], object if kind == "BYTES" else np.float32)[:, None]
        for (name, values), (kind, _, _) in ((pair, told[pair[0]]) for pair in golden.inputs.items())
    }
    answers = session.run([result.signature.graph["probabilities"]], feed)[0]
    assert abs(answers - np.array(golden.outputs["probabilities"])).max() <= golden.tolerance


def test_numbers_that_an_encoder_has_learned_are_told_in_the_signature(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    people |= {"region": np.arange(2000) % 4, "hours": np.abs(np.nan_to_num(people["hours"]))}
    steps = (
        Step(estimator="sklearn.preprocessing.OneHotEncoder", columns=Columns(names=("region",))),
        Step(estimator="sklearn.linear_model.LogisticRegression", parameters={"max_iter": 2000}),
    )
    signature = trained(make_task(people, pipeline=steps), store).signature

    assert signature is not None
    assert signature.inputs[0].column_categories == {"region": (0.0, 1.0, 2.0, 3.0)}
    assert signature.inputs[0].missing_columns == ()


def test_a_regression_predicts_amounts_within_the_limit_of_its_own_scale(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    people["y"] = 1e6 + 1e4 * people["age"] + 1e3 * np.nan_to_num(people["hours"])
    forest = Step(estimator="sklearn.ensemble.HistGradientBoostingRegressor")
    result = trained(make_task(people, task="Regression", pipeline=(forest,)), store)

    assert result.signature is not None
    assert [(output.name, output.shape) for output in result.signature.outputs] == [("prediction", (-1, 1))]
    assert {metric.name for metric in result.metrics} == {"r2", "rmse", "mae"}
    assert next(metric.value for metric in result.metrics if metric.name == "r2") > 0.9


def test_three_classes_by_name_have_a_probability_each(make_task: MakeTask, store: Volume, people: People) -> None:
    people["y"] = np.array(["low", "middle", "high"])[np.digitize(people["age"], [40, 65])]
    result = trained(make_task(people), store)

    assert result.signature is not None
    assert (result.signature.classes, result.signature.threshold) == (("high", "low", "middle"), None)
    assert [output.datatype for output in result.signature.outputs] == ["BYTES", "FP32"]
    assert next(metric.value for metric in result.metrics if metric.name == "accuracy") > 0.95


def test_an_experiment_gives_figures_and_takes_no_number(make_task: MakeTask, store: Volume, people: People) -> None:
    result = trained(make_task(people, register_model=False), store)

    assert result.metrics
    assert (result.number, result.artifact, result.reports) == (None, None, {})
    assert list(store.list("models")) == []


def test_a_missed_gate_is_registered_as_failed(make_task: MakeTask, store: Volume, people: People) -> None:
    limits = (MetricLimit(name="roc_auc", min=0.999), MetricLimit(name="brier", max=0.9))
    result = trained(make_task(people, gates=Gates(metrics=limits)), store)

    assert result.number == 1
    assert [gate.result for gate in result.gates] == ["Failed", "Passed", "Passed"]
    assert "at least 0.999 was wanted" in result.gates[0].message


def without_time(store: Volume, result: TrainingResult) -> dict[str, Any]:
    """The reports by digest, and the one that says how long the model takes for a row without that."""
    evaluation = Evaluation.load(content(store, result.reports["evaluation"]))
    return {**result.reports, "evaluation": evaluation.model_copy(update={"latency": None})}


def test_the_same_task_gives_the_same_bytes_and_the_same_number(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    task = make_task(people)
    first, second = trained(task, store), trained(task, store)

    assert first.number == second.number == 1
    assert first.artifact == second.artifact
    assert without_time(store, first) == without_time(store, second)


def test_personal_columns_and_the_entity_are_in_no_golden_request(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    people["phone"] = np.arange(2000) + 5_000_000
    result = trained(make_task(people, personal=("phone", "y")), store)

    golden = json.loads(content(store, result.reports["golden"]))
    assert result.signature is not None
    assert result.signature.inputs[0].columns == ("age", "hours", "school")
    assert golden["truth"] == []


@pytest.mark.parametrize(
    ("change", "fields", "reason"),
    [
        pytest.param({}, {"target": "why"}, "UnknownColumn", id="a target that is not there"),
        pytest.param({}, {"exclude": ("agee",)}, "UnknownColumn", id="an excluded column that is not there"),
        pytest.param({"y": np.ones(2000, int)}, {}, "ConstantTarget", id="a constant target"),
        pytest.param({"y": np.linspace(0, 1, 2000)}, {}, "MistypedTarget", id="amounts for a classification"),
        pytest.param({"y": ["a", "b"] * 1000}, {"task": "Regression"}, "MistypedTarget", id="text for a regression"),
        pytest.param({"y": [0.0, 1.0, np.nan, 1.0] * 500}, {}, "MissingTarget", id="a target that is NaN"),
        pytest.param({"y": [0, 1, None, 1] * 500}, {}, "MissingTarget", id="a target that is null"),
        pytest.param({}, {"positive": 2}, "InvalidSpec", id="a positive class that does not occur"),
        pytest.param({}, {"positive": "1"}, "InvalidSpec", id="a positive class in quotes"),
        pytest.param({"age": np.arange(2000) + 2**24}, {}, "InexactCast", id="integers that float32 changes"),
        pytest.param(
            {"age": np.arange(2000).astype("datetime64[s]")}, {}, "MistypedColumn", id="a time among the features"
        ),
        pytest.param({"age": [np.inf, 1.0] * 1000}, {}, "InfiniteValue", id="an infinite feature"),
        pytest.param({"age": [np.nan] * 2000}, {}, "EmptyColumn", id="a feature without values"),
        pytest.param(
            {"age": np.where(np.arange(2000) < 1500, np.nan, 1.0), "day": np.arange(2000).astype("datetime64[D]")},
            {"timestamp": "day", "split": Split(method="Time")},
            "EmptyColumn",
            id="a feature with values in test rows alone",
        ),
        pytest.param(
            {"weight": np.arange(2000) < 1500, "day": np.arange(2000).astype("datetime64[D]")},
            {"timestamp": "day", "split": Split(method="Time"), "sample_weight": "weight"},
            "MistypedColumn",
            id="a weight of yes and no",
        ),
        pytest.param(
            {"weight": (np.arange(2000) < 1500) * 1.0, "day": np.arange(2000).astype("datetime64[D]")},
            {"timestamp": "day", "split": Split(method="Time"), "sample_weight": "weight"},
            "TooFewRows",
            id="test rows that weigh nothing",
        ),
        pytest.param({"age": ["a", "b"] * 1000}, {}, "TextColumn", id="text that nothing encodes"),
        pytest.param({"age": ["a", None] * 1000}, {}, "MissingText", id="text that is missing"),
        pytest.param({"id": [1, 2] * 1000}, {}, "RepeatedEntity", id="entities that repeat under Random"),
        pytest.param({}, {"split": Split(method="Time")}, "NoTimestamp", id="a split by a time that is not named"),
        pytest.param(
            {},
            {"gates": Gates(metrics=(MetricLimit(name="r2", min=0.5),))},
            "UnknownMetric",
            id="a metric of another task",
        ),
        pytest.param(
            {},
            {"gates": Gates(parity=ParityLimit(max_difference=0.0))},
            "ParityFailed",
            id="answers that differ beyond the limit",
        ),
        pytest.param(
            {}, {"pipeline": (Step(estimator="sklearn.svm.SVC"),)}, "InvalidPipeline", id="an estimator not on the list"
        ),
        pytest.param(
            {},
            {"pipeline": (Step(estimator=HGB, parameters={"max_iterr": 3}),)},
            "InvalidPipeline",
            id="a parameter that is not there",
        ),
        pytest.param(
            {},
            {"pipeline": (Step(estimator=HGB, parameters={"max_iter": -3}),)},
            "InvalidParameter",
            id="a value that scikit-learn refuses",
        ),
        pytest.param(
            {},
            {"pipeline": (Step(estimator="sklearn.linear_model.LogisticRegression"),)},
            "FitRefused",
            id="missing values that the estimator does not take",
        ),
    ],
)
def test_it_refuses(
    make_task: MakeTask, store: Volume, people: People, *, change: People, fields: People, reason: str
) -> None:
    with pytest.raises(Refused) as refusal:
        trained(make_task({**people, **change}, **fields), store)

    assert refusal.value.reason == reason, str(refusal.value)
    assert list(store.list("models")) == []


@pytest.mark.parametrize(
    ("target", "more"),
    [
        pytest.param(lambda n: "Dana", {}, id="one that all rows have"),
        pytest.param(lambda n: ("Dana", "Bo")[n % 2], {"positive": "Kim"}, id="two of which none is positive"),
    ],
)
def test_a_refusal_tells_no_value_of_a_personal_target(
    make_task: MakeTask, store: Volume, people: People, target: Callable[[int], str], more: dict[str, Any]
) -> None:
    rows = {**people, "y": [target(n) for n in range(len(people["y"]))]}
    with pytest.raises(Refused, match="target y is") as caught:
        train(make_task(rows, personal=("y",), **more), store, silent)
    assert not any(value in str(caught.value) for value in ("Dana", "Bo"))


def test_a_random_forest_learned_with_missing_values_is_never_registered_with_other_answers(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    people["hours"] = np.where(np.arange(2000) % 3 == 0, np.nan, people["hours"])
    forest = Step(estimator="sklearn.ensemble.RandomForestClassifier", parameters={"n_estimators": 20})

    with pytest.raises(Refused, match="SimpleImputer"):
        trained(make_task(people, pipeline=(forest,)), store)

    imputer = Step(estimator="sklearn.impute.SimpleImputer", parameters={"strategy": "median"})
    result = trained(make_task(people, pipeline=(imputer, forest)), store)
    assert result.signature is not None
    assert "hours" in result.signature.inputs[0].missing_columns


def test_the_command_does_the_task_of_the_environment(
    make_task: MakeTask, store: Volume, people: People, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "report"
    report.mkdir()
    monkeypatch.setenv("MERKHET_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("MERKHET_REPORT", str(report))
    monkeypatch.setenv("MERKHET_TASK", make_task(people).dump())

    assert main([]) == DONE
    told = RunReport.load((report / "report.json").read_text())
    assert told.phase == "Succeeded"
    assert TrainingResult.model_validate(told.result).number == 1
    assert main([]) == DONE, "a run that is finished reports its record"

    other = make_task(people, target="why")
    run = other.run.model_copy(update={"key": "f" * 20})
    monkeypatch.setenv("MERKHET_TASK", other.model_copy(update={"run": run}).dump())
    assert main([]) == REFUSED
    told = RunReport.load((report / "report.json").read_text())
    assert (told.phase, told.reason) == ("Refused", "UnknownColumn")
    assert "version 1 of FeatureSet people/census has no column why, which is the target" in told.message
