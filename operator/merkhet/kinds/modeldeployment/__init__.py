"""ModelDeployment: serving a version of a model, and changing it without a failed request."""

from __future__ import annotations

from merkhet.kinds import apis
from merkhet.kinds.kind import Cel, Column, Kind
from merkhet.kinds.modeldeployment.observe import observe
from merkhet.kinds.modeldeployment.plan import plan
from merkhet.kinds.modeldeployment.report import report
from merkhet.kinds.modeldeployment.types import ModelDeploymentSpec, ModelDeploymentStatus
from merkhet.kinds.rules import POD_LABELS

KIND = Kind(
    api=apis.MODELDEPLOYMENT,
    short="md",
    purpose="A model that answers requests: which version of it, by how many pods, with what resources.",
    spec=ModelDeploymentSpec,
    status=ModelDeploymentStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=(apis.DEPLOYMENT, apis.SERVICE, apis.DISRUPTION, apis.CONFIGMAP),
    reads=(apis.MODELVERSION, apis.FEATURESET, apis.POD, apis.POLICY, apis.POLICY_BINDING),
    columns=(
        Column("Model", ".spec.model.name"),
        Column("Version", ".status.version", "integer", description="The version that serves."),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Pods", ".status.readyReplicas", "integer", description="Pods that answer."),
        Column("Wanted", ".spec.replicas", "integer", description="Pods that should answer."),
        Column("Candidate", ".status.candidate.version", "integer", wide=True, description="On its way to serve."),
        Column("URL", ".status.url", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(
        Cel(
            "!has(self.version) || self.version == 'LatestApproved' || type(self.version) == int && self.version >= 1",
            "version is LatestApproved or the number of a ModelVersion, from 1",
            at=("spec", "model"),
        ),
        *POD_LABELS,
    ),
    scale=(".spec.replicas", ".status.replicas", ".status.selector"),
)
