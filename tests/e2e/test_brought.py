"""A model that somebody brings: judged here before anybody may approve it, refused with a reason where it is wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pyarrow as pa
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression

from tests.e2e import applicants
from tests.e2e.access import Body, Tenant, condition, says

COLUMNS = ("age", "income", "debt")
SIGNATURE: Body = {
    "task": "Classification",
    "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 3], "columns": list(COLUMNS)}],
    "outputs": [
        {"name": "label", "datatype": "INT64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ],
    "graph": {"label": "label", "probabilities": "probabilities"},
    "classes": [0, 1],
    "positive": 1,
    "threshold": 0.5,
}


@dataclass(frozen=True)
class File:
    """An ONNX file as it stands in the store."""

    uri: str
    digest: str
    content: bytes


def inputs(people: pa.Table) -> npt.NDArray[np.float32]:
    """Shape: [rows, columns]."""
    return np.column_stack([people[name].to_numpy() for name in COLUMNS]).astype(np.float32)


def graph() -> onnx.ModelProto:
    """A model that was fitted elsewhere, on applicants that the namespace does not know."""
    others = applicants.people(1000, first=100_000)
    fitted = LogisticRegression(max_iter=1000).fit(inputs(others), others["repaid"].to_numpy())
    options = {LogisticRegression: {"zipmap": False}}
    model: onnx.ModelProto = to_onnx(
        fitted, inputs(others)[:1], options=options, target_opset={"": 21, "ai.onnx.ml": 3}
    )
    model.graph.input[0].name, former = "input", model.graph.input[0].name
    for node in model.graph.node:
        node.input[:] = ["input" if name == former else name for name in node.input]
    return model


def with_values_elsewhere(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same, which would read another file of the server's."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    tensor = changed.graph.initializer.add()
    tensor.name, tensor.data_type = "secrets", onnx.TensorProto.FLOAT
    tensor.dims.append(1)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    place = tensor.external_data.add()
    place.key, place.value = "location", "../../etc/passwd"
    return changed


def put(tenant: Tenant, folder: Path, name: str, model: onnx.ModelProto) -> File:
    """Put a model into the tenant's store."""
    content = model.SerializeToString()
    file = folder / f"{name}.onnx"
    file.write_bytes(content)
    uri = f"store://raw/models/{name}.onnx"
    tenant.merkhet("put", str(file), uri)
    return File(uri, f"sha256:{hashlib.sha256(content).hexdigest()}", content)


def version(model: str, number: int, file: File, *, least: float = 0.6, digest: str = "") -> Body:
    """The ModelVersion that brings a file, with one gate."""
    size = len(file.content)
    artifact = {"digest": digest or file.digest, "size": size, "format": "onnx", "uri": file.uri}
    evaluation = {
        "featureSet": {"name": applicants.NAME},
        "target": "repaid",
        "gates": {"metrics": [{"name": "roc_auc", "min": least}]},
    }
    return {
        "apiVersion": applicants.API,
        "kind": "ModelVersion",
        "metadata": {"name": f"{model}-v{number}", "labels": {"merkhet.dev/model": model}},
        "spec": {
            "record": {"model": model, "version": number, "artifact": artifact, "signature": SIGNATURE},
            "evaluation": evaluation,
        },
    }


def decision(body: Body) -> tuple[str, str]:
    """The decision that counts, and why."""
    return body["status"].get("decision", ""), condition(body, "Approved").get("reason", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is put into the store."""
    return tmp_path_factory.mktemp("brought")


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant], folder: Path) -> Tenant:
    """A tenant with applicants and a model that was trained on them."""
    tenant = tenants("brought")
    applicants.put(tenant, folder, applicants.people(2000), "first")
    tenant.apply(applicants.features(), applicants.training("repaid", "repaid"))
    tenant.settled("featuresets", applicants.NAME)
    return tenant


@pytest.fixture(scope="module")
def good(furnished: Tenant, folder: Path) -> File:
    """A model that is worth something, and all that is brought of it."""
    file = put(furnished, folder, "good", graph())
    furnished.apply(version("brought", 1, file), version("poor", 1, file, least=0.999))
    altered = f"sha256:{'0' * 64}"
    furnished.apply(version("altered", 1, file, digest=altered))
    furnished.apply(version("elsewhere", 1, put(furnished, folder, "elsewhere", with_values_elsewhere(graph()))))
    return file


@pytest.mark.usefixtures("good")
def test_it_is_judged_and_waits_for_a_person(furnished: Tenant) -> None:
    body = furnished.settled("modelversions", "brought-v1")
    found = body["status"]["evaluation"]
    figures = {metric["name"]: metric for metric in found["metrics"]}
    assert 0.8 < figures["roc_auc"]["low"] < figures["roc_auc"]["value"] < figures["roc_auc"]["high"] < 1
    assert [(gate["name"], gate["result"]) for gate in found["gates"]] == [("roc_auc", "Passed")]
    assert found["rows"] == {"train": 0, "test": 2000}
    assert [(data["featureSet"], data["version"]) for data in found["data"]] == [(applicants.NAME, 1)]
    assert {"golden", "evaluation", "card"} <= set(found["reports"])
    assert decision(body) == ("Pending", "AwaitingApproval")


def test_once_approved_it_is_served_and_answers_as_its_file_does(furnished: Tenant, good: File) -> None:
    furnished.settled("modelversions", "brought-v1")
    furnished.merkhet("approve", "brought-v1", "--yes")
    spec = {"model": {"name": "brought", "version": "LatestApproved"}, "replicas": 1}
    metadata = {"name": "brought"}
    furnished.apply({"apiVersion": applicants.API, "kind": "ModelDeployment", "metadata": metadata, "spec": spec})
    furnished.serves("brought", 1)
    rows = inputs(applicants.people(20, first=200_000))
    answer = furnished.ask("brought", {"inputs": [_tensor(rows)]})
    assert answer["status"] == 200, answer
    said = {output["name"]: output["data"] for output in answer["body"]["outputs"]}
    session = onnxruntime.InferenceSession(good.content, providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(["label", "probabilities"], {"input": rows})
    assert said["label"] == labels.tolist()
    assert np.array(said["probabilities"]).reshape(-1, 2) == pytest.approx(probabilities, abs=1e-5)
    assert said["label"].count(1) not in {0, 20}


def _tensor(rows: npt.NDArray[np.float32]) -> Body:
    return {"name": "input", "datatype": "FP32", "shape": list(rows.shape), "data": rows.ravel().tolist()}


@pytest.mark.usefixtures("good")
def test_one_that_fails_counts_as_rejected_whoever_approves_it(furnished: Tenant) -> None:
    assert decision(furnished.settled("modelversions", "poor-v1")) == ("Rejected", "GateFailed")
    furnished.merkhet("approve", "poor-v1", "--yes")
    body = furnished.until(
        "modelversions",
        "poor-v1",
        lambda body: body["status"]["observedGeneration"] == body["metadata"]["generation"],
        "has seen the approval",
    )
    assert body["spec"]["approval"]["decision"] == "Approved"
    assert decision(body) == ("Rejected", "GateFailed")
    assert "at least 0.999 was wanted" in condition(body, "Approved")["message"]


WRONG = {
    "another file than the record says": ("altered", "DigestMismatch", "put that file there"),
    "values in another file": ("elsewhere", "ExternalData", "in another file"),
}


@pytest.mark.usefixtures("good")
@pytest.mark.parametrize(("model", "reason", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_and_nothing_is_registered(
    furnished: Tenant, model: str, reason: str, words: str
) -> None:
    assert words in furnished.stalls("modelversions", f"{model}-v1", reason)
    body = furnished.get("modelversions", f"{model}-v1") or {}
    assert decision(body) == ("Pending", "NotEvaluated")
    assert furnished.listed(f"models/{model}") == {}


def test_a_taken_number_is_refused_and_training_goes_on_behind_the_one_that_is_free(
    furnished: Tenant, good: File
) -> None:
    furnished.settled("modeltrainings", "repaid")
    furnished.kubectl("delete", "modelversion", "repaid-v1", "--wait=true")
    furnished.apply(version("repaid", 1, good))
    said = furnished.stalls("modelversions", "repaid-v1", "NumberTaken")
    assert "bring the model as version 2" in said
    claims = furnished.listed("models/repaid")
    furnished.apply(version("repaid", 2, good))
    furnished.settled("modelversions", "repaid-v2")
    furnished.kubectl("annotate", "modeltraining", "repaid", "merkhet.dev/run=again", "--overwrite")
    training = furnished.until(
        "modeltrainings",
        "repaid",
        lambda body: says(body, "Ready", "True") and body["status"].get("latestVersion") != 1,
        "has trained again",
    )
    assert training["status"]["latestVersion"] == 3
    assert _numbers(claims) == [1]
    assert _numbers(furnished.listed("models/repaid")) == [1, 2, 3]


def _numbers(files: Iterable[str]) -> list[int]:
    words = (path.rpartition("/")[2].removesuffix(".json") for path in files)
    return sorted(int(word) for word in words if word.isdecimal())


def test_a_record_stays_as_it_was_brought(furnished: Tenant, good: File) -> None:
    furnished.settled("modelversions", "brought-v1")
    other = version("brought", 1, good, digest=f"sha256:{'1' * 64}")
    assert "written once and never changed" in furnished.refused(other)
    artifact = (furnished.get("modelversions", "brought-v1") or {})["spec"]["record"]["artifact"]
    assert (artifact["uri"], artifact["digest"]) == (good.uri, good.digest)
