"""The list of estimators is what measuring gives."""

from __future__ import annotations

import importlib
import inspect
import json

import pytest

from merkhet.contract.estimators import ALLOWED, LISTED, unknown_estimator, unknown_parameters
from merkhet.contract.training import Signature, Tensor
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.requests import Reader
from merkhet.workloads.trainer import allowlist, estimators_page, trials

# Quick ones of each kind; the whole list takes ten minutes and stands in tests/soak.
SAMPLE = (
    "sklearn.ensemble.HistGradientBoostingClassifier",
    "sklearn.ensemble.HistGradientBoostingRegressor",
    "sklearn.impute.SimpleImputer",
    "sklearn.linear_model.LogisticRegression",
    "sklearn.linear_model.Ridge",
    "sklearn.naive_bayes.GaussianNB",
    "sklearn.preprocessing.OneHotEncoder",
    "sklearn.preprocessing.OrdinalEncoder",
    "sklearn.preprocessing.StandardScaler",
    "sklearn.tree.DecisionTreeClassifier",
)


@pytest.mark.parametrize("path", SAMPLE)
def test_measuring_again_gives_what_the_list_says(path: str) -> None:
    listed = ALLOWED[path]
    found = allowlist.examine(path, listed.kind)
    assert not isinstance(found, str), found
    assert tuple(found["parameters"]) == listed.parameters
    assert found["difference"] <= trials.LIMIT
    told = {name: found[name] for name in ("missing", "text", "numbers", "columnwise", "holds_rows")}
    assert told == {name: getattr(listed, name) for name in told}


# What holds others, the parameter, what stands inside, and whether it agrees there.
INSIDE = (
    ("sklearn.calibration.CalibratedClassifierCV", "estimator", "sklearn.svm.LinearSVC"),
    ("sklearn.ensemble.VotingClassifier", "estimators", "sklearn.tree.DecisionTreeClassifier"),
    ("sklearn.ensemble.StackingRegressor", "final_estimator", "sklearn.linear_model.Ridge"),
    ("sklearn.ensemble.BaggingRegressor", "estimator", "sklearn.linear_model.Ridge"),
    ("sklearn.feature_selection.RFE", "estimator", "sklearn.linear_model.LogisticRegression"),
    ("sklearn.feature_selection.RFE", "estimator", "sklearn.ensemble.HistGradientBoostingClassifier"),
    ("sklearn.feature_selection.SelectFromModel", "estimator", "sklearn.tree.DecisionTreeRegressor"),
)


@pytest.mark.parametrize(("path", "parameter", "inner"), INSIDE)
def test_measuring_again_inside_of_another_gives_what_the_list_says(path: str, parameter: str, inner: str) -> None:
    listed = ALLOWED[path]
    found = allowlist.measure_inside(path, listed.kind, parameter, inner)
    assert found.agrees is (inner in listed.inner[parameter]), found.why


def test_nearest_neighbours_are_refused_for_rows_that_are_equally_far() -> None:
    """On numbers that never repeat they agree, and a test row that ties need not be among those of a training."""
    path = "sklearn.neighbors.KNeighborsClassifier"
    refused = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))["refused"]
    assert allowlist.examine(path, "classifier") == refused[path]
    assert "whole numbers" in refused[path]


def test_what_scikit_learn_lets_in_and_the_server_refuses_is_infinity() -> None:
    """No signature can say that infinity is welcome, so that a model which takes it is never asked."""
    estimators = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))["estimators"]
    taking = [path for path, entry in estimators.items() if entry["infinity"] != "refused"]
    assert "sklearn.ensemble.HistGradientBoostingClassifier" in taking
    welcoming = Tensor(name="input", datatype="FP32", shape=(-1, 1), columns=("c0",), missing=True)
    output = Tensor(name="label", datatype="INT64", shape=(-1,))
    reader = Reader(Signature(inputs=(welcoming,), outputs=(output,), task="Classification"), max_rows=1)
    for number in ("1e39", "-1e39"):  # JSON has no infinity, and float32 none of these
        request = f'{{"inputs": [{{"name": "input", "datatype": "FP32", "shape": [1, 1], "data": [{number}]}}]}}'
        with pytest.raises(Refusal):
            reader.read(request.encode(), None)


@pytest.mark.parametrize("path", sorted(LISTED))
def test_each_listed_estimator_is_there_under_its_path_with_its_parameters(path: str) -> None:
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    assert set(LISTED[path].parameters) <= set(inspect.signature(cls.__init__).parameters)


def test_what_everybody_uses_is_on_the_list() -> None:
    classes = {path.rpartition(".")[2] for path in ALLOWED}
    assert classes >= {
        "BaggingClassifier",
        "CalibratedClassifierCV",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "LinearRegression",
        "LogisticRegression",
        "OneHotEncoder",
        "OrdinalEncoder",
        "RandomForestClassifier",
        "RandomForestRegressor",
        "SimpleImputer",
        "RFE",
        "SelectFromModel",
        "StackingClassifier",
        "StackingRegressor",
        "StandardScaler",
        "VotingClassifier",
        "VotingRegressor",
    }


def test_the_page_is_that_of_the_list() -> None:
    content = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))
    assert allowlist.DOCS_FILE.read_text(encoding="utf-8") == estimators_page.page(content)


def test_the_figures_hold_for_the_packages_that_are_installed() -> None:
    content = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))
    assert content["measured"] == allowlist.versions(), "run python -m merkhet.workloads.trainer.allowlist"


def test_an_unknown_estimator_is_answered_with_those_that_are_near() -> None:
    told = unknown_estimator("sklearn.HistGradientBoostingClassifier")
    assert told is not None
    assert "did you mean sklearn.ensemble.HistGradientBoostingClassifier?" in told


def test_an_unknown_parameter_is_answered_with_those_that_are_there() -> None:
    told = unknown_parameters("sklearn.linear_model.Ridge", ["alfa"])
    assert told is not None
    assert "has no parameter alfa" in told
    assert "alpha" in told
