"""What is said of a version: whether it is usable, whether it may be served, who serves it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from merkhet.api.conditions import Fact
from merkhet.api.meta import Body
from merkhet.contract import runs
from merkhet.contract import training as contract
from merkhet.kinds import apis
from merkhet.kinds.kind import Plan, Report
from merkhet.kinds.modelversion import KIND, types
from merkhet.kinds.modelversion.types import Record
from tests import make
from tests.unit.kinds.modeldeployment.scene import observed

POLICY = make.body(apis.POLICY, "merkhet-approval", spec={"failurePolicy": "Fail"})


def binding(**more: Any) -> Body:
    spec = {"policyName": "merkhet-approval", "validationActions": ["Deny"], **more}
    return make.body(apis.POLICY_BINDING, "merkhet-approval", spec=spec)


def said(version: Body, *world: Body) -> tuple[Report, dict[str, Fact]]:
    """The report on a version in a world of these objects, and its facts by type."""
    resource = make.resource(KIND, version)
    seen = observed(KIND, resource, make.world(*world))
    report = KIND.report(resource, seen, make.live(), make.NOW)
    return report, {fact.type: fact for fact in report.facts}


GUARDED = (POLICY, binding())


@pytest.mark.parametrize(
    ("decision", "status", "reason"),
    [("Approved", "True", "Approved"), ("Rejected", "False", "Rejected"), ("Pending", "False", "AwaitingApproval")],
    ids=["an approval", "a rejection", "no decision yet"],
)
def test_under_the_policy_counts(decision: str, status: str, reason: str) -> None:
    report, facts = said(make.modelversion(3, decision=decision), *GUARDED)
    assert (facts["Approved"].status, facts["Approved"].reason) == (status, reason)
    assert report.status.body()["decision"] == decision
    assert facts["Ready"].status == "True"


@pytest.mark.parametrize(
    "world",
    [
        (),
        (POLICY,),
        (binding(),),
        (POLICY, binding(policyName="another")),
        (POLICY, binding(validationActions=["Audit"])),
        ({**POLICY, "spec": {"failurePolicy": "Ignore"}}, binding()),
    ],
    ids=[
        "neither policy nor binding",
        "a policy that nothing binds",
        "a binding without a policy",
        "a binding of another policy",
        "a binding that only takes notes",
        "a policy that lets pass what it cannot judge",
    ],
)
@pytest.mark.parametrize("decision", ["Approved", "Rejected", "Pending"])
def test_no_decision_counts_with(world: tuple[Body, ...], decision: str) -> None:
    report, facts = said(make.modelversion(3, decision=decision), *world)
    assert (facts["Approved"].status, facts["Approved"].reason) == ("False", "PolicyMissing")
    assert f"the decision is {decision} and counts as Pending" in facts["Approved"].message
    assert "ask whoever installed Merkhet" in facts["Approved"].message
    assert report.status.body()["decision"] == "Pending"


def test_who_decided_and_why_is_said() -> None:
    version = make.modelversion(3)
    version["spec"]["approval"]["reason"] = "figures hold for all groups"
    _, facts = said(version, *GUARDED)
    expected = "version 3 of employment was approved by gwen@example.com: figures hold for all groups"
    assert facts["Approved"].message == expected


def test_who_has_to_decide_is_told_what_did_not_pass() -> None:
    gates = [{"name": "roc_auc", "result": "Passed"}, {"name": "recall", "result": "Inconclusive"}]
    _, facts = said(make.modelversion(3, decision="Pending", record={"gates": gates}), *GUARDED)
    assert facts["Approved"].message.endswith("may approve it; not passed: recall")


@pytest.mark.parametrize(
    ("version", "reason", "words"),
    [
        (make.modelversion(3, metadata={"name": "best"}), "Misnamed", "is to be called employment-v3"),
        (make.modelversion(3, metadata={"labels": {}}), "Mislabelled", "kubectl label modelversion employment-v3"),
        (
            make.modelversion(3, record={"artifact": {"digest": make.DIGEST, "size": 1, "uri": "blobs/sha256/b"}}),
            "RecordInconsistent",
            "says its model stands at blobs/sha256/b",
        ),
    ],
    ids=["under another name", "without its label", "whose place is not that of its digest"],
)
def test_a_version_needs_somebody(version: Body, reason: str, words: str) -> None:
    _, facts = said(version, *GUARDED)
    assert (facts["Ready"].status, facts["Stalled"].status, facts["Stalled"].reason) == ("False", "True", reason)
    assert words in facts["Stalled"].message


def test_the_main_metric_is_said() -> None:
    _, facts = said(make.modelversion(3), *GUARDED)
    assert facts["Ready"].message == "version 3 of employment is registered, roc_auc 0.905"


def test_who_serves_it_is_said() -> None:
    deployments = [
        make.modeldeployment("front", status={"model": "employment", "version": 3}),
        make.modeldeployment("back", status={"model": "employment", "version": 2}),
        make.modeldeployment("other", status={"model": "income", "version": 3}),
        make.modeldeployment("fresh"),
    ]
    report, facts = said(make.modelversion(3), *GUARDED, *deployments)
    assert (facts["Serving"].status, facts["Serving"].message) == ("True", "served by ModelDeployment front")
    assert report.status.body()["servedBy"] == ["front"]


def test_a_version_that_nobody_serves_is_ready_all_the_same() -> None:
    _, facts = said(make.modelversion(3), *GUARDED)
    assert (facts["Serving"].status, facts["Ready"].status) == ("False", "True")


def test_a_version_has_no_children() -> None:
    resource = make.resource(KIND, make.modelversion(3))
    assert KIND.plan(resource, observed(KIND, resource, make.world()), make.NOW) == Plan()


def test_the_record_of_a_result_says_what_the_training_said() -> None:
    result = contract.TrainingResult.model_validate(make.training_result(3))
    record = Record.of(result, cost=0.5)
    assert (record.model, record.version, record.usage.cost) == ("employment", 3, 0.5)
    assert Record.model_validate(record.body()) == record
    assert contract.Signature.model_validate(record.signature.body()) == result.signature


@pytest.mark.parametrize(
    ("said", "kept", "renamed"),
    [
        (contract.TrainingResult, types.Record, {"number": "version"}),
        (contract.Artifact, types.Artifact, {}),
        (contract.Signature, types.Signature, {}),
        (contract.Tensor, types.Tensor, {}),
        (contract.Lineage, types.Lineage, {}),
        (contract.DataVersion, types.DataVersion, {}),
        (contract.Metric, types.Metric, {}),
        (contract.Gate, types.Gate, {}),
        (runs.Usage, types.Usage, {}),
    ],
    ids=lambda value: getattr(value, "__name__", "as"),
)
def test_whatever_a_training_can_say_has_a_place_in_the_record(
    said: type[BaseModel], kept: type[BaseModel], renamed: dict[str, str]
) -> None:
    assert {renamed.get(field, field) for field in said.model_fields} <= kept.model_fields.keys()


def test_an_experiment_has_no_record() -> None:
    with pytest.raises(ValidationError, match="artifact"):
        Record.of(contract.TrainingResult.model_validate(make.training_result(None)))
