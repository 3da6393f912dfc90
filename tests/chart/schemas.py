"""JSON Schemas of the API server's kinds, and of ours, for kubeconform: made from what the server itself publishes."""

from __future__ import annotations

import json
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from tests.cluster.apiserver import ApiServer

# As kubeconform's -schema-location takes it.
LOCATION = "{{.Group}}-{{.ResourceAPIVersion}}-{{.ResourceKind}}.json"
REFERENCE = "#/components/schemas/"


def write(server: ApiServer, folder: Path) -> None:
    """One file per kind, strict about unknown fields."""
    for path in _read(server, "/openapi/v3")["paths"]:
        if path.startswith(("api/", "apis/")):
            components = _read(server, f"/openapi/v3/{path}").get("components", {}).get("schemas", {})
            _write_kinds(components, folder)


def _read(server: ApiServer, path: str) -> Any:
    trust = ssl.create_default_context(cafile=str(server.authority))
    request = urllib.request.Request(server.url + path, headers={"Authorization": f"Bearer {server.token()}"})
    with urllib.request.urlopen(request, context=trust, timeout=60) as answer:
        return json.load(answer)


def _write_kinds(components: dict[str, Any], folder: Path) -> None:
    definitions = {name: _strict(schema) for name, schema in components.items()}
    for name, schema in components.items():
        kinds = schema.get("x-kubernetes-group-version-kind", [])
        if len(kinds) != 1:
            continue
        group, version, kind = (kinds[0][part] for part in ("group", "version", "kind"))
        text = json.dumps({"$ref": f"#/definitions/{name}", "definitions": definitions})
        # kubeconform calls the core group by its version.
        (folder / f"{group or version}-{version}-{kind.lower()}.json").write_text(text)


def _strict(node: Any) -> Any:
    """The schema with references into `definitions`, refusing fields that it does not name."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _strict(value) for key, value in node.items()}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = out["$ref"].replace(REFERENCE, "#/definitions/")
    closed = isinstance(out.get("properties"), dict) and "type" in out and "additionalProperties" not in out
    if closed and not out.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    return out
