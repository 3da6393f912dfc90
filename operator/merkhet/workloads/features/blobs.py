"""Rows as parquet blobs in the store: the same rows give the same bytes and the same digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from merkhet.contract.base import canonical
from merkhet.contract.features import Blob, Column
from merkhet.store.port import Store
from merkhet.workloads.run import Progress, RefusedForNow

BLOB_ROWS = 1_000_000
GROUP_ROWS = 100_000
GROUP_VALUES = 1_000_000  # a row group of many columns has fewer rows; measured: four times as much costs 100 MB
# Fixed, because each of them changes the bytes.
PARQUET = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
    "write_statistics": True,
    "store_schema": False,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and the digest of its columns and values, which no library's version changes."""

    digest: str
    rows: int
    columns: tuple[Column, ...]
    blobs: tuple[Blob, ...]


def write(
    pieces: Iterable[pa.Table], columns: tuple[Column, ...], store: Store, scratch: Path, progress: Progress
) -> Written:
    """Store the rows; raises ``RefusedForNow`` where there is none."""
    contents = [_Content(column) for column in columns]
    blobs: list[Blob] = []
    rows = 0
    size = group_rows(len(columns))
    for part in _parts(_groups(pieces, size), groups=BLOB_ROWS // size):
        file = scratch / "part.parquet"
        written = _write(part, file, contents)
        rows += written
        blobs.append(Blob(digest=store.add(file), size=file.stat().st_size, rows=written))
        file.unlink()
        progress(f"written {rows:,} rows")
    if not rows:
        raise RefusedForNow("the query gives no row; look at its sources and conditions", reason="NoRows")
    described = [[content.column.name, content.column.type, *content.digests()] for content in contents]
    return Written(
        digest=f"sha256:{hashlib.sha256(canonical(described).encode()).hexdigest()}",
        rows=rows,
        columns=tuple(content.column.model_copy(update={"missing": content.missing}) for content in contents),
        blobs=tuple(blobs),
    )


def group_rows(columns: int) -> int:
    """How many rows a row group has."""
    return max(1_000, min(GROUP_ROWS, GROUP_VALUES // columns))


def _groups(pieces: Iterable[pa.Table], size: int) -> Iterator[pa.Table]:
    """Tables of exactly ``size`` rows and a last smaller one, whatever pieces the rows come in."""
    held: list[pa.Table] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.num_rows
        while count >= size:
            table = pa.concat_tables(held)
            yield table.slice(0, size).combine_chunks()
            held, count = [table.slice(size)], count - size
    if count:
        yield pa.concat_tables(held).combine_chunks()


def _parts(tables: Iterator[pa.Table], groups: int) -> Iterator[Iterator[pa.Table]]:
    """The row groups of one blob after another; each part must be used up before the next is asked for."""
    for first in tables:
        yield chain((first,), islice(tables, groups - 1))


def _write(groups: Iterator[pa.Table], file: Path, contents: list[_Content]) -> int:
    """One parquet file, and how many rows it has."""
    first = next(groups)
    rows = 0
    with pq.ParquetWriter(file, first.schema, **PARQUET) as writer:
        for group in chain((first,), groups):
            writer.write_table(group, row_group_size=group.num_rows)
            for content, values in zip(contents, group.columns, strict=True):
                content.take(values.combine_chunks())
            rows += group.num_rows
    return rows


class _Content:
    """The digest and the missing values of a column as it passes, in whatever pieces."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.missing = 0
        self._present, self._lengths, self._values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def take(self, values: Any) -> None:
        """Take the next values, an Arrow array."""
        array = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
        self._present.update(_bytes(pc.is_valid(array)))
        self.missing += array.null_count
        if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
            text = pc.fill_null(array, "").cast(pa.large_string())
            self._lengths.update(_bytes(pc.binary_length(text)))
            self._values.update(_text(text))
            return
        if pa.types.is_temporal(array.type):
            array = array.view(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
        numbers = np.array(pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0))
        if pa.types.is_floating(array.type):
            missing = np.isnan(numbers)
            self.missing += int(missing.sum())
            numbers[missing] = np.nan  # of the many bit patterns of NaN, one
        self._values.update(numbers.tobytes())

    def digests(self) -> tuple[str, str, str]:
        """Which values are present, how long texts are, and the values."""
        return self._present.hexdigest(), self._lengths.hexdigest(), self._values.hexdigest()


def _bytes(array: Any) -> bytes:
    return bytes(np.asarray(array).tobytes())


def _text(array: Any) -> memoryview:
    """The characters of an Arrow large_string array without missing values, one after the other."""
    _, offsets, characters = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return memoryview(characters or b"")[ends[0] : ends[-1]]
