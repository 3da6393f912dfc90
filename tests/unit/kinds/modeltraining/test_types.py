"""What a spec of a ModelTraining may say, as far as the operator itself checks it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from merkhet.contract.training import Columns
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, Step
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
}


@pytest.mark.parametrize("more", REFUSED.values(), ids=REFUSED)
def test_a_spec_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ModelTrainingSpec.model_validate(make.modeltraining(spec=more)["spec"])


def test_a_class_keeps_its_type() -> None:
    for positive in (1, "1"):
        spec = ModelTrainingSpec.model_validate(make.modeltraining(spec={"positive": positive})["spec"])
        assert spec.positive == positive
        assert type(spec.positive) is type(positive)
