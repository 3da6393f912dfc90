"""What should exist because of a namespace's store: its claim, the pod that holds it, the list of who lives here."""

from __future__ import annotations

from datetime import datetime

from merkhet.kinds.apis import CLAIM, CONFIGMAP, FEATURESET, STATEFULSET
from merkhet.kinds.kind import Child, Plan
from merkhet.kinds.namespacestore import sharing
from merkhet.kinds.namespacestore.children import claim, gateway
from merkhet.kinds.namespacestore.living import live_map
from merkhet.kinds.namespacestore.observe import NamespaceStore, Seen


def plan(store: NamespaceStore, seen: Seen, now: datetime) -> Plan:
    """Claim, gateway, list. The claim outlives everything and is never written again: whoever enlarges it means it."""
    namespace = store.meta.namespace
    living = live_map(
        seen.objects, seen.living, now, namespace=namespace, serving=seen.serving, least=seen.policy.versions_kept
    )
    return Plan(
        (
            Child(CLAIM, claim(seen.setup), rule="create", owned=False),
            Child(STATEFULSET, gateway(seen.setup, namespace)),
            Child(CONFIGMAP, living),
            *sharing.children(seen.objects[FEATURESET], seen.setup),
        )
    )
