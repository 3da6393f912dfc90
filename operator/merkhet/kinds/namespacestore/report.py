"""What is said of a namespace's store: nothing on the ConfigMap itself, events where its children cannot be made."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.conditions import Fact, progressing, ready, stalled
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.common import problem_facts
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.namespacestore.observe import NamespaceStore, Seen
from merkhet.kinds.namespacestore.sharing import not_given
from merkhet.kinds.namespacestore.types import StoreStatus
from merkhet.manifests import names


def report(_store: NamespaceStore, seen: Seen, live: Live, _now: datetime) -> Report:
    """An empty status, and the facts that events are made of."""
    return Report(StoreStatus(), problem_facts(live) or _facts(seen))


def _facts(seen: Seen) -> tuple[Fact, ...]:
    phase = ((seen.claim or {}).get("status") or {}).get("phase", "Pending")
    if phase == "Lost":
        return stalled("ClaimLost", f"the volume of claim {names.STORE} is gone; bring it back or restore the store")
    if phase != "Bound":
        storage = f"class {seen.setup.store_class}" if seen.setup.store_class else "the cluster's default class"
        return progressing("ClaimPending", f"claim {names.STORE} has no volume yet; {storage} has to provide one")
    if (fault := not_given(seen.objects[FEATURESET], seen.setup)) is not None:
        return stalled(*fault)
    return ready("Provided", f"claim {names.STORE} has its volume")
