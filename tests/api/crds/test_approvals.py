"""Who may decide about a model: asked of a real API server by real users."""

from __future__ import annotations

import pytest

from merkhet.api.meta import Body
from tests.api.crds.decisions import DRY, brought, decide, patch, version
from tests.api.crds.people import OPERATOR, Person
from tests.cluster.machine import wait_for


@pytest.fixture(autouse=True)
def in_force(governed: Person, tenants: dict[str, Person], namespace: str) -> None:
    """A policy counts some seconds after it is written."""
    forged = version(namespace, decision="Approved", by="nobody")
    wait_for("the approval policy to count", lambda: governed.tries(*DRY, body=forged).returncode != 0, seconds=120)


@pytest.fixture
def pending(governed: Person, namespace: str) -> Body:
    """A version that waits for a decision."""
    governed.does("create", "-f", "-", body=version(namespace, author="dana"))
    return version(namespace, author="dana")


@pytest.mark.usefixtures("pending")
def test_governance_decides_under_their_own_name(tenants: dict[str, Person], namespace: str) -> None:
    tenants["gwen"].does(*patch(namespace, decide("Approved", "gwen", "reviewed")))
    made = tenants["vera"].reads("-n", namespace, "mv", "employment-v3")
    assert made["spec"]["approval"] == {"decision": "Approved", "by": "gwen", "reason": "reviewed"}


@pytest.mark.usefixtures("pending")
def test_governance_cannot_decide_under_anothers_name(tenants: dict[str, Person], namespace: str) -> None:
    said = tenants["gwen"].is_refused(*patch(namespace, decide("Approved", "gina")))
    assert f"ModelVersion {namespace}/employment-v3: spec.approval.by is gina" in said
    assert "set it to gwen" in said


@pytest.mark.usefixtures("pending")
@pytest.mark.parametrize("who", ["pat", "edith"])
def test_who_may_edit_may_not_thereby_approve(tenants: dict[str, Person], namespace: str, who: str) -> None:
    said = tenants[who].is_refused(*patch(namespace, decide("Approved", who)))
    assert f"{who} may not decide about models here" in said


@pytest.mark.usefixtures("pending")
@pytest.mark.parametrize("who", ["dana", "emil", "vera"])
def test_who_does_not_keep_the_registry_cannot_touch_it(tenants: dict[str, Person], namespace: str, who: str) -> None:
    assert "forbidden" in tenants[who].is_refused(*patch(namespace, decide("Approved", who)))


@pytest.mark.usefixtures("pending")
def test_a_person_without_the_verb_may_change_what_is_no_decision(tenants: dict[str, Person], namespace: str) -> None:
    tenants["pat"].does("-n", namespace, "annotate", "modelversion", "employment-v3", "note=kept")


def test_a_version_is_not_created_approved_by_who_may_not(tenants: dict[str, Person], namespace: str) -> None:
    body = version(namespace, decision="Approved", by="emil")
    assert "emil may not decide about models here" in tenants["emil"].is_refused("create", "-f", "-", body=body)


def test_who_brings_a_model_leaves_it_pending(tenants: dict[str, Person], namespace: str) -> None:
    tenants["emil"].does("create", "-f", "-", body=brought(namespace))


@pytest.mark.usefixtures("pending")
def test_a_decision_is_withdrawn_and_resigned_only_by_who_may(tenants: dict[str, Person], namespace: str) -> None:
    tenants["gwen"].does(*patch(namespace, decide("Approved", "gwen")))
    assert "pat may not" in tenants["pat"].is_refused(*patch(namespace, decide("Pending", "pat")))
    assert "pat may not" in tenants["pat"].is_refused(*patch(namespace, decide("Approved", "pat")))
    assert "spec.approval.by is gwen" in tenants["gina"].is_refused(*patch(namespace, decide("Approved", "gwen", "x")))
    tenants["gina"].does(*patch(namespace, decide("Rejected", "gina", "biased")))


def test_the_operator_approves_what_is_to_be_approved_automatically(tenants: dict[str, Person], namespace: str) -> None:
    tenants[OPERATOR].does("create", "-f", "-", body=version(namespace, decision="Approved", by=OPERATOR))


def test_the_operator_does_not_sign_with_a_persons_name(tenants: dict[str, Person], namespace: str) -> None:
    body = version(namespace, decision="Approved", by="gwen")
    assert f"set it to {OPERATOR}" in tenants[OPERATOR].is_refused("create", "-f", "-", body=body)


@pytest.mark.usefixtures("pending")
def test_the_record_is_never_changed(tenants: dict[str, Person], namespace: str) -> None:
    change = {"spec": {"record": {"artifact": {"size": 1}}}}
    assert "record is written once" in tenants["admin"].is_refused(*patch(namespace, change))


def test_nobody_says_of_a_model_that_a_run_made_it(tenants: dict[str, Person], namespace: str) -> None:
    said = tenants["emil"].is_refused("create", "-f", "-", body=version(namespace))
    assert "spec.record.lineage.training says that a run made it, and emil is none" in said


def test_the_operator_says_it_of_those_that_its_runs_made(tenants: dict[str, Person], namespace: str) -> None:
    tenants[OPERATOR].does("create", "-f", "-", body=version(namespace))
