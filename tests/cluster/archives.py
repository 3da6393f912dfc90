"""Image archives cut to what a node lacks: a change of code is then a small layer to import, not the whole image."""

import hashlib
import io
import json
import tarfile
from collections.abc import Set as AbstractSet
from pathlib import Path

OCI = "application/vnd.oci.image"


def write_missing(archive: Path, slim: Path, present: AbstractSet[str]) -> None:
    """Rewrite a docker-archive of one image as an OCI archive without the blobs whose digests are present."""
    with tarfile.open(archive) as source, tarfile.open(slim, "w") as target:
        entry = json.loads(_read(source, "manifest.json"))[0]
        configuration = _read(source, entry["Config"])
        layers = list(zip(json.loads(configuration)["rootfs"]["diff_ids"], entry["Layers"], strict=True))
        sizes = {digest: source.getmember(member).size for digest, member in layers}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": _described(f"{OCI}.config.v1+json", configuration),
            "layers": [
                {"mediaType": f"{OCI}.layer.v1.tar", "digest": digest, "size": sizes[digest]} for digest, _ in layers
            ],
        }
        manifest_bytes = json.dumps(manifest).encode()
        name = {"annotations": {"io.containerd.image.name": entry["RepoTags"][0]}}
        index = {"schemaVersion": 2, "manifests": [{**_described(manifest["mediaType"], manifest_bytes), **name}]}
        _add(target, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        _add(target, "index.json", json.dumps(index).encode())
        for blob in (manifest_bytes, configuration):
            _add(target, _path(_digest(blob)), blob)
        for digest, member in layers:
            if digest not in present:
                _copy(source, member, target, _path(digest))


def _described(media_type: object, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _read(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise FileNotFoundError(name)
    return file.read()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _copy(source: tarfile.TarFile, member: str, target: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = source.getmember(member).size
    target.addfile(entry, source.extractfile(member))
