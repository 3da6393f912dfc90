"""What is said to an estimator that may not be named as it is written."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.contract.estimators import ALLOWED, LISTED, Fault, fault_of, holds_rows, inner

CALIBRATED = "sklearn.calibration.CalibratedClassifierCV"
VOTING = "sklearn.ensemble.VotingClassifier"
STACKING = "sklearn.ensemble.StackingRegressor"
BAGGING = "sklearn.ensemble.BaggingClassifier"
LINEAR = "sklearn.svm.LinearSVC"
LINE = {"estimator": "sklearn.linear_model.LogisticRegression"}
TREE = {"estimator": "sklearn.tree.DecisionTreeClassifier", "parameters": {"max_depth": 3}}


def nested(*paths: str, **parameters: Any) -> dict[str, Any]:
    """Estimators in each other, the first outermost; the parameters are of the innermost."""
    written: dict[str, Any] = {"estimator": paths[-1], "parameters": parameters}
    for path in reversed(paths[:-1]):
        written = {"estimator": path, "parameters": {"estimator": written}}
    return written


def said(written: dict[str, Any]) -> Fault:
    fault = fault_of(written["estimator"], written.get("parameters", {}))
    assert fault is not None
    return fault


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(nested(CALIBRATED, LINEAR, C=0.5), id="scores inside of what makes probabilities of them"),
        pytest.param({"estimator": CALIBRATED, "parameters": {"method": "isotonic"}}, id="the default inside"),
        pytest.param({"estimator": CALIBRATED, "parameters": {"estimator": None}}, id="null is the default inside"),
        pytest.param({"estimator": VOTING, "parameters": {"estimators": [LINE, TREE]}}, id="members without a name"),
        pytest.param(
            {"estimator": VOTING, "parameters": {"estimators": [{"name": "a", **LINE}, {"name": "b", **LINE}]}},
            id="the same twice with names",
        ),
        pytest.param(nested(CALIBRATED, BAGGING, "sklearn.naive_bayes.GaussianNB"), id="three in each other"),
        pytest.param(nested("sklearn.feature_selection.SelectFromModel", LINEAR, C=0.1), id="a selector asks scores"),
    ],
)
def test_what_agrees_may_be_named(written: dict[str, Any]) -> None:
    assert fault_of(written["estimator"], written["parameters"]) is None


FAULTS: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "scores alone": ({"estimator": LINEAR}, "UnknownEstimator", ("gives no probabilities", CALIBRATED)),
    "an unknown one inside": (
        nested(CALIBRATED, "sklearn.svm.LinearSVCC"),
        "UnknownEstimator",
        (f"estimator of {CALIBRATED}", "sklearn.svm.LinearSVCC", "did you mean sklearn.svm.LinearSVC"),
    ),
    "code inside": (nested(BAGGING, "os.system"), "UnknownEstimator", ("os.system is not among those",)),
    "a regressor inside of a classifier": (
        nested(BAGGING, "sklearn.linear_model.Ridge"),
        "UnknownEstimator",
        ("sklearn.linear_model.Ridge is not among those that are known to agree inside of it",),
    ),
    "scores inside of votes": (
        {"estimator": VOTING, "parameters": {"estimators": [LINE, {"estimator": LINEAR}]}},
        "UnknownEstimator",
        (f"estimators 2 of {VOTING}", LINEAR),
    ),
    "an unknown parameter inside": (
        nested(CALIBRATED, LINEAR, c=0.5),
        "UnknownParameter",
        (f"estimator of {CALIBRATED}: {LINEAR} has no parameter c",),
    ),
    "an unknown parameter two deep": (
        nested(CALIBRATED, BAGGING, "sklearn.naive_bayes.GaussianNB", smoothing=1),
        "UnknownParameter",
        (f"estimator of {CALIBRATED}: estimator of {BAGGING}: ", "did you mean var_smoothing?"),
    ),
    "four in each other": (nested(*[CALIBRATED, BAGGING] * 2), "InvalidParameter", ("up to 3 deep",)),
    "no members": ({"estimator": VOTING}, "InvalidParameter", ("needs the parameter estimators", "{estimator:")),
    "an empty list of members": (
        {"estimator": VOTING, "parameters": {"estimators": []}},
        "InvalidParameter",
        ("has 0 members", "1 to 16"),
    ),
    "seventeen members": (
        {"estimator": VOTING, "parameters": {"estimators": [LINE] * 17}},
        "InvalidParameter",
        ("has 17 members", "1 to 16"),
    ),
    "members that are one": (
        {"estimator": VOTING, "parameters": {"estimators": LINE}},
        "InvalidParameter",
        ("write a list",),
    ),
    "a path for an estimator": (
        {"estimator": CALIBRATED, "parameters": {"estimator": LINEAR}},
        "InvalidParameter",
        (f"estimator of {CALIBRATED} is '{LINEAR}'", "write {estimator:"),
    ),
    "a misspelt key": (
        {"estimator": CALIBRATED, "parameters": {"estimator": {"estimator": LINEAR, "params": {}}}},
        "InvalidParameter",
        ("write {estimator:",),
    ),
    "parameters that are a list": (
        {"estimator": CALIBRATED, "parameters": {"estimator": {"estimator": LINEAR, "parameters": [1]}}},
        "InvalidParameter",
        ("write {estimator:",),
    ),
    "two members of one name": (
        {"estimator": VOTING, "parameters": {"estimators": [{"name": "a", **LINE}, {"name": "a", **TREE}]}},
        "InvalidParameter",
        ("called a, a", "its own name"),
    ),
    "a name with two underscores": (
        {"estimator": VOTING, "parameters": {"estimators": [{"name": "a__b", **LINE}, TREE]}},
        "InvalidParameter",
        ("without two underscores",),
    ),
    "a final estimator of the other kind": (
        {
            "estimator": STACKING,
            "parameters": {"estimators": [{"estimator": "sklearn.linear_model.Ridge"}], "final_estimator": LINE},
        },
        "UnknownEstimator",
        (f"final_estimator of {STACKING}", "LogisticRegression"),
    ),
    "an estimator for one that takes none": (
        {"estimator": "sklearn.linear_model.Ridge", "parameters": {"estimator": LINE}},
        "UnknownParameter",
        ("has no parameter estimator",),
    ),
}


@pytest.mark.parametrize(("written", "reason", "words"), FAULTS.values(), ids=FAULTS)
def test_it_is_refused_in_words(written: dict[str, Any], reason: str, words: tuple[str, ...]) -> None:
    fault = said(written)
    assert fault.reason == reason
    assert [word for word in words if word not in fault.message] == []


def test_what_stands_inside_is_told_with_its_place() -> None:
    parameters = {"estimators": [LINE, TREE], "final_estimator": LINE}
    assert [(one.place, one.parameters) for one in inner(parameters)] == [
        ("final_estimator", {}),
        ("estimators 1", {}),
        ("estimators 2", {"max_depth": 3}),
    ]


def test_a_model_holds_rows_where_something_inside_does() -> None:
    assert holds_rows("sklearn.svm.SVR", {})
    assert not holds_rows("sklearn.linear_model.Ridge", {})
    assert holds_rows(CALIBRATED, {"estimator": {"estimator": "sklearn.svm.SVC"}})
    assert not holds_rows(CALIBRATED, {"estimator": {"estimator": LINEAR}})


def test_only_what_is_no_step_is_missing_among_the_steps() -> None:
    assert {path for path, known in LISTED.items() if path not in ALLOWED} == {
        path for path, known in LISTED.items() if not known.step
    }
    assert {path for known in LISTED.values() for paths in known.inner.values() for path in paths} <= set(LISTED)
