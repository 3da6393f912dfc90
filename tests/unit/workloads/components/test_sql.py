"""Macros of a sql component, in a database that is locked as for a query."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from merkhet.errors import Refused
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.components import sql
from merkhet.workloads.features import tables


@pytest.fixture
def connection(tmp_path: Path) -> Any:
    telling = tables.Telling(tmp_path, personal=False)
    with tables.database([], Limits(None, None), tmp_path, telling) as database:
        database.connection.execute("create table census as select 20 as age union all select 40")
        yield database.connection


def define_and_ask(connection: Any, macros: str, query: str) -> list[Any]:
    sql.define(connection, macros)
    return ask(connection, query)


def ask(connection: Any, query: str) -> list[Any]:
    return [row[0] for row in connection.execute(query).fetchall()]


@pytest.mark.parametrize(
    ("macros", "query", "found"),
    [
        pytest.param("create macro twice(x) as x * 2", "select twice(21)", [42], id="of a value"),
        pytest.param("CREATE OR REPLACE FUNCTION twice(x) AS x * 2;", "select TWICE(21)", [42], id="by its other word"),
        pytest.param(
            "create macro older(n) as table select age from census where age > n", "from older(30)", [40], id="a table"
        ),
        pytest.param(
            "create macro count_all() as (select count(*) from census)", "select count_all()", [2], id="of rows"
        ),
        pytest.param("create macro plus(a, b := 1) as a + b", "select plus(1)", [2], id="with a default"),
        pytest.param("create macro f(a) as a, (a, b) as a + b", "select f(1) + f(1, 2)", [4], id="of several shapes"),
        pytest.param('create macro "Größe €"(x) as x', 'select "größe €"(1)', [1], id="a quoted name"),
        pytest.param(
            "-- one; or none\ncreate macro a(x) as /* ; drop */ ';' || x;\n\n create macro b(x) as a(x) || 'é'; -- end",
            "select b('1')",
            [";1é"],
            id="several with comments, one by the other",
        ),
    ],
)
def test_a_query_may_call_macros(connection: Any, macros: str, query: str, found: list[Any]) -> None:
    sql.define(connection, macros)
    assert ask(connection, query) == found


@pytest.mark.parametrize(
    ("macros", "words"),
    [
        pytest.param("", "the macros have no statement", id="nothing"),
        pytest.param("-- later\n;;", "the macros have no statement", id="a comment"),
        pytest.param("select 1", "line 1, column 1: SELECT stands among the macros", id="a query"),
        pytest.param("create macro f(x) as x;\n  drop macro f", "line 2, column 3: DROP", id="a drop"),
        pytest.param("create table t(i int)", "line 1, column 1: CREATE TABLE T", id="a table"),
        pytest.param("create view macro as select 1", "CREATE VIEW MACRO", id="a view of that name"),
        pytest.param("create temp macro f(x) as x", "CREATE TEMP MACRO", id="a temporary macro"),
        pytest.param("create macro if not exists f(x) as x", "followed by not", id="a macro perhaps"),
        pytest.param("create macro memory.main.f(x) as x", "followed by .", id="in a schema"),
        pytest.param("insert into census values (1)", "INSERT", id="an insert"),
        pytest.param("copy census to '/tmp/stolen'", "COPY", id="a copy"),
        pytest.param("attach '/tmp/x.db'", "ATTACH", id="another database"),
        pytest.param("install httpfs", "INSTALL", id="an extension"),
        pytest.param("load httpfs", "LOAD", id="an extension that is there"),
        pytest.param("set enable_external_access = true", "SET", id="a setting"),
        pytest.param("pragma threads = 1", "column 1: ", id="a pragma"),
        pytest.param("create secret s (type s3)", "CREATE SECRET S", id="a secret"),
        pytest.param("create macro f(x) as\n  x +", "line 2, column 5: Parser Error", id="syntax"),
        pytest.param(
            "create macro g(x) as x;\ncreate macro f(x) as\n  ünbekannt(x)", "line 3, column 3: ", id="a function"
        ),
        pytest.param("create macro sum(x) as x", "macro sum would hide a function of the database", id="a built-in"),
        pytest.param("create macro COALESCE(x) as x", "macro coalesce would hide", id="a word of the grammar"),
        pytest.param(
            'create macro f(x) as x;\ncreate or replace macro "F"(x) as 1',
            "line 2, column 1: macro f would hide the macro of line 1, column 1",
            id="twice",
        ),
        pytest.param("create macro f(n) as f(n - 1)", "line 1, column 22: ", id="calls itself"),
    ],
)
def test_anything_else_is_refused_with_its_place(connection: Any, macros: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        sql.define(connection, macros)
    assert words in str(caught.value)
    assert caught.value.reason == "InvalidMacro"


READS = {
    "a csv file": "(select count(*) from read_csv('/etc/passwd'))",
    "a parquet file": "(select count(*) from read_parquet('/etc/passwd'))",
    "a text": "(select content from read_text('/etc/passwd'))",
    "a blob": "(select content from read_blob('/etc/passwd'))",
    "a file by its name": "(select count(*) from '/etc/passwd.csv')",
    "a folder": "(select count(*) from glob('/etc/*'))",
    "an address": "(select count(*) from 'https://example.com/x.csv')",
    "an address of s3": "(select count(*) from 's3://bucket/x.parquet')",
    "the environment": "getenv('HOME')",
    "secrets": "(select count(*) from duckdb_secrets())",
    "a setting of another program": "(select count(*) from sqlite_scan('/tmp/x', 'y'))",
}


@pytest.mark.parametrize("expression", [pytest.param(code, id=what) for what, code in READS.items()])
def test_a_macro_reads_nothing_but_the_tables_of_the_query(connection: Any, expression: str) -> None:
    with pytest.raises((Refused, duckdb.Error), match=r"disabled|does not exist|not in the catalog"):
        define_and_ask(connection, f"create macro f() as {expression}", "select f()")


def test_a_macro_that_takes_the_name_of_a_file_reads_none(connection: Any) -> None:
    """What is bound only when it is called is refused then."""
    peek = "create macro peek(file) as table select * from read_text(file)"
    with pytest.raises((Refused, duckdb.Error), match=r"disabled|parameter|column"):
        define_and_ask(connection, peek, "select content from peek('/etc/passwd')")


def test_two_components_may_not_have_macros_of_one_name(connection: Any) -> None:
    sql.define(connection, "create macro f(x) as x")
    with pytest.raises(Refused, match="macro f would hide a macro of another component"):
        sql.define(connection, "create or replace macro f(x) as x + 1")
    assert ask(connection, "select f(1)") == [1]


def test_nothing_is_defined_where_one_statement_is_refused(connection: Any) -> None:
    with pytest.raises(Refused):
        sql.define(connection, "create macro f(x) as x; drop table census")
    with pytest.raises(duckdb.CatalogException, match="f does not exist"):
        ask(connection, "select f(1)")
