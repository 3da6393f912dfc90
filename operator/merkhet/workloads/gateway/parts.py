"""A user's file that comes in parts: kept beside until it is whole and its digest is right."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from merkhet.errors import Corrupt, Refused, Unavailable
from merkhet.store import paths
from merkhet.store.volume import CHUNK, FILE_MODE, flush_folder, make_folder

PARTS = f"{paths.RAW}/.parts"
# A connection that broke may leave our input open for ever: without a byte for so long, the sender is gone.
SILENCE_SECONDS = 20.0
PATIENCE_SECONDS = 30.0  # longer, so that whoever tries again outlasts a sender that is gone
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way to ``path``. Units: bytes."""

    root: Path
    path: str
    size: int
    digest: str

    @classmethod
    def of(cls, root: Path, path: str, size: int, digest: str) -> Upload:
        """Raises ``InvalidSpec`` or ``Refused`` for what cannot be."""
        if not _DIGEST.fullmatch(digest):
            raise Refused(f"{digest!r} is no digest; wanted sha256: and 64 hex digits")
        if size < 0:
            raise Refused(f"a file cannot have {size} bytes")
        return cls(root, paths.file(path), size, digest)

    @property
    def part(self) -> Path:
        """Where it is kept until it is whole."""
        return self.root / PARTS / f"{_of_path(self.path)}.{self.digest[7:]}.{self.size}"

    def take(self, content: IO[bytes], offset: int) -> int:
        """Append what comes, from an offset on, and say how much is there; whole, it gets its name.

        Raises: ``Refused`` where the offset is not where the last part ended, or too much comes; ``Corrupt`` where
        the whole has another digest: it is thrown away then.
        """
        make_folder(self.part.parent, self.root)
        with self._open() as file:
            if offset == 0:
                file.truncate(0)
                self._forget_others()
            here = file.seek(0, os.SEEK_END)
            if offset != here:
                raise Refused(f"{self.path} has {here} bytes so far and the part begins at {offset}; begin at {here}")
            here = self._append(content, file, here)
            if here == self.size:
                self._publish(file)
            return here

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            with self.part.open("a+b") as file:
                if _locked(file) and _is_still(self.part, file):
                    yield file
                    return
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.path} is being put by somebody else just now; try again later")
            time.sleep(0.1)

    def _append(self, content: IO[bytes], file: IO[bytes], here: int) -> int:
        try:
            for chunk in _chunks(content):
                if here + len(chunk) > self.size:
                    self.part.unlink()
                    raise Refused(f"{self.path} was to have {self.size} bytes and more came; put it again")
                file.write(chunk)
                here += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            raise Unavailable(
                f"the store is full after {here} of {self.size} bytes of {self.path}; make room"
            ) from error
        return here

    def _publish(self, file: IO[bytes]) -> None:
        file.seek(0)
        found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"  # type: ignore[arg-type]  # any reader
        if found != self.digest:
            self.part.unlink()
            raise Corrupt(f"{self.path} came with the digest {found}, wanted {self.digest}; put it again")
        target = self.root / self.path
        make_folder(target.parent, self.root)
        os.fchmod(file.fileno(), FILE_MODE)
        self.part.replace(target)
        flush_folder(target.parent)

    def _forget_others(self) -> None:
        """Take away parts of another content for the same path."""
        for part in self.part.parent.glob(f"{_of_path(self.path)}.*"):
            if part != self.part:
                part.unlink(missing_ok=True)


def partial_size(root: Path, path: str, digest: str | None = None) -> int:
    """How much has come of a file that is not whole yet, of this content where a digest is given. Units: bytes."""
    parts = (root / PARTS).glob(f"{_of_path(path)}.{'*' if digest is None else digest[7:]}.*")
    return max((part.stat().st_size for part in parts), default=0)


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, file: IO[bytes]) -> bool:
    """Whether the file has its name yet: while we waited it may have become whole, and somebody's data."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


def _of_path(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    """What comes, as it comes; ends where the sender does, or falls silent."""
    descriptor = content.fileno()
    while select.select([descriptor], [], [], SILENCE_SECONDS)[0]:
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            return
        yield chunk
