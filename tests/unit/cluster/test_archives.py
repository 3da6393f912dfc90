"""An archive for the node holds what the node lacks, under the digests that the image names."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.cluster.archives import write_missing

BASE, CODE = b"the base layer", b"the code layer"


def digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def docker_archive(path: Path) -> Path:
    configuration = json.dumps({"rootfs": {"diff_ids": [digest(BASE), digest(CODE)]}}).encode()
    manifest = [{"Config": "config.json", "RepoTags": ["docker.io/merkhet/server:1"], "Layers": ["1.tar", "2.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": configuration, "1.tar": BASE, "2.tar": CODE}
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def blobs(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param(set(), {BASE, CODE}, id="an empty node"),
        pytest.param({digest(BASE)}, {CODE}, id="a node with the base"),
        pytest.param({digest(BASE), digest(CODE)}, set(), id="a node with every layer"),
    ],
)
def test_layers_that_the_node_has_are_left_out(tmp_path: Path, present: set[str], expected: set[bytes]) -> None:
    write_missing(docker_archive(tmp_path / "image.tar"), tmp_path / "slim.tar", present)
    assert {BASE, CODE} & set(blobs(tmp_path / "slim.tar").values()) == expected


def test_the_manifest_names_every_layer_and_the_image(tmp_path: Path) -> None:
    write_missing(docker_archive(tmp_path / "image.tar"), tmp_path / "slim.tar", {digest(BASE)})
    files = blobs(tmp_path / "slim.tar")
    [listed] = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(files[f"blobs/{listed['digest'].replace(':', '/')}"])
    assert listed["annotations"] == {"io.containerd.image.name": "docker.io/merkhet/server:1"}
    assert [layer["digest"] for layer in manifest["layers"]] == [digest(BASE), digest(CODE)]
    assert [layer["size"] for layer in manifest["layers"]] == [len(BASE), len(CODE)]


def test_every_blob_stands_under_its_digest(tmp_path: Path) -> None:
    write_missing(docker_archive(tmp_path / "image.tar"), tmp_path / "slim.tar", set())
    stored = {name: content for name, content in blobs(tmp_path / "slim.tar").items() if name.startswith("blobs/")}
    assert stored
    assert all(name == f"blobs/{digest(content).replace(':', '/')}" for name, content in stored.items())
