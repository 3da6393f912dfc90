"""A training whose estimators stand in each other registers a model that agrees, or says why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from merkhet.contract.training import Step
from merkhet.errors import Refused
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import trials
from merkhet.workloads.trainer.train import train
from tests.unit.workloads.trainer.conftest import MakeTask

IMPUTER = Step(estimator="sklearn.impute.SimpleImputer")
SCALER = Step(estimator="sklearn.preprocessing.StandardScaler")
LINEAR = {"estimator": "sklearn.svm.LinearSVC", "parameters": {"C": 0.5}}
LINE = {"estimator": "sklearn.linear_model.LogisticRegression"}
BOOSTING = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 10}}


def step(path: str, **parameters: Any) -> Step:
    return Step(estimator=path, parameters=parameters)


CALIBRATED = step("sklearn.calibration.CalibratedClassifierCV")
PIPELINES: dict[str, tuple[Step, ...]] = {
    "scores calibrated by isotonic regression": (
        IMPUTER,
        SCALER,
        CALIBRATED.model_copy(update={"parameters": {"method": "isotonic", "cv": 3, "estimator": LINEAR}}),
    ),
    "a vote of trees that take missing values": (
        step("sklearn.ensemble.VotingClassifier", estimators=[{"name": "a", **BOOSTING}, {"name": "b", **BOOSTING}]),
    ),
    "a stack behind what it selects": (
        IMPUTER,
        step("sklearn.feature_selection.SelectFromModel", estimator=LINE, threshold="0.1*mean"),
        step("sklearn.ensemble.StackingClassifier", estimators=[LINE, BOOSTING], final_estimator=LINE, cv=2),
    ),
    "features taken away one by one": (
        IMPUTER,
        step("sklearn.feature_selection.RFE", estimator=LINE, n_features_to_select=2),
        step("sklearn.ensemble.BaggingClassifier", estimator=BOOSTING, n_estimators=2),
    ),
}


@pytest.fixture(autouse=True)
def one_quiet_thread() -> Iterator[None]:
    with trials.quietly():
        yield


@pytest.mark.parametrize("steps", PIPELINES.values(), ids=PIPELINES)
def test_it_is_registered_and_agrees(
    steps: tuple[Step, ...], make_task: MakeTask, store: Volume, people: dict[str, Any]
) -> None:
    result = train(make_task(people, pipeline=steps), store, lambda _: None)
    (parity,) = [gate for gate in result.gates if gate.name == "parity"]
    assert result.number == 1
    assert parity.result == "Passed"
    assert parity.value is not None
    assert parity.value <= 1e-4
    assert result.parameters["pipeline"][-1]["parameters"] == steps[-1].parameters


REFUSED: dict[str, tuple[tuple[Step, ...], str, str]] = {
    "without an ONNX form": (
        (IMPUTER, step("sklearn.calibration.CalibratedClassifierCV", method="temperature")),
        "NotConvertible",
        "calibration by temperature",
    ),
    "votes": (
        (IMPUTER, step("sklearn.ensemble.VotingClassifier", estimators=[LINE], voting="hard")),
        "NoProbabilities",
        "VotingClassifier gives no probabilities",
    ),
    "missing values for what does not take them": (
        (step("sklearn.ensemble.VotingClassifier", estimators=[LINE]),),
        "FitRefused",
        "Input X contains NaN",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused(case: str, make_task: MakeTask, store: Volume, people: dict[str, Any]) -> None:
    steps, reason, words = REFUSED[case]
    with pytest.raises(Refused, match=words) as caught:
        train(make_task(people, pipeline=steps), store, lambda _: None)
    assert caught.value.reason == reason
