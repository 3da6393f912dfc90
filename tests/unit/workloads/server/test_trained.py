"""What training registers is what a server serves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Columns, Step, TrainingTask
from merkhet.store.volume import Volume
from merkhet.workloads.server.readiness import prepare
from merkhet.workloads.server.requests import Reader
from merkhet.workloads.trainer.train import train
from tests.unit.workloads.trainer import conftest as training

store, make_task, people = training.store, training.make_task, training.people

MakeTask = Callable[..., TrainingTask]
ENCODER = Step(estimator="sklearn.preprocessing.OneHotEncoder")
TEXT_ENCODER = Step(estimator="sklearn.preprocessing.OneHotEncoder", columns=Columns(names=("job",)))
IMPUTER = Step(estimator="sklearn.impute.SimpleImputer")
LOGISTIC = Step(estimator="sklearn.linear_model.LogisticRegression", parameters={"max_iter": 1000})
FOREST = Step(estimator="sklearn.ensemble.RandomForestClassifier", parameters={"n_estimators": 10})
RIDGE = Step(estimator="sklearn.linear_model.Ridge")


def with_text(people: dict[str, Any]) -> dict[str, Any]:
    jobs = np.random.default_rng(2).choice(["baker", "clerk", "miner"], len(people["y"]))
    hours = np.nan_to_num(people["hours"])
    return people | {"hours": hours, "job": jobs}


def with_codes(people: dict[str, Any]) -> dict[str, Any]:
    return {"id": people["id"], "code": people["school"] % 4, "other": people["age"] % 3, "y": people["y"]}


CASES: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]] = {
    "numbers, some missing": (lambda people: people, {}),
    "an imputer and a forest": (lambda people: people, {"pipeline": (IMPUTER, FOREST)}),
    "categories by number": (with_codes, {"pipeline": (ENCODER, LOGISTIC)}),
    "text": (with_text, {"pipeline": (TEXT_ENCODER, LOGISTIC)}),
    "regression": (
        lambda people: people | {"y": people["age"] * 1000.5 + people["school"]},
        {"pipeline": (IMPUTER, RIDGE), "task": "Regression"},
    ),
}


@pytest.mark.parametrize(("columns", "fields"), CASES.values(), ids=CASES.keys())
def test_what_training_registers_becomes_ready(
    make_task: MakeTask, store: Volume, people: dict[str, Any], columns: Any, fields: dict[str, Any]
) -> None:
    result = train(make_task(columns(people), **fields), store, lambda _: None)
    assert result.artifact is not None
    assert result.signature is not None
    task = ServingTask(
        namespace="people", deployment="d", revision="r", model="m", registry_model="m", number=1,
        digest=result.artifact.digest, size=result.artifact.size, signature=result.signature,
        golden=result.reports["golden"],
    )  # fmt: skip
    model = prepare(task, store.root)
    assert list(model.outputs) == [output.name for output in result.signature.outputs]
    assert Reader(task.signature, 5).inputs.keys() == {tensor.name for tensor in result.signature.inputs}
