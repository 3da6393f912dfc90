"""A kind as a CustomResourceDefinition."""
# ruff: noqa: D102 - the protocols repeat what merkhet.kinds.kind documents; this layer may not import it

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel, Field

from merkhet.api.base import StatusPart
from merkhet.api.conditions import Condition
from merkhet.api.meta import Api
from merkhet.api.schema import Schema, SchemaError, structural

CATEGORY = "merkhet"
# kubectl apply keeps a copy in an annotation, which ends at 262 144 bytes.
MAX_BYTES = 200_000
MAX_CONDITIONS = 32
# Nothing was said of the object yet; without it kstatus takes a fresh object for finished.
UNSEEN: dict[str, Any] = {"observedGeneration": -1}


class PrinterColumn(Protocol):
    """A column of ``kubectl get``."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def wide(self) -> bool: ...
    @property
    def description(self) -> str: ...


class Rule(Protocol):
    """A CEL rule, its message, and the path of the schema node it stands on."""

    @property
    def rule(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def at(self) -> tuple[str, ...]: ...
    @property
    def message_expression(self) -> str | None: ...


class Described(Protocol):
    """What a CRD needs to know of a kind."""

    @property
    def api(self) -> Api: ...
    @property
    def short(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def spec(self) -> type[BaseModel]: ...
    @property
    def status(self) -> type[BaseModel]: ...
    @property
    def columns(self) -> Sequence[PrinterColumn]: ...
    @property
    def rules(self) -> Sequence[Rule]: ...
    @property
    def scale(self) -> tuple[str, str, str] | None: ...
    @property
    def name_length(self) -> int: ...


def definition(kind: Described) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    api = kind.api
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{api.plural}.{api.group}"},
        "spec": {
            "group": api.group,
            "names": {
                "kind": api.kind,
                "listKind": f"{api.kind}List",
                "plural": api.plural,
                "singular": api.kind.lower(),
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": api.version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root(kind)},
                    "subresources": _subresources(kind),
                    "additionalPrinterColumns": _columns(kind.columns),
                }
            ],
        },
    }


def _root(kind: Described) -> Schema:
    root: Schema = {
        "type": "object",
        "description": kind.purpose,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{kind.api.api_version}."},
            "kind": {"type": "string", "description": f"{kind.api.kind}."},
            "metadata": {"type": "object"},
            "spec": structural(kind.spec, name=f"{kind.api.kind}.spec"),
            "status": _status(kind),
        },
        "x-kubernetes-validations": [_name_rule(kind)],
    }
    for rule in kind.rules:
        node = _node(root, rule.at, kind)
        node.setdefault("x-kubernetes-validations", []).append(_validation(rule))
    return root


def _status(kind: Described) -> Schema:
    """The status: what the kind reports, and what every kind has."""
    schema = structural(kind.status, name=f"{kind.api.kind}.status", defaults=False)
    common = structural(_Common, name="status", defaults=False)["properties"]
    schema["properties"] = {**common, **schema["properties"]}
    schema["default"] = dict(UNSEEN)
    return schema


def _name_rule(kind: Described) -> dict[str, str]:
    """Children's names are made from it, and some of them are DNS labels."""
    limit = kind.name_length
    return {
        "rule": f"size(self.metadata.name) <= {limit} && !self.metadata.name.contains('.')",
        "message": f"the name must be at most {limit} characters of a-z, 0-9 and '-', because others are made from it",
    }


def _validation(rule: Rule) -> dict[str, str]:
    body = {"rule": rule.rule, "message": rule.message}
    return body | ({"messageExpression": rule.message_expression} if rule.message_expression else {})


def _node(root: Schema, path: tuple[str, ...], kind: Described) -> Schema:
    """The schema node at a path; a list is passed through to its items."""
    node = root
    for step in path:
        if step in ("[]", "items") and node.get("type") == "array":
            node = node["items"]
            continue
        node = node["items"] if node.get("type") == "array" else node
        if step == "{}" and "additionalProperties" in node:
            node = node["additionalProperties"]
            continue
        if step not in node.get("properties", {}):
            raise SchemaError(f"{kind.api.kind}: a rule stands at {'.'.join(path)}, and there is no field {step}")
        node = node["properties"][step]
    return node


def _subresources(kind: Described) -> dict[str, Any]:
    if kind.scale is None:
        return {"status": {}}
    spec, status, selector = kind.scale
    scale = {"specReplicasPath": spec, "statusReplicasPath": status, "labelSelectorPath": selector}
    return {"status": {}, "scale": scale}


def _columns(columns: Sequence[PrinterColumn]) -> list[dict[str, Any]]:
    """The kind's own columns and, last, its age."""
    own = [_column(column) for column in columns if column.name != "Age"]
    return [*own, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def _column(column: PrinterColumn) -> dict[str, Any]:
    body: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.wide:
        body["priority"] = 1
    if column.description:
        body["description"] = column.description
    return body


class _Common(StatusPart):
    """What every status has."""

    observed_generation: int = Field(default=-1, description="The generation of the spec this status speaks of.")
    conditions: tuple[Condition, ...] = Field(
        default=(), max_length=MAX_CONDITIONS, description="What is true of the object, why, and since when."
    )
