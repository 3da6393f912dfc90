"""The list of estimators is what measuring gives."""

from __future__ import annotations

import importlib
import inspect
import json

import pytest

from merkhet.contract.estimators import ALLOWED, unknown_estimator, unknown_parameters
from merkhet.workloads.trainer import allowlist

# Quick ones of each kind; the whole list takes a minute and more.
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
    assert found["difference"] <= allowlist.LIMIT
    told = {name: found[name] for name in ("missing", "text", "numbers", "columnwise")}
    assert told == {name: getattr(listed, name) for name in told}


@pytest.mark.parametrize("path", sorted(ALLOWED))
def test_each_listed_estimator_is_there_under_its_path_with_its_parameters(path: str) -> None:
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    assert set(ALLOWED[path].parameters) <= set(inspect.signature(cls.__init__).parameters)


def test_what_everybody_uses_is_on_the_list() -> None:
    classes = {path.rpartition(".")[2] for path in ALLOWED}
    assert classes >= {
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "LinearRegression",
        "LogisticRegression",
        "OneHotEncoder",
        "OrdinalEncoder",
        "RandomForestClassifier",
        "RandomForestRegressor",
        "SimpleImputer",
        "StandardScaler",
    }


def test_the_page_is_that_of_the_list() -> None:
    content = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))
    assert allowlist.DOCS_FILE.read_text(encoding="utf-8") == allowlist.page(content)


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
