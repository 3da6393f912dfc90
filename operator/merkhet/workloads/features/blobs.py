"""Rows as parquet blobs in the store, in the order they come in; the same rows give the same digest."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from merkhet.contract.features import Blob, Column
from merkhet.store.port import Store
from merkhet.workloads.features.digest import TableDigest
from merkhet.workloads.run import Progress, RefusedForNow

BLOB_ROWS = 1_000_000
GROUP_ROWS = 100_000
GROUP_VALUES = 1_000_000  # a row group of many columns has fewer rows; measured: four times as much costs 100 MB
UNDER_WAY = 2  # row groups that wait for their thread
# Fixed, because each of them changes the bytes.
PARQUET = {
    "compression": "zstd",
    "compression_level": 3,
    "version": "2.6",
    "data_page_version": "1.0",
    "use_dictionary": True,
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
    scratch: Path,
    progress: Progress,
    *,
    keys: Collection[str] = (),
) -> Written:
    """Store the rows; raises ``RefusedForNow`` where there is none.

    While the database makes the next rows, one thread writes the last ones, another digests them, and a third puts
    the files that are whole into the store.
    """
    digest = TableDigest(columns, keys)
    size = group_rows(len(columns))
    with ThreadPoolExecutor(1) as writing, ThreadPoolExecutor(1) as digesting, ThreadPoolExecutor(1) as storing:
        parts = _Parts(_Shelf(store, progress, storing), scratch, groups=BLOB_ROWS // size)
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


class _Shelf:
    """The blobs, in the order in which they were given."""

    def __init__(self, store: Store, progress: Progress, storing: Executor) -> None:
        self._store, self._progress, self._storing = store, progress, storing
        self._blobs: list[Future[Blob]] = []
        self._rows = 0

    def take(self, file: Path, rows: int) -> None:
        """Store a file, which is then gone, while others are written; wait where the one before is not there yet."""
        if self._blobs:
            self._blobs[-1].result()
        self._blobs.append(self._storing.submit(self._kept, file, rows))

    def blobs(self) -> list[Blob]:
        """All that were taken."""
        return [blob.result() for blob in self._blobs]

    def _kept(self, file: Path, rows: int) -> Blob:
        blob = Blob(digest=self._store.add(file), size=file.stat().st_size, rows=rows)
        file.unlink()
        self._rows += rows
        self._progress(f"written {self._rows:,} rows")
        return blob


class _Parts:
    """The parquet files, one after the other; used by one thread."""

    def __init__(self, shelf: _Shelf, scratch: Path, *, groups: int) -> None:
        self.shelf = shelf
        self._scratch, self._most = scratch, groups
        self._writer: pq.ParquetWriter | None = None
        self._number = self._groups = self._rows = 0

    def write(self, group: pa.Table) -> None:
        """The next row group."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, group.schema, **PARQUET)
        self._writer.write_table(group, row_group_size=group.num_rows)
        self._groups += 1
        self._rows += group.num_rows
        if self._groups == self._most:
            self.end()

    def end(self) -> None:
        """Make a blob of what is written."""
        if self._writer is None:
            return
        self._writer.close()
        self.shelf.take(self._file, self._rows)
        self._writer, self._groups, self._rows = None, 0, 0
        self._number += 1

    @property
    def _file(self) -> Path:
        return self._scratch / f"part-{self._number}.parquet"


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
