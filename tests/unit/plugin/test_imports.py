"""``kubectl merkhet import``: what is taken, what is refused, and the ModelVersion that comes of it."""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from merkhet.plugin import layout, validate
from merkhet.plugin.main import main
from tests import make
from tests.unit.plugin.cluster import Cluster, exported, installed


def model(*, external: bool = False, domain: str = "") -> bytes:
    """A sum of two numbers."""
    weight = numpy_helper.from_array(np.ones(1, np.float32), "w")
    if external:
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="../secret")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "y")]
    body = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
    opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid(domain, 1)] if domain else [])]
    made: onnx.ModelProto = helper.make_model(body, opset_imports=opsets)
    return bytes(made.SerializeToString())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    made = installed(monkeypatch, tmp_path / "store")
    (tmp_path / "store").mkdir()
    exported(made, model())
    return made


def as_layout(cluster: Cluster, place: Path) -> Path:
    main(["export", "mv/employment-v3", "--format", "oci", str(place)])
    return place


def as_folder(cluster: Cluster, place: Path) -> Path:
    main(["export", "mv/employment-v3", str(place)])
    return place


def as_file(cluster: Cluster, place: Path) -> Path:
    place.write_bytes(model())
    return place


def packed(kind: str, *files: tuple[str, bytes]) -> Callable[[Cluster, Path], Path]:
    """A layout of another program, its weights in one layer."""

    def made(cluster: Cluster, place: Path) -> Path:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as writer:
            for name, content in files:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                writer.addfile(member, io.BytesIO(content))
        content = {"raw": files[0][1], "tar+gzip": gzip.compress(archive.getvalue())}.get(kind, archive.getvalue())
        place.mkdir()
        named = layout.put(place, content)
        layer = layout.Layer(f"{layout.WEIGHT}.{kind}", "weights", named["digest"], named["size"])
        layout.write(place, layout.About("other", 1), [layer])
        return place

    return made


def signed(folder: Path) -> list[str]:
    """The words that say what a model takes and answers which comes without a record."""
    file = folder / "signature.yaml"
    file.write_text(yaml.safe_dump(make.signature()))
    return ["--signature", str(file)]


OURS = {"a layout that export wrote": as_layout, "a folder that export wrote": as_folder}
OTHERS = {
    "a file": as_file,
    "a layout of the file itself": packed("raw", ("m.onnx", model())),
    "a layout of an archive": packed("tar", ("README.md", b"x"), ("weights/m.onnx", model())),
    "a layout of a compressed archive": packed("tar+gzip", ("m.onnx", model())),
}
PLACES = OURS | OTHERS


@pytest.mark.parametrize("placed", PLACES.values(), ids=PLACES)
def test_a_model_becomes_the_next_version_and_stands_in_the_store(
    cluster: Cluster, placed: Callable[[Cluster, Path], Path], tmp_path: Path
) -> None:
    words = ["import", str(placed(cluster, tmp_path / "place")), "--model", "employment"]
    assert main([*words, *(signed(tmp_path) if placed in OTHERS.values() else ())]) == 0
    [body] = cluster.created
    artifact = body["spec"]["record"]["artifact"]
    assert (body["metadata"]["name"], body["metadata"]["labels"]) == (
        "employment-v4",
        {"merkhet.dev/model": "employment"},
    )
    assert artifact["uri"] == f"store://raw/imported/{artifact['digest'][7:]}.onnx"
    assert (cluster.root / artifact["uri"].removeprefix("store://")).read_bytes() == model()
    assert (artifact["size"], artifact["format"]) == (len(model()), "onnx")
    assert body["spec"]["approval"] == {"decision": "Pending"}


@pytest.mark.parametrize("placed", OURS.values(), ids=OURS)
def test_our_record_brings_its_signature_and_author_and_no_figures(
    cluster: Cluster, placed: Callable[[Cluster, Path], Path], tmp_path: Path
) -> None:
    main(["import", str(placed(cluster, tmp_path / "place")), "--model", "employment"])
    record = cluster.created[0]["spec"]["record"]
    origin = cluster.objects[0]["spec"]["record"]
    assert record["signature"] == origin["signature"]
    assert record["lineage"] == {"training": {}, "author": "dana@example.com", "revision": "r1"}
    assert {"metrics", "gates", "reports"} & set(record) == set()


def test_what_is_made_is_valid(cluster: Cluster, tmp_path: Path) -> None:
    main(["import", str(as_layout(cluster, tmp_path / "place")), "--model", "employment"])
    assert list(validate.complaints(cluster.created[0])) == []


def test_a_dry_run_prints_and_changes_nothing(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = as_folder(cluster, tmp_path / "place")
    before = sorted(cluster.root.rglob("*"))
    capsys.readouterr()
    assert main(["import", str(place), "--model", "employment", "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["metadata"]["name"] == "employment-v4"
    assert "nothing was put" in printed.err
    assert (cluster.created, sorted(cluster.root.rglob("*"))) == ([], before)


NUMBERS: dict[str, tuple[list[Any], list[str], int]] = {
    "the first of all": ([], [], 1),
    "one more than the highest": ([make.modelversion(9), make.modelversion(10)], [], 11),
    "another model's do not count": ([make.modelversion(9, model="other")], ["models/other/20.json"], 1),
    "a number that was claimed and whose version is gone": ([make.modelversion(2)], ["models/employment/7.json"], 8),
}


@pytest.mark.parametrize(("versions", "claims", "number"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_is_never_given_twice(
    cluster: Cluster, versions: list[Any], claims: list[str], number: int, tmp_path: Path
) -> None:
    cluster.objects[:] = [*versions, {"kind": "ConfigMap", "metadata": {"name": "merkhet-store"}}]
    for claim in claims:
        cluster.put(b"{}", claim)
    main(["import", str(as_file(cluster, tmp_path / "m.onnx")), "--model", "employment", *signed(tmp_path)])
    assert cluster.created[0]["spec"]["record"]["version"] == number


def test_a_model_that_nobody_judges_is_warned_of(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["import", str(as_file(cluster, tmp_path / "m.onnx")), "--model", "employment", *signed(tmp_path)])
    assert "--evaluate" in capsys.readouterr().err


def test_a_model_that_nothing_tells_about_is_refused_before_anything_is_put(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(cluster.root.rglob("*"))
    assert main(["import", str(as_file(cluster, tmp_path / "m.onnx")), "--model", "employment"]) != 0
    assert "--signature" in capsys.readouterr().err
    assert (cluster.created, sorted(cluster.root.rglob("*"))) == ([], before)


@pytest.mark.parametrize("content", [b"inputs: [", b"inputs: 3", None], ids=["no YAML", "no signature", "no file"])
def test_a_signature_that_is_none_is_refused(
    cluster: Cluster, tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "said.yaml"
    if content is not None:
        file.write_bytes(content)
    words = ["import", str(as_file(cluster, tmp_path / "m.onnx")), "--model", "employment", "--signature", str(file)]
    assert main(words) != 0
    assert "signature" in capsys.readouterr().err
    assert not cluster.created


EVALUATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "data and target": ("featureSet=a,target=b", {"featureSet": {"name": "a"}, "target": "b"}),
    "a version of the data": ("featureSet=a@3,target=b", {"featureSet": {"name": "a", "version": 3}, "target": "b"}),
}


@pytest.mark.parametrize(("words", "wanted"), EVALUATIONS.values(), ids=EVALUATIONS)
def test_the_data_to_evaluate_on_is_written_down(
    cluster: Cluster, words: str, wanted: dict[str, Any], tmp_path: Path
) -> None:
    main(["import", str(as_layout(cluster, tmp_path / "m")), "--model", "employment", "--evaluate", words])
    assert cluster.created[0]["spec"]["evaluation"] == wanted


@pytest.mark.parametrize(
    "words", ["", "target=b", "featureSet=a", "featureSet=a@x,target=b", "featureSet=a,target=b,seed=1"]
)
def test_data_that_cannot_be_meant_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["import", "m.onnx", "--model", "employment", "--evaluate", words])
    assert "wanted featureSet=NAME" in capsys.readouterr().err


def written(content: bytes) -> Callable[[Cluster, Path], Path]:
    def made(cluster: Cluster, place: Path) -> Path:
        place.write_bytes(content)
        return place

    return made


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[Cluster, Path], Path]:
    """Our layout with another index or manifest."""

    def made(cluster: Cluster, place: Path) -> Path:
        as_layout(cluster, place)
        body = change(json.loads((place / name).read_bytes()))
        (place / name).write_text(json.dumps(body))
        return place

    return made


def tampered(cluster: Cluster, place: Path) -> Path:
    as_layout(cluster, place)
    blob = layout.blob(place, cluster.objects[0]["spec"]["record"]["artifact"]["digest"])
    blob.write_bytes(blob.read_bytes().replace(b"Add", b"Sub"))
    return place


def without_a_blob(cluster: Cluster, place: Path) -> Path:
    as_layout(cluster, place)
    layout.blob(place, cluster.objects[0]["spec"]["record"]["artifact"]["digest"]).unlink()
    return place


def with_the_record_of_another(cluster: Cluster, place: Path) -> Path:
    as_folder(cluster, place)
    (place / "employment-v3.onnx").write_bytes(model() + b"\x32\x00")
    return place


def two_models(cluster: Cluster, place: Path) -> Path:
    as_folder(cluster, place)
    (place / "other.onnx").write_bytes(model())
    return place


def two_tags(index: Any) -> Any:
    other = {**index["manifests"][0], "digest": "sha256:" + "0" * 64, "annotations": {layout.TAG: "4"}}
    return {**index, "manifests": [*index["manifests"], other]}


def image(index: Any) -> Any:
    return {**index, "manifests": [{**index["manifests"][0], "digest": "../../../etc/passwd"}]}


REFUSED: dict[str, tuple[Callable[[Cluster, Path], Path], str]] = {
    "a blob with other bytes": (tampered, "copy the layout again"),
    "a blob that is not there": (without_a_blob, "lacks blobs/sha256/"),
    "a digest that leaves the layout": (changed("index.json", image), "is no digest"),
    "several models": (changed("index.json", two_tags), "it has 2 such models.*tags: 3, 4"),
    "a layout of another version": (
        changed("oci-layout", lambda _: {"imageLayoutVersion": "2.0.0"}),
        "version '2.0.0'",
    ),
    "an index that is no object": (changed("index.json", lambda _: []), "wanted an object"),
    "an archive of two models": (packed("tar", ("a.onnx", model()), ("b.onnx", model())), "holds 2 .onnx files"),
    "an archive without a model": (packed("tar", ("a.bin", model())), "holds 0 .onnx files"),
    "an archive that is none": (packed("raw", ("m.onnx", b"\x1f\x8b no")), "no ONNX file|begins with"),
    "a packing that cannot be read": (packed("tar+zstd", ("m.onnx", model())), "unpack it"),
    "a pickle": (written(b"\x80\x04\x95\x10\x00"), "convert the model to ONNX"),
    "an empty file": (written(b""), "convert the model to ONNX"),
    "a model that is cut off": (written(model()[:-3]), "no ONNX file"),
    "a model that reads other files": (written(model(external=True)), "keeps tensor 'w' in another file"),
    "operators of others": (written(model(domain="com.evil")), "foreign domain 'com.evil'"),
    "the record of another model": (with_the_record_of_another, "the record speaks of the model sha256:"),
    "two models in a folder": (two_models, "found employment-v3.onnx, other.onnx"),
    "nothing at all": (lambda _, place: place, "is not here"),
}


@pytest.mark.parametrize(("placed", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_said_and_reaches_nobody(
    cluster: Cluster,
    placed: Callable[[Cluster, Path], Path],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = placed(cluster, tmp_path / "place")
    assert main(["import", str(place), "--model", "employment"]) == 1
    assert re.search(said, capsys.readouterr().err)
    assert cluster.created == []
    assert not (cluster.root / "raw").exists()


def test_a_tag_names_one_of_several(cluster: Cluster, tmp_path: Path) -> None:
    place = changed("index.json", two_tags)(cluster, tmp_path / "place")
    assert main(["import", str(place), "--model", "employment", "--tag", "3"]) == 0


def test_a_name_that_no_model_can_have_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path), "--model", "Employment!"]) == 1
    assert "lower-case" in capsys.readouterr().err
