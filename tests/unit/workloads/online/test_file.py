"""The file: every entity and nobody else is found, however hashes fall; what is not whole is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from merkhet.errors import Corrupt
from merkhet.workloads.online import file as layout
from merkhet.workloads.online import writer
from merkhet.workloads.online.file import END, NEVER, File
from merkhet.workloads.online.keys import Keys
from merkhet.workloads.online.table import FileTable
from tests.unit.workloads.online.making import write

ALPHABETS = ("0123456789", 'ab"\\\n\x00 ', "éßñ", "漢字", "😀🙃", "\u2028\ufeff")


def random_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Rows with keys of all kinds, none of them twice."""
    chance = random.Random(seed)
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    while len(rows) < count:
        text = "".join(chance.choices(chance.choice(ALPHABETS), k=chance.randrange(6)))
        number = chance.choice([chance.randrange(-5, 50), chance.randrange(-(2**63), 2**63)])
        rows[text, number] = {"name": text, "region": number, "x": chance.random(), "words": '"name":"'}
    return list(rows.values())


def found(file: File, *entities: dict[str, Any]) -> list[Any]:
    table = FileTable.of(file, None)
    rows = table.find(table.keys.of_objects(list(entities)), 0.0).rows
    return [None if row is None else json.loads(row) for row in rows]


def key_of(row: dict[str, Any]) -> dict[str, Any]:
    return {"name": row["name"], "region": row["region"]}


# By how many bits of the hash are looked at; all others are nought.
WIDTHS = [
    pytest.param((1 << 64) - 1, id="64 bits"),
    pytest.param(0xFF00000000000000, id="the first 8 bits: collisions in most places"),
    pytest.param(0x0000000000000003, id="the last 2 bits: all in one place of the directory"),
    pytest.param(0, id="no bits: all collide"),
]


@pytest.mark.parametrize("mask", WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 3, 257])
def test_everybody_is_found_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mask: int, count: int
) -> None:
    monkeypatch.setattr(layout, "HASH_MASK", mask)
    rows = random_rows(2 * count, count)
    there, absent = rows[:count], rows[count:]
    file = write(tmp_path / "file", there, "name", "region")
    assert found(file, *map(key_of, there)) == there
    assert found(file, *map(key_of, absent)) == [None] * count


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        pytest.param({"id": 421}, {"id": 42}, id="a number that begins the same"),
        pytest.param({"id": 42}, {"id": 421}, id="a number that goes on"),
        pytest.param({"id": 42}, {"id": -42}, id="the other sign"),
    ],
)
def test_a_key_that_collides_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: dict[str, Any], asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(layout, "HASH_MASK", 0)
    assert found(write(tmp_path / "file", [{**there, "x": 1}], "id"), asked, there) == [None, {**there, "x": 1}]


def test_many_ranges_are_ordered_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = random_rows(1000, 0)
    write(tmp_path / "one", rows, "name", "region")
    monkeypatch.setattr(writer, "RANGE_ENTRIES", 90)
    monkeypatch.setattr(writer, "CHUNK_ENTRIES", 13)
    write(tmp_path / "many", rows, "name", "region")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()


HOUR = 3600.0
SECOND = 1_000_000


@pytest.mark.parametrize(
    ("time", "stale"),
    [
        pytest.param(1_000_000 * SECOND, 0, id="exactly as old as allowed"),
        pytest.param(1_000_000 * SECOND - 1, 1, id="a microsecond older"),
        pytest.param(2_000_000 * SECOND, 0, id="from the future"),
        pytest.param(NEVER, 1, id="without a time"),
    ],
)
def test_rows_beyond_the_limit_are_not_given(tmp_path: Path, time: int, stale: int) -> None:
    file = write(tmp_path / "file", [{"id": 1}], "id", times=[time])
    table = FileTable.of(file, HOUR)
    answer = table.find(table.keys.of_objects([{"id": 1}, {"id": 2}]), 1_000_000 + HOUR)
    assert (answer.stale, answer.rows) == (stale, [None if stale else b'{"id":1}', None])


def test_without_a_limit_all_rows_are_given(tmp_path: Path) -> None:
    table = FileTable.of(write(tmp_path / "file", [{"id": 1}], "id", times=[NEVER]), None)
    assert table.find(table.keys.of_objects([{"id": 1}]), 1e12).rows == [b'{"id":1}']


def _reseated(content: bytes, **changes: Any) -> bytes:
    """The file with another header."""
    size, magic = END.unpack(content[-END.size :])
    start = len(content) - END.size - size
    header = json.loads(content[start : start + size]) | changes
    text = json.dumps(header).encode()
    return content[:start] + text + END.pack(len(text), magic)


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte": lambda content: b"m",
    "without its end": lambda content: content[:-1],
    "without its beginning": lambda content: content[1:],
    "its first half": lambda content: content[: len(content) // 2],
    "another file": lambda content: b"PAR1" * 100,
    "a header that is longer than the file": lambda content: content[: -END.size] + END.pack(2**32 - 1, layout.MAGIC),
    "a header that is no JSON": lambda content: content[: -END.size - 1] + b"!" + content[-END.size :],
    "another format": lambda content: _reseated(content, format=2),
    "more entities than there are": lambda content: _reseated(content, entities=9),
    "a directory elsewhere": lambda content: _reseated(content, directory=0),
    "bits of no hash": lambda content: _reseated(content, bits=-1),
    "bytes in between": lambda content: content[:20] + b"\0" * 8 + content[20:],
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_file_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "good", [{"id": at} for at in range(5)], "id")
    bad = tmp_path / "bad"
    bad.write_bytes(SPOILT[name]((tmp_path / "good").read_bytes()))
    with bad.open("rb") as content, pytest.raises(Corrupt, match="run its FeatureSet again"):
        File.open(content, "blob sha256:…")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"entity": []}, id="nothing"),
        pytest.param({"entity": ["name"]}, id="a column that is not there"),
        pytest.param({"columns": [{"name": "id", "type": "float64"}]}, id="a float"),
        pytest.param({"columns": [{"name": "id", "type": "struct"}]}, id="a type of another version's"),
    ],
)
def test_what_nothing_is_looked_up_by_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path / "good", [{"id": 1}], "id")
    strange = tmp_path / "strange"
    strange.write_bytes(_reseated((tmp_path / "good").read_bytes(), **changes))
    with strange.open("rb") as content, pytest.raises(Corrupt, match="no entity that can be looked up"):
        FileTable.of(File.open(content, "blob sha256:…"), None)


def test_keys_of_columns_are_those_of_objects(tmp_path: Path) -> None:
    rows = random_rows(20, 3)
    keys = Keys(write(tmp_path / "file", rows, "name", "region").header)
    columns = {name: [row[name] for row in rows] for name in ("name", "region")}
    assert keys.of_columns(columns, 20) == keys.of_objects(list(map(key_of, rows)))
