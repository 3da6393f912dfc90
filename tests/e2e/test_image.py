"""An image that cannot be pulled is said in words, hurts nothing else, and is forgotten once it is there.

Which image a run has is the installation's to say. So that one pod alone meets a wrong one, it is kept from any node by
a label that no node has, and its image is changed before they get it: of a pod, Kubernetes lets just that be changed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.access import Body, Cluster, Tenant, changed, example_features, says, until
from tests.e2e.conftest import furnish

# Nobody listens there: the answer comes at once and from the machine itself.
NOWHERE = "localhost:1/merkhet/trainer:nowhere"
SELECTOR = "merkhet.dev/kind=featureset,merkhet.dev/name=employment"
FEATURES = example_features()


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    """A label that no node has yet, and none has afterwards."""
    label = f"e2e-image-{secrets.token_hex(3)}"
    yield label
    cluster.kubectl("label", "nodes", "--all", f"{label}-")


def _pod(tenant: Tenant) -> Body:
    (pod,) = until(lambda: tenant.find("pods", SELECTOR), lambda pods: len(pods) == 1, "the run has one pod")
    return pod


def _give(tenant: Tenant, pod: Body, image: str) -> None:
    patch = {"spec": {"containers": [{"name": "work", "image": image}]}}
    tenant.kubectl("patch", "pod", pod["metadata"]["name"], "-p", json.dumps(patch))


def test_a_missing_image_is_told_and_its_coming_noticed(tenants: Callable[[str], Tenant], place: str) -> None:
    tenant = furnish(tenants("image"))
    tenant.apply(changed(FEATURES, {"spec.podTemplate": {"nodeSelector": {place: "yes"}}}))
    pod = _pod(tenant)
    right = next(one["image"] for one in pod["spec"]["containers"] if one["name"] == "work")
    _give(tenant, pod, NOWHERE)
    tenant.cluster.kubectl("label", "nodes", "--all", f"{place}=yes")

    message = tenant.stalls("featuresets", "employment", "ImagePullFailed")
    assert "FeatureSet" in message
    assert f"image {NOWHERE} cannot be pulled" in message

    tenant.apply(changed(FEATURES, {"metadata.name": "unharmed"}))
    tenant.settled("featuresets", "unharmed")
    stuck = tenant.get("featuresets", "employment") or {}
    assert says(stuck, "Stalled", "True", "ImagePullFailed")
    assert stuck["status"].get("latest") is None

    _give(tenant, pod, right)
    body = tenant.settled("featuresets", "employment")
    assert says(body, "Stalled", "False")
    assert [run["phase"] for run in body["status"]["runs"]] == ["Succeeded"]
    assert len(tenant.find("jobs", SELECTOR)) == 1
