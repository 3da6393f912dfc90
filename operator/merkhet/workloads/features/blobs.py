"""Rows as parquet blobs in the store, in the order they come in; the same rows give the same digest."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from merkhet.contract.features import Blob, Column
from merkhet.store import paths
from merkhet.store.port import Draft, Store
from merkhet.workloads.features.digest import TableDigest
from merkhet.workloads.run import Progress, RefusedForNow

BLOB_ROWS = 1_000_000
GROUP_ROWS = 100_000
GROUP_VALUES = 1_000_000  # a row group of many columns has fewer rows; measured: four times as much costs 100 MB
UNDER_WAY = 2  # row groups that wait for their thread
# Of zstd; measured on twelve kinds of columns: of level 3 the size, and three quarters of the time.
LEVEL = 1
LOOKED_AT = 10_000  # rows of a file, by which the encoding of its columns is chosen
# Fixed, because each of them changes the bytes.
PARQUET = {
    "version": "2.6",
    "data_page_version": "1.0",
    # A column of many different values gives up its dictionary early; measured: four times as fast, and smaller.
    "dictionary_pagesize_limit": 16 * 1024,
    "write_statistics": True,
    "store_schema": False,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and the digest of its columns and rows, which neither order nor a library's version changes."""

    digest: str
    rows: int
    columns: tuple[Column, ...]
    blobs: tuple[Blob, ...]
    keys_may_repeat: bool = False  # False is certain


def write(
    pieces: Iterable[pa.Table],
    columns: tuple[Column, ...],
    store: Store,
    progress: Progress,
    *,
    keys: Collection[str] = (),
) -> Written:
    """Store the rows; raises ``RefusedForNow`` where there is none.

    While the database makes the next rows, one thread writes the last ones into the store, another digests them, and
    a third waits until the disk has the files that are whole.
    """
    digest = TableDigest(columns, keys)
    size = group_rows(len(columns))
    with (
        ThreadPoolExecutor(1) as storing,
        closing(_Parts(_Shelf(store, progress, storing), store, groups=BLOB_ROWS // size)) as parts,
        ThreadPoolExecutor(1) as writing,
        ThreadPoolExecutor(1) as digesting,
    ):
        line = _Line(parts, digest, writing, digesting)
        for group in _groups(pieces, size):
            line.take(group)
        blobs = line.end()
    if not digest.rows:
        raise RefusedForNow("the query gives no row; look at its sources and conditions", reason="NoRows")
    return Written(
        digest=digest.hexdigest(),
        rows=digest.rows,
        columns=tuple(
            column.model_copy(update={"missing": missing})
            for column, missing in zip(columns, digest.missing, strict=True)
        ),
        blobs=tuple(blobs),
        keys_may_repeat=digest.keys_may_repeat(),
    )


class Files:
    """The files of blobs, each verified once in a run; what the run wrote itself it has digested as it wrote."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._seen: set[str] = set()

    def saw(self, blobs: Iterable[Blob]) -> None:
        """Take their bytes for good."""
        self._seen.update(blob.digest for blob in blobs)

    def of(self, blobs: Sequence[Blob]) -> list[Path]:
        """Where they stand; raises ``Missing``, ``Corrupt``."""
        found = [self.store.fetch(blob.digest, verify=blob.digest not in self._seen) for blob in blobs]
        self.saw(blobs)
        return found


class _Shelf:
    """The blobs, in the order in which they were given."""

    def __init__(self, store: Store, progress: Progress, storing: Executor) -> None:
        self._store, self._progress, self._storing = store, progress, storing
        self._blobs: list[Future[Blob]] = []
        self._rows = 0

    def take(self, file: Draft, rows: int) -> None:
        """Keep a file that is whole while others are written; wait where the one before is not there yet."""
        self._blobs.append(self._storing.submit(self._kept, file, rows))
        for before in self._blobs[-2:-1]:
            before.result()

    def blobs(self) -> list[Blob]:
        """All that were taken."""
        return [blob.result() for blob in self._blobs]

    def _kept(self, file: Draft, rows: int) -> Blob:
        with file:
            digest = file.keep()
        blob = Blob(digest=digest, size=self._store.stat(paths.blob(digest)).size, rows=rows)
        self._rows += rows
        self._progress(f"written {self._rows:,} rows")
        return blob


class _Parts:
    """The parquet files, one after the other; used by one thread."""

    def __init__(self, shelf: _Shelf, store: Store, *, groups: int) -> None:
        self.shelf = shelf
        self._store, self._most = store, groups
        self._part: _Part | None = None

    def write(self, group: pa.Table) -> None:
        """The next row group."""
        self._part = self._part or _Part(self._store.draft(), group)
        self._part.write(group)
        if self._part.groups == self._most:
            self.end()

    def end(self) -> None:
        """Make a blob of what is written."""
        if self._part is not None:
            self._part.writer.close()
            part, self._part = self._part, None
            self.shelf.take(part.file, part.rows)

    def close(self) -> None:
        """Let go of what is half written."""
        if self._part is not None:
            with suppress(Exception), self._part.file:  # why it is only half written is known already
                self._part.writer.close()


class _Part:
    """A parquet file as it is written."""

    def __init__(self, file: Draft, first: pa.Table) -> None:
        self.file = file
        self.groups = self.rows = 0
        try:
            self.writer = pq.ParquetWriter(file, first.schema, **PARQUET, **_encodings(first))  # which writes already
        except BaseException:
            file.close()
            raise

    def write(self, group: pa.Table) -> None:
        """The next row group."""
        self.writer.write_table(group, row_group_size=group.num_rows)
        self.groups += 1
        self.rows += group.num_rows


def _encodings(first: pa.Table) -> dict[str, Any]:
    """How the columns of a file are written whose first rows these are.

    A dictionary pays where values come again. Other numbers have the first bytes of all together, then the second ones,
    and so on, which packs better. Of such fractions LZ4 leaves hardly more than zstd does (measured on normal and
    uniform ones: 3 to 5 % more, and less than zstd leaves of them together) in two thirds of the time.
    """
    numbers = [field for field in first.schema if _is_number(field.type)]
    split = [field for field in numbers if _hardly_repeats(first.column(field.name).slice(0, LOOKED_AT))]
    many, fractions = {field.name for field in split}, {field.name for field in split if _is_fraction(field.type)}
    return {
        "use_dictionary": [name for name in first.column_names if name not in many],
        "column_encoding": dict.fromkeys(many, "BYTE_STREAM_SPLIT") or None,
        "compression": {name: "lz4" if name in fractions else "zstd" for name in first.column_names},
        "compression_level": {name: LEVEL for name in first.column_names if name not in fractions},
    }


def _is_fraction(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_temporal(kind))


def _hardly_repeats(values: Any) -> bool:
    """Whether most of them come once. Prices come again: left together, their bytes pack better."""
    return bool(pc.count_distinct(values).as_py() > len(values) * 3 // 4)


class _Line:
    """Row groups on their way through both threads, a few at a time."""

    def __init__(self, parts: _Parts, digest: TableDigest, writing: Executor, digesting: Executor) -> None:
        self._parts, self._digest, self._writing, self._digesting = parts, digest, writing, digesting
        self._under_way: deque[tuple[Future[None], Future[None]]] = deque()

    def take(self, group: pa.Table) -> None:
        """Send a group on its way, and wait while there are too many."""
        sent = self._writing.submit(self._parts.write, group), self._digesting.submit(self._digest.take, group)
        self._under_way.append(sent)
        while len(self._under_way) > UNDER_WAY:
            self._arrived()

    def end(self) -> list[Blob]:
        """Wait for all, and give the blobs."""
        while self._under_way:
            self._arrived()
        self._writing.submit(self._parts.end).result()
        return self._parts.shelf.blobs()

    def _arrived(self) -> None:
        for future in self._under_way.popleft():
            future.result()


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
