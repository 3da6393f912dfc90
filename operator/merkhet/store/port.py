"""What any store can do. A volume does it now; a bucket fits behind the same port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Protocol


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

    def list(self, prefix: str) -> Iterator[str]:
        """Paths below a prefix, sorted."""

    def delete(self, path: str) -> None:
        """Take an object away; nothing happens where it is not."""

    def add(self, source: Path | bytes) -> str:
        """Store bytes by content and give their ``sha256:…``; what is there already is not written again."""

    def open(self, digest: str) -> IO[bytes]:
        """A blob's bytes, verified against the digest before the first is given; raises ``Missing``, ``Corrupt``."""

    def fetch(self, digest: str) -> Path:
        """A verified local file with the blob's bytes, for readers of paths; raises ``Missing``, ``Corrupt``."""
