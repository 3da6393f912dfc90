"""Two operators: when the leader is killed in the midst of a run, the other goes on as if nothing had happened."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.access import Body, Cluster, Tenant, changed, example_features, until
from tests.e2e.conftest import furnish
from tests.e2e.test_operator import LABEL, OPERATOR, holder

DEPLOYMENT = "deployment/merkhet"
# Some seconds of work for one core, so that the run outlives the leader.
SLOW = "select * from census where AGEP >= 16 and (select sum(hash(i)) from range(1000000000) t(i)) is not null"
FEATURES = example_features()


def ready_pods(cluster: Cluster) -> set[str]:
    """The operator's pods that are Ready and stay: who waits to lead is Ready too."""
    found = json.loads(cluster.kubectl(*OPERATOR, "get", "pods", "-l", LABEL, "-o", "json"))["items"]
    return {body["metadata"]["name"] for body in found if _is_ready(body)}


def _is_ready(pod: Body) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    said = any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)
    return said and "deletionTimestamp" not in pod["metadata"]


def replicas(cluster: Cluster) -> int:
    """How many operators are asked for."""
    return int(json.loads(cluster.kubectl(*OPERATOR, "get", DEPLOYMENT, "-o", "json"))["spec"]["replicas"])


def scale(cluster: Cluster, number: int) -> None:
    """So many operators, all Ready, one of which leads."""
    cluster.kubectl(*OPERATOR, "scale", DEPLOYMENT, f"--replicas={number}")
    until(lambda: ready_pods(cluster), lambda pods: len(pods) == number, f"{number} operators are Ready")
    until(lambda: holder(cluster), lambda name: name in ready_pods(cluster), "one of them leads")


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[set[str]]:
    """The names of two operators, one of which leads; afterwards there are as many as before."""
    former = replicas(cluster)
    try:
        scale(cluster, 2)
        yield ready_pods(cluster)
    finally:
        scale(cluster, former)


def _job(tenant: Tenant) -> Body:
    """The one Job of the FeatureSet."""
    selector = "merkhet.dev/kind=featureset,merkhet.dev/name=employment"
    (job,) = until(lambda: tenant.find("jobs", selector), lambda jobs: len(jobs) == 1, "the FeatureSet has one Job")
    return job


def test_the_other_operator_takes_over_in_the_midst_of_a_run(tenant: Tenant, pair: set[str]) -> None:
    cluster = tenant.cluster
    furnish(tenant)
    tenant.apply(changed(FEATURES, {"spec.query": SLOW}))
    begun = _job(tenant)
    tenant.until("jobs", begun["metadata"]["name"], lambda job: bool(job.get("status", {}).get("ready")), "is at work")
    leader = holder(cluster)
    assert leader in pair
    cluster.kubectl(*OPERATOR, "delete", "pod", leader, "--grace-period=0", "--force", "--wait=false")
    # The one that waited, or the one that comes in the killed one's place: whoever is first.
    other = until(lambda: holder(cluster), lambda name: name not in {leader, ""}, f"another leads in place of {leader}")

    body = tenant.settled("featuresets", "employment")
    assert [run["phase"] for run in body["status"]["runs"]] == ["Succeeded"]
    assert [version["version"] for version in body["status"]["versions"]] == [1]
    assert _job(tenant)["metadata"]["uid"] == begun["metadata"]["uid"]
    claims = tenant.store("ls", "/store/featuresets/employment").split()
    assert [name for name in claims if name.removesuffix(".json").isdigit()] == ["1.json"]

    tenant.apply(changed(FEATURES, {"metadata.name": "newcomer", "spec.query": "select * from census limit 100"}))
    assert tenant.settled("featuresets", "newcomer")["status"]["latest"]["version"] == 1
    until(lambda: len(ready_pods(cluster)), lambda number: number == 2, "the killed one has a successor")
    assert holder(cluster) == other, "who leads goes on leading"
