"""Versions that wait for a decision, and how people write one."""

from __future__ import annotations

import json

from merkhet.api.meta import Body
from tests import make
from tests.api.crds.people import fresh

DRY = ("create", "--dry-run=server", "-f", "-")


def version(namespace: str, *, decision: str = "Pending", by: str = "", author: str | None = None) -> Body:
    """ModelVersion employment-v3 as a person or the operator creates it."""
    lineage = make.record()["lineage"] | ({"author": author} if author else {})
    return fresh(make.modelversion(3, decision=decision, by=by, record={"lineage": lineage}), namespace)


def brought(namespace: str, *, author: str | None = None) -> Body:
    """ModelVersion employment-v3 as a person brings it: no run made it."""
    lineage = {word: value for word, value in make.record()["lineage"].items() if word != "training"}
    lineage |= {"author": author} if author else {}
    return fresh(make.modelversion(3, decision="Pending", record={"lineage": lineage}), namespace)


def decide(decision: str, by: str, reason: str = "") -> Body:
    """The change that a decision is."""
    return {"spec": {"approval": {"decision": decision, "by": by, "reason": reason}}}


def patch(namespace: str, change: Body) -> tuple[str, ...]:
    """kubectl's words for a change of that version."""
    return ("-n", namespace, "patch", "modelversion", "employment-v3", "--type=merge", "-p", json.dumps(change))
