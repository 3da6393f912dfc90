"""Component: shared steps and pre-trained models, proven by examples and kept by content."""

from __future__ import annotations

from merkhet.kinds import runs
from merkhet.kinds.apis import COMPONENT, FEATURESET, MODELTRAINING
from merkhet.kinds.component import rules
from merkhet.kinds.component.observe import SHORT, observe
from merkhet.kinds.component.plan import plan
from merkhet.kinds.component.report import report
from merkhet.kinds.component.types import ComponentSpec, ComponentStatus
from merkhet.kinds.kind import Column, Kind
from merkhet.kinds.rules import DEADLINE, POD_LABELS

KIND = Kind(
    api=COMPONENT,
    short=SHORT,
    purpose="A shared step or pre-trained model: declared, proven by examples, and used by version for ever.",
    spec=ComponentSpec,
    status=ComponentStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=runs.CHILDREN,
    reads=(*runs.READS, FEATURESET, MODELTRAINING),
    columns=(
        Column("Version", ".spec.version", description="What this content is called."),
        Column("Flavour", ".status.flavour", description="sklearn, sql, python or onnx."),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Users", ".status.usedBy[*].name", wide=True, description="Objects that name it."),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Digest", ".status.digest", wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(*rules.COMPONENT, DEADLINE, *POD_LABELS),
)
