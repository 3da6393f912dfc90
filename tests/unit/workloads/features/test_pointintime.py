"""What was known at the time of a row, and nothing of what came after."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import Column, FeaturesManifest, FeaturesVersion, Join
from merkhet.errors import Refused
from merkhet.workloads.features.contract import WORDS
from merkhet.workloads.features.imports import Imported, Joined
from merkhet.workloads.features.pointintime import with_joins

Row = tuple[Any, ...]
NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - the store knows no zones
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
NAN = float("nan")
STAMP, KEY = pa.timestamp("us"), pa.int64()


class Desk:
    """Joined versions as files, and a database to ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = duckdb.connect()

    def joined(
        self,
        *tables: pa.Table,
        by: Sequence[str] = ("k",),
        age: timedelta | None = None,
        entity: Sequence[str] = (),
        timestamp: str | None = "t",
        arrival: str | None = None,
    ) -> Joined:
        """A version whose blobs hold these tables."""
        files = []
        for table in tables:
            files.append(self.folder / f"{len(list(self.folder.iterdir()))}.parquet")
            pq.write_table(table, files[-1])
        kinds = duckdb.connect().execute("describe select * from read_parquet(?)", [str(files[0])]).fetchall()
        manifest = FeaturesManifest(
            feature_set="regions",
            number=3,
            data_digest="",
            rows=sum(table.num_rows for table in tables),
            columns=tuple(Column(name=name, type=WORDS[kind]) for name, kind, *_ in kinds),
            entity=tuple(entity),
            timestamp=timestamp,
            arrival=arrival,
            blobs=(),
        )
        version = FeaturesVersion(name="regions", version=3, digest="sha256:" + "0" * 64)
        seconds = None if age is None else age.total_seconds()
        other = Imported("version 3 of FeatureSet people/regions", version, manifest, tuple(files))
        return Joined(Join(features=version, by=tuple(by), max_age_seconds=seconds), other)

    def rows(self, table: pa.Table, *joins: Joined, timestamp: str | None = "t") -> list[Row]:
        """The rows of a table with its joins, in the table's order."""
        file = self.folder / f"{len(list(self.folder.iterdir()))}.parquet"
        pq.write_table(table, file)
        read = f"select *, file_row_number as n from '{file}'"
        columns = [(name, kind) for name, kind, *_ in self.database.execute(f"describe {read}").fetchall()]
        sql = with_joins(read, columns, timestamp, joins)
        added = self.database.sql(f"select * exclude (n) from ({sql}) order by n").to_arrow_table()
        return list(zip(*(column.to_pylist() for column in added.columns), strict=True))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def asked(*moments: Any, key: Any = 1) -> pa.Table:
    """Rows of one entity at these times."""
    return pa.table({"k": [key] * len(moments), "t": list(moments)})


def told(*rows: Row) -> pa.Table:
    """Rows of the joined set: k, t, arrival, v."""
    return pa.table(
        {
            "k": pa.array([row[0] for row in rows], KEY if isinstance(rows[0][0], int | None) else None),
            "t": pa.array([row[1] for row in rows], STAMP),
            "a": pa.array([row[2] for row in rows], STAMP),
            "v": [row[3] for row in rows],
        }
    )


def at(moment: datetime | None, value: int, arrived: datetime | None = None, key: Any = 1) -> Row:
    """A row that was true at a moment."""
    return (key, moment, arrived, value)


OLD, NEW = at(NOON - HOUR, 1, NOON - HOUR), at(NOON - TICK, 2, NOON + TICK)
CASES: dict[str, tuple[list[Row], dict[str, Any], int | None]] = {
    "at the time of the row": ([at(NOON, 1)], {}, 1),
    "a microsecond later": ([at(NOON + TICK, 1)], {}, None),
    "the latest of those before": ([at(NOON - HOUR, 1), at(NOON - TICK, 2), at(NOON + TICK, 3)], {}, 2),
    "exactly as old as may be": ([at(NOON - HOUR, 1)], {"age": HOUR}, 1),
    "a microsecond older": ([at(NOON - HOUR - TICK, 1)], {"age": HOUR}, None),
    "of no age, at the same time": ([at(NOON, 1)], {"age": timedelta(0)}, 1),
    "of no age, before": ([at(NOON - TICK, 1)], {"age": timedelta(0)}, None),
    "arrived with the row": ([at(NOON - HOUR, 1, NOON)], {"arrival": "a"}, 1),
    "arrived a microsecond later": ([at(NOON - HOUR, 1, NOON + TICK)], {"arrival": "a"}, None),
    "a later one that had not arrived": ([OLD, NEW], {"arrival": "a"}, 1),
    "the same, where nobody asks for arrival": ([OLD, NEW], {}, 2),
    "an older one that came last": ([at(NOON - TICK, 2, NOON - HOUR), at(NOON - HOUR, 1, NOON)], {"arrival": "a"}, 2),
    "one known before it was true": ([at(NOON + TICK, 1, NOON - HOUR)], {"arrival": "a"}, None),
    "the later one too late, the older too old": ([OLD, NEW], {"arrival": "a", "age": HOUR / 2}, None),
    "without an arrival": ([at(NOON - HOUR, 1)], {"arrival": "a"}, None),
    "without a time": ([at(None, 1, NOON)], {}, None),
    "of one time, the one that arrived last": (
        [at(NOON, 1, NOON), at(NOON, 2, NOON - HOUR)],
        {"arrival": "a"},
        1,
    ),
    "of one time, the last in order": ([at(NOON, 1), at(NOON, 7), at(NOON, 5)], {}, 5),
    "of another entity": ([at(NOON, 1, key=2)], {}, None),
    "of no entity": ([at(NOON, 1, key=None)], {}, None),
}


@pytest.mark.parametrize(("known", "how", "wanted"), CASES.values(), ids=CASES)
def test_a_row_is_given_what_was_known_then(
    desk: Desk, known: list[Row], how: dict[str, Any], wanted: int | None
) -> None:
    rows = desk.rows(asked(NOON), desk.joined(told(*known), entity=["k"], **{"arrival": None, **how}))
    extra = [] if "arrival" in how else [known_arrival(known, wanted)]
    assert rows == [(1, NOON, *extra, wanted)]


def known_arrival(known: list[Row], value: int | None) -> datetime | None:
    """Where a is a column like others it is added too."""
    return next((row[2] for row in known if row[3] == value), None)


def test_what_has_no_time_or_no_key_is_kept_without_a_match(desk: Desk) -> None:
    table = pa.table({"k": [1, None, 1], "t": pa.array([None, NOON, NOON], STAMP)})
    rows = desk.rows(table, desk.joined(told(at(NOON, 1)), arrival="a"))
    assert [row[-1] for row in rows] == [None, None, None]
    assert [row[-1] for row in desk.rows(table, desk.joined(told(at(NOON, 1, NOON)), arrival="a"))] == [None, None, 1]


def test_nan_is_nobodys_key_and_nought_has_one_sign(desk: Desk) -> None:
    table = pa.table({"k": [NAN, -0.0], "t": pa.array([NOON, NOON], STAMP)})
    known = told(at(NOON, 1, key=NAN), at(NOON, 2, key=0.0)).drop_columns(["a"])
    assert [row[-1] for row in desk.rows(table, desk.joined(known))] == [None, 2]


def test_a_day_begins_at_midnight(desk: Desk) -> None:
    midnight = NOON - 12 * HOUR
    days = pa.table({"k": [1, 1], "t": [date(2024, 5, 1), date(2024, 4, 30)]})
    instants = told(at(midnight - HOUR, 1), at(midnight + TICK, 2)).drop_columns(["a"])
    assert [row[-1] for row in desk.rows(days, desk.joined(instants))] == [1, None]
    known = pa.table({"k": [1, 1], "t": [date(2024, 4, 30), date(2024, 5, 1)], "v": [1, 2]})
    rows = desk.rows(asked(midnight - TICK, midnight), desk.joined(known))
    assert [row[-1] for row in rows] == [1, 2]


def test_times_with_zones_are_compared_as_instants(desk: Desk) -> None:
    desk.database.execute("set TimeZone = 'UTC'")
    zoned = pa.table({"k": [1], "t": pa.array([NOON], pa.timestamp("us", "Europe/Paris"))})  # taken as UTC
    assert desk.rows(zoned, desk.joined(told(at(NOON, 1)).drop_columns(["a"])))[0][-1] == 1
    assert desk.rows(zoned, desk.joined(told(at(NOON + TICK, 1)).drop_columns(["a"])))[0][-1] is None


def test_rows_are_found_by_several_columns_whatever_their_width(desk: Desk) -> None:
    table = pa.table({"k": pa.array([1, 1, 300], pa.int16()), "city": ["a", "b", "a"], "t": [NOON] * 3})
    known = pa.table(
        {"city": ["a", "b"], "k": pa.array([1, 2], pa.int8()), "t": pa.array([NOON] * 2, STAMP), "v": [1, 2]}
    )
    rows = desk.rows(table, desk.joined(known, by=["k", "city"]))
    assert [row[-1] for row in rows] == [1, None, None]


def test_keys_and_times_of_the_joined_set_are_not_added(desk: Desk) -> None:
    known = pa.table({"k": [1], "part": [9], "t": [NOON], "a": [NOON], "v": [1], "w": ["x"]})
    first = desk.joined(known, entity=["k", "part"], arrival="a")
    second = desk.joined(pa.table({"k": [1], "t": [NOON], "u": [0.5]}))
    assert desk.rows(asked(NOON), first, second) == [(1, NOON, 1, "x", 0.5)]


def test_a_join_may_be_by_what_an_earlier_one_added(desk: Desk) -> None:
    first = desk.joined(pa.table({"k": [1], "t": [NOON], "zone": ["n"]}))
    second = desk.joined(pa.table({"zone": ["n"], "t": [NOON], "u": [0.5]}), by=["zone"])
    assert desk.rows(asked(NOON, NOON - TICK), first, second) == [(1, NOON, "n", 0.5), (1, NOON - TICK, None, None)]


def test_of_several_files_the_later_one_is_later_in_order(desk: Desk) -> None:
    known = [pa.table({"k": [1], "t": [NOON], "v": [value]}) for value in (9, 1)]
    assert desk.rows(asked(NOON), desk.joined(*known))[0][-1] == 1


PLAIN = pa.table({"k": [1], "t": [NOON], "v": [1]})
REFUSED: dict[str, tuple[pa.Table, dict[str, Any], str | None, str]] = {
    "rows without a time": (asked(NOON), {}, None, "name their `timestamp`"),
    "a joined set without a time": (asked(NOON), {"timestamp": None}, "t", "names no timestamp; write `timestamp`"),
    "a time that is text": (pa.table({"k": [1], "t": ["x"]}), {}, "t", "timestamp, is string"),
    "a time that is not there": (pa.table({"k": [1]}), {}, "t", "column t, by which"),
    "a key that the rows lack": (pa.table({"K": [1], "t": [NOON]}), {}, "t", "is not in the rows; there is K"),
    "a key that the joined set lacks": (pa.table({"x": [1], "t": [NOON]}), {"by": ["x"]}, "t", "regions; there is k"),
    "keys of different types": (pa.table({"k": ["1"], "t": [NOON]}), {}, "t", "is string in the rows and int64 there"),
    "a column that is there already": (
        pa.table({"k": [1], "t": [NOON], "V": [1]}),
        {},
        "t",
        "v would be there twice",
    ),
    "an arrival that is no time": (asked(NOON), {"arrival": "v"}, "t", "its arrival, column v, is int64"),
}


@pytest.mark.parametrize(("table", "how", "timestamp", "said"), REFUSED.values(), ids=REFUSED)
def test_a_join_is_refused_by_name(
    desk: Desk, table: pa.Table, how: dict[str, Any], timestamp: str | None, said: str
) -> None:
    with pytest.raises(Refused, match=said) as refused:
        desk.rows(table, desk.joined(PLAIN, **how), timestamp=timestamp)
    assert "FeatureSet people/regions" in str(refused.value)


def test_two_joins_with_one_column_name_are_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="v would be there twice"):
        desk.rows(asked(NOON), desk.joined(PLAIN), desk.joined(PLAIN))


Choice = Callable[[random.Random], Any]
KEYS: Choice = lambda dice: dice.choice([None, *range(6)])  # noqa: E731 - one line says it
MOMENTS: Choice = lambda dice: dice.choice([None, *(NOON + HOUR * n for n in range(25))])  # noqa: E731


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("arrival", [None, "a"], ids=["by time", "by time and arrival"])
@pytest.mark.parametrize("age", [None, HOUR * 5], ids=["of any age", "of five hours at most"])
def test_thousands_of_rows_are_joined_as_by_hand(
    desk: Desk, seed: int, arrival: str | None, age: timedelta | None
) -> None:
    dice = random.Random(seed)
    left = [(KEYS(dice), KEYS(dice), MOMENTS(dice)) for _ in range(2000)]
    right = [(KEYS(dice), KEYS(dice), MOMENTS(dice), MOMENTS(dice), number) for number in range(600)]
    asked_for = pa.table(
        {"k": [r[0] for r in left], "j": [r[1] for r in left], "t": pa.array([r[2] for r in left], STAMP)}
    )
    known = [_known(right[:350]), _known(right[350:])]
    joined = desk.joined(*known, by=["k", "j"], entity=["k", "j", "a"], arrival=arrival, age=age)
    found = [row[-1] for row in desk.rows(asked_for, joined)]
    of_key: dict[Row, list[Row]] = {}
    for row in right:
        of_key.setdefault(row[:2], []).append(row)
    wanted = [_by_hand(row, of_key.get(row[:2], []), arrival=arrival is not None, age=age) for row in left]
    assert found == wanted
    assert 200 < sum(value is not None for value in wanted) < 1900


def _known(rows: Sequence[Row]) -> pa.Table:
    times = {name: pa.array([row[place] for row in rows], STAMP) for name, place in (("t", 2), ("a", 3))}
    return pa.table({"k": [row[0] for row in rows], "j": [row[1] for row in rows], **times, "v": [r[4] for r in rows]})


def _by_hand(row: Row, known: Sequence[Row], *, arrival: bool, age: timedelta | None) -> int | None:
    """The definition itself, row against each row of its entity."""
    *key, moment = row
    fits = [
        (time, arrived if arrival else time, number)
        for *_, time, arrived, number in known
        if None not in (*key, moment, time, *([arrived] if arrival else []))
        and time <= moment
        and (not arrival or arrived <= moment)
    ]
    taken = max(fits, default=None)
    return None if taken is None or (age is not None and moment - taken[0] > age) else taken[2]
