"""Rows as parquet blobs: the same bytes each time, cheap encodings where they pay, and nothing half written."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import Blob, Column
from merkhet.errors import Corrupt
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.features import blobs
from merkhet.workloads.features.blobs import Files
from merkhet.workloads.features.sampling import _ends

ROWS = 3_000


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def table() -> pa.Table:
    draw = random.Random(5)
    return pa.table(
        {
            "income": pa.array([draw.random() for _ in range(ROWS)], pa.float64()),
            "moment": pa.array(range(ROWS), pa.timestamp("us")),
            "rooms": pa.array([float(draw.randrange(9)) for _ in range(ROWS)], pa.float32()),
            "town": [f"town {draw.randrange(50)}" for _ in range(ROWS)],
            "nothing": pa.nulls(ROWS, pa.int32()),
            "one.two": pa.array([draw.getrandbits(63) for _ in range(ROWS)], pa.int64()),
        }
    )


COLUMNS = tuple(
    Column(name=name, type=kind)
    for name, kind in (
        *(("income", "float64"), ("moment", "timestamp"), ("rooms", "float32"), ("town", "string")),
        *(("nothing", "int32"), ("one.two", "int64")),
    )
)


def silent(_: str) -> None:
    """Nobody listens."""


def test_rows_come_back_and_are_the_same_bytes_each_time(store: Volume) -> None:
    first = blobs.write([table()], COLUMNS, store, silent)
    again = blobs.write([table().slice(0, 7), table().slice(7)], COLUMNS, store, silent)
    assert first == again
    (blob,) = first.blobs
    file = store.fetch(blob.digest)
    assert pq.read_table(file).equals(table().cast(pq.read_schema(file)))
    assert (blob.rows, blob.size) == (ROWS, file.stat().st_size)


@pytest.mark.parametrize(
    ("column", "encoding"),
    [
        pytest.param("income", "BYTE_STREAM_SPLIT", id="fractions that hardly repeat"),
        pytest.param("moment", "BYTE_STREAM_SPLIT", id="times that hardly repeat"),
        pytest.param("one.two", "BYTE_STREAM_SPLIT", id="numbers under a name with a dot"),
        pytest.param("rooms", "RLE_DICTIONARY", id="numbers that repeat"),
        pytest.param("town", "RLE_DICTIONARY", id="words"),
        pytest.param("nothing", "RLE_DICTIONARY", id="no value at all"),
    ],
)
def test_a_column_is_written_in_the_way_that_packs_its_values_well(store: Volume, column: str, encoding: str) -> None:
    (blob,) = blobs.write([table()], COLUMNS, store, silent).blobs
    group = pq.read_metadata(store.fetch(blob.digest)).row_group(0)
    assert encoding in group.column(table().column_names.index(column)).encodings


def test_rows_that_end_in_an_error_leave_nothing_half_written(store: Volume) -> None:
    def failing() -> Any:
        yield table()
        raise RuntimeError("the query fails")

    with pytest.raises(RuntimeError, match="the query fails"):
        blobs.write(failing(), COLUMNS, store, silent)
    assert not [file for file in store.root.rglob("*") if file.is_file()]


def test_a_disk_that_is_full_ends_the_rows_and_leaves_nothing(store: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Volume.draft

    def full(self: Volume) -> Any:
        draft = begin(self)

        def write(content: bytes | memoryview) -> int:
            raise OSError(28, "No space left on device")

        draft.write = write  # type: ignore[method-assign]  # the disk's part
        return draft

    monkeypatch.setattr(Volume, "draft", full)
    monkeypatch.setattr(blobs, "GROUP_ROWS", 1_000)
    with pytest.raises(OSError, match="No space left"):
        blobs.write([table()], COLUMNS, store, silent)
    assert not [file for file in store.root.rglob("*") if file.is_file()]


def test_a_file_of_another_run_is_verified_once_and_an_own_one_not_again(store: Volume) -> None:
    (blob,) = blobs.write([table()], COLUMNS, store, silent).blobs
    own, others = Files(store), Files(store)
    own.saw([blob])
    assert others.of([blob]) == own.of([blob]) == [store.root / paths.blob(blob.digest)]
    (store.root / paths.blob(blob.digest)).write_bytes(b"rotten")
    assert others.of([blob]) == own.of([blob])
    with pytest.raises(Corrupt, match=blob.digest):
        Files(store).of([Blob(digest=blob.digest, size=6, rows=ROWS)])


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        pytest.param(pa.array([2**64 - 1, 5, 2**63], pa.uint64()), [5, 2**64 - 1], id="whole numbers of 64 bits"),
        pytest.param(pa.array([-5, 1, None], pa.int8()), [-5, 1], id="one missing"),
        pytest.param(pa.array([math.nan, math.inf, -3.5]), [-3.5, -3.5], id="only one is finite"),
        pytest.param(pa.array([math.nan] * 3), [], id="none is a number"),
        pytest.param(pa.array([None] * 3, pa.int32()), [], id="none is there"),
        pytest.param(pa.array([0.0, 1.0, 0.0], pa.float32()), [0.0, 1.0], id="nought"),
    ],
)
def test_the_ends_of_a_column_are_its_least_and_greatest_finite_numbers(
    tmp_path: Path, values: Any, ends: list[float]
) -> None:
    pq.write_table(pa.table({"x": values}), tmp_path / "x.parquet")
    with pq.ParquetFile(tmp_path / "x.parquet") as file:
        found = list(_ends(file, "x"))
    assert found == ends
    assert all(math.copysign(1, end) == 1 for end in found if end == 0)
