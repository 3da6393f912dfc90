"""Shapley values say what each feature owes to the answers, or which image could say it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from merkhet.contract.training import Importance, Signature, Tensor
from merkhet.errors import Refused
from merkhet.workloads.trainer import importance, shapley
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import Features

ROWS = 60
NAMES = ("age", "hours", "town")

with_the_package = pytest.mark.skipif(
    find_spec(shapley.PACKAGE) is None, reason="the package shap is in an image of its own"
)
without_the_package = pytest.mark.skipif(
    find_spec(shapley.PACKAGE) is not None, reason="nothing is missing where the package is"
)


def rows() -> Features:
    """Two numbers, one of them missing here and there, and a word."""
    random = np.random.default_rng(3)
    hours = np.where(random.random(ROWS) < 0.1, np.nan, random.normal(size=ROWS)).astype(np.float32)
    towns = np.array(["Bath", "Cork"], dtype=object)[np.arange(ROWS) % 2]
    return Features(NAMES, ("number", "number", "text"), (random.normal(size=ROWS).astype(np.float32), hours, towns))


def answered(features: Features) -> Answered:
    tensor = Tensor(name="input", datatype="FP32", shape=(-1, 3), columns=NAMES)
    signature = Signature(inputs=(tensor,), outputs=(tensor,), task="Regression")
    return Answered(features, np.zeros(ROWS), np.zeros((ROWS, 1)), signature)


def added(features: Features) -> Any:
    """A model whose features do not act together, so that what each owes can be told by hand."""
    return (
        3.0 * features.column("age")
        + np.nan_to_num(features.column("hours"), nan=5.0)
        + 2.0 * (features.column("town") == "Cork")
    )[:, None]


@without_the_package
def test_what_is_missing_is_refused_with_the_image_that_has_it() -> None:
    with pytest.raises(Refused) as refused:
        importance.check(Importance(method="SHAP"))
    assert refused.value.reason == "ShapMissing"
    for words in ("importance.method is SHAP", "REQUIREMENTS=trainer-shap.txt", "images.trainer", "Permutation"):
        assert words in str(refused.value)


def test_permutation_needs_no_other_image() -> None:
    importance.check(Importance())


@pytest.mark.parametrize("features", [1, 20, 100, 2000])
def test_the_answers_that_are_asked_for_have_a_bound(features: int) -> None:
    explained = shapley.most_rows(features)
    asked = explained * (2 * features + 1) * shapley.BACKGROUND
    assert asked <= shapley.MOST_ANSWERS or explained == shapley.LEAST_ROWS


@with_the_package
@pytest.mark.filterwarnings("default")
def test_of_a_sum_each_feature_owes_its_distance_from_the_usual() -> None:
    features = rows()
    found = {one.feature: one for one in shapley.importances(added, answered(features))}
    background = features.take(np.sort(np.random.default_rng(shapley.SEED).permutation(ROWS)[: shapley.BACKGROUND]))
    for name in NAMES:
        alone, usual = (_part(some, name) for some in (features, background))
        assert found[name].value == pytest.approx(np.abs(alone - usual.mean()).mean(), abs=1e-4)
        assert found[name].low <= found[name].value <= found[name].high


@with_the_package
@pytest.mark.filterwarnings("default")
def test_of_several_answers_the_mean_is_told_and_the_same_each_time() -> None:
    several = answered(rows())
    both = shapley.importances(lambda some: np.hstack([added(some), np.zeros((some.rows, 1))]), several)
    one = shapley.importances(added, several)
    assert [half.value for half in both] == pytest.approx([whole.value / 2 for whole in one], abs=1e-5)
    assert shapley.importances(added, several) == one


def _part(features: Features, name: str) -> Any:
    """What one feature adds."""
    zero = Features(
        NAMES,
        features.kinds,
        tuple(
            column if one == name else np.full_like(column, "Bath" if one == "town" else 0.0)
            for one, column in zip(NAMES, features.columns, strict=True)
        ),
    )
    return added(zero)[:, 0]
