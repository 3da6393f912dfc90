"""``export mv/NAME DIR``: a model version as plain files or as an OCI image layout that any registry takes.

Rows stay where they are: neither the data nor the golden requests, which are rows of it, are exported.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from merkhet import GROUP
from merkhet.errors import Corrupt, MerkhetError, Missing
from merkhet.plugin import layout
from merkhet.plugin.kubectl import Kubectl, KubectlFailed, names
from merkhet.plugin.transfer import Progress, digest_of
from merkhet.store import paths

MODELVERSION = {"mv", "modelversion", "modelversions", f"modelversion.{GROUP}", f"modelversions.{GROUP}"}
# The record's reports that are exported, by the name they have there.
CARDS = {"card": "card.json", "cardText": "card.md"}


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("export", parents=[shared], help="write a model version to a folder")
    command.add_argument("version", metavar="mv/NAME", help="the ModelVersion, as in mv/employment-v3")
    command.add_argument("folder", type=Path, metavar="DIR", help="a folder that is empty or not there yet")
    command.add_argument(
        "--format",
        choices=sorted(FORMATS),
        default="onnx",
        help="onnx: the model, its record and its card as files; oci: the same and the manifests of its data as an "
        "OCI image layout with the media types of CNCF ModelPack",
    )
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Fetch what belongs to the version, verify it, and let the folder appear with all of it."""
    name = version_name(asked.version)
    body = kubectl.find(f"modelversions.{GROUP}", name)
    if body is None:
        raise Missing(f"ModelVersion {kubectl.current_namespace()}/{name} does not exist: kubectl get modelversions")
    kubectl.gateway()
    with fresh(asked.folder) as folder:
        FORMATS[asked.format](folder, body, kubectl)
    print(asked.folder)
    return 0


def version_name(words: str) -> str:
    """The name of ``mv/NAME`` or ``NAME``."""
    kind, name = names([words]) if "/" in words else ("mv", words)
    if kind.lower() not in MODELVERSION:
        raise MerkhetError(f"wanted a ModelVersion, as in mv/employment-v3; found {words!r}")
    return name


@contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """A folder to fill that takes the given one's place at the end, and leaves nothing where that does not come.

    Raises: MerkhetError where the given one is there and not empty, or nothing can be written.
    """
    target = folder.resolve()
    if target == Path.cwd():
        raise MerkhetError(f"{folder} is where you are; name a folder below it, as in {folder}/model")
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise MerkhetError(f"{folder} is there and not an empty folder; nothing was written")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as beside:
            content = Path(beside) / "content"
            content.mkdir()
            yield content
            if target.exists():
                target.rmdir()
            content.rename(target)
    except OSError as error:
        raise MerkhetError(f"{folder} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Piece:
    """What the store holds of a version. ``source``: its place there. Units: bytes; None: not known before."""

    name: str
    media_type: str
    digest: str
    source: str
    size: int | None = None


def pieces(body: dict[str, Any]) -> tuple[Piece, ...]:
    """The model, its card as far as there is one, and the manifests of the data it learned from."""
    name, record = body["metadata"]["name"], body["spec"]["record"]
    model, reports = record["artifact"], record.get("reports") or {}
    used = {entry["digest"]: entry for entry in record.get("lineage", {}).get("data") or []}
    cards = [(file, layout.DOC_RAW, reports[report]) for report, file in CARDS.items() if report in reports]
    manifests = [
        (f"data/{entry['featureSet']}-{entry['version']}.manifest.json", layout.DATASET_RAW, digest)
        for digest, entry in used.items()
    ]
    return (
        Piece(f"{name}.onnx", layout.WEIGHT_RAW, model["digest"], model["uri"], model["size"]),
        *(Piece(file, media_type, digest, paths.blob(digest)) for file, media_type, digest in (*cards, *manifests)),
    )


def recorded(body: dict[str, Any]) -> bytes:
    """The record as a file: what nobody can change of the version."""
    return (json.dumps(body["spec"]["record"], sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def _as_files(folder: Path, body: dict[str, Any], kubectl: Kubectl) -> None:
    for piece in pieces(body):
        if piece.media_type != layout.DATASET_RAW:
            _fetch(piece, folder / piece.name, kubectl)
    (folder / f"{body['metadata']['name']}.json").write_bytes(recorded(body))


def _as_layout(folder: Path, body: dict[str, Any], kubectl: Kubectl) -> None:
    layers = []
    for piece in pieces(body):
        file = layout.blob(folder, piece.digest)
        file.parent.mkdir(parents=True, exist_ok=True)
        _fetch(piece, file, kubectl)
        layers.append(layout.Layer(piece.media_type, piece.name, piece.digest, file.stat().st_size))
    record = layout.put(folder, recorded(body))
    named = f"{body['metadata']['name']}.json"
    layers.insert(1, layout.Layer(layout.DOC_RAW, named, record["digest"], record["size"]))
    layout.write(folder, _about(body), layers)


FORMATS: dict[str, Callable[[Path, dict[str, Any], Kubectl], None]] = {"onnx": _as_files, "oci": _as_layout}


def _about(body: dict[str, Any]) -> layout.About:
    record = body["spec"]["record"]
    lineage = record.get("lineage") or {}
    return layout.About(
        model=record["model"],
        version=record["version"],
        created=body["metadata"].get("creationTimestamp"),
        author=lineage.get("author"),
        revision=lineage.get("revision"),
    )


def _fetch(piece: Piece, file: Path, kubectl: Kubectl) -> None:
    """Write a piece of the version to a file; raises where other bytes arrive than the record names."""
    progress = Progress(piece.name, piece.size or 0)
    try:
        with file.open("wb") as content:
            kubectl.stream(None, content, "store", "get", piece.source)
    except KubectlFailed as found:
        raise Missing(f"{piece.name} cannot be read at {piece.source}: {found}") from found
    arrived, progress.size = digest_of(file), file.stat().st_size
    if arrived != piece.digest or piece.size not in (None, progress.size):
        raise Corrupt(
            f"{piece.name} arrived with {progress.size} bytes and the digest {arrived}; the record says "
            f"{piece.digest}; try again, and restore the store from a snapshot where that is of no use"
        )
    progress.done("got")
