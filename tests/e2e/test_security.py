"""Our pods may do little, and people may do what their role says and nothing more."""

from __future__ import annotations

import json

import pytest

from tests.e2e.access import Body, Tenant


def _pods(tenant: Tenant) -> list[Body]:
    pods = tenant.find("pods")
    assert {pod["metadata"]["labels"].get("merkhet.dev/role") for pod in pods} >= {"server", "store"}
    return pods


def _containers(pod: Body) -> list[Body]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def test_every_pod_is_restricted_with_a_read_only_root_and_limits(serving: Tenant) -> None:
    for pod in _pods(serving):
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for container in _containers(pod):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"]["drop"] == ["ALL"]
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])


def test_no_container_that_works_holds_a_token(serving: Tenant) -> None:
    for pod in _pods(serving):
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in _containers(pod):
            mounted = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
            has_token = any("/var/run/secrets" in path for path in mounted)
            assert has_token is (container["name"] == "reporter")


def test_the_reporter_may_write_one_config_map_and_read_nothing_else(serving: Tenant) -> None:
    account = f"system:serviceaccount:{serving.name}:employment-mt"

    def may(verb: str, what: str) -> str:
        answer = serving.cluster.run(
            "kubectl",
            "-n",
            serving.name,
            "create",
            "-o",
            "json",
            "-f",
            "-",
            stdin=json.dumps(_review(serving.name, account, verb, *what.split("/"))),
        )
        return str(json.loads(answer)["status"]["allowed"])

    assert may("patch", "configmaps/employment-mt-report") == "True"
    assert may("patch", "configmaps/merkhet-policy") == "False"
    assert may("list", "secrets") == "False"
    assert may("get", "secrets/any") == "False"
    assert may("create", "pods") == "False"


def _review(namespace: str, user: str, verb: str, resource: str, name: str = "") -> Body:
    attributes = {"namespace": namespace, "verb": verb, "resource": resource, "name": name}
    spec = {"user": user, "groups": ["system:serviceaccounts"], "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


ROLES = {
    "a data scientist trains": ("data-scientist", "create", "modeltrainings", "yes"),
    "a data scientist does not approve": ("data-scientist", "approve", "modelversions", "no"),
    "operations deploys": ("ml-engineer", "create", "modeldeployments", "yes"),
    "operations does not approve": ("ml-engineer", "approve", "modelversions", "no"),
    "governance approves": ("governance", "approve", "modelversions", "yes"),
    "governance does not train": ("governance", "create", "modeltrainings", "no"),
    "business looks": ("viewer", "get", "modelversions", "yes"),
    "business changes nothing": ("viewer", "update", "modeldeployments", "no"),
}


@pytest.mark.parametrize(("role", "verb", "what", "answer"), ROLES.values(), ids=ROLES)
def test_people_may_do_what_their_role_says(serving: Tenant, role: str, verb: str, what: str, answer: str) -> None:
    person = f"{role}@example.com"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"is-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"merkhet-{role}"},
        "subjects": [{"kind": "User", "name": person, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    serving.apply(binding)
    review = _review(serving.name, person, verb, what)
    review["spec"] |= {"groups": ["system:authenticated"]}
    review["spec"]["resourceAttributes"]["group"] = "merkhet.dev"
    said = serving.cluster.run("kubectl", "create", "-o", "json", "-f", "-", stdin=json.dumps(review))
    assert ("yes" if json.loads(said)["status"]["allowed"] else "no") == answer


def test_the_author_of_a_decision_is_the_one_who_asks(serving: Tenant) -> None:
    patch = {"spec": {"approval": {"decision": "Rejected", "by": "somebody-else@example.com", "reason": "no"}}}
    said = serving.kubectl(
        "patch", "modelversion", "employment-v1", "--type=merge", "-p", json.dumps(patch), fails=True
    )
    assert "by" in said


def test_somebody_without_the_verb_cannot_approve(serving: Tenant) -> None:
    patch = {"spec": {"approval": {"decision": "Rejected", "by": "ml-engineer@example.com", "reason": "no"}}}
    serving.cluster.run(
        "kubectl",
        "-n",
        serving.name,
        "create",
        "rolebinding",
        "may-edit",
        "--clusterrole=merkhet-platform-engineer",
        "--user=ml-engineer@example.com",
    )
    said = serving.kubectl(
        "--as=ml-engineer@example.com",
        "patch",
        "modelversion",
        "employment-v1",
        "--type=merge",
        "-p",
        json.dumps(patch),
        fails=True,
    )
    assert "approve" in said
