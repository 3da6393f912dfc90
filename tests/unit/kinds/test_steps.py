"""What is said to a step before any pod has seen it."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.kinds.steps import faults_of_estimator

WHERE = "step 2 of spec.pipeline: "
CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
FAULTS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "scores alone": ("sklearn.svm.LinearSVC", {}, "UnknownEstimator", "gives no probabilities by itself"),
    "an unknown one inside": (
        CALIBRATED,
        {"estimator": {"estimator": "os.system"}},
        "UnknownEstimator",
        f"estimator of {CALIBRATED}: os.system is not among those",
    ),
    "an unknown parameter inside": (
        CALIBRATED,
        {"estimator": {"estimator": "sklearn.svm.LinearSVC", "parameters": {"tool": 1}}},
        "UnknownParameter",
        "did you mean tol?",
    ),
    "a path where an estimator is wanted": (
        CALIBRATED,
        {"estimator": "sklearn.svm.LinearSVC"},
        "InvalidParameter",
        "write {estimator: <import path>",
    ),
    "an ensemble of nothing": ("sklearn.ensemble.VotingClassifier", {}, "InvalidParameter", "needs the parameter"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_it_stalls_with_the_place_in_words(case: str) -> None:
    estimator, parameters, reason, words = FAULTS[case]
    (block,) = faults_of_estimator(WHERE, estimator, parameters)
    assert (block.reason, block.stalls) == (reason, True)
    assert block.message.startswith(WHERE)
    assert words in block.message


def test_what_agrees_inside_passes() -> None:
    inside = {"estimator": {"estimator": "sklearn.svm.LinearSVC", "parameters": {"C": 0.5}}, "method": "isotonic"}
    assert list(faults_of_estimator(WHERE, CALIBRATED, inside)) == []
