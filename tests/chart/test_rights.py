"""What the chart lets the operator and people do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from merkhet.kinds.registry import KINDS
from tests.chart.conftest import EVERYTHING, NAMESPACED, Objects

Rule = dict[str, Any]
PEOPLE = ("platform-engineer", "data-scientist", "ml-engineer", "governance", "viewer")
SCOPES = pytest.mark.parametrize("values", [EVERYTHING, NAMESPACED], ids=["cluster", "namespaced"])


def roles(bodies: list[dict[str, Any]]) -> Iterator[tuple[str, str | None, list[Rule]]]:
    """Name, namespace and rules of each role."""
    for body in bodies:
        if body["kind"] in ("Role", "ClusterRole"):
            yield body["metadata"]["name"], body["metadata"].get("namespace"), body["rules"]


def grants(rules: list[Rule], verb: str, resource: str) -> list[Rule]:
    return [rule for rule in rules if verb in rule["verbs"] and resource in rule["resources"]]


@SCOPES
def test_no_role_has_a_wildcard(objects: Objects, values: tuple[str, ...]) -> None:
    for name, _, rules in roles(objects(*values)):
        for rule in rules:
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}, name


@SCOPES
def test_no_role_touches_secrets(objects: Objects, values: tuple[str, ...]) -> None:
    touching = [name for name, _, rules in roles(objects(*values)) for rule in rules if "secrets" in rule["resources"]]
    assert touching == []


@SCOPES
def test_no_role_may_hand_out_what_its_holder_lacks(objects: Objects, values: tuple[str, ...]) -> None:
    for name, _, rules in roles(objects(*values)):
        for rule in rules:
            assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), name


def test_only_governance_and_the_operator_may_approve(objects: Objects) -> None:
    approving = {name for name, _, rules in roles(objects(*EVERYTHING)) if grants(rules, "approve", "modelversions")}
    assert approving == {"merkhet-governance", "merkhet-operator"}


def test_there_is_a_role_for_each_actor(objects: Objects) -> None:
    names = {name for name, _, _ in roles(objects())}
    assert {f"merkhet-{person}" for person in PEOPLE} <= names


def test_people_enter_no_pod_but_the_stores(objects: Objects) -> None:
    entering = {name: grants(rules, "create", "pods/exec") for name, _, rules in roles(objects())}
    entering = {name: rules for name, rules in entering.items() if rules}
    assert set(entering) == {"merkhet-data-scientist", "merkhet-ml-engineer"}
    assert all(rule["resourceNames"] == ["merkhet-store-0"] for rules in entering.values() for rule in rules)


def test_who_puts_files_may_ask_for_the_store_they_go_to(objects: Objects) -> None:
    asking = {name for name, _, rules in roles(objects()) if grants(rules, "create", "configmaps")}
    writes_the_policy = "merkhet-governance"
    assert asking == {"merkhet-data-scientist", "merkhet-ml-engineer", "merkhet-operator", writes_the_policy}


def test_only_governance_writes_the_namespaces_policy(objects: Objects) -> None:
    bodies = objects(*EVERYTHING)
    assert {name for name, _, rules in roles(bodies) if grants(rules, "govern", "modelversions")} == {
        "merkhet-governance"
    }
    (rules,) = (rules for name, _, rules in roles(bodies) if name == "merkhet-governance")
    assert [rule["resourceNames"] for rule in grants(rules, "update", "configmaps")] == [["merkhet-policy"]]


def test_only_the_operator_and_the_role_for_it_say_that_a_run_made_a_version(objects: Objects) -> None:
    attesting = {name for name, _, rules in roles(objects()) if grants(rules, "attest", "modelversions")}
    assert attesting == {"merkhet-attester", "merkhet-operator"}


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_sees_every_kind(objects: Objects, person: str) -> None:
    (rules,) = (rules for name, _, rules in roles(objects()) if name == f"merkhet-{person}")
    unseen = [kind.api.plural for kind in KINDS if kind.custom and not grants(rules, "list", kind.api.plural)]
    assert unseen == []


@pytest.mark.parametrize("role", ["view", "edit"])
def test_kubernetes_own_roles_know_every_kind(objects: Objects, role: str) -> None:
    (rules,) = (rules for name, _, rules in roles(objects()) if name == f"merkhet-aggregate-to-{role}")
    verb = "list" if role == "view" else "create"
    assert [kind.api.plural for kind in KINDS if kind.custom and not grants(rules, verb, kind.api.plural)] == []


def test_in_namespaced_scope_the_operator_reads_one_policy_of_the_cluster_and_nothing_else(objects: Objects) -> None:
    (rules,) = (rules for space, rules in of_operator(objects(*NAMESPACED)) if space is None)
    assert {tuple(rule["verbs"]) for rule in rules} == {("get",)}
    assert all(rule["resourceNames"] == ["merkhet-approval"] for rule in rules)


def test_in_namespaced_scope_each_namespace_has_the_rights_of_the_cluster(objects: Objects) -> None:
    whole = {str(rule) for _, rules in of_operator(objects(*EVERYTHING)) for rule in rules}
    per_namespace = of_operator(objects(*NAMESPACED))
    assert [space for space, _ in per_namespace] == [None, "people", "sales"]
    cluster, *named = ({str(rule) for rule in rules} for _, rules in per_namespace)
    assert all(whole <= cluster | rules for rules in named)


def of_operator(bodies: list[dict[str, Any]]) -> list[tuple[str | None, list[Rule]]]:
    return [(space, rules) for name, space, rules in roles(bodies) if name == "merkhet-operator"]
