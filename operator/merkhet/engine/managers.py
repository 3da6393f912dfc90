"""Who owns which fields of an object, as server-side apply keeps it in ``metadata.managedFields``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def adopted(entries: Sequence[Mapping[str, Any]], manager: str) -> list[dict[str, Any]] | None:
    """The entries with what a manager created or patched counted as applied by it; None where nothing has to change.

    A create is an update to Kubernetes: without this, a field that is planned no more would stay, still owned by it.

    Source: ``UpgradeManagedFields`` of k8s.io/client-go/util/csaupgrade.
    """
    updates = [entry for entry in entries if _is(entry, manager, "Update")]
    if not updates:
        return None
    applied = next((entry for entry in entries if _is(entry, manager, "Apply")), None)
    fields: dict[str, Any] = {}
    for entry in (*updates, *([applied] if applied else [])):
        fields = _union(fields, entry.get("fieldsV1") or {})
    mine = {**(applied or updates[0]), "operation": "Apply", "fieldsV1": fields}
    others = [dict(entry) for entry in entries if entry not in updates and entry is not applied]
    return [mine, *others]


def _is(entry: Mapping[str, Any], manager: str, operation: str) -> bool:
    return (entry.get("manager"), entry.get("operation"), entry.get("subresource", "")) == (manager, operation, "")


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _union(value, other[key]) if key in other else value for key, value in one.items()}
    return both | {key: value for key, value in other.items() if key not in one}
