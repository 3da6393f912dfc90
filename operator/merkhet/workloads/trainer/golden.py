"""Requests whose answers are known: a few dozen test rows, with what scikit-learn says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import Golden, Signature
from merkhet.workloads.trainer.evaluate import reaches
from merkhet.workloads.trainer.features import INPUT, Features

REQUESTS = 32


def choose(features: Features, scores: npt.NDArray[Any], count: int = REQUESTS) -> npt.NDArray[np.int64]:
    """Positions of rows spread evenly over what the model answers, and some with missing values where there are any."""
    order = np.argsort(scores[:, -1], kind="stable")
    spread = order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(np.int64)]
    incomplete = np.zeros(features.rows, dtype=np.bool_)
    for column, kind in zip(features.columns, features.kinds, strict=True):
        incomplete |= False if kind == "text" else np.isnan(column)
    return np.unique(np.concatenate([spread, np.flatnonzero(incomplete)[: count // 8]]))


def make(
    signature: Signature, features: Features, scores: npt.NDArray[Any], truth: npt.NDArray[Any] | None, tolerance: float
) -> Golden:
    """The requests and answers; ``truth`` is None where it is personal.

    Shapes: scores [rows, classes], or [rows, 1].
    """
    return Golden(
        inputs=_inputs(features),
        outputs=_outputs(signature, scores),
        tolerance=tolerance,
        truth=[] if truth is None else truth.tolist(),
    )


def labels(signature: Signature, scores: npt.NDArray[Any]) -> list[Any]:
    """The class of each row: positive where its score reaches the threshold, else the likeliest."""
    if signature.positive is None or signature.threshold is None:
        return [signature.classes[at] for at in scores.argmax(axis=1)]
    at = signature.classes.index(signature.positive)
    other = signature.classes[1 - at]
    return [signature.positive if reached else other for reached in reaches(scores[:, at], signature.threshold)]


def _inputs(features: Features) -> dict[str, list[Any]]:
    columns = {name: _values(features.column(name)) for name in features.names}
    if features.all_numeric:
        return {INPUT: [list(row) for row in zip(*columns.values(), strict=True)]}
    return columns


def _outputs(signature: Signature, scores: npt.NDArray[Any]) -> dict[str, list[Any]]:
    if signature.task == "Regression":
        return {"prediction": scores[:, 0].tolist()}
    return {"label": labels(signature, scores), "probabilities": scores.tolist()}


def _values(column: npt.NDArray[Any]) -> list[Any]:
    """JSON values: null for a missing number."""
    return [None if value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN alone is not itself
