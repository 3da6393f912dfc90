"""Which model stands at a place on this machine: in an OCI image layout, in a folder, or as a file?"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from merkhet.errors import Corrupt, Missing, Refused
from merkhet.plugin import layout
from merkhet.plugin.transfer import digest_of
from merkhet.workloads.server import graph

# An ONNX file is one message of Protocol Buffers, and those end at 2 GiB; what is larger keeps values in other files.
LARGEST_MODEL = 2**31 - 1  # bytes
IR_VERSION = b"\x08"  # the key of ModelProto's first field, with which every writer of ONNX begins
# How tarfile reads a weight layer that is not the file itself.
ARCHIVES: dict[str, Literal["r|", "r|gz"]] = {".tar": "r|", ".tar+gzip": "r|gz"}


@dataclass(frozen=True, slots=True)
class Brought:
    """A model on this machine, verified, and what a record of Merkhet says of it. Units: bytes."""

    file: Path
    digest: str
    size: int
    record: dict[str, Any] | None = None


def found(place: Path, tag: str | None, scratch: Path) -> Brought:
    """The one model of a layout, a folder or a file; raises where its bytes are not what they should be."""
    if (place / layout.MARK).is_file():
        file, record = _of_layout(place, tag, scratch)
    elif place.is_dir():
        file, record = _of_folder(place)
    elif place.is_file():
        file, record = place, None
    else:
        raise Missing(f"{place} is not here")
    check(file, place)
    brought = Brought(file, digest_of(file), file.stat().st_size, record)
    if record is not None and record["artifact"].get("digest") != brought.digest:
        raise Corrupt(
            f"{place}: the record speaks of the model {record['artifact'].get('digest')}, the model is {brought.digest}"
        )
    return brought


def check(file: Path, place: Path) -> None:
    """Refuse what a server would not load: the same rules, and again checked there."""
    with file.open("rb") as content:
        model = content.read(LARGEST_MODEL + 1)
    if len(model) > LARGEST_MODEL:
        raise Refused(f"{place}: a model of more than {LARGEST_MODEL} bytes cannot be ONNX", reason="InvalidModel")
    if not model.startswith(IR_VERSION):
        raise Refused(
            f"{place}: the model begins with {model[:4]!r}, ONNX with its IR version; pickles and other formats can "
            "run code when they are read and are not taken: convert the model to ONNX",
            reason="InvalidModel",
        )
    graph.check(model, str(place))


def _of_layout(place: Path, tag: str | None, scratch: Path) -> tuple[Path, dict[str, Any] | None]:
    layers = layout.read(place, tag)
    weights = [layer for layer in layers if layer.media_type.startswith(layout.WEIGHT + ".")]
    models = [layer for layer in weights if layer.name.endswith(".onnx")] or weights
    if len(models) != 1:
        names = ", ".join(layer.name for layer in models) or "none"
        raise Refused(f"{place}: wanted one ONNX model; found {names}", reason="BadLayout")
    [model] = models
    record_name = str(Path(model.name).with_suffix(".json"))
    documents = [layer for layer in layers if (layer.media_type, layer.name) == (layout.DOC_RAW, record_name)]
    record = _record(layout.blob(place, documents[0].digest)) if documents else None
    return _unpacked(layout.blob(place, model.digest), model.media_type, scratch), record


def _unpacked(file: Path, media_type: str, scratch: Path) -> Path:
    """The model of a weight layer: the layer itself, or the one file in it."""
    if media_type == layout.WEIGHT_RAW:
        return file
    packing = ARCHIVES.get(media_type.removeprefix(layout.WEIGHT))
    if packing is None:
        raise Refused(f"a layer of {media_type} cannot be read; unpack it and import the .onnx", reason="BadLayout")
    target, members = scratch / "model.onnx", 0
    try:
        with tarfile.open(file, packing) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() and member.name.endswith(".onnx") else None
                if content is None:
                    continue
                members += 1
                with target.open("wb") as whole:
                    # One byte more than is taken tells that there is too much, before it fills the disk.
                    whole.write(content.read(LARGEST_MODEL + 1))
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Refused(f"{file} cannot be unpacked as {media_type}: {error}", reason="BadLayout") from error
    if members != 1:
        raise Refused(f"{file} holds {members} .onnx files; wanted one", reason="BadLayout")
    return target


def _of_folder(place: Path) -> tuple[Path, dict[str, Any] | None]:
    models = sorted(place.glob("*.onnx"))
    if len(models) != 1:
        names = ", ".join(file.name for file in models) or "none"
        raise Refused(f"{place}: wanted one .onnx file; found {names}; name the file", reason="BadLayout")
    beside = models[0].with_suffix(".json")
    return models[0], _record(beside) if beside.is_file() else None


def _record(file: Path) -> dict[str, Any] | None:
    """A record as ``export`` writes it; None for JSON of others."""
    try:
        value = json.loads(file.read_bytes())
    except ValueError as error:
        raise Refused(f"{file} is no JSON: {error}", reason="BadRecord") from error
    ours = isinstance(value, dict) and isinstance(value.get("artifact"), dict) and "signature" in value
    return value if ours else None
