"""A change of what is served: no caller is refused, the former version comes back, a bad change harms nobody."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e import visitors
from tests.e2e.access import Tenant, changed, condition, example, example_training, says, until
from tests.e2e.conftest import train

DEPLOYMENT = example("serving.yaml")
TRAINING = example_training()
OWN = "merkhet.dev/kind=modeldeployment,merkhet.dev/name=employment"


@pytest.fixture(scope="module")
def changing(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with two approved versions, of which the first is served."""
    tenant = train(tenants("rollout"))
    tenant.merkhet("approve", "employment-v1", "--yes")
    tenant.apply(changed(DEPLOYMENT, {"spec.model.version": 1}))
    tenant.apply(
        changed(
            TRAINING,
            {
                "spec.pipeline": [{"estimator": "sklearn.linear_model.LogisticRegression"}],
                "spec.gates.metrics": [{"name": "roc_auc", "min": 0.6}],
            },
        )
    )
    tenant.until("modelversions", "employment-v2", lambda body: says(body, "Ready", "True"), "is registered")
    tenant.merkhet("approve", "employment-v2", "--yes")
    return tenant


@pytest.fixture
def first(changing: Tenant) -> Tenant:
    """Version 1 is served, as each story begins."""
    changing.apply(changed(DEPLOYMENT, {"spec.model.version": 1}))
    changing.serves("employment", 1)
    return changing


def test_a_change_of_version_fails_no_request(first: Tenant) -> None:
    with visitors.crowd(first, "employment") as met:
        first.apply(changed(DEPLOYMENT, {"spec.model.version": 2}))
        first.serves("employment", 2)
        until(lambda: len(first.find("pods", OWN)), lambda count: count == 2, "only the new revision's pods are left")
    assert met.bad == []
    assert met.good > 50
    assert set(met.versions) == {"1", "2"}


def test_the_former_version_comes_back_on_its_own_deployment(first: Tenant) -> None:
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 2}))
    first.serves("employment", 2)
    before = {body["metadata"]["name"] for body in first.find("deployments", OWN)}
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 1}))
    first.serves("employment", 1)
    assert {body["metadata"]["name"] for body in first.find("deployments", OWN)} == before


def test_scaling_makes_no_new_revision(first: Tenant) -> None:
    revision = (first.get("modeldeployments", "employment") or {})["status"]["revision"]
    first.kubectl("scale", "modeldeployment", "employment", "--replicas=3")
    body = first.until(
        "modeldeployments",
        "employment",
        lambda body: says(body, "Ready", "True") and body["status"]["readyReplicas"] == 3,
        "has three",
    )
    assert body["status"]["revision"] == revision


def test_the_restart_annotation_makes_new_pods_without_a_failed_request(first: Tenant) -> None:
    revision = (first.get("modeldeployments", "employment") or {})["status"]["revision"]
    with visitors.crowd(first, "employment") as met:
        first.kubectl("annotate", "modeldeployment", "employment", "merkhet.dev/restart=now", "--overwrite")
        first.until(
            "modeldeployments",
            "employment",
            lambda body: body["status"]["revision"] != revision and says(body, "Ready", "True"),
            "has new pods",
        )
    assert met.bad == []
    assert met.good > 20
    first.kubectl("annotate", "modeldeployment", "employment", "merkhet.dev/restart-")


def test_a_change_that_cannot_start_leaves_the_old_pods_serving(first: Tenant) -> None:
    too_small = {"requests": {"cpu": "50m", "memory": "24Mi"}, "limits": {"cpu": "1", "memory": "24Mi"}}
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 1, "spec.resources": too_small}))
    body = first.until("modeldeployments", "employment", lambda body: says(body, "Stalled", "True"), "is Stalled")
    assert condition(body, "Ready")["status"] == "True"
    assert "memory" in condition(body, "Stalled")["message"]
    assert first.ask("employment", visitors.request(visitors.unseen(1)))["status"] == 200
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 1}))
    first.serves("employment", 1)


def test_a_corrupt_blob_is_never_served(first: Tenant) -> None:
    digest = (first.get("modelversions", "employment-v2") or {})["spec"]["record"]["artifact"]["digest"]
    blob = f"/store/blobs/sha256/{digest.removeprefix('sha256:')}"
    flip = (
        "import os,sys; p=sys.argv[1]; os.chmod(p, 0o644); f=open(p,'r+b'); f.seek(100); b=f.read(1); f.seek(100);"
        "f.write(bytes([b[0]^255])); f.close()"
    )
    first.store("python", "-c", flip, blob)
    first.kubectl("annotate", "modeldeployment", "employment", "merkhet.dev/restart=after-damage", "--overwrite")
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 2}))
    try:
        body = first.until("modeldeployments", "employment", lambda body: says(body, "Stalled", "True"), "is Stalled")
        assert digest in condition(body, "Stalled")["message"]
        assert first.ask("employment")["body"]["versions"] == ["1"]
    finally:
        first.store("python", "-c", flip, blob)
        first.kubectl("annotate", "modeldeployment", "employment", "merkhet.dev/restart-")


def test_a_version_that_does_not_exist_is_named_and_the_old_one_goes_on(first: Tenant) -> None:
    first.apply(changed(DEPLOYMENT, {"spec.model.version": 7}))
    assert "7" in first.stalls("modeldeployments", "employment", "VersionMissing")
    assert first.ask("employment", visitors.request(visitors.unseen(1)))["status"] == 200


def test_a_served_version_that_is_deleted_goes_on_serving(first: Tenant) -> None:
    record = first.get("modelversions", "employment-v1") or {}
    first.kubectl("delete", "modelversion", "employment-v1")
    first.until(
        "modeldeployments",
        "employment",
        lambda body: any("VersionDeleted" in found["reason"] for found in body["status"]["conditions"]),
        "says that its version was deleted",
    )
    assert first.ask("employment", visitors.request(visitors.unseen(1)))["status"] == 200
    kept = {key: record["metadata"][key] for key in ("name", "labels")}
    record["spec"]["approval"] = {"decision": "Pending"}
    first.apply({"apiVersion": record["apiVersion"], "kind": record["kind"], "metadata": kept, "spec": record["spec"]})
    first.merkhet("approve", "employment-v1", "--yes")
    first.serves("employment", 1)
