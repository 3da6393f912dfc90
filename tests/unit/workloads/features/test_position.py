"""Where in somebody's SQL an error is."""

from __future__ import annotations

from pathlib import Path

import pytest

from merkhet.errors import Refused
from merkhet.workloads.features.position import Position, drawn, position_in
from tests.unit.workloads.features.making import workshop


@pytest.mark.parametrize(
    ("offset", "place"),
    [(0, Position(1, 1)), (3, Position(1, 4)), (4, Position(2, 1)), (6, Position(2, 3))],
)
def test_a_character_has_a_line_and_a_column(offset: int, place: Position) -> None:
    assert position_in("abc\ndéf", offset) == place


LONG = "select " + ", ".join(f"{n} as c{n}" for n in range(60)) + ", nothing_there, " + ", ".join(["1"] * 60)


@pytest.mark.parametrize(
    ("query", "place"),
    [
        pytest.param("select nothing_there from t", "line 1, column 8: ", id="in the first line"),
        pytest.param("select a,\n  nothing_there\nfrom t", "line 2, column 3: ", id="in the second"),
        pytest.param(
            "\n\n-- what\n  select\n\tnothing_there from t", "line 5, column 2: ", id="after a comment and a tab"
        ),
        pytest.param("select 'é', nothing_there from t", "line 1, column 13: ", id="after another letter"),
        pytest.param(f"{LONG} from t", f"line 1, column {LONG.index('nothing') + 1}: ", id="in a long line"),
        pytest.param("select a\nfrom nowhere", "line 2, column 6: ", id="a table"),
        pytest.param("select a\nfrom t wher a", "line 2, column 13: ", id="syntax"),
        pytest.param("\n  select a a a from t", "line 2, column 14: ", id="syntax after an empty line"),
        pytest.param("select\n  a + ['x'] from t", "line 2, column 5: ", id="types"),
        pytest.param("select\r\n  nothing_there from t", "line 2, column 3: ", id="with carriage returns"),
    ],
)
def test_an_error_of_a_query_is_told_with_its_place_in_one_sentence(tmp_path: Path, query: str, place: str) -> None:
    shop = workshop(tmp_path)
    shop.put("t.parquet", {"a": [1]})
    with pytest.raises(Refused) as caught:
        shop.make({"t": "store://raw/t.parquet"}, query=query)
    assert place in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "^" not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param("Out of Memory Error: no", id="nothing is drawn"),
        pytest.param("Error: no\n\nLINE 1: select ours\n               ^^^^", id="another text"),
        pytest.param("Error: no\n\nLINE 9: select a\n               ^", id="a line that is not there"),
    ],
)
def test_a_place_in_another_text_is_not_told(message: str) -> None:
    assert drawn(message, "select a") is None


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select strptime(name, '%Y') as y from t", id="a text as a time"),
        pytest.param("select name::int as y from t", id="a text as a number"),
        pytest.param("select (salary * 1000000)::int as y from t", id="a number beyond its type"),
        pytest.param("select salary::int * 1000000::int as y from t", id="a product beyond its type"),
        pytest.param("select error(name) as y from t", id="told by the query itself"),
        pytest.param("select name::json as y from t", id="a text as json"),
    ],
)
def test_an_error_at_a_row_tells_no_value_where_columns_are_personal(tmp_path: Path, query: str) -> None:
    shop = workshop(tmp_path)
    shop.put("t.parquet", {"name": ["Ada Lovelace"], "salary": [98765]})
    with pytest.raises(Refused) as caught:
        shop.make({"t": "store://raw/t.parquet"}, query=query, columns=[{"name": "y", "personal": True}])
    assert "Lovelace" not in str(caught.value)
    assert "98765" not in str(caught.value)
