"""The generated CRDs at a real API server: they apply, refuse, default and explain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.registry import KINDS
from tests import make
from tests.api.crds.conftest import ROOT
from tests.api.crds.people import Person, fresh

CUSTOM = [kind for kind in KINDS if kind.custom]
MAKERS = {
    "FeatureSet": make.featureset,
    "Component": make.component,
    "ModelTraining": make.modeltraining,
    "ModelVersion": lambda: make.modelversion(decision="Pending"),
    "ModelDeployment": make.modeldeployment,
}


def usual(kind: str, namespace: str) -> Body:
    return fresh(MAKERS[kind](), namespace)


def test_applying_the_crds_again_changes_nothing(admin: Person) -> None:
    lines = admin.does("apply", "-f", str(ROOT / "crds")).splitlines()
    assert {line.rsplit(" ", 1)[-1] for line in lines} == {"unchanged"}


@pytest.mark.parametrize("kind", [kind.api.kind for kind in CUSTOM])
def test_an_object_that_nobody_has_seen_says_so(admin: Person, namespace: str, kind: str) -> None:
    admin.does("create", "-f", "-", body=usual(kind, namespace))
    (made,) = admin.reads("-n", namespace, kind)["items"]
    assert made["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize("kind", [kind.api.kind for kind in CUSTOM])
def test_applying_an_object_again_changes_nothing(admin: Person, namespace: str, kind: str) -> None:
    admin.does("apply", "-f", "-", body=usual(kind, namespace))
    assert admin.does("apply", "-f", "-", body=usual(kind, namespace)).rstrip().endswith("unchanged")


@pytest.mark.parametrize("kind", CUSTOM, ids=lambda kind: kind.api.kind)
@pytest.mark.parametrize("length", ["longest", "too long"])
def test_a_name_leaves_room_for_childrens_names(admin: Person, namespace: str, kind: Any, length: str) -> None:
    body = usual(kind.api.kind, namespace)
    body["metadata"]["name"] = "n" * (kind.name_length + (length == "too long"))
    if length == "longest":
        admin.does("create", "-f", "-", body=body)
    else:
        assert f"at most {kind.name_length} characters" in admin.is_refused("create", "-f", "-", body=body)


def test_a_name_with_a_dot_is_refused(admin: Person, namespace: str) -> None:
    body = usual("FeatureSet", namespace)
    body["metadata"]["name"] = "employment.2026"
    assert "a-z, 0-9 and '-'" in admin.is_refused("create", "-f", "-", body=body)


def test_an_unknown_field_is_named(admin: Person, namespace: str) -> None:
    body = usual("ModelDeployment", namespace)
    body["spec"]["replcas"] = 3
    assert 'unknown field "spec.replcas"' in admin.is_refused("apply", "-f", "-", body=body)


def test_a_deployment_has_one_replica_unless_told_otherwise(admin: Person, namespace: str) -> None:
    admin.does("apply", "-f", "-", body=usual("ModelDeployment", namespace))
    assert admin.reads("-n", namespace, "modeldeployment", "employment")["spec"]["replicas"] == 1


def test_a_deployment_is_scaled_by_kubectl(admin: Person, namespace: str) -> None:
    admin.does("apply", "-f", "-", body=usual("ModelDeployment", namespace))
    admin.does("-n", namespace, "scale", "modeldeployment/employment", "--replicas=3")
    assert admin.reads("-n", namespace, "modeldeployment", "employment")["spec"]["replicas"] == 3


def test_all_kinds_are_listed_by_their_category(admin: Person, namespace: str) -> None:
    for kind in CUSTOM:
        admin.does("create", "-f", "-", body=usual(kind.api.kind, namespace))
    items = admin.reads("-n", namespace, "merkhet")["items"]
    assert {item["kind"] for item in items} == {kind.api.kind for kind in CUSTOM}


@pytest.mark.parametrize("kind", CUSTOM, ids=lambda kind: kind.api.kind)
def test_every_field_is_explained(admin: Person, kind: Any) -> None:
    (version,) = admin.reads("crd", f"{kind.api.plural}.{kind.api.group}")["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    silent = [path for part in ("spec", "status") for path in unexplained(part, properties[part])]
    assert silent == []
    assert kind.purpose.split(":")[0] in " ".join(admin.does("explain", kind.short).split())


def unexplained(path: str, schema: Body) -> Iterator[str]:
    """The fields that have no description."""
    if not schema.get("description"):
        yield path
    for name, inner in schema.get("properties", {}).items():
        yield from unexplained(f"{path}.{name}", inner)
    for name, inner in schema.get("items", {}).get("properties", {}).items():
        yield from unexplained(f"{path}[].{name}", inner)
