"""A pydantic model as a structural OpenAPI v3 schema, the only form that a CRD takes.

A field without a description or without a bound is an error here, so that it never reaches a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]
Definitions = Mapping[str, Any]
Path = tuple[str, ...]

CONDITION = "Condition"
MAX_DEPTH = 24
PRESERVE = "x-kubernetes-preserve-unknown-fields"
INT_OR_STRING = "x-kubernetes-int-or-string"
# What YAML 1.1 reads as a boolean although it does not look like one: such a key reaches the API server as `true:`.
YAML_BOOLEANS = frozenset({"on", "off", "yes", "no", "y", "n"})

# What a structural schema takes over from JSON Schema unchanged.
_KEPT = (
    "description",
    "enum",
    "format",
    "minimum",
    "maximum",
    "multipleOf",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_OF_SCALARS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "minLength", "maxLength")


class SchemaError(ValueError):
    """A model that cannot become a CRD; the message names the field and what it lacks."""


def structural(model: type[BaseModel], *, name: str, defaults: bool = True) -> Schema:
    """The structural schema of a model; ``defaults=False`` leaves defaults out, as a status has none."""
    source = model.model_json_schema(by_alias=True, mode="validation")
    schema = _schema(source, source.get("$defs", {}), (name,), defaults=defaults)
    _require(bool(schema.get("description")), (name,), f"give class {model.__name__} a docstring")
    return schema


def _schema(source: Any, definitions: Definitions, path: Path, *, defaults: bool) -> Schema:
    """Any node: its reference inlined, its alternatives resolved, then by its type."""
    node = _merged(_resolved(source, definitions, path), definitions, path)
    out = _kept(node)
    if not _is_free(node):
        out |= _BY_TYPE[_type(node, path)](node, definitions, path, defaults)
    if defaults and (default := _default(node.get("default"))) is not None:
        out["default"] = default
    return out


def _resolved(source: Any, definitions: Definitions, path: Path) -> Schema:
    """The node with its reference inlined; what stands beside the reference wins."""
    _require(len(path) <= MAX_DEPTH, path, "is nested too deeply: a CRD cannot hold a model that contains itself")
    node: Schema = dict(source) if isinstance(source, Mapping) else {}
    while "$ref" in node:
        reference = node.pop("$ref").rsplit("/", 1)[-1]
        node = {**definitions[reference], **node}
    return node


def _merged(node: Schema, definitions: Definitions, path: Path) -> Schema:
    """The node without ``anyOf``: null is what is not required, scalars become what Kubernetes has for a choice."""
    if "anyOf" not in node:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    choices = [_resolved(choice, definitions, path) for choice in node["anyOf"]]
    choices = [choice for choice in choices if choice.get("type") != "null"]
    if len(choices) == 1:
        return _merged({**choices[0], **rest}, definitions, path)
    types = {choice.get("type") for choice in choices}
    if types == {"integer", "number"}:
        return {**rest, "type": "number"}
    if types == {"integer", "string"} and len(choices) == 2:
        return {**rest, **_int_or_string(choices)}
    return {**rest, PRESERVE: True}


def _int_or_string(choices: list[Schema]) -> Schema:
    """An integer or a word; each bound applies to its own type only, so they may stand side by side."""
    bounds = {key: value for choice in choices for key, value in choice.items() if key in _OF_SCALARS}
    words = [value for choice in choices if choice["type"] == "string" for value in _enum(choice)]
    if words:
        bounds |= {"pattern": f"^({'|'.join(words)})$", "maxLength": max(map(len, words))}
    return {**bounds, INT_OR_STRING: True}


def _enum(node: Schema) -> list[Any]:
    return [node["const"]] if "const" in node else list(node.get("enum", ()))


def _is_free(node: Schema) -> bool:
    """Whether any JSON value may stand here, or an integer or a string."""
    return bool(node.get(PRESERVE) or node.get(INT_OR_STRING))


def _kept(node: Schema) -> Schema:
    out = {key: node[key] for key in _KEPT if key in node}
    out |= {key: value for key, value in node.items() if key.startswith("x-kubernetes-")}
    if values := _enum(node):
        out["enum"] = values
    # OpenAPI 3.0 writes an exclusive bound as a flag beside the bound.
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in node:
            out |= {bound: node[exclusive], exclusive: True}
    return out


def _type(node: Schema, path: Path) -> str:
    if "type" not in node and not _enum(node):
        return "any"
    type_ = node.get("type", "")
    _require(type_ in _BY_TYPE, path, f"has no type a CRD knows ({type_ or 'values of several types'})")
    return str(type_)


def _any(_node: Schema, _definitions: Definitions, _path: Path, _defaults: bool) -> Schema:
    return {PRESERVE: True}


def _scalar(node: Schema, _definitions: Definitions, _path: Path, _defaults: bool) -> Schema:
    return {"type": node["type"]}


def _integer(_node: Schema, _definitions: Definitions, _path: Path, _defaults: bool) -> Schema:
    return {"type": "integer", "format": "int64"}


def _string(node: Schema, _definitions: Definitions, path: Path, _defaults: bool) -> Schema:
    values = _enum(node)
    _require("maxLength" in node or bool(values), path, "is a string without a bound: give it max_length")
    for value in values:
        _require(str(value).lower() not in YAML_BOOLEANS, path, f"has the value {value}, a boolean in YAML 1.1")
    return {"type": "string"}


def _array(node: Schema, definitions: Definitions, path: Path, _defaults: bool) -> Schema:
    _require("maxItems" in node, path, "is a list without a bound: give it max_length")
    _require("prefixItems" not in node, path, "is a tuple of several types: write a list or an object")
    source = node.get("items", {})
    # A default in a list's item looks like drift to GitOps controllers, which compare lists whole.
    out: Schema = {"type": "array", "items": _schema(source, definitions, (*path, "[]"), defaults=False)}
    if str(source.get("$ref", "")).endswith(f"/{CONDITION}"):
        out |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return out


def _object(node: Schema, definitions: Definitions, path: Path, defaults: bool) -> Schema:
    if "properties" not in node and node.get("additionalProperties") is not False:
        return _map(node, definitions, path, defaults)
    properties = {
        name: _property(name, source, definitions, (*path, name), defaults=defaults)
        for name, source in node.get("properties", {}).items()
    }
    required = [name for name in node.get("required", ()) if "default" not in properties[name]]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _property(name: str, source: Any, definitions: Definitions, path: Path, *, defaults: bool) -> Schema:
    _require(name.lower() not in YAML_BOOLEANS, path, f"is named {name}, which YAML 1.1 reads as a boolean: rename it")
    schema = _schema(source, definitions, path, defaults=defaults)
    _require(bool(schema.get("description")), path, "has no description: kubectl explain would have nothing to say")
    return schema


def _map(node: Schema, definitions: Definitions, path: Path, defaults: bool) -> Schema:
    """An object with keys that the user chooses. What a key must look like is checked when the operator parses it."""
    _require("maxProperties" in node, path, "is a mapping without a bound: give it max_length")
    values = node.get("additionalProperties", True)
    values = next(iter(node["patternProperties"].values())) if "patternProperties" in node else values
    if values is True or values == {}:
        return {"type": "object", PRESERVE: True}
    return {"type": "object", "additionalProperties": _schema(values, definitions, (*path, "{}"), defaults=defaults)}


def _default(value: Any) -> Any:
    """The default as a CRD states it; what is empty says nothing and is left out."""
    if isinstance(value, Mapping):
        value = {key: kept for key, inner in value.items() if (kept := _default(inner)) is not None}
    return None if value in ("", [], {}, ()) else value


def _require(holds: bool, path: Path, message: str) -> None:
    if not holds:
        raise SchemaError(f"{'.'.join(path)} {message}")


_BY_TYPE: dict[str, Callable[[Schema, Definitions, Path, bool], Schema]] = {
    "any": _any,
    "array": _array,
    "boolean": _scalar,
    "integer": _integer,
    "number": _scalar,
    "object": _object,
    "string": _string,
}
