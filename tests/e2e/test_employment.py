"""The main job, on the example's own files: records in, a judged model registered, approved, and answering."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e import visitors
from tests.e2e.access import EXAMPLE, Tenant, condition, says
from tests.e2e.conftest import furnish

FILES = [EXAMPLE / name for name in ("features.yaml", "training.yaml", "serving.yaml")]


@pytest.fixture(scope="module")
def whole(tenants: Callable[[str], Tenant]) -> Tenant:
    """What governance asks, then all four years and all three files, applied in the wrong order."""
    tenant = tenants("whole")
    tenant.apply(EXAMPLE / "governance" / "policy.yaml")
    tenant.apply(*reversed(FILES))
    furnish(tenant, years="*")
    tenant.kubectl("annotate", "featureset", "employment", "merkhet.dev/run=records-are-there", "--overwrite")
    tenant.settled("modeltrainings", "employment")
    return tenant


def test_features_are_a_version_with_digest_rows_and_columns(whole: Tenant) -> None:
    status = whole.settled("featuresets", "employment")["status"]
    assert status["latest"]["version"] == 1
    assert status["latest"]["rows"] == 233_408
    assert status["latest"]["digest"].startswith("sha256:")
    assert {column["name"]: column["type"] for column in status["columns"]}["AGEP"] == "float32"


def test_the_rules_hold_and_what_differs_between_groups_is_said(whole: Tenant) -> None:
    body = whole.settled("featuresets", "employment")
    assert says(body, "QualityPassed", "True", "AllRulesHold")
    assert says(body, "BiasAcceptable", "False", "LimitsExceeded"), "most people of 65 and over do not work"
    beyond = {finding["column"] for finding in body["status"]["bias"]["findings"] if finding["result"] == "Failed"}
    assert beyond == {"AGEP"}


def test_the_version_is_registered_with_its_record(whole: Tenant) -> None:
    record = whole.settled("modelversions", "employment-v1")["spec"]["record"]
    figures = {metric["name"]: metric["value"] for metric in record["metrics"]}
    assert 0.85 < figures["roc_auc"] < 0.88, "adults only: what this data gives to an honest model"
    assert {gate["name"]: gate["result"] for gate in record["gates"]}["parity"] == "Passed"
    assert record["lineage"]["data"][0] | {"digest": ""} == {"featureSet": "employment", "version": 1, "digest": ""}
    assert record["lineage"]["author"] == "dana@example.com"
    assert record["rows"]["train"] + record["rows"]["test"] == 233_408
    assert record["usage"]["peakMemory"] > 0


def test_the_best_of_four_trials_keeps_its_authors_limits_and_those_of_governance(whole: Tenant) -> None:
    record = whole.settled("modelversions", "employment-v1")["spec"]["record"]
    assert (record["search"]["trials"], record["search"]["finished"]) == (4, 4)
    assert 0.3 < record["signature"]["threshold"] < 0.5, "more people are found than by the usual 0.5"
    assert {gate["name"]: gate for gate in record["gates"] if gate["result"] != "Passed"} == {}
    limits = {(gate["name"], gate.get("source", "spec")): gate.get("limit") for gate in record["gates"]}
    assert limits["demographic_parity_difference by SEX", "policy"] == 0.1
    assert limits["demographic_parity_difference by SEX", "spec"] == 0.05
    assert {("recall by SEX", "spec"), ("latency", "spec"), ("test eighty-five", "spec")} <= set(limits)


def test_nobody_is_served_before_somebody_approves(whole: Tenant) -> None:
    assert whole.waits("modeldeployments", "employment", "AwaitingApproval")
    assert whole.find("pods", "merkhet.dev/kind=modeldeployment") == []


def test_an_approved_version_answers_as_often_right_as_its_record_says(whole: Tenant) -> None:
    whole.merkhet("approve", "employment-v1", "--yes")
    whole.serves("employment", 1)
    people = visitors.unseen(2_000)
    answer = whole.ask("employment", visitors.request(people))
    assert answer["status"] == 200
    labels = next(output["data"] for output in answer["body"]["outputs"] if output["name"] == "label")
    right = sum(said == truth for said, truth in zip(labels, people["employed"].to_pylist(), strict=True)) / len(labels)
    metrics = whole.settled("modelversions", "employment-v1")["spec"]["record"]["metrics"]
    accuracy = next(metric["value"] for metric in metrics if metric["name"] == "accuracy")
    assert abs(right - accuracy) < 0.04, "2 000 people: three standard errors are 0.03"


def test_a_person_asks_with_the_columns_they_know(whole: Tenant) -> None:
    whole.serves("employment", 1)
    said = json.loads(whole.merkhet("predict", "employment", '{"AGEP": 4, "SCHL": 1}', "-o", "json"))
    assert 0 <= said[0]["probabilities"][1] <= 1


def test_applying_the_same_files_again_changes_nothing(whole: Tenant) -> None:
    whole.serves("employment", 1)
    kinds = "featuresets,modeltrainings,modelversions,modeldeployments,jobs,deployments,services,configmaps,roles"

    def seen() -> dict[str, str]:
        found = whole.find(kinds)
        return {f"{body['kind']}/{body['metadata']['name']}": body["metadata"].get("generation", 0) for body in found}

    before = seen()
    whole.apply(*FILES)
    whole.settled("featuresets", "employment")
    assert seen() == before


def test_the_example_is_what_a_stranger_may_read_too(whole: Tenant) -> None:
    body = whole.settled("modeldeployments", "employment")
    assert body["status"]["url"].startswith(f"http://employment.{whole.name}.svc")
    assert says(whole.get("modelversions", "employment-v1") or {}, "Approved", "True")
    assert condition(body, "Ready")["message"]


def test_deleting_the_training_leaves_its_versions_and_what_they_serve(whole: Tenant) -> None:
    whole.serves("employment", 1)
    whole.kubectl("delete", "modeltraining", "employment", "--wait=true")
    assert whole.get("modelversions", "employment-v1") is not None
    assert whole.ask("employment", visitors.request(visitors.unseen(1)))["status"] == 200
    whole.apply(EXAMPLE / "training.yaml")
    again = whole.settled("modeltrainings", "employment")
    assert again["status"]["latestVersion"] == 1, "the same run is found in the store, not done again"
