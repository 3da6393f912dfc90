"""``kubectl merkhet export``: what is written, that it is the same each time, and that nothing half done is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from merkhet.plugin import layout
from merkhet.plugin.main import main
from tests.unit.plugin.cluster import CARD, CARD_TEXT, MANIFEST, Cluster, exported, installed

MODEL = b"\x08\x08 a model"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    made = installed(monkeypatch, tmp_path / "store")
    exported(made, MODEL)
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def manifest_of(folder: Path) -> dict[str, Any]:
    [entry] = json.loads((folder / "index.json").read_bytes())["manifests"]
    manifest: dict[str, Any] = json.loads(layout.blob(folder, entry["digest"]).read_bytes())
    return manifest


def test_files_are_the_model_its_record_and_its_card(cluster: Cluster, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert main(["export", "mv/employment-v3", str(out)]) == 0
    found = files_of(out)
    record = json.loads(found.pop("employment-v3.json"))
    assert found == {"employment-v3.onnx": MODEL, "card.json": CARD, "card.md": CARD_TEXT}
    assert record == cluster.objects[0]["spec"]["record"]
    assert (record["signature"]["threshold"], record["signature"]["positive"]) == (0.5, 1)


def test_a_version_without_a_card_is_exported_without_one(cluster: Cluster, tmp_path: Path) -> None:
    exported(cluster, MODEL, 4, reports={})
    assert main(["export", "employment-v4", str(tmp_path / "out")]) == 0
    assert set(files_of(tmp_path / "out")) == {"employment-v4.onnx", "employment-v4.json"}


def test_a_brought_model_is_exported_from_where_it_stands(cluster: Cluster, tmp_path: Path) -> None:
    digest = cluster.put(b"\x08 brought", "raw/imported/x.onnx")
    artifact = {"digest": digest, "size": 9, "format": "onnx", "uri": "store://raw/imported/x.onnx"}
    exported(cluster, MODEL, 4, artifact=artifact)
    assert main(["export", "mv/employment-v4", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "employment-v4.onnx").read_bytes() == b"\x08 brought"


def test_a_layout_has_the_media_types_of_modelpack(cluster: Cluster, tmp_path: Path) -> None:
    assert main(["export", "mv/employment-v3", "--format", "oci", str(tmp_path / "out")]) == 0
    manifest = manifest_of(tmp_path / "out")
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.cncf.model.config.v1+json"
    kinds = [
        (
            layer["mediaType"].removeprefix("application/vnd.cncf.model."),
            layer["annotations"]["org.cncf.model.filepath"],
        )
        for layer in manifest["layers"]
    ]
    assert kinds == [
        ("weight.v1.raw", "employment-v3.onnx"),
        ("doc.v1.raw", "employment-v3.json"),
        ("doc.v1.raw", "card.json"),
        ("doc.v1.raw", "card.md"),
        ("dataset.v1.raw", "data/employment-1.manifest.json"),
    ]


def test_a_layouts_configuration_has_the_fields_of_modelpack(cluster: Cluster, tmp_path: Path) -> None:
    main(["export", "mv/employment-v3", "--format", "oci", str(tmp_path / "out")])
    manifest = manifest_of(tmp_path / "out")
    assert json.loads(layout.blob(tmp_path / "out", manifest["config"]["digest"]).read_bytes()) == {
        "descriptor": {
            "name": "employment",
            "version": "3",
            "family": "employment",
            "createdAt": "2026-11-22T11:00:00Z",
            "authors": ["dana@example.com"],
            "revision": "r1",
        },
        "config": {"format": "onnx"},
        "modelfs": {"type": "layers", "diffIds": [layer["digest"] for layer in manifest["layers"]]},
    }


def test_what_export_wrote_is_read_back(cluster: Cluster, tmp_path: Path) -> None:
    main(["export", "mv/employment-v3", "--format", "oci", str(tmp_path / "out")])
    layers = layout.read(tmp_path / "out", "3")
    assert [layer.size for layer in layers][2:] == [len(CARD), len(CARD_TEXT), len(MANIFEST)]


@pytest.mark.parametrize("form", ["onnx", "oci"])
def test_the_same_version_gives_the_same_bytes(cluster: Cluster, form: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        main(["export", "mv/employment-v3", "--format", form, str(tmp_path / folder)])
    cluster.objects[0]["spec"]["approval"] = {"decision": "Rejected", "by": "gwen@example.com", "reason": "later"}
    main(["export", "mv/employment-v3", "--format", form, str(tmp_path / "three")])
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two") == files_of(tmp_path / "three") != {}


@pytest.mark.parametrize("form", ["onnx", "oci"])
def test_golden_requests_stay_since_they_are_rows(cluster: Cluster, form: str, tmp_path: Path) -> None:
    main(["export", "mv/employment-v3", "--format", form, str(tmp_path / "out")])
    golden = cluster.objects[0]["spec"]["record"]["reports"]["golden"].removeprefix("sha256:")
    assert [words for words in cluster.asked if golden in words[-1]] == []


def test_an_empty_folder_is_filled(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert main(["export", "mv/employment-v3", str(tmp_path / "out")]) == 0
    assert "employment-v3.onnx" in files_of(tmp_path / "out")


def full(cluster: Cluster, out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")


def broken(cluster: Cluster, out: Path) -> None:
    cluster.broken = b"!"


def without_a_card(cluster: Cluster, out: Path) -> None:
    card = cluster.objects[0]["spec"]["record"]["reports"]["card"]
    (cluster.root / "blobs/sha256" / card.removeprefix("sha256:")).unlink()


def as_a_file(cluster: Cluster, out: Path) -> None:
    out.write_text("mine")


def nothing(cluster: Cluster, out: Path) -> None:
    pass


WRONG: dict[str, tuple[str, Callable[[Cluster, Path], None], str]] = {
    "a folder with something in it": ("mv/employment-v3", full, "not an empty folder"),
    "a file in its place": ("mv/employment-v3", as_a_file, "not an empty folder"),
    "bytes that are others on arrival": ("mv/employment-v3", broken, "employment-v3.onnx arrived with"),
    "a card that the store has lost": ("mv/employment-v3", without_a_card, "card.json cannot be read"),
    "a version that does not exist": ("mv/employment-v9", nothing, "people/employment-v9 does not exist"),
    "another kind": ("fs/employment", nothing, "wanted a ModelVersion"),
}


@pytest.mark.parametrize("form", ["onnx", "oci"])
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_goes_wrong_is_said_and_leaves_nothing(
    cluster: Cluster,
    wrong: tuple[str, Callable[[Cluster, Path], None], str],
    form: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    what, change, said = wrong
    (tmp_path / "here").mkdir()
    out = tmp_path / "here" / "out"
    change(cluster, out)
    before = files_of(tmp_path / "here")
    assert main(["export", what, "--format", form, str(out)]) == 1
    assert said in capsys.readouterr().err
    assert files_of(tmp_path / "here") == before
    assert [path.name for path in (tmp_path / "here").iterdir()] == (["out"] if before else [])


def test_the_folder_one_stands_in_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["export", "mv/employment-v3", "."]) == 1
    assert "where you are" in capsys.readouterr().err
