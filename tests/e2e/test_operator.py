"""The operator killed at any moment and started again ends in the same state, with exactly one run of each."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.access import EXAMPLE, OPERATOR_NAMESPACE, Cluster, Tenant, example_training, says, until
from tests.e2e.conftest import furnish

OPERATOR = ("-n", OPERATOR_NAMESPACE)
LABEL = "app.kubernetes.io/name=merkhet"


def kill(cluster: Cluster) -> None:
    """End the operator's pods at once, as a lost node would."""
    said = cluster.kubectl(*OPERATOR, "delete", "pods", "-l", LABEL, "--grace-period=0", "--force", "--wait=false")
    assert "deleted" in said


def leader_is_new(cluster: Cluster, former: str) -> None:
    """Wait until another process leads."""
    until(lambda: holder(cluster), lambda now: now not in {"", former}, "another operator leads")


def holder(cluster: Cluster) -> str:
    """Who leads."""
    lease = json.loads(cluster.kubectl(*OPERATOR, "get", "lease", "merkhet-operator", "-o", "json"))
    return str(lease["spec"].get("holderIdentity") or "")


MOMENTS: dict[str, Callable[[Tenant], object]] = {
    "as soon as everything is applied": lambda tenant: tenant.get("featuresets", "employment"),
    "while features are computed": lambda tenant: tenant.until(
        "jobs", _job(tenant, "FeatureSet"), lambda body: True, "is there"
    ),
    "while the model is trained": lambda tenant: tenant.until(
        "jobs", _job(tenant, "ModelTraining"), lambda body: True, "is there"
    ),
    "when the version is registered": lambda tenant: tenant.until(
        "modelversions", "employment-v1", lambda body: True, "is there"
    ),
}


def _job(tenant: Tenant, kind: str) -> str:
    jobs = until(lambda: tenant.find("jobs", f"merkhet.dev/kind={kind.lower()}"), bool, f"{kind} has a Job")
    return str(jobs[0]["metadata"]["name"])


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_killed_operator_ends_where_an_undisturbed_one_does(
    tenants: Callable[[str], Tenant], moment: Callable[[Tenant], object]
) -> None:
    tenant = furnish(tenants("killed"))
    former = holder(tenant.cluster)
    tenant.apply(EXAMPLE / "features.yaml", example_training(), EXAMPLE / "serving.yaml")
    moment(tenant)
    kill(tenant.cluster)
    leader_is_new(tenant.cluster, former)
    training = tenant.settled("modeltrainings", "employment")
    assert [run["phase"] for run in training["status"]["runs"]] == ["Succeeded"]
    assert [body["metadata"]["name"] for body in tenant.find("modelversions")] == ["employment-v1"]
    claims = tenant.store("sh", "-c", "ls /store/models/employment /store/featuresets/employment").split()
    assert [name for name in claims if name.removesuffix(".json").isdigit()] == ["1.json", "1.json"]
    tenant.waits("modeldeployments", "employment", "AwaitingApproval")
    tenant.merkhet("approve", "employment-v1", "--yes")
    tenant.serves("employment", 1)


def written(tenant: Tenant) -> dict[str, str]:
    """Which fields of each object the operator has written, and when: what others write does not count."""
    kinds = "featuresets,modeltrainings,modelversions,modeldeployments,jobs,deployments,services,roles,serviceaccounts"
    listed = json.loads(tenant.kubectl("get", kinds, "-o", "json", "--show-managed-fields"))["items"]
    return {
        f"{body['kind']}/{body['metadata']['name']}": json.dumps(
            [entry for entry in body["metadata"].get("managedFields", []) if entry["manager"].startswith("merkhet")]
        )
        for body in listed
    }


def test_an_operator_that_starts_anew_writes_nothing(serving: Tenant) -> None:
    serving.until(
        "modeldeployments", "employment", lambda body: body["status"].get("readyReplicas") == 2, "has both pods"
    )
    serving.until(
        "modelversions", "employment-v1", lambda body: says(body, "Serving", "True"), "knows that it is served"
    )
    before = until(lambda: written(serving), lambda first: first == written(serving), "nothing moves")
    assert sum(entries != "[]" for entries in before.values()) > 5, "the operator's entries are found"
    former = holder(serving.cluster)
    kill(serving.cluster)
    leader_is_new(serving.cluster, former)
    sign = {"name": "sign-of-life"}
    spec = {"model": {"name": "nothing"}}
    serving.apply({"apiVersion": "merkhet.dev/v1alpha1", "kind": "ModelDeployment", "metadata": sign, "spec": spec})
    serving.until("modeldeployments", "sign-of-life", lambda body: says(body, "Ready", "False"), "was looked at")
    serving.kubectl("delete", "modeldeployment", "sign-of-life", "--wait=true")
    after = {name: entries for name, entries in written(serving).items() if "sign-of-life" not in name}
    assert after == before
