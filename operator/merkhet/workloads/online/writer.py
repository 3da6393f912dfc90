"""Writes a file for look-ups row by row, in memory that does not grow with the number of entities.

The entries wait in a file of their own until all rows are known; they are ordered a range of hashes at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from merkhet.workloads.online.file import ALIGNMENT, END, ENTRY, FORMAT, MAGIC, NEVER, FileColumn, Header, hash_of

Array = np.ndarray[Any, Any]

ENTRY_TYPE = np.dtype([("hash", "<u8"), ("time", "<i8"), ("start", "<u8"), ("size", "<u4"), ("nothing", "<u4")])
# Entries that are ordered at once: 64 MB, and as much again while they are.
RANGE_ENTRIES = 2_000_000
CHUNK_ENTRIES = 500_000
MOST_BITS = 28


class Writer:
    """Rows first, then ``finish``. ``unsorted`` is a file of the caller's scratch."""

    def __init__(self, file: IO[bytes], unsorted: Path) -> None:
        self.file = file
        self.unsorted = unsorted
        self.entities = 0
        self._waiting = unsorted.open("wb")
        self._at = file.write(MAGIC)

    def add(self, keys: Sequence[bytes], texts: bytes | memoryview, sizes: Array, times: Array | None) -> None:
        """Some rows: their keys, the JSON of all of them in one, its lengths, and when they were true."""
        entries = np.zeros(len(keys), ENTRY_TYPE)
        entries["hash"] = np.fromiter(map(hash_of, keys), np.uint64, len(keys))
        entries["time"] = NEVER if times is None else times
        entries["size"] = sizes
        entries["start"] = self._at + np.cumsum(sizes, dtype=np.uint64) - sizes.astype(np.uint64)
        self._at += self.file.write(texts)
        self._waiting.write(entries.tobytes())
        self.entities += len(keys)

    def finish(
        self,
        *,
        feature_set: str,
        number: int,
        manifest: str,
        entity: tuple[str, ...],
        timestamp: str | None,
        columns: tuple[FileColumn, ...],
    ) -> None:
        """The index and the header."""
        self._waiting.close()
        self._at += self.file.write(b"\0" * (-self._at % ALIGNMENT))
        bits = min(MOST_BITS, max(0, math.ceil(math.log2(max(1, self.entities)))))
        header = Header(
            format=FORMAT,
            feature_set=feature_set,
            number=number,
            manifest=manifest,
            entity=entity,
            timestamp=timestamp,
            columns=columns,
            entities=self.entities,
            bits=bits,
            entries=self._at,
            directory=self._at + ENTRY.size * self.entities,
        )
        counts = np.zeros((1 << bits) + 1, np.int64)
        for part in self._ordered():
            self.file.write(part.tobytes())
            places = (part["hash"] >> np.uint64(64 - bits)) if bits else np.zeros(len(part), np.uint64)
            found, many = np.unique(places, return_counts=True)
            counts[found.astype(np.int64) + 1] += many
        self.file.write(np.cumsum(counts).astype("<u4").tobytes())
        text = header.dump().encode()
        self.file.write(text + END.pack(len(text), MAGIC))

    def _ordered(self) -> Iterator[Array]:
        """All entries by hash; rows of one hash by their place in the file."""
        if not self.entities:
            return
        ranges = math.ceil(self.entities / RANGE_ENTRIES)
        width = (1 << 64) // ranges + 1
        for place in range(ranges):
            low, high = np.uint64(place * width), np.uint64(min((place + 1) * width - 1, (1 << 64) - 1))
            chosen = [part[(part["hash"] >= low) & (part["hash"] <= high)] for part in self._chunks()]
            part = np.concatenate(chosen)
            yield part[np.lexsort((part["start"], part["hash"]))]

    def _chunks(self) -> Iterator[Array]:
        with self.unsorted.open("rb") as waiting:
            while content := waiting.read(CHUNK_ENTRIES * ENTRY.size):
                yield np.frombuffer(content, ENTRY_TYPE)
