"""Whatever somebody changes, adds to or deletes of what is ours comes back as it was; nothing is done twice for it."""

from __future__ import annotations

import json

import pytest

from tests.e2e import visitors
from tests.e2e.access import Tenant, until

DELETED = {
    "the address of a deployment": ("service", "employment"),
    "its disruption budget": ("poddisruptionbudget", "employment"),
    "the account of a training": ("serviceaccount", "employment-mt"),
    "its role": ("role", "employment-mt"),
    "its role binding": ("rolebinding", "employment-mt"),
    "its report": ("configmap", "employment-mt-report"),
    "the store's pod": ("statefulset", "merkhet-store"),
    "the wish for a store": ("configmap", "merkhet-store"),
}


@pytest.mark.parametrize(("kind", "name"), DELETED.values(), ids=DELETED)
def test_what_is_deleted_comes_back(serving: Tenant, kind: str, name: str) -> None:
    before = serving.get(kind, name)
    assert before is not None
    serving.kubectl("delete", kind, name, "--wait=false")

    def again() -> bool:
        now = serving.get(kind, name)
        return now is not None and now["metadata"]["uid"] != before["metadata"]["uid"]

    until(again, bool, f"{kind}/{name} is there again, a new one")
    serving.kubectl("rollout", "status", "statefulset/merkhet-store", "--timeout=180s")
    serving.serves("employment", 1)


def test_a_deleted_revision_is_made_again(serving: Tenant) -> None:
    own = "merkhet.dev/kind=modeldeployment,merkhet.dev/name=employment"
    uids = {body["metadata"]["uid"] for body in serving.find("deployments", own)}
    serving.kubectl("delete", "deployments", "-l", own, "--wait=false")
    until(
        lambda: {body["metadata"]["uid"] for body in serving.find("deployments", own)},
        lambda now: bool(now) and not now & uids,
        "the revision has a new Deployment",
    )
    serving.serves("employment", 1)


CHANGED = {
    "a changed selector": ({"spec": {"selector": {"merkhet.dev/revision": "elsewhere"}}}),
    "a word added to the selector": ({"spec": {"selector": {"colour": "blue"}}}),
    "a changed port": ({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 9999}]}}),
    "a port added": (
        {"spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "more", "port": 81}]}}
    ),
}


@pytest.mark.parametrize("patch", CHANGED.values(), ids=CHANGED)
def test_an_address_that_somebody_changed_leads_to_the_model_again(serving: Tenant, patch: dict[str, object]) -> None:
    good = (serving.get("service", "employment") or {})["spec"]
    serving.kubectl("patch", "service", "employment", "--type=merge", "-p", json.dumps(patch))

    def now() -> dict[str, object]:
        spec = (serving.get("service", "employment") or {})["spec"]
        return {"selector": spec["selector"], "ports": [(port["port"], port["targetPort"]) for port in spec["ports"]]}

    wanted = {"selector": good["selector"], "ports": [(port["port"], port["targetPort"]) for port in good["ports"]]}
    until(now, lambda found: found == wanted, "the Service is as it was")
    serving.serves("employment", 1)


def test_a_scaled_revision_is_put_right(serving: Tenant) -> None:
    own = "merkhet.dev/kind=modeldeployment,merkhet.dev/name=employment"
    name = serving.find("deployments", own)[0]["metadata"]["name"]
    serving.kubectl("scale", "deployment", name, "--replicas=5")
    until(
        lambda: (serving.get("deployment", name) or {})["spec"]["replicas"], lambda count: count == 2, "two are wanted"
    )


def test_a_deleted_job_of_a_finished_run_is_not_run_again(serving: Tenant) -> None:
    runs = (serving.get("modeltrainings", "employment") or {})["status"]["runs"]
    serving.kubectl("delete", "jobs", "-l", "merkhet.dev/kind=modeltraining", "--wait=true")
    serving.kubectl("annotate", "modeltraining", "employment", "example.com/look=again", "--overwrite")
    serving.kubectl("label", "modeltraining", "employment", "looked=at", "--overwrite")
    serving.settled("modeltrainings", "employment")
    assert (serving.get("modeltrainings", "employment") or {})["status"]["runs"] == runs
    assert serving.find("jobs", "merkhet.dev/kind=modeltraining") == []


def test_a_status_that_somebody_emptied_is_told_again_without_a_second_version(serving: Tenant) -> None:
    patch = json.dumps([{"op": "remove", "path": "/status/runs"}, {"op": "remove", "path": "/status/latestVersion"}])
    serving.kubectl("patch", "modeltraining", "employment", "--subresource=status", "--type=json", "-p", patch)
    serving.until(
        "modeltrainings", "employment", lambda body: body["status"].get("latestVersion") == 1, "knows version 1"
    )
    assert [body["metadata"]["name"] for body in serving.find("modelversions")] == ["employment-v1"]


def test_a_deleted_and_applied_deployment_serves_again(serving: Tenant) -> None:
    body = serving.get("modeldeployments", "employment") or {}
    serving.kubectl("delete", "modeldeployment", "employment", "--wait=true")
    until(lambda: serving.get("service", "employment"), lambda found: found is None, "its Service is collected")
    kept = {"name": "employment"}
    serving.apply({"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": kept, "spec": body["spec"]})
    serving.serves("employment", 1)
    assert serving.ask("employment", visitors.request(visitors.unseen(1)))["status"] == 200
