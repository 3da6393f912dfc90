"""An exported layout is read by oras, what oras writes is imported, and ONNX Runtime answers with what comes out."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from merkhet.plugin.main import main
from tests.cluster import binaries
from tests.cluster.machine import Progress
from tests.unit.plugin.cluster import CARD, CARD_TEXT, MANIFEST, Cluster, exported, installed
from tests.unit.workloads.server.served import Made, numeric

THRESHOLD = 0.2  # one of the golden rows is positive by this and not by the half of models without one
MODELPACK = "application/vnd.cncf.model"

Oras = Callable[..., bytes]


@pytest.fixture(scope="module")
def oras(tmp_path_factory: pytest.TempPathFactory) -> Oras:
    """The real program, without credentials and without anything to connect to."""
    program = binaries.ensure(("oras",), Progress()) / "oras"
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "HOME": str(home), "DOCKER_CONFIG": str(home), "NO_COLOR": "1"}

    def run(*words: str | Path, folder: Path | None = None) -> bytes:
        done = subprocess.run([program, *words], cwd=folder, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    (tmp_path / "store").mkdir()
    return installed(monkeypatch, tmp_path / "store")


@pytest.fixture
def made() -> Made:
    return numeric(THRESHOLD)


@pytest.fixture
def exported_layout(cluster: Cluster, made: Made, tmp_path: Path) -> Path:
    exported(cluster, made.onnx, signature=made.signature.body())
    assert main(["export", "mv/employment-v3", "--format", "oci", str(tmp_path / "layout")]) == 0
    return tmp_path / "layout"


def labels(model: Path, record: dict[str, Any], rows: list[Any]) -> list[int]:
    """What the model predicts, by the threshold of its record."""
    session = onnxruntime.InferenceSession(str(model))
    signature = record["signature"]
    [scores] = session.run([signature["graph"]["score"]], {session.get_inputs()[0].name: np.array(rows, np.float32)})
    position = signature["classes"].index(signature["positive"])
    return [int(score >= signature["threshold"]) for score in scores[:, position]]


def test_oras_reads_the_manifest(oras: Oras, exported_layout: Path) -> None:
    manifest = json.loads(oras("manifest", "fetch", "--oci-layout", f"{exported_layout}:3"))
    assert manifest["artifactType"] == f"{MODELPACK}.manifest.v1+json"
    assert [layer["mediaType"].removeprefix(f"{MODELPACK}.") for layer in manifest["layers"]] == [
        "weight.v1.raw",
        *["doc.v1.raw"] * 3,
        "dataset.v1.raw",
    ]


def test_oras_reads_the_configuration(oras: Oras, exported_layout: Path) -> None:
    config = json.loads(oras("manifest", "fetch-config", "--oci-layout", f"{exported_layout}:3"))
    assert (config["descriptor"]["name"], config["descriptor"]["version"]) == ("employment", "3")
    assert config["config"]["format"] == "onnx"


def test_what_oras_pulls_answers_as_scikit_learn_did(
    oras: Oras, exported_layout: Path, made: Made, tmp_path: Path
) -> None:
    oras("pull", "--oci-layout", f"{exported_layout}:3", "--output", tmp_path / "pulled")
    pulled = {
        str(path.relative_to(tmp_path / "pulled")): path.read_bytes()
        for path in (tmp_path / "pulled").rglob("*")
        if path.is_file()
    }
    record = json.loads(pulled.pop("employment-v3.json"))
    assert pulled == {
        "employment-v3.onnx": made.onnx,
        "card.json": CARD,
        "card.md": CARD_TEXT,
        "data/employment-1.manifest.json": MANIFEST,
    }
    golden = made.golden
    assert labels(tmp_path / "pulled" / "employment-v3.onnx", record, golden.inputs["X"]) == golden.outputs["label"]


def test_what_oras_copied_is_imported_and_answers_alike(
    oras: Oras, exported_layout: Path, cluster: Cluster, made: Made, tmp_path: Path
) -> None:
    target = tmp_path / "copied"
    oras("copy", "--from-oci-layout", f"{exported_layout}:3", "--to-oci-layout", f"{target}:latest")
    assert main(["import", str(target), "--model", "brought"]) == 0
    record = cluster.created[0]["spec"]["record"]
    model = cluster.root / record["artifact"]["uri"].removeprefix("store://")
    assert record["artifact"]["digest"] == f"sha256:{hashlib.sha256(made.onnx).hexdigest()}"
    assert labels(model, record, made.golden.inputs["X"]) == made.golden.outputs["label"]


def test_a_model_that_oras_packed_is_imported(oras: Oras, cluster: Cluster, made: Made, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "churn.onnx").write_bytes(made.onnx)
    (work / "README.md").write_text("# From elsewhere\n")
    config = {
        "descriptor": {"name": "churn"},
        "config": {"format": "onnx"},
        "modelfs": {"type": "layers", "diffIds": []},
    }
    (work / "config.json").write_text(json.dumps(config))
    oras(
        *("push", "--oci-layout", f"{tmp_path / 'theirs'}:v1", "--artifact-type", f"{MODELPACK}.manifest.v1+json"),
        *("--config", f"config.json:{MODELPACK}.config.v1+json"),
        *(f"churn.onnx:{MODELPACK}.weight.v1.raw", f"README.md:{MODELPACK}.doc.v1.raw"),
        folder=work,
    )
    (work / "signature.json").write_text(json.dumps(made.signature.body()))
    words = ["import", str(tmp_path / "theirs"), "--model", "churn", "--signature", str(work / "signature.json")]
    assert main(words) == 0
    record = cluster.created[0]["spec"]["record"]
    assert (cluster.root / record["artifact"]["uri"].removeprefix("store://")).read_bytes() == made.onnx
    assert record["signature"]["classes"] == list(made.signature.classes)
