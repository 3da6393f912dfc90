"""A FeatureSet that is shared with one namespace is its to use, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.access import Body, Tenant, changed, example_features
from tests.e2e.conftest import furnish

FEATURES = example_features()
# Asks for a version's manifest in the store of another namespace, with whatever token.
ASK = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
try:
    print(urllib.request.urlopen(request, timeout=30).status)
except urllib.error.HTTPError as refused:
    print(refused.code)
"""


@pytest.fixture(scope="module")
def giver(tenants: Callable[[str], Tenant]) -> Tenant:
    """Whose FeatureSet is shared."""
    return furnish(tenants("giver"))


@pytest.fixture(scope="module")
def taker(tenants: Callable[[str], Tenant]) -> Tenant:
    """With whom it is shared."""
    return tenants("taker")


@pytest.fixture(scope="module")
def shared(giver: Tenant, taker: Tenant) -> Body:
    """The FeatureSet once it has a version."""
    giver.apply(changed(FEATURES, {"spec.share": {"namespaces": [taker.name]}}))
    giver.until(
        "deployments", "merkhet-share", lambda body: (body.get("status") or {}).get("readyReplicas") == 1, "answers"
    )
    return giver.settled("featuresets", "employment")


def on_top(giver: Tenant) -> Body:
    """A FeatureSet that is made from the giver's."""
    source = {"name": "census", "featureSet": {"name": "employment", "namespace": giver.name}}
    changes = {"metadata.name": "adults", "spec.sources": [source], "spec.query": None}
    return changed(FEATURES, changes)


def test_whom_it_is_shared_with_makes_features_of_it(giver: Tenant, taker: Tenant, shared: Body) -> None:
    taker.apply(on_top(giver))
    made = taker.settled("featuresets", "adults")
    assert made["status"]["latest"]["rows"] == shared["status"]["latest"]["rows"]
    digest = str(shared["status"]["latest"]["digest"])
    assert digest.removeprefix("sha256:") in taker.store("merkhet", "store", "ls", "blobs")


def test_another_namespace_is_refused_in_words_and_by_the_store(
    tenants: Callable[[str], Tenant], giver: Tenant, shared: Body
) -> None:
    stranger = furnish(tenants("stranger"))
    stranger.apply(on_top(giver))
    said = stranger.stalls("featuresets", "adults", "NotShared")
    assert f"FeatureSet {giver.name}/employment is not shared with {stranger.name}" in said
    assert stranger.find("jobs") == []
    digest = str(shared["status"]["latest"]["digest"]).removeprefix("sha256:")
    address = f"http://merkhet-share.{giver.name}/featuresets/employment/{digest}"
    assert stranger.store("python", "-c", ASK, address, "f" * 64).strip() == "403"


def test_what_is_shared_no_more_starts_no_run_and_what_was_made_stays(
    giver: Tenant, taker: Tenant, shared: Body
) -> None:
    assert shared["metadata"]["name"] == "employment"
    giver.kubectl("patch", "featureset", "employment", "--type=merge", "-p", '{"spec": {"share": null}}')
    taker.kubectl("annotate", "featureset", "adults", "merkhet.dev/run=again")
    taker.stalls("featuresets", "adults", "NotShared")
    body = taker.get("featuresets", "adults") or {}
    assert body["status"]["latest"]["version"] == 1
    assert len(taker.find("jobs")) == 1
