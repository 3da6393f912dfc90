"""Where the chart lets nothing approve by itself, the operator may say no and never yes; and what may be brought."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from tests.api.crds.decisions import DRY, brought, decide, patch, version
from tests.api.crds.people import OPERATOR, Person
from tests.cluster.machine import wait_for


@pytest.fixture(scope="module")
def values() -> dict[str, str]:
    return {"approvals.automatic": "false"}


@pytest.fixture(autouse=True)
def in_force(governed: Person, tenants: dict[str, Person], namespace: str) -> None:
    """A policy counts some seconds after it is written."""
    forged = version(namespace, decision="Approved", by="nobody")
    wait_for("the approval policy to count", lambda: governed.tries(*DRY, body=forged).returncode != 0, seconds=120)


def judged(namespace: str, **more: Any) -> Body:
    """A version that somebody brings, with the rows that it is judged on."""
    body = brought(namespace)
    body["spec"]["evaluation"] = {"featureSet": {"name": "employment"}, "target": "employed", **more}
    return body


def test_the_operator_registers_what_failed_its_gates_and_approves_nothing(
    tenants: dict[str, Person], namespace: str
) -> None:
    operator = tenants[OPERATOR]
    approved = version(namespace, decision="Approved", by=OPERATOR)
    assert "may not decide about models here" in operator.is_refused("create", "-f", "-", body=approved)
    operator.does("create", "-f", "-", body=version(namespace, decision="Rejected", by=OPERATOR))
    changed = patch(namespace, decide("Approved", OPERATOR))
    assert "forbidden" in operator.is_refused(*changed).lower()


def test_who_brings_a_model_does_not_reject_it_either(tenants: dict[str, Person], namespace: str) -> None:
    body = judged(namespace)
    body["spec"]["approval"] = {"decision": "Rejected", "by": "emil", "reason": "x"}
    assert "emil may not decide about models here" in tenants["emil"].is_refused("create", "-f", "-", body=body)


@pytest.mark.parametrize(
    ("part", "gate"),
    [
        ("groups", {"metric": "recall", "by": "SEX", "min": 0.5}),
        ("fairness", {"metric": "demographic_parity_difference", "by": "SEX", "max": 0.5}),
    ],
    ids=["groups", "fairness"],
)
def test_a_gate_names_a_column_that_groups_are_told_by(
    tenants: dict[str, Person], namespace: str, part: str, gate: Body
) -> None:
    refused = judged(namespace, gates={part: [gate]})
    assert "sensitive" in tenants["emil"].is_refused("create", "-f", "-", body=refused)
    tenants["emil"].does("create", "-f", "-", body=judged(namespace, gates={part: [gate]}, sensitive=["SEX"]))
