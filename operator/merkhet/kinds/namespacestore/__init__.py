"""The store of a namespace: no kind of its own, but a ConfigMap that whoever needs the store asks for."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.kinds.apis import CLAIM, COMPONENT, CONFIGMAP, FEATURESET, MODELTRAINING, MODELVERSION, STATEFULSET
from merkhet.kinds.kind import Kind
from merkhet.kinds.namespacestore import sharing
from merkhet.kinds.namespacestore.observe import observe
from merkhet.kinds.namespacestore.plan import plan
from merkhet.kinds.namespacestore.report import report
from merkhet.kinds.namespacestore.types import StoreSpec, StoreStatus
from merkhet.manifests import labels, names


def stands_for_a_store(body: Body) -> bool:
    """Whether a ConfigMap is the one that a namespace's store is made from."""
    meta = body["metadata"]
    ours = (meta.get("labels") or {}).get(labels.MANAGED_BY) == labels.MANAGER
    return bool(ours and meta["name"] == names.STORE)


KIND = Kind(
    api=CONFIGMAP,
    short="store",
    purpose="The store of a namespace: a volume claim, and the pod through which people put and get files.",
    spec=StoreSpec,
    status=StoreStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=(CLAIM, STATEFULSET, *sharing.CHILDREN),
    reads=(CLAIM, FEATURESET, COMPONENT, MODELTRAINING, MODELVERSION),
    custom=False,
    selects=stands_for_a_store,
)
