"""ModelVersion: the registry, one immutable record per version and the decision about it."""

from __future__ import annotations

from merkhet.kinds import apis
from merkhet.kinds.kind import Cel, Column, Kind
from merkhet.kinds.modelversion.observe import observe
from merkhet.kinds.modelversion.plan import plan
from merkhet.kinds.modelversion.report import report
from merkhet.kinds.modelversion.types import ModelVersionSpec, ModelVersionStatus

KIND = Kind(
    api=apis.MODELVERSION,
    short="mv",
    purpose="A version of a model: what it is, where it comes from, how good it is, and whether it may be served.",
    spec=ModelVersionSpec,
    status=ModelVersionStatus,
    observe=observe,
    plan=plan,
    report=report,
    reads=(apis.MODELDEPLOYMENT, apis.POLICY, apis.POLICY_BINDING),
    columns=(
        Column("Model", ".spec.record.model"),
        Column("Version", ".spec.record.version", "integer"),
        Column("Decision", ".status.decision", description="The decision that counts."),
        Column("Metric", ".spec.record.metrics[0].name", description="The main metric."),
        Column("Value", ".status.figure", description="The main metric on the test rows, to four digits."),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status', wide=True),
        Column("Serving", '.status.conditions[?(@.type=="Serving")].status', wide=True),
        Column("By", ".spec.approval.by", wide=True, description="Who decided."),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(
        Cel(
            "self == oldSelf",
            "record is written once and never changed: train again, or make a new version with the next number",
            at=("spec", "record"),
        ),
        Cel(
            "!has(self.decision) || self.decision == 'Pending' || (has(self.by) && size(self.by) > 0)",
            "a decision names who made it: set approval.by to your user name",
            at=("spec", "approval"),
        ),
    ),
    name_length=52,
)
