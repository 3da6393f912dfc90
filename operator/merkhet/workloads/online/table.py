"""A file as a table of look-ups, and the one that counts now: it follows the pointer in the store."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from merkhet.contract.online import OnlinePointer
from merkhet.errors import Corrupt, MerkhetError, Missing, Refused, Unavailable
from merkhet.store import paths
from merkhet.workloads.online.file import File
from merkhet.workloads.online.keys import Keys
from merkhet.workloads.online.port import Found, Table

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# What failed is tried again after this: a node may see a new blob later than the pointer to it.
AGAIN_SECONDS = 15.0
MICROSECONDS = 1_000_000

Signature = tuple[int, int, int]  # of a file: its number on the disk, size, and when it was written
UNREACHABLE: Signature = (0, 0, 0)  # of one that the store does not show: tried like any that failed, not each second


@dataclass(frozen=True, slots=True)
class FileTable:
    """The rows of a file. Units: seconds."""

    file: File
    keys: Keys
    ttl_seconds: float | None

    @classmethod
    def of(cls, file: File, ttl_seconds: float | None) -> FileTable:
        """The table of a file whose rows are given for so long."""
        return cls(file, Keys(file.header), ttl_seconds)

    @property
    def number(self) -> int:
        """The version of the FeatureSet."""
        return self.file.number

    def find(self, keys: Sequence[bytes], now: float) -> Found:
        """The rows of these keys; one without a time is too old wherever there is a limit."""
        oldest = None if self.ttl_seconds is None else (now - self.ttl_seconds) * MICROSECONDS
        found = list(map(self.file.find, keys))
        if oldest is None:
            return Found([row and row.text for row in found], 0)
        given = [row.text if row is not None and row.time >= oldest else None for row in found]
        return Found(given, given.count(None) - found.count(None))


@dataclass(slots=True)
class Current:
    """The table that counts now; None until there was a good one. A bad one never replaces it."""

    store: Path
    feature_set: str
    ttl_seconds: float | None = None
    needed: tuple[str, ...] = ()  # columns that the rows must have
    table: Table | None = None
    swaps: int = 0
    failures: int = 0
    seen: Signature | None = field(default=None, init=False)  # of the pointer that was followed last
    again_at: float = field(default=0.0, init=False)  # of the loop's clock

    @property
    def number(self) -> int:
        """The version that counts; nought where there is none."""
        return 0 if self.table is None else self.table.number

    async def watch(self) -> None:
        """Until cancelled: follow the pointer."""
        loop = asyncio.get_running_loop()
        while True:
            await self.look(loop.time())
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, now: float) -> None:
        """Follow the pointer where it has changed; reading and verifying is another thread's work."""
        try:
            signature = await asyncio.to_thread(signature_of, self._pointer())
            if signature is None or (signature == self.seen and now < self.again_at):
                return
            self.seen, self.again_at = signature, float("inf")
            table = await asyncio.to_thread(self.load)
        except Exception as error:  # whatever it is: who follows no more is not seen to have stopped
            self.failures += 1
            self.again_at = now + AGAIN_SECONDS
            kept = "nothing is given" if self.table is None else f"version {self.table.number} goes on"
            told = str(error) if isinstance(error, (MerkhetError, OSError)) else repr(error)
            logger.error("the rows for look-ups of %s cannot be opened, %s: %s", self.feature_set, kept, told)
            return
        self.table = table
        self.swaps += 1
        logger.info("version %d of %s is looked up: %d entities",
                    table.number, self.feature_set, table.file.header.entities)  # fmt: skip

    def load(self) -> FileTable:
        """What the pointer names, verified; raises ``MerkhetError``."""
        file = open_verified(self.store, pointer_at(self._pointer()), self.feature_set)
        names = {column.name for column in file.header.columns}
        missing = [column for column in self.needed if column not in names]
        if missing:
            told = f"version {file.number} of {self.feature_set} has no column {', '.join(missing[:10])}"
            raise Refused(f"{told}, which the model is given; add it to the FeatureSet", reason="ColumnsMissing")
        return FileTable.of(file, self.ttl_seconds)

    def _pointer(self) -> Path:
        return self.store / paths.online_pointer(self.feature_set)


def signature_of(file: Path) -> Signature | None:
    """By what a replaced file is told from its former self; None where there is none."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    except OSError:
        return UNREACHABLE
    return found.st_ino, found.st_size, found.st_mtime_ns


def pointer_at(file: Path) -> OnlinePointer:
    """The pointer; raises ``Missing``, ``Corrupt``."""
    try:
        return OnlinePointer.load(file.read_bytes())
    except FileNotFoundError:
        told = f"no version can be looked up yet: {file.name} is not there; run the FeatureSet with spec.online"
        raise Missing(told) from None
    except ValidationError as error:
        raise Corrupt(f"{file.name} is no pointer: {error}; run the FeatureSet again") from error


def open_verified(store: Path, pointer: OnlinePointer, feature_set: str) -> File:
    """The file a pointer names: the bytes that were verified are those that are mapped; raises ``MerkhetError``."""
    name = f"blob {pointer.digest}"
    try:
        content = (store / paths.blob(pointer.digest)).open("rb")
    except FileNotFoundError:
        raise Missing(f"{name} is not in the store; run FeatureSet {feature_set} again, or restore it") from None
    except OSError as error:
        raise Unavailable(f"{name} cannot be read: {error}") from error
    with content:
        verify(content, pointer, name)
        file = File.open(content, name)
    header = file.header
    if (header.feature_set, header.number, header.manifest) != (feature_set, pointer.number, pointer.manifest):
        raise Corrupt(
            f"{name} is of version {header.number} of {header.feature_set}, and the pointer says version "
            f"{pointer.number} of {feature_set}; run the FeatureSet again"
        )
    return file


def verify(content: IO[bytes], pointer: OnlinePointer, name: str) -> None:
    """Read it through; raises ``Corrupt`` where the digest is another."""
    found = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"  # type: ignore[arg-type]  # as in the store
    if found != pointer.digest:
        raise Corrupt(
            f"{name} is corrupt: its {content.tell()} bytes have the digest {found}; run its FeatureSet again"
        )


@contextlib.asynccontextmanager
async def watching(current: Current) -> AsyncIterator[None]:
    """While inside, the pointer is followed."""
    following = asyncio.ensure_future(current.watch())
    try:
        yield
    finally:
        following.cancel()
