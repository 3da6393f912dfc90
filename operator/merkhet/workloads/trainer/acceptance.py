"""What may be asked of a model, column by column: found by asking.

A missing value or an unknown category is taken where scikit-learn takes it and the ONNX graph says the same. Elsewhere
the signature says so, and the server refuses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from merkhet.contract.estimators import ALLOWED
from merkhet.contract.training import Step
from merkhet.errors import Refused
from merkhet.workloads.trainer.features import Features, joined
from merkhet.workloads.trainer.parity import REFUSALS, UNKNOWN_TEXT, Pair
from merkhet.workloads.trainer.pipeline import selected

MOST_CATEGORIES = 1000
TRIED_ROWS = 8


@dataclass(frozen=True, slots=True)
class Acceptance:
    """``missing``: columns that may have no value. ``known``: columns that take only these values."""

    missing: tuple[str, ...] = ()
    known: dict[str, tuple[Any, ...]] = field(default_factory=dict)


def find(pair: Pair, steps: Sequence[Step], train: Features, limit: float) -> Acceptance:
    """Try each column; raises Refused where the values to remember are too many."""
    sample = _complete(train)
    numbers = [name for name, kind in zip(train.names, train.kinds, strict=True) if kind != "text"]
    # All of them in one call first: most models take all or none, and a call of few rows takes as long as one of many.
    if numbers and pair.agree(joined([sample.changed(name, np.nan) for name in numbers]), limit):
        missing = tuple(numbers)
    else:
        missing = tuple(name for name in numbers if _takes_missing(pair, sample, train, name, limit))
    known = {
        name: _categories(train, name)
        for name in encoded_columns(steps, train)
        if not all(pair.agree(sample.changed(name, value), limit) for value in _strangers(train, name))
    }
    return Acceptance(missing, known)


def encoded_columns(steps: Sequence[Step], features: Features) -> list[str]:
    """Columns whose values an encoder has learned."""
    encoders = [(at, step) for at, step in enumerate(steps, 1) if ALLOWED[step.estimator].text]
    names = {name for at, step in encoders for name in selected(at, step.columns, features)}
    return [name for name in features.names if name in names]


def _takes_missing(pair: Pair, sample: Features, train: Features, name: str, limit: float) -> bool:
    rows = sample.changed(name, np.nan)
    if not np.isnan(train.column(name)).any():
        return pair.agree(rows, limit)
    # It was missing at training, so it will be again: whether ONNX agrees is for the proof of parity to say.
    try:
        pair.trained(rows)
    except REFUSALS:
        return False
    return True


def _complete(train: Features) -> Features:
    """A few rows, none of which misses a value where some do not."""
    whole = np.ones(train.rows, dtype=np.bool_)
    for column, kind in zip(train.columns, train.kinds, strict=True):
        whole &= True if kind == "text" else ~np.isnan(column)
    rows = np.flatnonzero(whole) if whole.any() else np.arange(train.rows)
    return train.take(rows[:: max(1, len(rows) // TRIED_ROWS)][:TRIED_ROWS])


def _strangers(train: Features, name: str) -> list[Any]:
    if train.kinds[train.names.index(name)] == "text":
        return [UNKNOWN_TEXT, ""]
    highest = float(np.nanmax(train.column(name)))
    return [highest + 1, highest + 0.5, float(np.nanmin(train.column(name))) - 1]


def _categories(train: Features, name: str) -> tuple[Any, ...]:
    column = train.column(name)
    text = train.kinds[train.names.index(name)] == "text"
    values = sorted(set(column)) if text else np.unique(column[~np.isnan(column)]).tolist()
    if len(values) > MOST_CATEGORIES:
        raise Refused(
            f"feature {name} has {len(values)} categories and its encoder refuses unknown ones, so that each must be "
            f"remembered, at most {MOST_CATEGORIES}; set handle_unknown: ignore, or group them in the query",
            reason="TooManyCategories",
        )
    return tuple(values)
