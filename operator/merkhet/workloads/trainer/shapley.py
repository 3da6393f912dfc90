"""How much of each answer is owed to each feature: mean absolute Shapley values of the ONNX model.

The package for it is in an image of its own; which one is said where it is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.evaluation import FeatureImportance
from merkhet.errors import Refused
from merkhet.workloads.trainer import evaluate
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import Features

PACKAGE = "shap"
SEED = 17
BACKGROUND = 50  # rows that say what a feature is when it is not known
MOST_ANSWERS = 2_000_000  # rows that are answered in all: some seconds of most models
LEAST_ROWS = 20  # a mean of fewer says nothing

Array = npt.NDArray[Any]
Ask = Callable[[Features], Array]  # shape: [rows, answers]


def check() -> None:
    """Raises Refused where the package is not in this image."""
    if find_spec(PACKAGE) is None:
        raise Refused(
            f"importance.method is SHAP, and this image of the trainer is without the package {PACKAGE}; ask whoever "
            f"installed Merkhet to build it with REQUIREMENTS=trainer-shap.txt and to name it in the chart's value "
            f"images.trainer, or write method: Permutation",
            reason="ShapMissing",
        )


def most_rows(features: int) -> int:
    """How many rows are explained at most."""
    return max(LEAST_ROWS, MOST_ANSWERS // (_evaluations(features) * BACKGROUND))


def importances(ask: Ask, tested: Answered) -> list[FeatureImportance]:
    """The mean over the rows of the absolute value, of several answers the mean of these; the bootstrap is over rows.

    Raises Refused where the package is missing. *Source:* Lundberg and Lee (2017); one permutation and its reverse
    for each row, which is exact as long as no more than two features act together.
    """
    check()
    names = tested.features.names
    absolute = np.abs(_values(ask, tested.features)).reshape(tested.rows, len(names), -1).mean(axis=2)
    count = np.ones(tested.rows) if tested.weights is None else tested.weights
    draws = [count * draw for draw in evaluate.resamples(tested.rows, tested.clusters)]
    drawn = np.array([draw @ absolute / draw.sum() for draw in draws if draw.sum() > 0])
    value = count @ absolute / count.sum()
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return [
        FeatureImportance(feature=name, value=_rounded(value[at]), low=_rounded(low[at]), high=_rounded(high[at]))
        for at, name in enumerate(names)
    ]


def _values(ask: Ask, features: Features) -> Array:
    """Shapley values. Shape: [rows, features], with a third dimension where there are several answers."""
    import shap  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - in an image of its own

    rows, decode = _coded(features)
    chosen = np.random.default_rng(SEED).permutation(len(rows))[:BACKGROUND]
    masker = shap.maskers.Independent(rows[np.sort(chosen)], max_samples=BACKGROUND)
    explainer = shap.PermutationExplainer(lambda some: ask(decode(some)), masker, seed=SEED)
    explained = explainer(rows, max_evals=_evaluations(len(features.names)), silent=True)
    return np.asarray(explained.values, dtype=np.float64)


def _coded(features: Features) -> tuple[Array, Callable[[Array], Features]]:
    """The rows as one matrix, text by its number among the words that are there, and the way back."""
    words = {
        name: np.unique(column, return_inverse=True)
        for name, kind, column in zip(features.names, features.kinds, features.columns, strict=True)
        if kind == "text"
    }
    columns = [words[name][1] if name in words else features.column(name) for name in features.names]

    def decode(some: Array) -> Features:
        back = (
            words[name][0][some[:, at].astype(np.int64)] if name in words else some[:, at].astype(np.float32)
            for at, name in enumerate(features.names)
        )
        return Features(features.names, features.kinds, tuple(back))

    return np.column_stack(columns).astype(np.float64), decode


def _evaluations(features: int) -> int:
    """Of a permutation and its reverse: each feature comes once in each, and there is a beginning."""
    return 2 * features + 1


def _rounded(value: float) -> float:
    """Six digits: the last bits of a machine belong in no report."""
    return round(float(value), 6) + 0.0
