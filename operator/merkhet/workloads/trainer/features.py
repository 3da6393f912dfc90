"""What a model is fed with: columns of numbers and of text, as scikit-learn and as ONNX take them.

All numeric: one float32 matrix. Otherwise an Arrow table, which scikit-learn takes apart by position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ColumnKind = Literal["number", "boolean", "text"]
INPUT = "input"  # of the one tensor where all columns are numeric


@dataclass(frozen=True, slots=True)
class Features:
    """Rows of features. Numbers and booleans are float32 with NaN for a missing value; text has none missing."""

    names: tuple[str, ...]
    kinds: tuple[ColumnKind, ...]
    columns: tuple[npt.NDArray[Any], ...]

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.columns[0])

    @property
    def all_numeric(self) -> bool:
        """Whether one matrix holds them."""
        return "text" not in self.kinds

    def column(self, name: str) -> npt.NDArray[Any]:
        """The values of one column."""
        return self.columns[self.names.index(name)]

    def take(self, rows: npt.NDArray[Any] | Sequence[int]) -> Features:
        """Some rows, by mask or position."""
        chosen = np.asarray(rows)
        return Features(self.names, self.kinds, tuple(column[chosen] for column in self.columns))

    def changed(self, name: str, value: Any) -> Features:
        """The same rows with one value in a column everywhere."""
        return self.with_column(name, np.full_like(self.column(name), value))

    def with_column(self, name: str, column: npt.NDArray[Any]) -> Features:
        """The same rows with another column of that name."""
        at = self.names.index(name)
        return Features(self.names, self.kinds, (*self.columns[:at], column, *self.columns[at + 1 :]))

    def frame(self) -> Any:
        """What scikit-learn is given: a matrix, or an Arrow table where there is text."""
        if self.all_numeric:
            return np.column_stack(self.columns)
        return pa.table({name: pa.array(column, from_pandas=False) for name, column in self._named()})

    def feed(self) -> dict[str, npt.NDArray[Any]]:
        """What the ONNX graph is given: one matrix, or a column vector per name."""
        if self.all_numeric:
            return {INPUT: np.column_stack(self.columns)}
        return {name: column[:, None] for name, column in self._named()}

    def _named(self) -> list[tuple[str, npt.NDArray[Any]]]:
        return list(zip(self.names, self.columns, strict=True))


def joined(parts: Sequence[Features]) -> Features:
    """The rows of several, one after the other; raises ValueError where there are none."""
    if not parts:
        raise ValueError("no parts to join")
    columns = tuple(np.concatenate(same) for same in zip(*(part.columns for part in parts), strict=True))
    return Features(parts[0].names, parts[0].kinds, columns)
