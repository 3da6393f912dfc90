"""Columns become what the contract says without losing anything, or the column is named."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from merkhet.errors import Refused
from merkhet.workloads.run import RefusedForNow
from tests.unit.workloads.features.making import Workshop, workshop

ONE = {"one": "store://raw/one.csv"}
DAY = date(2024, 1, 2)
NOON = datetime(2024, 1, 2, 12)  # noqa: DTZ001 - the store's times are UTC without saying so


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    found = workshop(tmp_path)
    found.put("one.csv", "a\n1\n")
    return found


def cast(shop: Workshop, sql: str, wanted: str | None, *, personal: bool = False) -> Any:
    shop.make(ONE, query=f"select {sql} as x from one", columns=[{"name": "x", "type": wanted, "personal": personal}])
    return shop.table().column("x").to_pylist()[0]


@pytest.mark.parametrize(
    ("sql", "wanted", "expected"),
    [
        pytest.param("300::bigint", "int16", 300, id="a smaller integer"),
        pytest.param("16777216::bigint", "float32", 16777216.0, id="an integer a float32 can hold"),
        pytest.param("sum(a)", "int64", 1, id="a sum"),
        pytest.param("2.0::double", "uint8", 2, id="a whole float as an integer"),
        pytest.param("'nan'::double", "int32", None, id="NaN as a missing integer"),
        pytest.param("0.1::double", "float32", 0.10000000149011612, id="a rounded float64"),
        pytest.param("'inf'::double", "float32", math.inf, id="infinity"),
        pytest.param("0.1::decimal(3,2)", "float64", 0.1, id="a decimal"),
        pytest.param("'12'", "int8", 12, id="digits"),
        pytest.param("'1e2'", "int32", 100, id="digits with an exponent"),
        pytest.param("' 1.5 '", "float64", 1.5, id="a fraction in text"),
        pytest.param("'true'", "boolean", True, id="a truth in text"),
        pytest.param("1::integer", "boolean", True, id="one as a truth"),
        pytest.param("true", "int8", 1, id="a truth as one"),
        pytest.param("1.5::double", "string", "1.5", id="a number as text"),
        pytest.param("'2024-01-02'", "date", DAY, id="a day in text"),
        pytest.param("'2024-01-02 12:00:00'", "timestamp", NOON, id="a time in text"),
        pytest.param("'2024-01-02T14:00:00+02:00'", "timestamp", NOON, id="a time with its offset"),
        pytest.param("timestamptz '2024-01-02 14:00:00+02'", "timestamp", NOON, id="a time with a zone"),
        pytest.param("timestamp '2024-01-02'", "date", DAY, id="midnight as a day"),
        pytest.param("date '2024-01-02'", "timestamp", NOON.replace(hour=0), id="a day as midnight"),
        pytest.param("null::varchar", "int32", None, id="nothing at all"),
        pytest.param("null::date", "timestamp", None, id="no day"),
    ],
)
def test_a_cast_keeps_the_value(shop: Workshop, sql: str, wanted: str, expected: object) -> None:
    assert cast(shop, sql, wanted) == expected
    assert shop.manifest().columns[0].type == wanted


@pytest.mark.parametrize(
    ("sql", "wanted", "shown"),
    [
        pytest.param("300::bigint", "int8", "300", id="too large"),
        pytest.param("(-1)::bigint", "uint64", "-1", id="negative"),
        pytest.param("16777217::bigint", "float32", "16777217", id="an integer that float32 would change"),
        pytest.param("9007199254740993::bigint", "float64", "9007199254740993", id="one that float64 would change"),
        pytest.param("9223372036854775807::bigint", "float64", "9223372036854775807", id="the largest integer"),
        pytest.param("1.5::double", "int64", "1.5", id="a fraction as an integer"),
        pytest.param("'inf'::double", "int64", "inf", id="infinity as an integer"),
        pytest.param("1e300::double", "float32", "1e+300", id="too large for float32"),
        pytest.param("'1.5'", "int64", "1.5", id="a fraction in text as an integer"),
        pytest.param("'forty'", "float32", "forty", id="a word as a number"),
        pytest.param("''", "float32", "", id="empty text as a number"),
        pytest.param("2::integer", "boolean", "2", id="two as a truth"),
        pytest.param("'2024-01-02 12:00'", "date", "2024-01-02 12:00", id="a time in text as a day"),
        pytest.param("timestamp '2024-01-02 12:00'", "date", "2024-01-02 12:00:00", id="noon as a day"),
        pytest.param("'2024-02-30'", "date", "2024-02-30", id="a day that is none"),
        pytest.param("(power(2, 64))::hugeint", None, "18446744073709551616", id="a sum beyond int64"),
        pytest.param("'2024-01-02 00:00:00.000000001'::timestamp_ns", None, "000000001", id="nanoseconds"),
    ],
)
def test_a_cast_that_would_lose_something_names_column_value_and_type(
    shop: Workshop, sql: str, wanted: str | None, shown: str
) -> None:
    with pytest.raises(RefusedForNow, match=r"^column x is \w+ with the value .* which is no \w+") as caught:
        cast(shop, sql, wanted)
    assert shown in str(caught.value)
    assert caught.value.reason == "ColumnMismatch"


def test_the_value_of_a_personal_column_is_never_told(shop: Workshop) -> None:
    with pytest.raises(RefusedForNow, match="column x is string with a value which is no int8") as caught:
        cast(shop, "'Dana'", "int8", personal=True)
    assert "Dana" not in str(caught.value)


def test_a_failing_query_tells_no_value_where_a_column_is_personal(shop: Workshop) -> None:
    with pytest.raises(RefusedForNow, match="the query fails") as caught:
        cast(shop, "('Dana' || a)::integer", "int32", personal=True)
    assert "Dana" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        pytest.param("O'Dana", "{}::integer", id="with a quote"),
        pytest.param("Dana\nBo", "{}::integer", id="of two lines"),
        pytest.param('Bo of "Dana"', "{}::date", id="with the other quotes"),
        pytest.param("Dana", "[{}]::integer[]", id="in a list"),
        pytest.param("Dana", "error({})", id="that the query tells itself"),
        pytest.param("Dana", "regexp_matches('a', {} || '(')", id="as an expression"),
        pytest.param("1980", "{}::integer::tinyint", id="a number"),
    ],
)
def test_no_part_of_a_value_is_in_an_error_where_a_column_is_personal(shop: Workshop, value: str, sql: str) -> None:
    """The value comes from a file: what stands in the query itself is nobody's."""
    shop.put("people.json", json.dumps({"name": value}) + "\n")
    columns = [{"name": "x", "type": "string", "personal": True}]
    query = f"select ({sql.format('name::varchar')})::varchar as x from people"
    with pytest.raises(RefusedForNow, match=r"the query fails: .*…") as caught:
        shop.make({"people": "store://raw/people.json"}, query=query, columns=columns)
    assert not any(part in str(caught.value) for part in ("Dana", "Bo", "O'", "1980"))


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        pytest.param("1::bigint", "timestamp", id="a number as a time"),
        pytest.param("date '2024-01-02'", "int64", id="a day as a number"),
        pytest.param("true", "date", id="a truth as a day"),
    ],
)
def test_a_cast_without_meaning_is_left_to_the_query(shop: Workshop, sql: str, wanted: str) -> None:
    with pytest.raises(RefusedForNow, match=f"column x is .*wanted {wanted}: cast it in the query"):
        cast(shop, sql, wanted)


@pytest.mark.parametrize(
    "sql", ["[1, 2]", "{'a': 1}", "map {'a': 1}", "interval 1 day", "'x'::blob", "time '10:00'", "[1.5]"]
)
def test_what_is_no_feature_is_refused_by_name(shop: Workshop, sql: str) -> None:
    with pytest.raises(RefusedForNow, match=r"column x is .*which a feature cannot be"):
        cast(shop, sql, None)


def test_an_unknown_type_is_refused_for_good(shop: Workshop) -> None:
    with pytest.raises(Refused, match="there is no type number; it is one of int8"):
        cast(shop, "1", "number")


def test_names_that_need_quoting_are_kept(shop: Workshop) -> None:
    shop.make(
        ONE,
        query="""select a as "it's ""odd"" select", 'x' as "é" from one""",
        entity=['it\'s "odd" select'],
        columns=[{"name": "é", "type": "string"}, {"name": 'it\'s "odd" select', "type": "float32"}],
    )
    assert shop.table().to_pylist() == [{'it\'s "odd" select': 1.0, "é": "x"}]


def test_a_time_is_written_as_utc(shop: Workshop) -> None:
    assert cast(shop, "timestamptz '2024-06-01 00:00:00-05'", None) == datetime(2024, 6, 1, 5, tzinfo=UTC).replace(
        tzinfo=None
    )
