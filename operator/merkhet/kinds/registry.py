"""All kinds: watches, pruning, RBAC, CRDs and docs derive from this list."""

from __future__ import annotations

from merkhet.kinds import component, featureset, modeldeployment, modeltraining, modelversion, namespacestore
from merkhet.kinds.kind import Kind

KINDS: tuple[Kind, ...] = (
    featureset.KIND,
    component.KIND,
    modeltraining.KIND,
    modelversion.KIND,
    modeldeployment.KIND,
    namespacestore.KIND,
)
