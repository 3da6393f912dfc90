"""What is a model in an OCI image layout: which blobs, under which media types of the CNCF ModelPack specification?

*Source:* OCI Image Layout and Image Manifest specifications 1.1; CNCF ModelPack's model-spec v1 (mediatype.go,
annotations.go, config-schema.json).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from merkhet.contract.base import canonical
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.plugin.transfer import digest_of
from merkhet.store import paths

MARK = "oci-layout"
INDEX = "index.json"
LAYOUT_VERSION = "1.0.0"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MODEL_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHT = "application/vnd.cncf.model.weight.v1"  # and how it is packed: .raw, .tar, .tar+gzip, .tar+zstd
WEIGHT_RAW = f"{WEIGHT}.raw"
DOC_RAW = "application/vnd.cncf.model.doc.v1.raw"
DATASET_RAW = "application/vnd.cncf.model.dataset.v1.raw"
FILE_PATH = "org.cncf.model.filepath"
TITLE = "org.opencontainers.image.title"  # oras writes a layer that has one to a file of this name
TAG = "org.opencontainers.image.ref.name"
# Registries have to take manifests up to this size and may refuse larger ones. Source: OCI distribution specification.
LARGEST_MANIFEST = 4 * 1024 * 1024

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Layer:
    """A file of the model. Units: bytes."""

    media_type: str
    name: str  # path of the file, relative
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class About:
    """What the model's configuration says of it."""

    model: str
    version: int
    created: str | None = None
    author: str | None = None
    revision: str | None = None


def write(folder: Path, about: About, layers: Sequence[Layer]) -> str:
    """Add what ties the layers together, whose blobs are in the folder; the manifest's digest.

    The bytes depend on the arguments alone.
    """
    config = put(folder, _encoded(_config(about, layers)))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": MODEL_TYPE,
        "config": {"mediaType": CONFIG_TYPE, **config},
        "layers": [_described(layer) for layer in layers],
    }
    named = put(folder, _encoded(manifest))
    entry = {"mediaType": MANIFEST_TYPE, "artifactType": MODEL_TYPE, **named, "annotations": {TAG: str(about.version)}}
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]}
    (folder / INDEX).write_bytes(_encoded(index))
    (folder / MARK).write_bytes(_encoded({"imageLayoutVersion": LAYOUT_VERSION}))
    return str(named["digest"])


def put(folder: Path, content: bytes) -> dict[str, Any]:
    """Write a blob; its digest and size as descriptors have them."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    file = blob(folder, digest)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return {"digest": digest, "size": len(content)}


def blob(folder: Path, digest: str) -> Path:
    """Where the bytes of this digest stand."""
    if not _DIGEST.fullmatch(digest):
        raise Refused(f"{digest[:80]!r} in {folder} is no digest; wanted sha256: and 64 hex digits", reason="BadLayout")
    return folder / paths.blob(digest)


def read(folder: Path, tag: str | None) -> list[Layer]:
    """The layers of the folder's one model, all digests verified.

    Raises: Refused where there is no such model or several, Missing and Corrupt by the blob's name.
    """
    marked = _parsed(_small(folder / MARK), MARK)
    if marked.get("imageLayoutVersion") != LAYOUT_VERSION:
        found = marked.get("imageLayoutVersion")
        raise _unreadable(folder, f"it is of version {found!r}; wanted {LAYOUT_VERSION}")
    entry = _chosen(folder, _parsed(_small(folder / INDEX), INDEX), tag)
    manifest = _parsed(_small(_verified(folder, entry)), str(entry["digest"]))
    config = _descriptor(manifest.get("config"))
    if manifest.get("artifactType") != MODEL_TYPE and config.get("mediaType") != CONFIG_TYPE:
        found = manifest.get("artifactType") or config.get("mediaType")
        raise _unreadable(folder, f"what it holds is {found}; wanted {MODEL_TYPE}")
    _verified(folder, config)
    return [_layer(folder, described) for described in manifest.get("layers") or []]


def _config(about: About, layers: Sequence[Layer]) -> dict[str, Any]:
    descriptor = {
        "name": about.model,
        "version": str(about.version),
        "family": about.model,
        "createdAt": about.created,
        "authors": [about.author] if about.author else None,
        "revision": about.revision,
    }
    return {
        "descriptor": {name: value for name, value in descriptor.items() if value is not None},
        "config": {"format": "onnx"},
        # The digests of what is in the layers, before any packing: ours are not packed.
        "modelfs": {"type": "layers", "diffIds": [layer.digest for layer in layers]},
    }


def _described(layer: Layer) -> dict[str, Any]:
    annotations = {FILE_PATH: layer.name, TITLE: layer.name}
    return {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size, "annotations": annotations}


def _encoded(body: dict[str, Any]) -> bytes:
    return canonical(body).encode()


def _chosen(folder: Path, index: dict[str, Any], tag: str | None) -> dict[str, Any]:
    """The one manifest of this tag; a manifest with several tags counts once."""
    entries = [_descriptor(entry) for entry in index.get("manifests") or []]
    tags = [str((entry.get("annotations") or {}).get(TAG, "")) for entry in entries]
    chosen = {entry["digest"]: entry for entry, own in zip(entries, tags, strict=True) if tag in (None, own)}
    if len(chosen) != 1:
        known = ", ".join(sorted(own for own in tags if own)) or "none"
        wanted = "exactly one" if tag is None else f"one with the tag {tag!r}"
        raise _unreadable(folder, f"it has {len(chosen)} such models; wanted {wanted}; its tags: {known} (--tag)")
    return next(iter(chosen.values()))


def _layer(folder: Path, described: Any) -> Layer:
    described = _descriptor(described)
    _verified(folder, described)
    annotations = described.get("annotations") or {}
    name = PurePosixPath(str(annotations.get(FILE_PATH) or annotations.get(TITLE) or ""))
    return Layer(str(described.get("mediaType")), str(name), described["digest"], described["size"])


def _descriptor(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and isinstance(value.get("digest"), str) and isinstance(value.get("size"), int):
        return value
    raise Refused(f"a descriptor has a digest and a size; found {str(value)[:80]}", reason="BadLayout")


def _verified(folder: Path, described: dict[str, Any]) -> Path:
    """The blob of a descriptor; raises where its bytes are others."""
    file = blob(folder, described["digest"])
    if not file.is_file():
        raise Missing(f"{folder} lacks {file.relative_to(folder)}; copy the whole layout again")
    found, size = digest_of(file), file.stat().st_size
    if (found, size) != (described["digest"], described["size"]):
        raise Corrupt(
            f"{file} has {size} bytes and the digest {found}; wanted {described['size']} bytes and "
            f"{described['digest']}; copy the layout again"
        )
    return file


def _small(file: Path) -> bytes:
    if not file.is_file():
        raise Missing(f"{file} is not there; an OCI image layout has it")
    with file.open("rb") as content:
        text = content.read(LARGEST_MANIFEST + 1)
    if len(text) > LARGEST_MANIFEST:
        raise Refused(f"{file} has more than {LARGEST_MANIFEST} bytes; no manifest is that large", reason="BadLayout")
    return text


def _parsed(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Refused(f"{what} is no JSON: {error}", reason="BadLayout") from error
    if not isinstance(value, dict):
        raise Refused(f"{what} is a JSON {type(value).__name__}; wanted an object", reason="BadLayout")
    return value


def _unreadable(folder: Path, why: str) -> Refused:
    return Refused(f"{folder} is no layout of one model: {why}", reason="BadLayout")
