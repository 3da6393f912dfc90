"""What a spec of a ModelTraining may say, as far as the operator itself checks it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from merkhet.contract.training import Columns
from merkhet.kinds.modeltraining.types import Dimension, ModelTrainingSpec, Search, Step
from merkhet.manifests.pods import REQUIRED
from tests import make

ESTIMATOR = "sklearn.impute.SimpleImputer"
CHOICES: dict[str, tuple[Any, Columns | None]] = {
    "all": (None, None),
    "by name": (["AGEP", "SCHL"], Columns(names=("AGEP", "SCHL"))),
    "all numbers": ({"type": "numeric"}, Columns(type="numeric")),
    "all others": ({"type": "categorical"}, Columns(type="categorical")),
}


@pytest.mark.parametrize(("columns", "chosen"), CHOICES.values(), ids=CHOICES)
def test_a_step_chooses_its_columns(columns: Any, chosen: Columns | None) -> None:
    assert Step.model_validate({"estimator": ESTIMATOR, "columns": columns}).chosen() == chosen


NO_CHOICES: dict[str, Any] = {
    "an empty list": [],
    "a word": "AGEP",
    "numbers": [1, 2],
    "another type": {"type": "text"},
    "more than a type": {"type": "numeric", "names": ["AGEP"]},
}


@pytest.mark.parametrize("columns", NO_CHOICES.values(), ids=NO_CHOICES)
def test_what_chooses_no_columns_is_refused_with_what_does(columns: Any) -> None:
    with pytest.raises(ValidationError, match="write a list of names"):
        Step.model_validate({"estimator": ESTIMATOR, "columns": columns})


DEPTHS = {"max_depth": {"values": [3, 6, 9]}}
REFUSED: dict[str, dict[str, Any]] = {
    "an unknown field": {"estimators": []},
    "an unknown task": {"task": "Clustering"},
    "all rows for testing": {"data": {"featureSet": {"name": "a"}, "target": "b", "split": {"testFraction": 1}}},
    "a label of ours on pods": {"podTemplate": {"labels": {"merkhet.dev/run": "x"}}},
    "an affinity that is a word": {"podTemplate": {"affinity": "near"}},
    "nearness that is a list": {"podTemplate": {"affinity": {"podAffinity": [{"a": 1}]}}},
    "nearness whose terms are a number": {"podTemplate": {"affinity": {"podAffinity": {REQUIRED: 1}}}},
    "a service account of one's own": {"podTemplate": {"serviceAccountName": "admin"}},
    "no pipeline": {"pipeline": []},
    "a search of nothing": {"search": {"space": {}}},
    "a search on one part": {"search": {"space": DEPTHS, "folds": 1}},
    "a grid of a range": {"search": {"method": "Grid", "space": {"max_depth": {"integers": [1, 9]}}}},
    "a grid with a number of trials": {"search": {"method": "Grid", "space": DEPTHS, "trials": 2}},
    "a grid of more combinations than can be tried": {
        "search": {"method": "Grid", "space": {name: {"values": list(range(11))} for name in ("a", "b", "c")}}
    },
    "a parameter that is no name": {"search": {"space": {"max depth": {"values": [1]}}}},
    "a threshold by nothing": {"threshold": {}},
    "a threshold in two ways": {"threshold": {"value": 0.5, "maximise": "f1"}},
    "a threshold that is no probability": {"threshold": {"value": 1.5}},
    "a threshold at the best of a figure without one": {"threshold": {"maximise": "recall"}},
    "wrong answers that earn something": {"threshold": {"costs": {"falsePositive": -1}}},
    "a gate that is surer than sure": {"gates": {"metrics": [{"name": "recall", "min": 0.8, "confidence": 1}]}},
    "a drop that is a rise": {"gates": {"metrics": [{"name": "recall", "maxDropFromChampion": -0.1}]}},
    "fairness by an unknown figure": {"gates": {"fairness": [{"metric": "justice", "by": "SEX", "max": 0.1}]}},
    "groups of one": {"gates": {"minGroupSize": 1}},
    "no time at all for a row": {"gates": {"latency": {"p99Milliseconds": 0}}},
    "importance by an unknown method": {"importance": {"method": "Guessing"}},
    "a test without a row": {"tests": [{"name": "child", "expect": {"label": 0}}]},
}


@pytest.mark.parametrize("more", REFUSED.values(), ids=REFUSED)
def test_a_spec_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelTrainingSpec.model_validate(make.modeltraining(spec=more)["spec"])


NO_SPACES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "one thing"),
    "two things": ({"values": [1], "integers": [1, 3]}, "one thing"),
    "a range that ends before it begins": ({"uniform": [0.3, 0.1]}, "no range"),
    "a range of one number": ({"integers": [3, 3]}, "no range"),
    "a logarithm of nothing": ({"logUniform": [0, 1]}, "above 0"),
    "a range of three": ({"uniform": [1, 2, 3]}, "at most 2"),
}


@pytest.mark.parametrize(("space", "message"), NO_SPACES.values(), ids=NO_SPACES)
def test_what_a_search_cannot_draw_from_is_refused(space: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Dimension.model_validate(space)


def test_a_grid_has_as_many_trials_as_combinations() -> None:
    space = {**DEPTHS, "max_iter": {"values": [50, 100]}}
    assert Search.model_validate({"method": "Grid", "space": space}).combinations == 6


# As the product's description has it: what stands there is a promise.
PROMISED = """
  model: employment
  task: Classification
  positive: 1
  data:
    featureSet: {name: employment}
    join: [{featureSet: {name: regions}, by: [region], maxAge: 720h}]
    target: employed
    exclude: [RAC1P]
    sensitive: [SEX, RAC1P]
    sampleWeight: weight
    split: {method: Random, testFraction: 0.25, seed: 7}
  pipeline:
  - {component: {name: census-preparation, version: "1"}}
  - {estimator: sklearn.ensemble.HistGradientBoostingClassifier, parameters: {max_iter: 200}}
  search: {method: Random, trials: 20, parallelism: 4, folds: 3, metric: roc_auc,
    space: {max_depth: {values: [3, 6, 9]}, learning_rate: {logUniform: [0.01, 0.3]}}}
  threshold: {maximise: f1}
  gates:
    metrics: [{name: roc_auc, min: 0.85}, {name: roc_auc, maxDropFromChampion: 0.01},
      {name: recall, min: 0.8, confidence: 0.95}]
    groups: [{metric: recall, by: SEX, min: 0.75}]
    fairness: [{metric: demographic_parity_difference, by: SEX, max: 0.15}]
    parity: {maxDifference: 0.0001}
    latency: {p99Milliseconds: 5}
  importance: {method: Permutation, rows: 2000}
  tests: [{name: child, input: {AGEP: 4}, expect: {label: 0}}]
  card: {intendedUse: "…", limitations: "…", contact: "…"}
  author: dana@example.com
  approval: Manual
  register: true
  schedule: "0 4 * * 0"
  deadline: 2h
  retries: 2
  historyLimit: 5
"""
OTHER_WAYS: dict[str, dict[str, Any]] = {
    "test rows by time": {"data": {"featureSet": {"name": "a"}, "target": "b", "split": {"method": "Time"}}},
    "a threshold that is given": {"threshold": {"value": 0.5}},
    "a threshold by costs": {"threshold": {"costs": {"falsePositive": 1, "falseNegative": 5}}},
    "importance by SHAP": {"importance": {"method": "SHAP"}},
    "an experiment": {"register": False},
}


def test_what_was_promised_can_be_said() -> None:
    said = yaml.safe_load(PROMISED)
    spec = ModelTrainingSpec.model_validate(said)
    assert spec.model_dump(mode="json", by_alias=True, exclude_unset=True) == said


@pytest.mark.parametrize("more", OTHER_WAYS.values(), ids=OTHER_WAYS)
def test_a_spec_may_say(more: dict[str, Any]) -> None:
    ModelTrainingSpec.model_validate(make.modeltraining(spec=more)["spec"])


def test_a_class_keeps_its_type() -> None:
    for positive in (1, "1"):
        spec = ModelTrainingSpec.model_validate(make.modeltraining(spec={"positive": positive})["spec"])
        assert spec.positive == positive
        assert type(spec.positive) is type(positive)
