"""ModelVersion: the registry, one immutable record per version and the decision about it."""

from __future__ import annotations

from merkhet.kinds import apis, gates, runs
from merkhet.kinds.kind import Cel, Column, Kind
from merkhet.kinds.modelversion.observe import observe
from merkhet.kinds.modelversion.plan import plan
from merkhet.kinds.modelversion.report import report
from merkhet.kinds.modelversion.types import ModelVersionSpec, ModelVersionStatus
from merkhet.kinds.rules import DEADLINE, POD_LABELS

KIND = Kind(
    api=apis.MODELVERSION,
    short="mv",
    purpose="A version of a model: what it is, where it comes from, how good it is, and whether it may be served.",
    spec=ModelVersionSpec,
    status=ModelVersionStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=runs.CHILDREN,
    reads=(*runs.READS, apis.FEATURESET, apis.MODELDEPLOYMENT, apis.MODELVERSION, apis.POLICY, apis.POLICY_BINDING),
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
        Cel(
            "!has(oldSelf.evaluation) || has(self.evaluation)",
            "how a model was judged stays with it: leave spec.evaluation, or bring the model as a new version",
        ),
        Cel(
            "self == oldSelf",
            "how a model is judged is written once: bring it as a new version to have it judged otherwise",
            at=("spec", "evaluation"),
        ),
        *gates.rules("spec", "evaluation"),
        Cel(
            "!has(self.gates) || !has(self.gates.groups) || self.gates.groups.all(gate, has(self.sensitive) "
            "&& gate.by in self.sensitive)",
            "a gate on groups names a column that is not in evaluation.sensitive: add it there",
            at=("spec", "evaluation"),
        ),
        Cel(
            "!has(self.gates) || !has(self.gates.fairness) || self.gates.fairness.all(gate, has(self.sensitive) "
            "&& gate.by in self.sensitive)",
            "a gate on fairness names a column that is not in evaluation.sensitive: add it there",
            at=("spec", "evaluation"),
        ),
        DEADLINE,
        *POD_LABELS,
    ),
    name_length=52,
)
