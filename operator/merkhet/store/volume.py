"""The store on a mounted folder, also one that several nodes mount (NFS).

A write is whole or not there, whenever the process is killed: bytes go to a temporary file beside the target, are
flushed to the disk, and get the target's name by a hard link, which fails where the name is taken. Temporary files
that a killed process left begin with a dot; nobody lists them and ``sweep`` takes them away.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from merkhet.errors import Corrupt, Missing, Unavailable
from merkhet.store import paths
from merkhet.store.draft import MODE, TEMPORARY, FileDraft
from merkhet.store.port import Draft, Stat

FILE_MODE = MODE
FOLDER_MODE = 0o2775  # the group is inherited, so that every pod of fsGroup may write beside
CHUNK = 1 << 20  # bytes
ASIDE = ".gone-"  # a blob that is being taken away
PEOPLES = (paths.RAW, paths.CAPTURE)  # nothing that others rely on is named there
RECOVERED = "lost+found"  # the file system's own, which others may not read
# Filesystems of some object-store drivers know no hard links.
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@dataclass(frozen=True, slots=True)
class Volume:
    """The store below ``root``; see ``port.Store``."""

    root: Path

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that is not there yet; False, and nothing written, where it is."""
        target = self._at(path)
        if target.exists():
            flush_folder(target.parent)  # whoever wrote it may not have come so far
            return False
        with self._drafted(target.parent, content) as draft:
            return _published(draft.path, target)

    def replace(self, path: str, content: bytes) -> None:
        """Write an object whether or not it is there."""
        target = self._at(path)
        with self._drafted(target.parent, content) as draft:
            _overwrite(draft.path, target)

    def read(self, path: str) -> bytes:
        """The object's bytes; raises ``Missing``."""
        try:
            return self._at(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise Missing(f"{path} is not in the store") from error

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return self._at(path).is_file()

    def stat(self, path: str) -> Stat:
        """Its size and age; raises ``Missing``."""
        try:
            return _stat(self._at(path))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Missing(f"{path} is not in the store") from error

    def head(self, path: str, size: int) -> bytes:
        """Its first bytes; raises ``Missing``."""
        try:
            with self._at(path).open("rb") as content:
                return content.read(size)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise Missing(f"{path} is not in the store") from error

    def list(self, prefix: str) -> Iterator[str]:
        """Paths below a folder, sorted; the whole store below ``""``."""
        top = self._at(prefix) if prefix else self.root
        return iter(sorted(file.relative_to(self.root).as_posix() for file in _files(top, self.root)))

    def delete(self, path: str) -> None:
        """Take an object away; nothing happens where it is not."""
        self._at(path).unlink(missing_ok=True)

    def add(self, source: Path | bytes) -> str:
        """Store bytes by content and give their ``sha256:…``; see ``BlobDraft.keep``."""
        content: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
        with content, self.draft() as draft:
            while chunk := content.read(CHUNK):
                draft.write(chunk)
            return draft.keep()

    def draft(self) -> Draft:
        """A blob that is written piece by piece, straight into the store's own temporary file."""
        return BlobDraft(self._folder(self._at(paths.BLOBS)))

    def open(self, digest: str) -> IO[bytes]:
        """A blob's bytes, verified before the first is given; raises ``Missing``, ``Corrupt``."""
        blob = self._opened(digest)
        try:
            _verify(blob, digest)
        except BaseException:
            blob.close()
            raise
        return blob

    def fetch(self, digest: str, *, verify: bool = True) -> Path:
        """The blob's own file, verified unless the caller has seen its bytes; raises ``Missing``, ``Corrupt``."""
        (self.open if verify else self._opened)(digest).close()
        return self._at(paths.blob(digest))

    def discard(self, digest: str, wanted: Callable[[Stat], bool]) -> bool:
        """Take a blob away unless it is wanted after all, which is asked when nobody finds it any more."""
        target = self._at(paths.blob(digest))
        aside = _aside(target)
        try:
            target.replace(aside)
        except FileNotFoundError:
            return False
        kept = True
        try:
            kept = wanted(_stat(aside))
        finally:
            if kept:
                _bring_back(aside, target)
            aside.unlink(missing_ok=True)
        return not kept

    def recover(self) -> None:
        """Bring back what a killed process had set aside."""
        for aside in self._at(paths.BLOBS).glob(f"{ASIDE}*"):
            _bring_back(aside, aside.with_name(aside.name.removeprefix(ASIDE)))
            aside.unlink(missing_ok=True)

    def sweep(self, before: float) -> int:
        """Take away temporary files last written before a time, and say how many. Units: seconds since 1970."""
        swept = 0
        for folder, _, names in os.walk(self.root):
            for file in (Path(folder, name) for name in names if name.startswith(TEMPORARY)):
                with contextlib.suppress(FileNotFoundError):
                    if file.stat().st_mtime < before:
                        file.unlink()
                        swept += 1
        return swept

    def _opened(self, digest: str) -> IO[bytes]:
        target = self._at(paths.blob(digest))
        try:
            return target.open("rb")
        except FileNotFoundError:
            # The collector may be asking this moment whether somebody wants it: we do.
            _bring_back(_aside(target), target)
        try:
            return target.open("rb")
        except FileNotFoundError as error:
            raise Missing(f"blob {digest} is not in the store; run again what made it, or restore it") from error

    def _at(self, path: str) -> Path:
        return self.root / paths.check(path)

    def _folder(self, folder: Path) -> Path:
        make_folder(folder, self.root)
        return folder

    @contextlib.contextmanager
    def _drafted(self, folder: Path, content: bytes) -> Iterator[FileDraft]:
        """The content in a temporary file in ``folder``, safe on the disk."""
        with FileDraft(self._folder(folder)) as draft:
            draft.write(content)
            draft.settle()
            yield draft


class BlobDraft(FileDraft):
    """A blob that is being written; see ``port.Draft``."""

    def keep(self) -> str:
        """Publish it, and give its ``sha256:…``.

        A blob that is there and intact is not replaced but dated anew, so that the collector leaves it to whoever
        relies on it from now on; one that has rotted is replaced by the good bytes.
        """
        digest = self.settle()
        target = self.path.with_name(digest.removeprefix("sha256:"))
        while not _published(self.path, target):
            # The collector may take the blob away at any moment: then it is published after all.
            with contextlib.suppress(FileNotFoundError):
                if not _is_renewed(target, digest):
                    _overwrite(self.path, target)
                break
        return digest


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder of the store and those above it, durable and open to the group; raises ``Unavailable``."""
    if folder.is_dir():
        return
    if folder == root:
        raise Unavailable(f"no store is mounted at {root}")
    make_folder(folder.parent, root)
    try:
        folder.mkdir()
    except FileExistsError:
        return  # another process was faster
    folder.chmod(FOLDER_MODE)
    flush_folder(folder.parent)


def _published(temporary: Path, target: Path) -> bool:
    """Give the temporary file the target's name, too; False where that is taken."""
    linked = _link(temporary, target)
    flush_folder(target.parent)
    return linked


def _link(temporary: Path, target: Path) -> bool:
    try:
        os.link(temporary, target)
    except OSError as error:
        if temporary.stat().st_nlink == 2:
            return True  # NFS lost the answer and the repeated call met its own link
        if error.errno in NO_LINKS:
            raise Unavailable(
                f"the file system at {target.parent} knows no hard links ({error.strerror}), by which the store "
                "writes once; use a storage class with a POSIX file system"
            ) from error
        if isinstance(error, FileExistsError):
            return False
        raise
    return True


def _is_renewed(target: Path, digest: str) -> bool:
    """Whether the blob is intact and dated anew; raises FileNotFoundError where it is taken away meanwhile."""
    try:
        os.utime(target)
    except PermissionError:
        return False  # another user's: our own copy takes its place
    return _digest_of(target) == digest


def _aside(target: Path) -> Path:
    return target.with_name(f"{ASIDE}{target.name}")


def _bring_back(aside: Path, target: Path) -> None:
    """Give a blob its name again; nothing happens where it is gone, has it, or where we may only read."""
    with contextlib.suppress(FileNotFoundError, FileExistsError):
        try:
            os.link(aside, target)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise


def _stat(file: Path) -> Stat:
    status = file.stat()
    return Stat(status.st_size, status.st_mtime)


def _overwrite(temporary: Path, target: Path) -> None:
    temporary.replace(target)
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the bytes."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(top: Path, root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top, onerror=_listing_failed):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in (Path(folder, name) for name in folders if Path(folder, name).is_symlink()):
            if link.relative_to(root).parts[0] not in PEOPLES:
                raise Corrupt(f"{link.relative_to(root)} is a link, and what it leads to is not listed; put the folder")
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _listing_failed(error: OSError) -> None:
    """A folder that cannot be listed must not look like one that is empty: what its files name would be let go."""
    gone = isinstance(error, FileNotFoundError | NotADirectoryError)
    if not gone and Path(error.filename).name != RECOVERED:
        raise error


def _verify(blob: IO[bytes], digest: str) -> None:
    """Read it through and come back to its beginning; raises ``Corrupt``."""
    found = f"sha256:{hashlib.file_digest(blob, 'sha256').hexdigest()}"  # type: ignore[arg-type]  # typeshed: any reader
    if found != digest:
        raise Corrupt(
            f"blob {digest} is corrupt: its {blob.tell()} bytes have the digest {found}; "
            "restore it from a snapshot or run again what made it"
        )
    blob.seek(0)


def _digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
