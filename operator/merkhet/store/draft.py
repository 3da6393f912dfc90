"""Bytes on their way into a store on a folder: a temporary file beside the target, digested as it is written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

MODE = 0o644
TEMPORARY = ".tmp-"


class FileDraft:
    """A temporary file in a folder. Threads may use it one after the other, not two at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{TEMPORARY}{uuid.uuid4().hex}"
        self.closed = False  # asked by writers of files
        self._hasher = hashlib.sha256()
        self._file = self.path.open("xb")
        os.fchmod(self._file.fileno(), MODE)

    def write(self, content: bytes | memoryview) -> int:
        """Take the next bytes; raises OSError where there is no room for them."""
        self._hasher.update(content)
        return self._file.write(content)

    def settle(self) -> str:
        """Make it safe on the disk, and give the ``sha256:…`` of all that was written; nothing is written after it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return f"sha256:{self._hasher.hexdigest()}"

    def close(self) -> None:
        """Take the temporary file away; what was published has another name by now."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._file.close()  # writes what it holds back, for which there may be no room
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
