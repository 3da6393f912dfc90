"""What any store can do. A volume does it now; a bucket fits behind the same port."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of an object without reading it. Units: bytes, seconds since 1970."""

    size: int
    written: float  # of a blob: when it was last added, also where it was there already


class Draft(Protocol):
    """A blob that is being written, by one thread after another; left without being kept, it leaves nothing."""

    closed: bool

    def write(self, content: bytes | memoryview) -> int:
        """Take the next bytes."""

    def keep(self) -> str:
        """Store what was written, as ``Store.add`` does, and give its ``sha256:…``; nothing is written after it."""

    def close(self) -> None:
        """Let go of it; what is kept stays."""

    def __enter__(self) -> Self:
        """Itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it."""


class Store(Protocol):
    """Objects by path, written once. Paths are relative, of words joined by ``/`` (see ``paths.py``)."""

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that is not there yet; False, and nothing written, where it is. Atomic and durable."""

    def replace(self, path: str, content: bytes) -> None:
        """Write an object whether or not it is there (progress, pointers that may be rebuilt). Atomic."""

    def read(self, path: str) -> bytes:
        """The object's bytes; raises ``Missing``."""

    def exists(self, path: str) -> bool:
        """Whether it is there."""

    def stat(self, path: str) -> Stat:
        """Its size and age; raises ``Missing``."""

    def head(self, path: str, size: int) -> bytes:
        """Its first bytes; raises ``Missing``."""

    def list(self, prefix: str) -> Iterator[str]:
        """Paths below a prefix, sorted."""

    def delete(self, path: str) -> None:
        """Take an object away; nothing happens where it is not."""

    def add(self, source: Path | bytes) -> str:
        """Store bytes by content and give their ``sha256:…``; what is there already is dated anew, not written."""

    def draft(self) -> Draft:
        """A blob that is written piece by piece; nobody finds it before it is kept."""

    def open(self, digest: str) -> IO[bytes]:
        """A blob's bytes, verified against the digest before the first is given; raises ``Missing``, ``Corrupt``."""

    def fetch(self, digest: str, *, verify: bool = True) -> Path:
        """A local file with the blob's bytes, for readers of paths; raises ``Missing``, ``Corrupt``.

        It is verified, unless the caller says that he has seen these bytes himself, writing or verifying them.
        """

    def discard(self, digest: str, wanted: Callable[[Stat], bool]) -> bool:
        """Take a blob away unless it is wanted after all; whether it was taken away.

        It is set aside first, so that nobody finds it, and only then ``wanted`` is asked: whoever says that he needs a
        blob and looks for it afterwards is either heard, or does not find it.
        """

    def recover(self) -> None:
        """Bring back what a killed process had set aside."""
