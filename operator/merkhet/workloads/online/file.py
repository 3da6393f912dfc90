"""The file that answers look-ups: one row of ready-made JSON per entity, found by a hash in a memory map.

From its beginning to its end:

=========  =========================================================================================
magic      16 bytes
rows       the JSON objects, one after the other, each beginning with its entity's columns: its key
entries    32 bytes an entity, ordered by hash: hash, time, start, size (``ENTRY``)
directory  for each value of the hash's first bits, the entry it begins with (32 bits each), and the end
header     JSON: what the file is about, and where its parts begin
end        length of the header (32 bits) and the magic again
=========  =========================================================================================

Numbers are little-endian. Opening reads the header alone; a look-up touches one place in each part. That a hash is the
one that is asked for proves nothing: the row has to begin with the key.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import IO, NamedTuple, Self

from pydantic import Field, ValidationError

from merkhet.contract.base import Message
from merkhet.errors import Corrupt

FORMAT = 1
MAGIC = b"merkhet-online-1"
END = struct.Struct("<I16s")
ENTRY = struct.Struct("<QqQII")  # hash, time, start, size, nothing
ENTRY_SIZE = ENTRY.size
SPAN = struct.Struct("<II")  # two neighbours of the directory
NEVER = -(1 << 63)  # the time of a row that has none. Units: microseconds since 1970
HASH_MASK = (1 << 64) - 1
ALIGNMENT = 8


class FileColumn(Message):
    """A column of the rows."""

    name: str
    type: str


class Header(Message):
    """What a file is about. Units: bytes from the beginning of the file."""

    format: int
    feature_set: str
    number: int
    manifest: str
    entity: tuple[str, ...]
    timestamp: str | None = None
    columns: tuple[FileColumn, ...]  # as they stand in a row
    entities: int
    bits: int = Field(ge=0, le=32)  # of the hash, by which the directory goes
    entries: int
    directory: int


class Row(NamedTuple):  # made for each look-up: a frozen dataclass takes four times as long
    """What is known of an entity: its JSON, and when that was true (microseconds since 1970, or ``NEVER``)."""

    text: bytes
    time: int


class File:
    """An open file. It is as long as somebody holds it, also when its name has gone."""

    def __init__(self, content: mmap.mmap, header: Header) -> None:
        self.content = content
        self.header = header
        self.shift = 64 - header.bits
        self.entries, self.directory = header.entries, header.directory

    @classmethod
    def open(cls, file: IO[bytes], name: str) -> Self:
        """The file as it stands; raises ``Corrupt``."""
        file.seek(0, 2)
        if file.tell() < len(MAGIC) + END.size:
            raise Corrupt(f"{name} is no file for look-ups: it has {file.tell()} bytes; run its FeatureSet again")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            return cls(content, header_of(content, name))
        except BaseException:
            content.close()
            raise

    @property
    def number(self) -> int:
        """The version of the FeatureSet."""
        return self.header.number

    def find(self, key: bytes) -> Row | None:
        """The row of an entity, by the key that ``keys`` makes."""
        wanted = hash_of(key)
        content = self.content
        first, end = SPAN.unpack_from(content, self.directory + 4 * (wanted >> self.shift))
        for at in range(self.entries + ENTRY_SIZE * first, self.entries + ENTRY_SIZE * end, ENTRY_SIZE):
            found, time, start, size, _ = ENTRY.unpack_from(content, at)
            if found == wanted and has_key(text := content[start : start + size], key):
                return Row(text, time)
        return None


def hash_of(key: bytes) -> int:
    """64 bits of a key."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "little") & HASH_MASK


def has_key(text: bytes, key: bytes) -> bool:
    """Whether a row is that of a key: 4 is not 42."""
    end = len(key) + 1
    return text.startswith(key, 1) and text[end : end + 1] in (b",", b"}")


def header_of(content: mmap.mmap, name: str) -> Header:
    """The header, if the whole has the form that it says; raises ``Corrupt``."""
    size, magic = END.unpack_from(content, len(content) - END.size)
    start = len(content) - END.size - size
    if content[: len(MAGIC)] != MAGIC or magic != MAGIC or start < len(MAGIC):
        raise Corrupt(f"{name} is no file for look-ups, or not all of one; run its FeatureSet again")
    try:
        header = Header.load(content[start : start + size])
    except ValidationError as error:
        raise Corrupt(f"the header of {name} cannot be read: {error}; run its FeatureSet again") from error
    if header.format != FORMAT:
        raise Corrupt(f"{name} has format {header.format}, wanted {FORMAT}; run its FeatureSet again with this version")
    parts = header.entries + ENTRY.size * header.entities, header.directory + 4 * ((1 << header.bits) + 1)
    if parts != (header.directory, start) or header.entries < len(MAGIC):
        raise Corrupt(f"the parts of {name} do not fit together; run its FeatureSet again")
    return header


def prefixes(entity: Sequence[str]) -> tuple[bytes, ...]:
    """What stands before each value of a key: ``"region":``."""
    return tuple(f"{quoted(name)}:".encode() for name in entity)


def quoted(text: str) -> str:
    """Text as JSON has it; every text has one form only."""
    return json.dumps(text, ensure_ascii=False)
