"""The file of an onnx component: fetched, seen to be what was named, and made a blob of the store."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from merkhet.contract.component import ComponentDocument
from merkhet.errors import Corrupt, InvalidSpec, Missing, Refused
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads.components import onnx
from merkhet.workloads.features.download import download
from merkhet.workloads.run import Places, Progress, RefusedForNow


def admit(document: ComponentDocument, uri: str, store: Store, *, places: Places, progress: Progress) -> None:
    """Make the file a blob of the store, unless it is one already: then nobody asks where it came from.

    Raises: ``Refused`` for a file that is another than the digest says, that needs files or operators which are not
    its own, or that cannot be read; ``Missing`` where there is none.
    """
    assert document.onnx is not None
    what = f"component {document.name}"
    if not _is_kept(document.onnx.digest, store):
        _fetch(document.onnx.digest, uri, store, what=what, places=places, progress=progress)
    onnx.Graph.open(document.onnx, store, what)


def _is_kept(digest: str, store: Store) -> bool:
    try:
        store.open(digest).close()
    except (Missing, Corrupt):
        return False
    return True


def _fetch(digest: str, uri: str, store: Store, *, what: str, places: Places, progress: Progress) -> None:
    progress(f"fetching {uri}")
    with tempfile.TemporaryDirectory(dir=places.scratch) as folder:
        file = Path(folder) / "component.onnx"
        if urlsplit(uri).scheme == "https":
            download(uri, file, progress, name=what, largest=onnx.MOST_BYTES)
        else:
            # A copy: a user's file may change while it is looked at.
            shutil.copyfile(_in_store(uri, places.store, what), file)
        _see_digest(file, digest, f"{what}: {uri}")
        onnx.check(file.read_bytes(), what)
        store.add(file)


def _see_digest(file: Path, wanted: str, what: str) -> None:
    with file.open("rb") as content:
        found = f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"
    if found != wanted:
        raise RefusedForNow(
            f"{what} has the digest {found}, wanted {wanted}; put the right file there, or write its digest",
            reason="DigestMismatch",
        )


def _in_store(uri: str, store_root: Path, what: str) -> Path:
    try:
        file = store_root / paths.file(uri)
    except InvalidSpec as error:
        raise Refused(f"{what}: {error}") from error
    if not file.is_file():
        raise Missing(f"{what}: there is no {uri}; `kubectl merkhet put FILE {uri}` puts it there")
    if not file.resolve().is_relative_to((store_root / paths.RAW).resolve()):
        raise RefusedForNow(f"{what}: {uri} is a link out of the store; put the file itself")
    if (size := file.stat().st_size) > onnx.MOST_BYTES:
        raise RefusedForNow(f"{what}: {uri} has {size} bytes, at most {onnx.MOST_BYTES} are taken")
    return file
