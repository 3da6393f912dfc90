"""From sources and a query to a version."""

from __future__ import annotations

import random
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from merkhet.errors import Missing, Refused
from merkhet.store import paths
from merkhet.workloads import cgroup
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.features import blobs, tables
from merkhet.workloads.features.tables import Telling
from merkhet.workloads.run import RefusedForNow
from tests.unit.workloads.features.making import Workshop, workshop

CENSUS = {"census": "store://raw/census.parquet"}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def test_a_version_holds_the_rows_of_its_source_with_types_and_missing_values(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [2, 1], "age": [30.5, float("nan")], "name": ["b", None], "ok": [True, None]})
    result = shop.make(CENSUS, entity=["id"])
    assert (result.number, result.rows, result.unchanged) == (1, 2, False)
    assert [(column.name, column.type, column.missing) for column in result.columns] == [
        ("id", "int64", 0),
        ("age", "float64", 1),
        ("name", "string", 1),
        ("ok", "boolean", 1),
    ]
    assert shop.table().column("id").to_pylist() == [2, 1]
    assert shop.table().column("name").to_pylist() == ["b", None]
    with shop.store.open(result.digest) as manifest:
        assert manifest.read() == shop.store.read(paths.feature_manifest("adults", 1))


def test_sources_of_every_format_are_tables_of_the_query(shop: Workshop) -> None:
    shop.put("a/1.parquet", {"k": [1, 2]})
    shop.put("a/2.parquet", {"k": [3]})
    shop.put("b.csv", "k,city\n1,Paris\n2,Lyon\n3,Nice\n")
    shop.put("c.jsonl", '{"k": 1, "n": 10}\n{"k": 2, "n": 20}\n{"k": 3, "n": 30}\n')
    sources = {"a": "store://raw/a/*.parquet", "b": "store://raw/b.csv", "c": "store://raw/c.jsonl"}
    shop.make(sources, query="select k, city, n from a join b using (k) join c using (k) where n > 10; -- end")
    assert shop.table().to_pylist() == [{"k": 2, "city": "Lyon", "n": 20}, {"k": 3, "city": "Nice", "n": 30}]


def test_the_same_rows_in_another_order_and_format_are_no_new_version(shop: Workshop) -> None:
    ages = random.Random(1).choices(range(90), k=3000)
    shop.put("census.parquet", {"id": list(range(3000)), "age": ages})
    first = shop.make(CENSUS, entity=["id"])
    backwards = "\n".join(f"{n},{ages[n]}" for n in reversed(range(3000)))
    shop.put("census.csv", f"id,age\n{backwards}\n")
    second = shop.make({"census": "store://raw/census.csv"}, entity=["id"])
    assert second.unchanged
    assert (second.number, second.digest) == (1, first.digest)
    assert list(shop.store.list("featuresets/adults")) == [
        "featuresets/adults/1.json",
        "featuresets/adults/1.manifest.json",
        "featuresets/adults/1.profile.json",
    ]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"query": "select id, age + 1 as age from census"}, id="a value"),
        pytest.param({"query": "select id, age as years from census"}, id="a name"),
        pytest.param({"columns": [{"name": "age", "type": "float64"}]}, id="a type"),
        pytest.param({"columns": [{"name": "age", "personal": True}]}, id="what is personal"),
        pytest.param({"entity": ["id"]}, id="the entity"),
    ],
)
def test_what_a_reader_would_notice_is_a_new_version(shop: Workshop, change: dict[str, Any]) -> None:
    shop.put("census.parquet", {"id": [1, 2], "age": [30, 40]})
    shop.make(CENSUS)
    assert shop.make(CENSUS, **change).number == 2
    assert shop.make(CENSUS, **change).unchanged


def test_a_run_that_died_after_publishing_reports_its_own_version(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    first = shop.make(CENSUS, run="annotation/x")
    shop.put("census.parquet", {"id": [2]})
    second = shop.make(CENSUS, run="annotation/y")
    again = shop.make(CENSUS, run="annotation/x")
    assert (first.number, second.number, again.number) == (1, 2, 1)
    assert again.digest == first.digest
    assert not again.unchanged


def test_bytes_do_not_depend_on_the_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"k": [n % 1000 for n in range(250_000)], "v": [n % 7 / 7 for n in range(250_000)]})
    query = """
        select a.k, a.v, count(b.v) as n, case when a.k % 2 = 0 then -0.0::double else 0.0::double end as nought,
            a.k % 3 = 0 as third, 'é' || a.k as name, date '2024-01-01' + a.k::int as day
        from t a join (select distinct k, v from t) b using (k) group by a.k, a.v, a.k % 2
        union all select k, v, 0, 0.0, null, null, null from t"""
    made = []
    for threads in (1, 2, 4):
        folder = tmp_path / str(threads)
        folder.mkdir()
        shop = workshop(folder)
        monkeypatch.setattr(cgroup, "limits", partial(Limits, memory=None, cpus=float(threads)))
        shop.put("t.parquet", table)
        made.append((shop.make({"t": "store://raw/t.parquet"}, query=query).digest, shop.manifest()))
    assert made[0][1].rows == 257_000
    assert made[0] == made[1] == made[2]


# What threads that take turns would make of it differs from one run to the next.
TURNS = {
    "sums of fractions": "select k, avg(x) as a, sum(x) as b, stddev(x) as c from t group by k",
    "a sum of all": "select sum(x) as a from t",
    "whichever is first": "select k, first(s) as a, arg_max(x, k) as b from t group by k",
    "one of each": "select distinct on (k) * from t",
    "texts in a row": "select k, md5(string_agg(s, ',')) as a from t group by k",
    "numbers of rows that are equal": "select *, row_number() over (partition by k order by k) as n from t",
    "the first of some that are equal": "select * from t order by k limit 1000",
}


@pytest.mark.parametrize("query", TURNS.values(), ids=TURNS)
def test_the_same_input_is_the_same_version_however_many_threads_make_it(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    for number in range(2):
        columns = [
            [n % 97 for n in range(130_000)],
            [(n * 7919 % 1009) / 7 * 10 ** (n % 9) for n in range(130_000)],
            [f"{number}-{n % 251}" for n in range(130_000)],
        ]
        shop.put(f"t{number}.parquet", pa.table(columns, names=["k", "x", "s"]))
    for threads in (1, 4, 4):
        monkeypatch.setattr(cgroup, "limits", partial(Limits, memory=None, cpus=float(threads)))
        assert shop.make({"t": "store://raw/t*.parquet"}, query=query).number == 1


def test_what_only_joins_counts_and_sorts_is_made_by_all_threads(tmp_path: Path) -> None:
    query = """select a.k, count(*) as n, min(b.k) filter (where b.k > 1) as m
        from range(9) a(k) join range(7) b(k) using (k) group by a.k order by n"""
    with tables.database([], Limits(memory=None, cpus=2.0), tmp_path, Telling(tmp_path, personal=False)) as database:
        assert not database.shows_turns(query)
        assert database.shows_turns("select avg(n / 2) from range(9) r(n)")


RULES = {"rules": [{"column": "id", "unique": True}]}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"online": True}, id="that cannot be looked up"),
        pytest.param({"timestamp": "at"}, id="that say twice what was true at a time"),
    ],
)
def test_what_rules_say_of_rows_that_repeat_comes_before_a_refusal(shop: Workshop, more: dict[str, Any]) -> None:
    shop.put("t.parquet", {"id": [1, 1, 2], "at": [datetime(2024, 1, 1)] * 3})  # noqa: DTZ001 - UTC
    source = {"t": "store://raw/t.parquet"}
    result = shop.make(source, entity=["id"], quality=RULES, **more)
    assert result.number is None
    assert [rule.found for rule in result.quality or ()] == ["1 of 3 rows fails (33.33 %), none may"]
    with pytest.raises(Refused):
        shop.make(source, entity=["id"], quality={**RULES, "on_failure": "Warn"}, **more)


def test_the_digest_of_rows_is_the_same_whatever_library_wrote_them(shop: Workshop) -> None:
    shop.put("one.csv", "a\n1\n")
    query = """select n::int as n, n / 2 as half, if(n = 2, null, 'é' || n) as s, n > 1 as more,
        date '2024-01-01' + n::int as day, timestamp '2024-01-01 10:00' as t from one, range(4) r(n)"""
    shop.make({"one": "store://raw/one.csv"}, query=query)
    assert shop.manifest().data_digest == "sha256:03ac1a5694ac00421d060e44ce61d6d9de82436a04415e9a69aab460683e5a44"


def test_many_rows_become_several_blobs_in_order(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "GROUP_ROWS", 1_000)
    monkeypatch.setattr(blobs, "BLOB_ROWS", 10_000)
    shop.put("t.parquet", {"n": list(range(25_500))})
    shop.make({"t": "store://raw/t.parquet"}, query="select n from t order by n desc")
    assert [blob.rows for blob in shop.manifest().blobs] == [10_000, 10_000, 5_500]
    assert shop.table().column("n").to_pylist() == list(range(25_500))


def test_the_digest_does_not_depend_on_how_rows_are_grouped(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("t.parquet", {"n": list(range(9_000)), "s": [None if n % 3 else f"é{n}" for n in range(9_000)]})
    sources = {"t": "store://raw/t.parquet"}
    first = shop.make(sources)
    monkeypatch.setattr(blobs, "GROUP_ROWS", 1_000)
    again = shop.make(sources)
    assert again.unchanged
    assert again.digest == first.digest


def test_a_sort_larger_than_memory_spills_to_the_pods_own_room(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "limits", lambda: Limits(memory=300 * 1024**2, cpus=2.0))
    shop.put("t.csv", "a\n1\n")
    query = "select hash(n)::varchar || repeat('x', 300) as s, n from t, range(600000) r(n)"
    assert shop.make({"t": "store://raw/t.csv"}, query=query).rows == 600_000
    assert not list(shop.places.scratch.iterdir())


def test_progress_says_what_is_being_done(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    shop.make(CENSUS)
    assert shop.said == [
        "reading 1 source",
        "running the query",
        "written 1 rows",
        "profiling 1 column",
        "publishing version 1",
    ]


@pytest.mark.parametrize(
    ("more", "found"),
    [
        pytest.param({"query": "select 1 as a; drop table census"}, "SELECT, DROP", id="several statements"),
        pytest.param({"query": "drop view census"}, "DROP", id="a statement that is no question"),
        pytest.param({"query": "copy census to '/tmp/x.csv'"}, "COPY", id="an export"),
        pytest.param({"query": "set threads = 1"}, "SET", id="a setting"),
        pytest.param({"query": "attach '/tmp/x.db'"}, "ATTACH", id="another database"),
        pytest.param({"query": "  -- nothing"}, "no statement", id="a comment alone"),
        pytest.param({"query": "selec id from census"}, "syntax error", id="a misspelt word"),
        pytest.param({"query": "select (id from census"}, "syntax error", id="an open bracket"),
        pytest.param({"query": "select 1) union (select 2"}, "syntax error", id="brackets that would close ours"),
    ],
)
def test_a_query_that_is_not_one_select_is_refused_for_good(shop: Workshop, more: dict[str, str], found: str) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(Refused, match=found) as caught:
        shop.make(CENSUS, **more)
    assert not isinstance(caught.value, RefusedForNow)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("select * from read_text('/etc/passwd')", "/etc/passwd", id="a file"),
        pytest.param("select * from '/etc/passwd'", "/etc/passwd", id="a file as a table"),
        pytest.param("select * from glob('/*')", "disabled", id="a listing"),
        pytest.param("select * from read_csv('https://example.com/x.csv')", "disabled|httpfs", id="the network"),
        pytest.param("select * from task", "task", id="a variable of this program"),
        pytest.param("select getenv('HOME') as home", "getenv", id="the environment"),
        pytest.param("select * from query('drop view census')", "SELECT", id="a statement in a question"),
    ],
)
def test_a_query_sees_its_sources_and_nothing_else(shop: Workshop, query: str, found: str) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(Refused, match=found):
        shop.make(CENSUS, query=query)


def test_a_query_over_a_column_that_is_not_there_names_it_and_what_is_there(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(RefusedForNow, match=r'(?s)the query fails.*"nosuch".*"id"'):
        shop.make(CENSUS, query="select nosuch from census")


def test_several_sources_need_a_query(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(Refused, match="2 sources and no query"):
        shop.make({**CENSUS, "other": "store://raw/census.parquet"})


def test_no_row_is_no_version(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(RefusedForNow, match="no row"):
        shop.make(CENSUS, query="select * from census where id > 1")
    assert list(shop.store.list("featuresets")) == []


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("select id, id from census", id="the same name"),
        pytest.param('select id, id as "ID" from census', id="capitals apart"),
        pytest.param("select * from census a join census b on a.id = b.id", id="a join by *"),
    ],
)
def test_two_columns_of_one_name_are_refused_rather_than_renamed(shop: Workshop, query: str) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(RefusedForNow, match="more than one column id"):
        shop.make(CENSUS, query=query)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        pytest.param({"entity": ["person"]}, "`entity`", id="entity"),
        pytest.param({"timestamp": "person"}, "`timestamp`", id="timestamp"),
        pytest.param({"columns": [{"name": "person"}]}, "`columns`", id="a column of the contract"),
    ],
)
def test_a_column_that_the_spec_names_must_be_there(shop: Workshop, more: dict[str, Any], where: str) -> None:
    shop.put("census.parquet", {"id": [1], "age": [2]})
    with pytest.raises(
        RefusedForNow, match=f"column person, named in {where}, is not in the result, which has id, age"
    ):
        shop.make(CENSUS, **more)


def test_a_timestamp_must_be_a_time(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1], "day": ["2024-01-02"]})
    with pytest.raises(RefusedForNow, match="column day, the `timestamp`, is string; wanted timestamp"):
        shop.make(CENSUS, timestamp="day")
    shop.make(CENSUS, timestamp="day", columns=[{"name": "day", "type": "date"}])
    assert shop.manifest().columns[1].type == "date"


def test_nothing_is_left_in_the_pods_own_room_after_a_refusal(shop: Workshop) -> None:
    shop.put("census.parquet", {"id": [1]})
    with pytest.raises(Refused):
        shop.make(CENSUS, entity=["x"])
    assert not list(shop.places.scratch.iterdir())


def test_a_missing_file_says_what_is_there(shop: Workshop) -> None:
    shop.put("other.csv", "a\n1\n")
    with pytest.raises(
        Missing, match=r"source census: no file matches store://raw/census\.parquet; .* holds other\.csv"
    ):
        shop.make(CENSUS)


def test_an_error_far_into_the_rows_is_told_as_one_at_their_beginning(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": list(range(300_000))})
    query = "select case when n < 299999 then n else error('the last one') end as n from t"
    with pytest.raises(RefusedForNow, match=r"the query fails: .*the last one"):
        shop.make({"t": "store://raw/t.parquet"}, query=query)
