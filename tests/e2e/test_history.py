"""Old versions of features go, with their rows; those that a model was trained on stay as long as the model."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.access import Failed, Tenant, changed, example_features, example_training, until
from tests.e2e.conftest import furnish

FEATURES = example_features()


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with census records in its store."""
    return furnish(tenants("history"))


def collect(tenant: Tenant) -> str:
    """A pass of the collector that waits for nothing; empty where it was stopped."""
    try:
        return tenant.store("merkhet", "store", "collect", "--grace", "0s")
    except Failed:
        return ""  # the kubelet has not brought the list yet, or the pod's own pass is at work


def listed(tenant: Tenant, folder: str) -> set[str]:
    """The files below a folder of the store."""
    lines = tenant.store("merkhet", "store", "ls", folder).splitlines()
    return {str(json.loads(line)["path"]) for line in lines}


def collected(tenant: Tenant, path: str) -> None:
    """Collect until a file is gone."""

    def look() -> set[str]:
        collect(tenant)
        return listed(tenant, path.rpartition("/")[0])

    until(look, lambda found: path not in found, f"{path} is let go")


def manifest(number: int) -> str:
    return f"featuresets/employment/{number}.manifest.json"


def publish(tenant: Tenant, number: int) -> str:
    """Another version, of fewer rows; where its manifest's blob stands."""
    query = f"select * from census where AGEP >= {20 + number}"
    tenant.apply(changed(FEATURES, {"spec.history": {"keep": 1}, "spec.query": query}))
    body = tenant.until(
        "featuresets",
        "employment",
        lambda body: (body.get("status") or {}).get("latest", {}).get("version") == number,
        f"has version {number}",
    )
    return "blobs/sha256/" + str(body["status"]["latest"]["digest"]).removeprefix("sha256:")


def test_what_a_model_was_trained_on_stays_and_an_unused_version_goes(furnished: Tenant) -> None:
    used = publish(furnished, 1)
    furnished.apply(example_training())
    furnished.settled("modeltrainings", "employment")
    assert any(path.startswith("roots/mv-employment-1-") for path in listed(furnished, "roots"))
    unused = publish(furnished, 2)
    newest = publish(furnished, 3)
    collected(furnished, manifest(2))
    collected(furnished, unused)
    assert {manifest(1), manifest(3)} <= listed(furnished, "featuresets/employment")
    blobs = listed(furnished, "blobs")
    assert {used, newest} <= blobs
    rows = json.loads(furnished.store("merkhet", "store", "get", used))["blobs"]
    assert {"blobs/sha256/" + blob["digest"].removeprefix("sha256:") for blob in rows} <= blobs


def test_it_goes_with_the_model(furnished: Tenant) -> None:
    furnished.kubectl("delete", "modelversion", "employment-v1")
    collected(furnished, manifest(1))
    assert "featuresets/employment/1.json" in listed(furnished, "featuresets/employment")


def test_what_the_last_pass_did_can_be_read(furnished: Tenant) -> None:
    told = json.loads(furnished.store("merkhet", "store", "get", "collector.json"))
    assert told["stopped"] == ""
