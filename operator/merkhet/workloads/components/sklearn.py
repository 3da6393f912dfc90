"""A sklearn component tried by itself: fitted on an example's rows, its outputs named as a person names them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.pipeline import Pipeline

from merkhet.contract.training import Step
from merkhet.errors import Refused
from merkhet.workloads.trainer import data, pipeline
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.pipeline import Unchanged


def apply(steps: Sequence[Step], table: pa.Table) -> pa.Table:
    """What the steps, fitted on these rows, make of them: float32 columns; raises Refused in scikit-learn's words."""
    features = data.features_of(table, table.column_names)
    built = pipeline.preparation(steps, features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few rows by hand make odd quantiles and constant columns
        try:
            found = built.fit_transform(features.frame())
        except (ValueError, TypeError) as error:
            raise Refused(f"scikit-learn refuses these rows: {str(error)[:300]}", reason="FitRefused") from error
    matrix = np.asarray(found, dtype=np.float32).reshape(features.rows, -1)
    return pa.table(dict(zip(_names(built, features, matrix), map(pa.array, matrix.T), strict=True)))


def _names(built: Pipeline, features: Features, matrix: npt.NDArray[Any]) -> list[str]:
    """The columns that come out; by their place where scikit-learn does not name each of them once."""
    names = list(features.names)
    for _, step in built.steps:
        parts = getattr(step, "transformers_", None)
        names = _after(step, names) if parts is None else _side_by_side(parts, names)
    if len(set(names)) == len(names) == matrix.shape[1]:
        return names
    return [f"output_{position}" for position in range(matrix.shape[1])]


def _side_by_side(parts: Sequence[tuple[str, Any, Sequence[int]]], names: Sequence[str]) -> list[str]:
    out: list[str] = []
    for _, part, positions in parts:
        through = [names[position] for position in positions]
        for _, step in getattr(part, "steps", [("", part)]):
            through = _after(step, through)
        out += through
    return out


def _after(step: Any, names: list[str]) -> list[str]:
    """What scikit-learn calls the outputs; a category of 1.0 is written as people write it, 1."""
    if isinstance(step, Unchanged):
        return names
    try:
        found = [str(name) for name in step.get_feature_names_out(np.asarray(names, dtype=object))]
    except (AttributeError, ValueError):
        return []
    return [name.removesuffix(".0") for name in found] if hasattr(step, "categories_") else found
