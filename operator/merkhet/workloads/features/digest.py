"""The digest of a table's rows, whatever order, pieces or threads they come in, and whatever library wrote them.

Each value is mixed into 64 bits with its column's number, the values of a row are added up and mixed again, and the
rows are added up twice, under two mixings. What is published is the SHA-256 of columns, count and sums. It tells
whether rows have changed; that stored bytes are the right ones is told by the SHA-256 of the blobs.

Source: the mixing is the finaliser of MurmurHash3 (A. Appleby, public domain); sums of mixed values as multiset hashes
are those of Clarke et al., "Incremental Multiset Hash Functions", ASIACRYPT 2003.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from merkhet.contract.base import canonical
from merkhet.contract.features import Column

Words = npt.NDArray[np.uint64]
FIRST, SECOND = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio
MISSING = np.uint64(0x6D697373696E6721)
SHIFT = np.uint64(33)
CHUNK = 50_000  # rows; what is mixed at a time stays in the processor's cache
MOST_KEYS = 32_000_000  # rows whose keys are remembered, in eight bytes each
LONGEST = 256  # bytes of a text that are mixed by words; longer ones are few


class TableDigest:
    """The digest of the rows that have passed, how many values of each column are missing, and whether keys repeat."""

    def __init__(self, columns: Sequence[Column], keys: Collection[str] = ()) -> None:
        self.columns = tuple(columns)
        self.missing = [0] * len(columns)
        self.rows = 0
        self._sums = [0, 0]
        self._keys = [number for number, column in enumerate(columns) if column.name in keys]
        self._seen: list[Words] = []

    def take(self, table: pa.Table) -> None:
        """Take the next rows, an Arrow table with these columns."""
        for start in range(0, table.num_rows, CHUNK):
            part = table.slice(start, CHUNK)
            rows = np.zeros(part.num_rows, dtype=np.uint64)
            keys = np.zeros(part.num_rows, dtype=np.uint64)
            for number, values in enumerate(part.columns):
                words, missing = _words(values.combine_chunks())
                self.missing[number] += missing
                mixed = mixed_words(words ^ np.uint64(GOLDEN * (number + 1) & (2**64 - 1)))
                rows += mixed
                if number in self._keys:
                    keys += mixed
            mixed = mixed_words(rows)
            self._add(0, mixed)
            self._add(1, mixed_words(mixed ^ FIRST))
            if self._keys and self.rows <= MOST_KEYS:
                self._seen.append(mixed_words(keys))
            self.rows += part.num_rows

    def keys_may_repeat(self) -> bool:
        """Whether two rows may have the same keys; False is certain, True wants a closer look."""
        if not self._keys or self.rows > MOST_KEYS:
            return bool(self._keys)
        seen = np.sort(np.concatenate(self._seen)) if self._seen else np.zeros(0, dtype=np.uint64)
        return bool((seen[1:] == seen[:-1]).any())

    def hexdigest(self) -> str:
        """``sha256:…`` of columns, count and sums."""
        columns = [[column.name, column.type] for column in self.columns]
        said = canonical([columns, self.rows, self.missing, [f"{value:016x}" for value in self._sums]])
        return f"sha256:{hashlib.sha256(said.encode()).hexdigest()}"

    def _add(self, number: int, values: Words) -> None:
        self._sums[number] = (self._sums[number] + int(values.sum(dtype=np.uint64))) & (2**64 - 1)


def mixed_words(words: Words) -> Words:
    """Each word changed for another, so that one bit changed changes half of them."""
    mixed = words >> SHIFT
    mixed ^= words
    mixed *= FIRST
    above = mixed >> SHIFT
    mixed ^= above
    mixed *= SECOND
    np.right_shift(mixed, SHIFT, out=above)
    mixed ^= above
    return mixed


def _words(values: Any) -> tuple[Words, int]:
    """64 bits for each value of an Arrow array, and how many are missing; NaN is how a float says missing."""
    array = values.chunk(0) if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        words, nan = _texts(_filled(array, "").cast(pa.large_string())), 0
    else:
        words, nan = _numbers(array)
    if array.null_count:
        words = np.where(np.asarray(pc.is_null(array)), MISSING, words)
    return words, array.null_count + nan


def _numbers(array: Any) -> tuple[Words, int]:
    """The bits of numbers, and how many are NaN."""
    if pa.types.is_temporal(array.type):
        array = array.view(pa.int32() if pa.types.is_date32(array.type) else pa.int64())
    plain = np.asarray(_filled(array, False if pa.types.is_boolean(array.type) else 0))
    if plain.dtype.kind != "f":
        return plain.astype(np.int64 if plain.dtype.kind == "i" else np.uint64).view(np.uint64), 0
    nan = np.isnan(plain)
    count = int(np.count_nonzero(nan))
    if count:
        plain = np.where(nan, np.array(np.nan, dtype=plain.dtype), plain)  # of the many bit patterns of NaN, one
    return plain.view(np.uint32 if plain.dtype.itemsize == 4 else np.uint64).astype(np.uint64), count


def _filled(array: Any, value: object) -> Any:
    return pc.fill_null(array, value) if array.null_count else array


def _texts(array: Any) -> Words:
    """64 bits for each text of an Arrow large_string array without missing values, eight bytes at a time."""
    _, offsets, characters = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    starts, lengths = ends[:-1], np.diff(ends)
    words = lengths.astype(np.uint64) * FIRST
    if not len(ends) or ends[-1] == ends[0]:
        return words
    held = bytes(memoryview(characters)[ends[0] : ends[-1]]) + bytes(8)
    starts = starts - ends[0]
    eights = np.ndarray((len(held) - 7,), dtype="<u8", buffer=held, strides=(1,))
    short = lengths <= LONGEST
    for at in range(0, int(lengths[short].max(initial=0)), 8):
        rows = np.flatnonzero(short & (lengths > at))
        left = np.minimum(lengths[rows] - at, 8).astype(np.uint64)
        word = eights[starts[rows] + at] & (~np.uint64(0) >> (np.uint64(64) - left * np.uint64(8)))
        words[rows] = mixed_words(words[rows] ^ word)
    for row in np.flatnonzero(~short):
        content = held[starts[row] : starts[row] + lengths[row]]
        words[row] = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
    return words
