"""Where the chart asks for four eyes, nobody approves what they answer for themselves."""

from __future__ import annotations

import pytest

from merkhet.api.meta import Body
from tests import make
from tests.api.crds.decisions import DRY, brought, decide, patch, version
from tests.api.crds.people import OPERATOR, Person, fresh
from tests.cluster.machine import wait_for


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return {"approvals.fourEyes": "true"}


def training(namespace: str, author: str | None) -> Body:
    return fresh(make.modeltraining(spec={"author": author}), namespace)


@pytest.fixture(autouse=True)
def in_force(governed: Person, tenants: dict[str, Person], namespace: str) -> None:
    """Policies count some seconds after they are written."""
    forged = version(namespace, decision="Approved", by="nobody", author="dana")
    wait_for("the approval policy to count", lambda: governed.tries(*DRY, body=forged).returncode != 0, seconds=120)
    foreign = training(namespace, "gwen")
    wait_for(
        "the author policy to count", lambda: tenants["dana"].tries(*DRY, body=foreign).returncode != 0, seconds=120
    )


def test_nobody_approves_their_own_model(tenants: dict[str, Person], namespace: str) -> None:
    tenants["admin"].does("create", "-f", "-", body=version(namespace, author="gwen"))
    assert "gwen is its author" in tenants["gwen"].is_refused(*patch(namespace, decide("Approved", "gwen")))
    tenants["gina"].does(*patch(namespace, decide("Approved", "gina")))


def test_a_model_without_an_author_is_not_approved(tenants: dict[str, Person], namespace: str) -> None:
    tenants["admin"].does("create", "-f", "-", body=version(namespace))
    said = tenants["gwen"].is_refused(*patch(namespace, decide("Approved", "gwen")))
    assert "spec.record.lineage.author is empty" in said


@pytest.mark.parametrize(("author", "found"), [("gwen", "its author is gwen"), (None, "its author is not named")])
def test_a_training_names_its_real_author(
    tenants: dict[str, Person], namespace: str, author: str | None, found: str
) -> None:
    said = tenants["dana"].is_refused("create", "-f", "-", body=training(namespace, author))
    assert f"ModelTraining {namespace}/employment: {found}" in said
    assert "set the author to dana" in said


def test_who_changes_a_training_becomes_its_author(tenants: dict[str, Person], namespace: str) -> None:
    tenants["dana"].does("create", "-f", "-", body=training(namespace, "dana"))
    change = ("-n", namespace, "patch", "mt", "employment", "--type=merge", "-p")
    assert "its author is dana" in tenants["pat"].is_refused(*change, '{"spec": {"positive": 0}}')
    tenants["pat"].does(*change, '{"spec": {"positive": 0, "author": "pat"}}')


def test_running_a_training_again_needs_no_new_author(tenants: dict[str, Person], namespace: str) -> None:
    tenants["dana"].does("create", "-f", "-", body=training(namespace, "dana"))
    tenants["pat"].does("-n", namespace, "annotate", "mt", "employment", "merkhet.dev/run=again")


def test_nobody_brings_a_model_under_anothers_name(tenants: dict[str, Person], namespace: str) -> None:
    assert "its author is gwen" in tenants["emil"].is_refused(
        "create", "-f", "-", body=brought(namespace, author="gwen")
    )


def test_who_may_attest_applies_what_others_wrote(tenants: dict[str, Person], namespace: str) -> None:
    tenants["admin"].does(
        *("-n", namespace, "create", "rolebinding", "gitops", "--clusterrole=merkhet-attester", "--user=pat")
    )
    attests = ("-n", namespace, "auth", "can-i", "attest", "modeltrainings.merkhet.dev")
    wait_for("the role to count", lambda: tenants["pat"].tries(*attests).returncode == 0, seconds=60)
    tenants["pat"].does("create", "-f", "-", body=training(namespace, "dana"))


def test_the_operator_records_the_author_of_a_training(tenants: dict[str, Person], namespace: str) -> None:
    body = version(namespace, decision="Approved", by=OPERATOR, author="dana")
    tenants[OPERATOR].does("create", "-f", "-", body=body)
