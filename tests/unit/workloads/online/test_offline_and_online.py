"""A version and its look-ups: the same values, the latest row, and a pointer that only goes forward."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from merkhet.contract.features import Blob, Column, FeaturesManifest, FeaturesResult
from merkhet.contract.online import OnlinePointer
from merkhet.errors import Refused
from merkhet.store import paths
from merkhet.workloads.features import online
from merkhet.workloads.features.blobs import Files
from merkhet.workloads.features.tables import Telling
from merkhet.workloads.online.file import File
from merkhet.workloads.online.table import FileTable, open_verified
from tests.unit.workloads.features.making import Workshop, workshop

NAMES = ["zoë", 'quo"te', "back\\slash", "li\nne", "", "😀", " 42", "nul\x00l", "ключ", "null"]
SOURCE = {"t": "store://raw/t.parquet"}
BY_ID: dict[str, Any] = {"entity": ["id"], "online": True}
BY_TIME: dict[str, Any] = {**BY_ID, "timestamp": "at"}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def opened(shop: Workshop, ttl: float | None = None) -> FileTable:
    return FileTable.of(open_verified(shop.places.store, pointer(shop), "adults"), ttl)


def pointer(shop: Workshop) -> OnlinePointer:
    return OnlinePointer.load(shop.store.read(paths.online_pointer("adults")))


def looked_up(shop: Workshop, *entities: dict[str, Any]) -> list[Any]:
    table = opened(shop)
    found = table.find(table.keys.of_objects(list(entities)), 0.0)
    return [None if row is None else json.loads(row) for row in found.rows]


def everything(rows: int, seed: int) -> pa.Table:
    """Columns of every type, a third of their values missing, and floats from all over their range."""
    rng = np.random.default_rng(seed)
    wide = rng.integers(0, 2**64, rows, dtype=np.uint64)
    columns: dict[str, Any] = {
        "flag": pa.array(wide % 2 == 0),
        "text": pa.array([NAMES[int(at)] for at in wide % len(NAMES)]),
        "day": pa.array((wide % 40_000).astype(np.int32), pa.int32()).cast(pa.date32()),
        "at": pa.array((wide % (4 * 10**15)).astype(np.int64) - 10**15, pa.timestamp("us")),
        "f32": pa.array(wide.astype(np.uint32).view(np.float32)),
        "f64": pa.array(wide.view(np.float64)),
        "whole": pa.array((wide % 1000).astype(np.float64)),
    }
    for bits in (8, 16, 32, 64):
        columns[f"i{bits}"] = pa.array(wide.view(np.int64).astype(f"i{bits // 8}"))
        columns[f"u{bits}"] = pa.array(wide.astype(f"u{bits // 8}"))
    missing = {
        name: pa.array([None if rng.random() < 1 / 3 else value for value in column.to_pylist()], column.type)
        for name, column in columns.items()
    }
    key = pa.array([f"{NAMES[at % len(NAMES)]}{at}" for at in range(rows)])
    return pa.table({"id": key, "region": pa.array(np.arange(rows) - rows // 2), **missing})


def as_offline(value: Any, like: Any) -> Any:
    """What JSON says, in the type that the version has."""
    if isinstance(like, float) and value in ("Infinity", "-Infinity"):
        return float(value)
    if isinstance(like, datetime):
        assert value.endswith("Z")
        return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
    return date.fromisoformat(value) if isinstance(like, date) else value


def same(value: Any, offline: Any, type_: str) -> bool:
    if offline is None or (isinstance(offline, float) and math.isnan(offline)):
        return value is None
    online = as_offline(value, offline)
    if type_ == "float":  # of Arrow: 32 bits
        return bool(np.float32(online) == np.float32(offline))
    return type(online) is type(offline) and bool(online == offline)


@pytest.mark.parametrize("seed", range(3))
def test_every_value_of_a_version_is_found_as_it_is(shop: Workshop, seed: int) -> None:
    shop.put("t.parquet", everything(400, seed))
    made = shop.make(SOURCE, entity=["id", "region"], online=True)
    rows = shop.table().to_pylist()
    types = {field.name: str(field.type) for field in shop.table().schema}
    found = looked_up(shop, *({"id": row["id"], "region": row["region"]} for row in rows))
    assert made.online
    for row, given in zip(rows, found, strict=True):
        assert list(given)[:2] == ["id", "region"]
        assert given.keys() == row.keys()
        wrong = {name: (given[name], row[name]) for name in row if not same(given[name], row[name], types[name])}
        assert not wrong


def test_floats_are_written_by_the_fewest_digits(shop: Workshop) -> None:
    shop.put("t.parquet", pa.table({"id": [1], "a": pa.array([0.1], pa.float32()), "b": [0.1], "c": [3.0]}))
    shop.make(SOURCE, **BY_ID)
    table = opened(shop)
    assert table.find(table.keys.of_objects([{"id": 1}]), 0).rows == [b'{"id":1,"a":0.1,"b":0.1,"c":3.0}']


@pytest.mark.parametrize("type_", ["date", "timestamp"])
@pytest.mark.parametrize(("value", "stale"), [("infinity", 0), ("-infinity", 1)])
def test_a_time_beyond_the_calendar_is_infinite_as_floats_are(
    shop: Workshop, type_: str, value: str, stale: int
) -> None:
    shop.put("t.parquet", {"id": [1]})
    shop.make(SOURCE, query=f"select id, '{value}'::{type_} as at from t", **BY_TIME)
    table = opened(shop, ttl=1.0)
    answer = table.find(table.keys.of_objects([{"id": 1}]), 1e9)
    assert answer.stale == stale
    if not stale:
        assert answer.rows == [b'{"id":1,"at":"Infinity"}']
    assert looked_up(shop, {"id": 1}) == [{"id": 1, "at": value.replace("i", "I", 1)}]


T0, T1 = (datetime(2024, 1, day, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"at": T1, "known": T0, "x": 1}, {"at": T0, "known": T1, "x": 9}, id="the later timestamp"),
        pytest.param({"at": T0, "known": T1, "x": 1}, {"at": T0, "known": T0, "x": 9}, id="the later arrival"),
        pytest.param({"at": T0, "known": T0, "x": 9}, {"at": T0, "known": T0, "x": 1}, id="the larger value"),
        pytest.param({"at": T0, "known": T0, "x": 1}, {"at": None, "known": T1, "x": 9}, id="the one with a time"),
        pytest.param({"at": T0, "known": T0, "x": 9}, {"at": T0, "known": None, "x": 9}, id="the one that arrived"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_latest_row_is(shop: Workshop, first: dict[str, Any], second: dict[str, Any], turned: bool) -> None:
    rows = [{"id": 1, **first}, {"id": 1, **second}]
    times = [(name, pa.timestamp("us")) for name in ("at", "known")]
    schema = pa.schema([("id", pa.int64()), ("x", pa.int64()), *times])
    offered(shop, pa.Table.from_pylist(rows[::-1] if turned else rows, schema))
    (found,) = looked_up(shop, {"id": 1})
    assert (found["x"], found["at"]) == (first["x"], f"{first['at'].isoformat()}Z")


def offered(shop: Workshop, table: pa.Table) -> None:
    """A version of these rows as if it were published, made ready for look-ups."""
    shop.put("blob.parquet", table)
    blob = Blob(digest=shop.store.add(shop.store.read("raw/blob.parquet")), size=1)
    columns = tuple(
        Column(name=name, type="int64" if name in ("id", "x") else "timestamp") for name in table.column_names
    )
    manifest = FeaturesManifest(
        feature_set="adults", number=1, data_digest="", rows=table.num_rows, columns=columns, entity=("id",),
        timestamp="at", arrival="known", blobs=(blob,),
    )  # fmt: skip
    shop.store.create(paths.feature_manifest("adults", 1), manifest.dump().encode())
    task = shop.task(SOURCE, arrival="known", **BY_TIME)
    made = FeaturesResult(number=1, digest="sha256:1", rows=table.num_rows, columns=columns, created="")
    desk = online.Desk(
        Files(shop.store), shop.places.scratch, Telling(shop.places.store, personal=False), shop.said.append
    )
    assert online.offer(task, made, desk).online


def test_an_entity_that_repeats_without_a_timestamp_is_refused_before_anything_is_published(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1, 1, 2, 2, 3, None, None], "x": range(7)})
    with pytest.raises(Refused, match=r"2 entities \(id\) have more than one row") as refused:
        shop.make(SOURCE, **BY_ID)
    assert refused.value.reason == "DuplicateEntity"
    assert list(shop.store.list(paths.feature_sets("adults"))) == []


def test_an_entity_that_is_no_exact_value_is_refused(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1.5, 2.0]})
    with pytest.raises(Refused, match="entity column id is float64"):
        shop.make(SOURCE, **BY_ID)


def test_a_row_that_is_about_nobody_is_left_out(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1, None], "x": [1, 2]})
    shop.make(SOURCE, **BY_ID)
    assert opened(shop).file.header.entities == 1


def test_personal_columns_are_left_out_but_for_the_entity(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": ["ada"], "address": ["Elm Street"], "x": [1]})
    personal = [{"name": "id", "personal": True}, {"name": "address", "personal": True}]
    shop.make(SOURCE, columns=personal, **BY_ID)
    assert looked_up(shop, {"id": "ada"}) == [{"id": "ada", "x": 1}]
    content = shop.store.fetch(pointer(shop).digest).read_bytes()
    assert b"address" not in content
    assert b"Elm" not in content


def test_the_same_rows_are_the_same_file_but_for_the_manifests_digest(shop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = workshop(tmp_path / "other")
    table = everything(3000, 1)
    files = []
    for where, rows in ((shop, table), (other, table.take(list(range(2999, -1, -1))))):
        where.put("t.parquet", rows)
        made = where.make(SOURCE, entity=["id"], timestamp="at", online=True)
        content = where.store.fetch(pointer(where).digest).read_bytes()
        files.append(content.replace(made.digest.encode(), b""))
    assert files[0] == files[1]


def test_a_new_version_takes_the_place_of_the_former(shop: Workshop) -> None:
    for x in (1, 2):
        shop.put("t.parquet", {"id": [1], "x": [x]})
        shop.make(SOURCE, **BY_ID)
    assert pointer(shop).number == 2
    assert looked_up(shop, {"id": 1}) == [{"id": 1, "x": 2}]


def test_without_online_there_is_no_file(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1]})
    assert not shop.make(SOURCE, entity=["id"]).online
    assert not shop.store.exists(paths.online_pointer("adults"))


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda shop: shop.store.delete(paths.online_pointer("adults")), id="the pointer is lost"),
        pytest.param(lambda shop: shop.store.delete(paths.blob(pointer(shop).digest)), id="the file is lost"),
        pytest.param(lambda shop: shop.store.replace(paths.online_pointer("adults"), b"{"), id="the pointer is spoilt"),
        pytest.param(
            lambda shop: shop.store.replace(
                paths.online_pointer("adults"), pointer(shop).model_copy(update={"format": 0}).dump().encode()
            ),
            id="the file has another format",
        ),
    ],
)
def test_unchanged_rows_are_made_ready_again_when(shop: Workshop, spoil: Any) -> None:
    shop.put("t.parquet", {"id": [1], "x": [5]})
    shop.make(SOURCE, **BY_ID)
    before = pointer(shop)
    spoil(shop)
    made = shop.make(SOURCE, **BY_ID)
    assert (made.unchanged, made.online) == (True, True)
    assert pointer(shop) == before
    assert looked_up(shop, {"id": 1}) == [{"id": 1, "x": 5}]


def test_a_version_that_was_published_before_online_was_asked_for_is_made_ready(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1]})
    shop.make(SOURCE, entity=["id"])
    made = shop.make(SOURCE, **BY_ID)
    assert (made.unchanged, made.online, pointer(shop).number) == (True, True, 1)


def test_what_is_there_is_not_made_again(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1]})
    shop.make(SOURCE, **BY_ID)
    shop.said.clear()
    shop.make(SOURCE, **BY_ID)
    assert not [words for words in shop.said if "look-ups" in words]


def test_an_older_version_never_takes_the_place_of_a_newer(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1]})
    shop.make(SOURCE, run="annotation/a", **BY_ID)
    newer = pointer(shop).model_copy(update={"number": 7})
    shop.store.replace(paths.online_pointer("adults"), newer.dump().encode())
    assert not shop.make(SOURCE, **BY_ID).online
    assert pointer(shop) == newer


def test_a_file_is_of_the_version_and_the_manifest(shop: Workshop) -> None:
    shop.put("t.parquet", {"id": [1]})
    made = shop.make(SOURCE, **BY_ID)
    header = opened(shop).file.header
    assert (header.number, header.manifest, header.feature_set) == (1, made.digest, "adults")
    with shop.store.open(pointer(shop).digest) as content:
        assert File.open(content, "the file").number == 1
