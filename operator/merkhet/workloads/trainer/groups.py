"""Which group of a sensitive column each row belongs to.

Groups are called as a FeatureSet's bias report calls them: values by their text, numbers of many values by intervals
such as ``[25, 45)``. Those of a personal column are called group 1, group 2 … by their size, which tells no value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from merkhet.contract.evaluation import MAX_GROUPS
from merkhet.contract.features import Column
from merkhet.errors import Refused
from merkhet.workloads.features.sensitive import LONGEST_NAME, Attribute, called

MOST_VALUES = 12  # of numbers that are codes rather than amounts: months are the longest usual code
QUARTERS = (0.25, 0.5, 0.75)
NONE = ""  # what a row without a value has for a group
OTHERS = "others"

Labels = npt.NDArray[np.str_]
Codes = npt.NDArray[np.int64]  # -1 where a value is missing


def groups(
    table: pa.Table, columns: Sequence[Column], names: Sequence[str], *, training: npt.NDArray[np.bool_]
) -> Mapping[str, Labels]:
    """The group of each row by column; numbers of many values are parted at the quartiles of the training rows.

    Raises Refused for a column that is not there, or whose values make no groups. Shapes: as the table; "" where a
    value is missing.
    """
    known = {column.name: column for column in columns}
    return {name: _groups(table, known.get(name), name, training) for name in names}


def _groups(table: pa.Table, column: Column | None, name: str, training: npt.NDArray[np.bool_]) -> Labels:
    if column is None or name not in table.column_names:
        shown = ", ".join(table.column_names[:20])
        raise Refused(f"there is no column {name}, which is to be sensitive; there are {shown}", reason="UnknownColumn")
    values = table.column(name)
    plain = pc.cast(values, values.type.value_type) if pa.types.is_dictionary(values.type) else values
    codes, words = _coded(plain, column, training)
    codes, words = _joined(codes, words)
    if column.personal:
        words = tuple(word if word == OTHERS else f"group {place}" for place, word in enumerate(words, 1))
    return np.array([*words, NONE])[codes]


def _coded(values: pa.ChunkedArray, column: Column, training: npt.NDArray[np.bool_]) -> tuple[Codes, tuple[str, ...]]:
    """The number of each row's group, and what each group is called."""
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = np.asarray(pc.cast(values, pa.float64(), safe=False).to_numpy(), dtype=np.float64)
        learned = numbers[training & ~np.isnan(numbers)]
        if len(np.unique(numbers[~np.isnan(numbers)])) > MOST_VALUES and len(learned):
            return _parted(numbers, learned, column)
        values = pa.chunked_array([pa.array(numbers, from_pandas=True)])
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)):
        raise Refused(
            f"sensitive column {column.name} is of type {kind}, whose values make no groups; make words or numbers of "
            f"it in the FeatureSet's query, such as a year or an age",
            reason="MistypedColumn",
        )
    encoded = pc.dictionary_encode(values.combine_chunks())
    codes = np.asarray(pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return codes, tuple(called(value, column.type)[:LONGEST_NAME] for value in encoded.dictionary.to_pylist())


def _parted(
    numbers: npt.NDArray[np.float64], learned: npt.NDArray[Any], column: Column
) -> tuple[Codes, tuple[str, ...]]:
    """A value on a border belongs to the group above it. Borders are values that are there, so that they read well."""
    seen = np.unique(learned)
    borders = np.unique(np.quantile(learned, QUARTERS, method="higher"))
    # Nothing lies below the least value; where nearly all rows have it, it is one group and the rest the other.
    borders = borders[borders > seen[0]] if borders[-1] > seen[0] else seen[:2][-1:]
    codes = np.where(np.isnan(numbers), -1, np.searchsorted(borders, numbers, side="right")).astype(np.int64)
    attribute = Attribute(column, tuple(borders.tolist()), {})
    return codes, tuple(attribute.interval(place) for place in range(len(borders) + 1))


def _joined(codes: Codes, words: tuple[str, ...]) -> tuple[Codes, tuple[str, ...]]:
    """The largest group first; what is beyond MAX_GROUPS is one group."""
    counts = np.bincount(codes[codes >= 0], minlength=len(words))
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(words) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(words)), -1
    named = tuple(words[at] for at in order)
    codes = place[codes]
    if len(named) <= MAX_GROUPS:
        return codes, named
    return np.minimum(codes, MAX_GROUPS - 1), (*named[: MAX_GROUPS - 1], OTHERS)
