"""A version of a Component that stands stays what it is; one that does not stand yet may be corrected."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from tests import make
from tests.api.crds.people import Person, fresh

IMPUTER = "sklearn.impute.SimpleImputer"
EXAMPLE = {"input": {"AGEP": [30, None, 1.5], "SCHL": ["a", "b", None]}, "output": {"AGEP": [30, 35, 1.5]}}
ASKED = {**EXAMPLE, "query": "select * from input"}
CHANGED = "this version stands, and what it is never changes"
SKLEARN: Body = {
    "sklearn": [{"estimator": IMPUTER, "parameters": {"strategy": "median"}, "columns": {"type": "numeric"}}]
}
OF_SKLEARN: Body = {"sklearn": None}
PYTHON: Body = {**OF_SKLEARN, "python": {"entrypoint": "clean", "source": "def clean(table): return table"}}
MAPPED: Body = {**OF_SKLEARN, "python": {"entrypoint": "clean", "configMap": {"name": "sources", "key": "clean.py"}}}
SQL: Body = {**OF_SKLEARN, "sql": {"macros": "create macro f(a) as a"}, "examples": [ASKED]}
ONNX: Body = {**OF_SKLEARN, "onnx": {"uri": "store://raw/a.onnx", "digest": make.DIGEST, "columns": ["a"]}}
EACH: dict[str, Body] = {
    "steps": SKLEARN,
    "a function": PYTHON,
    "a mapped source": MAPPED,
    "macros": SQL,
    "a graph": ONNX,
}


def component(namespace: str, *specs: Body) -> Body:
    """A Component whose fields are these, the later ones over the earlier."""
    whole: dict[str, Any] = {"examples": [EXAMPLE]}
    for spec in specs:
        whole |= spec
    return fresh(make.component(spec=whole), namespace)


def standing(admin: Person, namespace: str, spec: Body, *versions: str) -> None:
    """Apply it, and say that these versions stand."""
    admin.does("apply", "-f", "-", body=component(namespace, spec))
    version = spec.get("version", "1")
    stands = {"version": version} if version in versions else {}
    status = {"status": make.component_status(*versions, **stands)}
    path = ("--namespace", namespace, "patch", "components", "preparation", "--subresource=status", "--type=merge")
    admin.does(*path, "--patch-file=/dev/stdin", body=status)


@pytest.mark.parametrize("spec", EACH.values(), ids=EACH)
def test_each_flavour_is_taken_as_it_is_written(admin: Person, namespace: str, spec: Body) -> None:
    body = component(namespace, spec)
    admin.does("apply", "-f", "-", body=body)
    kept = admin.reads("--namespace", namespace, "components", "preparation")
    assert kept["spec"]["examples"] == body["spec"]["examples"]


CHANGES: dict[str, tuple[Body, Body]] = {
    "another parameter": (SKLEARN, {"sklearn": [{"estimator": IMPUTER, "parameters": {"strategy": "mean"}}]}),
    "other columns": (
        SKLEARN, {"sklearn": [{"estimator": IMPUTER, "parameters": {"strategy": "median"}, "columns": ["AGEP"]}]}
    ),
    "a further step": (SKLEARN, {"sklearn": [*SKLEARN["sklearn"], {"estimator": IMPUTER}]}),
    "another thing": (SKLEARN, SQL),
    "another source": (PYTHON, {"python": {"entrypoint": "clean", "source": "def clean(table): return 1"}}),
    "another entrypoint": (PYTHON, {"python": {**PYTHON["python"], "entrypoint": "other"}}),
    "the network": (PYTHON, {"python": {**PYTHON["python"], "network": True}}),
    "another key": (MAPPED, {"python": {"entrypoint": "clean", "configMap": {"name": "sources", "key": "b.py"}}}),
    "another macro": (SQL, {"sql": {"macros": "create macro f(a) as a + 1"}}),
    "another graph": (ONNX, {"onnx": {**ONNX["onnx"], "digest": f"sha256:{7:064x}"}}),
    "other columns of a graph": (ONNX, {"onnx": {**ONNX["onnx"], "columns": ["b"]}}),
    "no columns of a graph": (ONNX, {"onnx": {"uri": "store://raw/a.onnx", "digest": make.DIGEST}}),
}  # fmt: skip


@pytest.mark.parametrize(("spec", "change"), CHANGES.values(), ids=CHANGES)
def test_a_standing_version_does_not_become_another(admin: Person, namespace: str, spec: Body, change: Body) -> None:
    standing(admin, namespace, spec, "1")
    assert CHANGED in admin.is_refused("apply", "-f", "-", body=component(namespace, spec, change))
    admin.does("apply", "-f", "-", body=component(namespace, spec, change, {"version": "2"}))


MAY_CHANGE: dict[str, tuple[Body, Body]] = {
    "the description": (SKLEARN, {"description": "other words"}),
    "the examples": (SKLEARN, {"examples": [EXAMPLE, EXAMPLE]}),
    "the resources": (SKLEARN, {"resources": {"limits": {"memory": "2Gi"}}}),
    "where a graph stands": (ONNX, {"onnx": {**ONNX["onnx"], "uri": "https://example.com/a.onnx"}}),
    "nothing": (SKLEARN, {}),
}


@pytest.mark.parametrize(("spec", "change"), MAY_CHANGE.values(), ids=MAY_CHANGE)
def test_what_is_not_its_content_may_change(admin: Person, namespace: str, spec: Body, change: Body) -> None:
    standing(admin, namespace, spec, "1")
    admin.does("apply", "-f", "-", body=component(namespace, spec, change))


def test_a_new_version_may_have_another_content(admin: Person, namespace: str) -> None:
    standing(admin, namespace, {**SKLEARN, "version": "2"}, "1", "2")
    admin.does("apply", "-f", "-", body=component(namespace, SQL, {"version": "3"}))


def test_a_version_that_does_not_stand_yet_may_be_corrected(admin: Person, namespace: str) -> None:
    standing(admin, namespace, {**SKLEARN, "version": "2"}, "1")
    admin.does("apply", "-f", "-", body=component(namespace, SQL, {"version": "2"}))


def test_a_content_that_is_not_the_versions_may_be_put_back(admin: Person, namespace: str) -> None:
    """Version 1 is known to stand, and this object was refused under it."""
    standing(admin, namespace, {**SKLEARN, "version": "2"}, "1", "2")
    admin.does("apply", "-f", "-", body=component(namespace, SQL, {"version": "1"}))
    path = ("--namespace", namespace, "patch", "components", "preparation", "--subresource=status", "--type=merge")
    admin.does(*path, "--patch-file=/dev/stdin", body={"status": {"version": None}})
    admin.does("apply", "-f", "-", body=component(namespace, SKLEARN, {"version": "1"}))
