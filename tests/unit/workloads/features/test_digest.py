"""The digest of a table's rows: blind to order and pieces, and to nothing that a reader would notice."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from merkhet.contract.features import Column
from merkhet.workloads.features.digest import LONGEST, TableDigest, _words, mixed_words


def moment(hour: int = 0, year: int = 2024) -> datetime:
    return datetime(year, 1, 1, hour, tzinfo=UTC)


VALUES: dict[str, list[Any]] = {
    "whole": [1, 2, None, -4, 2**62],
    "part": [0.5, float("nan"), None, -1e300, float("inf")],
    "word": ["", "é", None, "x" * 9, "y" * (LONGEST + 1)],
    "truth": [True, False, None, True, False],
    "day": [date(2024, 1, 1), None, date(1, 1, 1), date(2024, 2, 29), date(9999, 1, 1)],
    "time": [moment(10), None, moment(year=1969), moment(), moment(year=2030)],
}
TABLE = pa.table(VALUES)


def digest_of(*tables: pa.Table, types: str = "t") -> str:
    digest = TableDigest([Column(name=name, type=types) for name in tables[0].column_names])
    for table in tables:
        digest.take(table)
    return digest.hexdigest()


def changed(column: str, row: int, value: Any) -> pa.Table:
    values = {name: list(known) for name, known in VALUES.items()}
    values[column][row] = value
    return pa.table(values, schema=TABLE.schema)


@pytest.mark.parametrize("seed", range(5))
def test_order_and_pieces_make_no_difference(seed: int) -> None:
    rows = random.Random(seed).sample(range(5), k=5)
    shuffled = TABLE.take(rows)
    assert digest_of(shuffled.slice(0, 2), shuffled.slice(2, 0), shuffled.slice(2)) == digest_of(TABLE)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: changed("whole", 0, 0), id="a whole number"),
        pytest.param(lambda: changed("part", 0, 0.5000000000000001), id="the last bit of a fraction"),
        pytest.param(lambda: changed("part", 1, None), id="missing instead of NaN"),
        pytest.param(lambda: changed("word", 0, None), id="missing instead of an empty text"),
        pytest.param(lambda: changed("word", 3, "x" * 8), id="a text cut"),
        pytest.param(lambda: changed("word", 3, "x" * 8 + "\x00"), id="a zero at the end of a text"),
        pytest.param(lambda: changed("word", 4, "y" * LONGEST + "z"), id="the end of a long text"),
        pytest.param(lambda: changed("truth", 2, False), id="false instead of missing"),
        pytest.param(lambda: changed("day", 0, date(2024, 1, 2)), id="a day"),
        pytest.param(lambda: changed("time", 0, moment(10) + timedelta(microseconds=1)), id="a microsecond"),
        pytest.param(lambda: TABLE.slice(1), id="a row less"),
        pytest.param(lambda: pa.concat_tables([TABLE, TABLE.slice(0, 1)]), id="a row twice"),
        pytest.param(lambda: TABLE.rename_columns(["whole", "part", "word", "truth", "day", "when"]), id="a name"),
    ],
)
def test_what_a_reader_would_notice_changes_it(other: Callable[[], pa.Table]) -> None:
    assert digest_of(other()) != digest_of(TABLE)


def test_values_of_two_rows_that_change_places_change_it() -> None:
    ours = pa.table({"a": [1, 2], "b": [10, 20]})
    crossed = pa.table({"a": [1, 2], "b": [20, 10]})
    assert digest_of(crossed) != digest_of(ours)


def test_columns_that_change_places_change_it() -> None:
    assert digest_of(pa.table({"a": [1], "b": [2]})) != digest_of(pa.table({"a": [2], "b": [1]}))


def test_missing_values_are_counted_by_column_and_nan_is_one() -> None:
    digest = TableDigest([Column(name=name, type="t") for name in TABLE.column_names])
    digest.take(TABLE)
    assert (digest.rows, digest.missing) == (5, [1, 2, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("keys", "values", "repeats"),
    [
        pytest.param(["a"], {"a": [1, 2, 3], "b": [1, 1, 1]}, False, id="each once"),
        pytest.param(["a"], {"a": [1, 2, 1], "b": [1, 2, 3]}, True, id="one twice"),
        pytest.param(["a", "b"], {"a": [1, 2, 1], "b": [1, 1, 2]}, False, id="together once"),
        pytest.param(["a", "b"], {"a": [1, 2], "b": [2, 1]}, False, id="crossed"),
        pytest.param([], {"a": [1, 1], "b": [1, 1]}, False, id="no keys"),
    ],
)
def test_repeated_keys_are_noticed(keys: list[str], values: dict[str, list[int]], repeats: bool) -> None:
    digest = TableDigest([Column(name=name, type="t") for name in values], keys)
    digest.take(pa.table(values))
    assert digest.keys_may_repeat() is repeats


def test_a_million_different_rows_have_a_million_different_words() -> None:
    words = _words(pa.array([f"person {number}" for number in range(1_000_000)]))[0]
    assert len(set(mixed_words(words).tolist())) == 1_000_000
