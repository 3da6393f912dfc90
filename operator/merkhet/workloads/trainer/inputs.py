"""What a signature takes in each column that a model is fed with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import Signature
from merkhet.workloads.trainer.features import Features


@dataclass(frozen=True, slots=True)
class Taken:
    """A column. ``categories`` are the only values that are taken, numbers as float32 has them; None where any is."""

    name: str
    text: bool
    missing: bool  # whether there may be no value
    categories: tuple[Any, ...] | None = None

    def takes(self, column: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which of these values are taken."""
        absent = np.zeros(len(column), dtype=np.bool_) if self.text else np.isnan(column)
        if self.categories is None:
            known = ~absent
        else:
            allowed = np.array(self.categories, dtype=column.dtype)
            known = np.isin(column, allowed) & ~absent
        return known | (absent & self.missing)


def columns(signature: Signature) -> Iterator[Taken]:
    """The columns in the order in which they are fed."""
    for tensor in signature.inputs:
        text = tensor.datatype == "BYTES"
        if not tensor.columns:
            yield Taken(tensor.name, text, tensor.missing, tensor.categories)
        for name in tensor.columns:
            missing = name in tensor.missing_columns if tensor.missing_columns else tensor.missing
            yield Taken(name, text, missing, tensor.column_categories.get(name))


def taken(signature: Signature, features: Features) -> npt.NDArray[np.bool_]:
    """The rows that a model takes as it is served. Shape: [rows]."""
    by_column = [one.takes(features.column(one.name)) for one in columns(signature)]
    every_one: npt.NDArray[np.bool_] = np.logical_and.reduce(by_column)
    return every_one
