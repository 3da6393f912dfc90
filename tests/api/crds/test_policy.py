"""Who may change what governance asks of every model of a namespace: asked of a real API server by real users."""

from __future__ import annotations

import pytest

from merkhet.api.meta import Body
from tests.api.crds.people import Person
from tests.cluster.machine import wait_for

AUTHORS = ("dana", "emil", "edith", "pat")
DRY = ("create", "--dry-run=server", "-f", "-")


def policy(namespace: str, text: str = "approval: Manual\n") -> Body:
    metadata = {"name": "merkhet-policy", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"policy.yaml": text}}


@pytest.fixture(autouse=True)
def in_force(governed: Person, tenants: dict[str, Person], namespace: str) -> None:
    """A policy counts some seconds after it is written; who may write any ConfigMap is the one to ask."""
    body = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "writers", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "writer"},
        "subjects": [{"kind": "User", "name": name} for name in AUTHORS],
    }
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}
    role = {"apiVersion": body["apiVersion"], "kind": "Role", "metadata": {"name": "writer", "namespace": namespace}}
    governed.does("create", "-f", "-", body={**role, "rules": [rule]})
    governed.does("create", "-f", "-", body=body)
    refused = lambda: "may not change" in tenants["dana"].tries(*DRY, body=policy(namespace)).stderr  # noqa: E731
    wait_for("the guard of the policy to count", refused, seconds=120)


def test_governance_writes_changes_and_takes_away_the_policy(tenants: dict[str, Person], namespace: str) -> None:
    gwen = tenants["gwen"]
    gwen.does("create", "-f", "-", body=policy(namespace))
    gwen.does(
        "-n", namespace, "patch", "configmap", "merkhet-policy", "-p", '{"data": {"policy.yaml": "author: true"}}'
    )
    assert gwen.reads("-n", namespace, "configmap", "merkhet-policy")["data"] == {"policy.yaml": "author: true"}
    gwen.does("-n", namespace, "delete", "configmap", "merkhet-policy")


@pytest.mark.parametrize("who", AUTHORS)
def test_authors_cannot_weaken_it_though_they_may_write_configmaps(
    governed: Person, tenants: dict[str, Person], namespace: str, who: str
) -> None:
    person = tenants[who]
    assert f"{who} may not change what governance asks" in person.is_refused(
        "create", "-f", "-", body=policy(namespace)
    )
    tenants["gwen"].does("create", "-f", "-", body=policy(namespace))
    weaker = ("-n", namespace, "patch", "configmap", "merkhet-policy", "-p", '{"data": {"policy.yaml": ""}}')
    assert "the verb govern" in person.is_refused(*weaker)
    assert "the verb govern" in person.is_refused("-n", namespace, "delete", "configmap", "merkhet-policy")
    assert governed.reads("-n", namespace, "configmap", "merkhet-policy")["data"]["policy.yaml"] == "approval: Manual\n"


def test_other_configmaps_are_no_concern_of_it(tenants: dict[str, Person], namespace: str) -> None:
    other = {**policy(namespace), "metadata": {"name": "settings", "namespace": namespace}}
    tenants["dana"].does("create", "-f", "-", body=other)
    tenants["dana"].does("-n", namespace, "delete", "configmap", "settings")
