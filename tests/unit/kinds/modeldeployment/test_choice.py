"""Which version is served, and what is said where none can be."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds import apis
from merkhet.kinds.kind import Problem
from tests.make import modelversion
from tests.unit.kinds.modeldeployment.scene import Scene


def version(number: int, decision: str = "Approved", **more: Any) -> Body:
    return modelversion(number, decision=decision, **more)


def model(wanted: int | str) -> Body:
    return {"model": {"name": "employment", "version": wanted}}


@pytest.mark.parametrize(
    ("versions", "wanted", "serves"),
    [
        ([version(1), version(2)], "LatestApproved", 2),
        ([version(1), version(2, "Pending")], "LatestApproved", 1),
        ([version(1), version(2, "Rejected")], "LatestApproved", 1),
        ([version(2), version(10)], "LatestApproved", 10),
        ([version(1), version(2)], 1, 1),
    ],
    ids=[
        "the highest approved one",
        "not one that awaits approval",
        "not one that was rejected",
        "numbers are not compared as words",
        "the number that was pinned",
    ],
)
def test_the_version_that_serves_is(versions: list[Body], wanted: int | str, serves: int) -> None:
    scene = Scene(*versions, spec=model(wanted))
    assert scene.settle().status.body()["version"] == serves
    assert scene.facts()["Ready"].status == "True"


@pytest.mark.parametrize(
    ("versions", "wanted", "condition", "reason", "words"),
    [
        ([], "LatestApproved", "Reconciling", "NoVersionYet", "has no version in namespace people yet"),
        ([], 3, "Reconciling", "NoVersionYet", "once a ModelTraining has registered one"),
        ([version(1), version(2)], 7, "Stalled", "VersionMissing", "wants version 7 of employment, found 1, 2"),
        ([version(1), version(2, "Rejected")], 2, "Stalled", "VersionRejected", "set spec.model.version to another"),
    ],
    ids=[
        "a model without versions is waited for",
        "so is a pinned version of a model without versions",
        "a version that is missing among others needs somebody",
        "so does a pinned version that was rejected",
    ],
)
def test_where_no_version_can_be_served(
    versions: list[Body], wanted: int | str, condition: str, reason: str, words: str
) -> None:
    scene = Scene(*versions, spec=model(wanted))
    scene.step()
    facts = scene.facts()
    assert facts["Ready"].status == "False"
    assert (facts[condition].status, facts[condition].reason) == ("True", reason)
    assert words in facts["Ready"].message
    assert not list(scene.deployments())


def test_a_change_to_a_model_without_versions_is_waited_for_while_the_former_serves() -> None:
    scene = Scene(version(1))
    scene.settle()
    scene.edit({"model": {"name": "another"}})
    scene.settle()
    facts = scene.facts()
    assert (facts["Ready"].status, facts["Reconciling"].status) == ("True", "True")
    assert facts["Reconciling"].reason == "NoVersionYet"
    assert scene.sizes() == {1: 1}


@pytest.mark.parametrize("wanted", ["LatestApproved", 1], ids=["the latest", "a pinned one"])
def test_a_version_that_awaits_approval_is_neither_at_fault_nor_on_its_way(wanted: int | str) -> None:
    scene = Scene(version(1, "Pending"), spec=model(wanted))
    scene.step()
    facts = scene.facts()
    assert (facts["Ready"].status, facts["Ready"].reason) == ("False", "AwaitingApproval")
    assert (facts["Stalled"].status, facts["Reconciling"].status) == ("False", "False")


def test_a_model_whose_versions_were_all_rejected_waits_for_a_person() -> None:
    scene = Scene(version(1, "Rejected"))
    scene.step()
    assert scene.facts()["Ready"].reason == "AwaitingApproval"
    assert "all versions of employment were rejected" in scene.facts()["Ready"].message


def test_without_the_policy_an_approval_serves_nothing_and_the_policy_is_named() -> None:
    scene = Scene(version(1), guarded=False)
    scene.step()
    assert scene.facts()["Ready"].reason == "AwaitingApproval"
    assert "no ValidatingAdmissionPolicy" in scene.facts()["Ready"].message
    assert not list(scene.deployments())


def test_a_policy_that_is_taken_away_later_stops_nothing_that_serves() -> None:
    scene = Scene(version(1))
    scene.settle()
    scene.remove(apis.POLICY, "merkhet-approval")
    scene.settle()
    assert scene.sizes() == {1: 1}
    assert scene.facts()["Ready"].status == "True"


@pytest.mark.parametrize(
    "version_",
    [
        version(2, metadata={"name": "employment-v9"}),
        version(2, metadata={"name": "best"}),
        version(2, record={"artifact": {"digest": "sha256:" + "c" * 64, "size": 1, "uri": "blobs/sha256/another"}}),
        version(2, record={"signature": None}),
        version(2, metadata={"labels": {"merkhet.dev/model": "income"}}),
    ],
    ids=[
        "under another number",
        "under another name",
        "whose place is not that of its digest",
        "without a signature",
        "labelled as of another model",
    ],
)
def test_an_approved_version_is_not_served(version_: Body) -> None:
    scene = Scene(version(1), version_)
    assert scene.settle().status.body()["version"] == 1


def test_why_versions_do_not_count_is_said_where_one_is_missing() -> None:
    scene = Scene(version(2, metadata={"name": "best"}))
    scene.step()
    assert "is to be called employment-v2" in scene.facts()["Ready"].message


def test_a_deleted_version_goes_on_serving_and_that_is_said() -> None:
    scene = Scene(version(1), version(2))
    scene.settle()
    scene.remove(apis.MODELVERSION, "employment-v2")
    scene.settle()
    assert scene.sizes() == {2: 1}
    assert (scene.facts()["Ready"].status, scene.facts()["Ready"].reason) == ("True", "VersionDeleted")
    assert scene.facts()["Stalled"].status == "False"


def test_a_pinned_version_that_was_deleted_goes_on_serving() -> None:
    scene = Scene(version(1), version(2), spec=model(1))
    scene.settle()
    scene.remove(apis.MODELVERSION, "employment-v1")
    scene.settle()
    assert scene.sizes() == {1: 1}
    assert scene.facts()["Ready"].reason == "VersionDeleted"


def test_a_newer_version_follows_one_that_was_deleted() -> None:
    scene = Scene(version(1))
    scene.settle()
    scene.remove(apis.MODELVERSION, "employment-v1")
    scene.put(version(2))
    assert scene.settle().status.body()["version"] == 2


def test_a_bad_pin_leaves_the_former_version_serving() -> None:
    scene = Scene(version(1))
    scene.settle()
    scene.edit(model(9))
    scene.settle()
    facts = scene.facts()
    assert (facts["Ready"].status, facts["Stalled"].reason) == ("True", "VersionMissing")
    assert facts["Ready"].message == "version 1 of employment serves with 1 pod"
    assert scene.sizes() == {1: 1}


def test_that_a_newer_version_awaits_approval_is_said_beside_what_serves() -> None:
    scene = Scene(version(1), version(2, "Pending"))
    scene.settle()
    assert scene.facts()["Ready"].message == "version 1 of employment serves with 1 pod; version 2 awaits approval"


def test_another_model_is_served_by_the_same_deployment_after_a_rollout() -> None:
    scene = Scene(version(1), version(4, model="income"))
    scene.settle()
    scene.edit({"model": {"name": "income", "version": "LatestApproved"}})
    scene.step()
    assert scene.owner["status"]["model"] == "employment"
    status = scene.settle().status.body()
    assert (status["model"], status["version"]) == ("income", 4)


def test_a_foreign_service_of_the_same_name_is_left_alone_and_named() -> None:
    scene = Scene(version(1))
    taken = Problem(apis.SERVICE, "employment", "NameTaken", "belongs to somebody else; rename one of them")
    scene.step(taken)
    assert (scene.facts()["Stalled"].status, scene.facts()["Stalled"].reason) == ("True", "NameTaken")
    assert "Service employment: belongs to somebody else" in scene.facts()["Stalled"].message
