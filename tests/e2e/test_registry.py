"""The registry: one version per run whatever is killed when, taken elsewhere and back again, and what came of what."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest

from merkhet.contract.training import Signature
from merkhet.pages.words import figure
from tests.e2e import applicants
from tests.e2e.access import Body, Tenant, says, until

MODEL = "repaid"
WORK = f"merkhet.dev/name={MODEL},merkhet.dev/role=train"
# Some seconds of fitting, so that there is a midst in which to delete the pod.
LONG = {"estimator": "sklearn.ensemble.HistGradientBoostingClassifier", "parameters": {"max_iter": 600}}


@pytest.fixture(scope="module")
def registered(tenants: Callable[[str], Tenant], tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """A tenant with version 1 of a model."""
    tenant = tenants("registry")
    applicants.put(tenant, tmp_path_factory.mktemp("rows"), applicants.people(2000), "first")
    tenant.apply(applicants.features(), applicants.training(MODEL, "repaid", {"spec.author": "dana@example.com"}))
    tenant.settled("modeltrainings", MODEL)
    tenant.settled("modelversions", f"{MODEL}-v1")
    return tenant


@pytest.fixture(scope="module")
def record(registered: Tenant) -> Body:
    """The record of version 1."""
    found: Body = (registered.get("modelversions", f"{MODEL}-v1") or {})["spec"]["record"]
    return found


@pytest.fixture(scope="module")
def exported(registered: Tenant, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Version 1 in both formats, and on its way to be another model by now."""
    folder = tmp_path_factory.mktemp("exported")
    made = {words: folder / words for words in ("onnx", "oci")}
    for words, place in made.items():
        registered.merkhet("export", f"mv/{MODEL}-v1", "--format", words, str(place))
    data = f"featureSet={applicants.NAME}@1,target=repaid"
    registered.merkhet("import", str(made["oci"]), "--model", "abroad", "--evaluate", data)
    return made


def test_an_exported_folder_holds_the_model_its_record_and_its_card(exported: dict[str, Path], record: Body) -> None:
    place = exported["onnx"]
    names = {f"{MODEL}-v1.onnx", f"{MODEL}-v1.json", "card.json", "card.md"}
    assert {file.name for file in place.iterdir()} == names
    content = (place / f"{MODEL}-v1.onnx").read_bytes()
    assert _digest(content) == record["artifact"]["digest"]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_inputs()] == [one["name"] for one in record["signature"]["inputs"]]
    assert json.loads((place / f"{MODEL}-v1.json").read_text()) == record


def test_an_exported_layout_is_what_its_digests_say(exported: dict[str, Path], record: Body) -> None:
    place = exported["oci"]
    [listed] = json.loads((place / "index.json").read_text())["manifests"]
    manifest = json.loads(_blob(place, listed["digest"]))
    layers = [layer["digest"] for layer in manifest["layers"]]
    assert layers[0] == record["artifact"]["digest"]
    for digest in [manifest["config"]["digest"], *layers]:
        assert _digest(_blob(place, digest)) == digest


def _blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.usefixtures("exported")
def test_an_imported_model_is_the_same_and_judged_anew(registered: Tenant, record: Body) -> None:
    body = registered.settled("modelversions", "abroad-v1")
    brought = body["spec"]["record"]
    assert brought["artifact"]["digest"] == record["artifact"]["digest"]
    assert Signature.model_validate(brought["signature"]) == Signature.model_validate(record["signature"])
    assert brought["lineage"]["author"] == "dana@example.com"
    assert not brought.get("metrics"), "what was found out elsewhere is no figure of these rows"
    names = [metric["name"] for metric in body["status"]["evaluation"]["metrics"]]
    assert names[0] == "roc_auc"
    assert body["status"]["decision"] == "Pending"


@pytest.mark.usefixtures("exported")
def test_lineage_leads_both_ways(registered: Tenant, record: Body) -> None:
    made = json.loads(registered.merkhet("lineage", f"mv/{MODEL}-v1", "-o", "json"))
    above = {one["relation"]: one for one in made["children"]}
    assert (made["digest"], above["madeBy"]["name"]) == (record["artifact"]["digest"], MODEL)
    assert above["madeBy"]["run"] == record["lineage"]["training"]["run"]
    data = record["lineage"]["data"][0]
    assert {name: above["from"][name] for name in ("name", "version", "digest")} == {
        "name": applicants.NAME,
        "version": 1,
        "digest": data["digest"],
    }
    used = json.loads(registered.merkhet("lineage", f"fs/{applicants.NAME}@1", "-o", "json"))
    assert f"{MODEL}-v1" in {one["name"] for one in used["children"] if one["relation"] == "usedBy"}
    assert "brought from elsewhere" in registered.merkhet("lineage", "mv/abroad-v1")


def test_the_page_of_a_version_has_its_main_figure(registered: Tenant, record: Body, tmp_path: Path) -> None:
    file = tmp_path / "card.html"
    registered.merkhet("open", f"mv/{MODEL}-v1", "-o", str(file))
    page = file.read_text(encoding="utf-8")
    main = record["metrics"][0]
    assert main["name"] in page
    assert figure(main["value"]) in page
    assert f"{MODEL}-v1" in page
    assert "dana@example.com" in page


def test_a_run_whose_pod_is_evicted_and_deleted_registers_one_version(registered: Tenant) -> None:
    registered.apply(
        applicants.training(
            MODEL,
            "repaid",
            {"spec.author": "dana@example.com", "spec.pipeline": [LONG], "spec.retries": 5},
        )
    )
    gone: set[str] = set()
    for kill in (evict, delete):
        pod = until(lambda: _at_work(registered, gone), bool, "a pod trains that nobody has taken away")[0]
        gone.add(pod["metadata"]["uid"])
        kill(registered, pod["metadata"]["name"])
    training = registered.until(
        "modeltrainings",
        MODEL,
        lambda body: says(body, "Ready", "True") and body["status"].get("latestVersion") != 1,
        "has trained again",
    )
    runs = training["status"]["runs"]
    assert [run["phase"] for run in runs] == ["Succeeded", "Succeeded"]
    assert [run["version"] for run in runs] == [2, 1]
    versions = registered.find("modelversions", f"merkhet.dev/model={MODEL}")
    assert sorted(body["metadata"]["name"] for body in versions) == [f"{MODEL}-v1", f"{MODEL}-v2"]
    claims = [path.rpartition("/")[2] for path in registered.listed(f"models/{MODEL}")]
    assert sorted(name for name in claims if name.removesuffix(".json").isdigit()) == ["1.json", "2.json"]


def evict(tenant: Tenant, pod: str) -> None:
    """Take a pod from its node, as a drain does."""
    path = f"/api/v1/namespaces/{tenant.name}/pods/{pod}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": tenant.name}}
    asked = json.dumps({**body, "deleteOptions": {"gracePeriodSeconds": 1}})
    tenant.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=asked)


def delete(tenant: Tenant, pod: str) -> None:
    """Take a pod away, and kill it after a second."""
    tenant.kubectl("delete", "pod", pod, "--grace-period=1", "--wait=false")


def _at_work(tenant: Tenant, gone: set[str]) -> list[Body]:
    """The pod that works and that nobody has deleted, if there is one."""
    pods = (pod for pod in tenant.find("pods", WORK) if pod["metadata"]["uid"] not in gone)
    return [pod for pod in pods if pod["status"].get("phase") == "Running"]
