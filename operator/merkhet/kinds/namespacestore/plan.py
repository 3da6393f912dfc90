"""What should exist because of a namespace's store: the claim that holds it, and the pod that holds it open."""

from __future__ import annotations

from datetime import datetime

from merkhet.kinds.apis import CLAIM, STATEFULSET
from merkhet.kinds.kind import Child, Plan
from merkhet.kinds.namespacestore.children import claim, gateway
from merkhet.kinds.namespacestore.observe import NamespaceStore, Seen


def plan(_store: NamespaceStore, seen: Seen, _now: datetime) -> Plan:
    """Claim and gateway. The claim outlives everything and is never written again: whoever enlarges it means it."""
    return Plan(
        (
            Child(CLAIM, claim(seen.setup), rule="create", owned=False),
            Child(STATEFULSET, gateway(seen.setup)),
        )
    )
