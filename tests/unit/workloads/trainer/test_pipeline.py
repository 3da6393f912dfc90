"""Steps become scikit-learn's objects, and what scikit-learn refuses is said with the place where it stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.svm import LinearSVC

from merkhet.contract.training import Step
from merkhet.errors import Refused
from merkhet.workloads.trainer import pipeline, trials

CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
STACKING = "sklearn.ensemble.StackingClassifier"
LINEAR = "sklearn.svm.LinearSVC"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
LINE = "sklearn.linear_model.LogisticRegression"


def built(path: str, /, **parameters: Any) -> Any:
    steps = (Step(estimator=path, parameters=parameters),)
    return pipeline.build(steps, "Classification", trials.binary().train, threads=2).steps[-1][1]


def test_what_stands_inside_is_made_with_its_parameters_seed_and_threads() -> None:
    made = built(
        STACKING,
        estimators=[
            {"name": "line", "estimator": CALIBRATED, "parameters": {"estimator": {"estimator": LINEAR}}},
            {"estimator": BOOSTING, "parameters": {"max_iter": 7}},
        ],
        final_estimator={"estimator": "sklearn.ensemble.RandomForestClassifier"},
    )
    (first, calibrated), (second, boosting) = made.estimators
    assert (first, second) == ("line", "member2")
    assert isinstance(calibrated.estimator, LinearSVC)
    assert calibrated.estimator.random_state == pipeline.SEED
    assert isinstance(boosting, HistGradientBoostingClassifier)
    assert boosting.max_iter == 7
    assert (made.n_jobs, made.final_estimator.n_jobs) == (None, 2)


def test_votes_are_probabilities_where_nothing_is_said() -> None:
    made = built("sklearn.ensemble.VotingClassifier", estimators=[{"estimator": LINE}], weights=[2])
    assert made.voting == "soft"
    assert isinstance(made.weights, np.ndarray)


@pytest.mark.parametrize(
    ("estimator", "parameters", "words"),
    [
        pytest.param(
            CALIBRATED,
            {"estimator": {"estimator": LINEAR, "parameters": {"C": -1}}},
            rf"step 1 \({CALIBRATED}\), estimator \({LINEAR}\): The 'C' parameter of LinearSVC must be .* Got -1",
            id="out of range inside",
        ),
        pytest.param(CALIBRATED, {"method": "linear"}, "The 'method' parameter of Calibrated", id="out of range"),
        pytest.param(
            STACKING,
            {"estimators": [{"estimator": LINE}, {"estimator": BOOSTING, "parameters": {"max_iter": "ten"}}]},
            "estimators 2 .*: The 'max_iter' parameter of HistGradientBoostingClassifier must be an int",
            id="a wrong type in a member",
        ),
    ],
)
def test_scikit_learn_s_own_words_are_told(estimator: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words) as caught:
        built(estimator, **parameters)
    assert caught.value.reason == "InvalidParameter"


@pytest.mark.parametrize(
    ("estimator", "parameters"),
    [
        pytest.param(LINEAR, {}, id="scores alone"),
        pytest.param(CALIBRATED, {"estimator": {"estimator": "os.system"}}, id="code inside"),
        pytest.param(LINE, {"class_weight": {"estimator": "os.system"}, "estimator": {}}, id="a parameter it has not"),
    ],
)
def test_nothing_is_imported_that_is_not_on_the_list(estimator: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(Refused) as caught:
        built(estimator, **parameters)
    assert caught.value.reason == "InvalidPipeline"
