"""The rows at the edges reach the thresholds of trees however deep they stand, and settled thresholds agree there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from merkhet.workloads.trainer import export, parity, trials
from merkhet.workloads.trainer.pipeline import make
from merkhet.workloads.trainer.trials import Table

TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "parameters": {"max_depth": 4}}
BOOSTING = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 8}}
LINE = {"estimator": "sklearn.linear_model.LogisticRegression"}
CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
HOLDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "calibrated trees": (CALIBRATED, {"estimator": TREE, "cv": 2}),
    "calibrated boosting": (
        CALIBRATED,
        {"estimator": BOOSTING, "cv": 2, "method": "isotonic"},
    ),
    "voting": ("sklearn.ensemble.VotingClassifier", {"estimators": [LINE, BOOSTING]}),
    "a stack": ("sklearn.ensemble.StackingClassifier", {"estimators": [TREE, BOOSTING], "cv": 2}),
    "a bag of all columns": ("sklearn.ensemble.BaggingClassifier", {"estimator": BOOSTING, "n_estimators": 2}),
    "a bag of some columns": (
        "sklearn.ensemble.BaggingClassifier",
        {"estimator": TREE, "n_estimators": 2, "max_features": 2},
    ),
    "boosted trees": ("sklearn.ensemble.AdaBoostClassifier", {"estimator": TREE, "n_estimators": 2}),
    "one against the rest": ("sklearn.multiclass.OneVsRestClassifier", {"estimator": BOOSTING}),
    "three deep": (
        "sklearn.ensemble.VotingClassifier",
        {"estimators": [{"estimator": CALIBRATED, "parameters": {"estimator": TREE}}]},
    ),
    "gradient boosting, whose trees stand in a matrix": (
        "sklearn.ensemble.GradientBoostingClassifier",
        {"n_estimators": 2},
    ),
}


@pytest.fixture(autouse=True)
def one_quiet_thread() -> Iterator[None]:
    with trials.quietly():
        yield


def fitted(path: str, parameters: dict[str, Any], table: Table) -> Pipeline:
    pipeline = Pipeline([("final", make(path, parameters))])
    return pipeline.fit(table.train.frame(), table.target)


@pytest.mark.parametrize(("path", "parameters"), HOLDERS.values(), ids=HOLDERS)
def test_thresholds_are_found_with_their_column(path: str, parameters: dict[str, Any]) -> None:
    table = trials.several()
    found = parity.tree_thresholds(fitted(path, parameters, table), table.train)
    assert found
    for name, value in found:
        seen = table.train.column(name)
        assert seen.min() <= value <= seen.max(), name


@pytest.mark.parametrize(("path", "parameters"), HOLDERS.values(), ids=HOLDERS)
def test_rows_beside_the_thresholds_agree(path: str, parameters: dict[str, Any]) -> None:
    table = trials.several()
    pipeline = fitted(path, parameters, table)
    pair = parity.Pair(pipeline, parity.session(export.convert(pipeline, table.train)), table.classes)
    rows = parity.edge_rows(pipeline, table.train, [], [])
    assert pair.differences(rows).max() <= trials.LIMIT


def test_a_bag_tells_the_columns_that_its_trees_were_given() -> None:
    table = trials.binary()
    bag = fitted("sklearn.ensemble.BaggingClassifier", {"n_estimators": 3, "max_features": 1}, table)
    given = {table.train.names[columns[0]] for columns in bag.steps[-1][1].estimators_features_}
    assert {name for name, _ in parity.tree_thresholds(bag, table.train)} == given


def test_splits_of_what_is_given_answers_are_no_values_of_columns() -> None:
    """A final estimator is given probabilities: its thresholds say nothing of a column."""
    table = trials.binary()
    stack = fitted(
        "sklearn.ensemble.StackingClassifier", {"estimators": [LINE], "final_estimator": TREE, "cv": 2}, table
    )
    assert parity.tree_thresholds(stack, table.train) == []


@pytest.mark.parametrize("name", [name for name in HOLDERS if "boosting" in str(HOLDERS[name]).lower()])
def test_histogram_thresholds_are_float32_wherever_they_stand(name: str) -> None:
    table = trials.binary()
    pipeline = fitted(*HOLDERS[name], table)
    export.settle_thresholds(pipeline)
    predictors = [
        predictor
        for part in export.fitted(pipeline)
        for stage in getattr(part, "_predictors", ())
        for predictor in stage
    ]
    for predictor in predictors:
        thresholds = predictor.nodes["num_threshold"]
        assert (thresholds == thresholds.astype(np.float32)).all()
    assert predictors or "HistGradient" not in str(HOLDERS[name])
