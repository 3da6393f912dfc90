"""ModelTraining: from features to a registered version of a model."""

from __future__ import annotations

from merkhet.kinds import runs
from merkhet.kinds.apis import COMPONENT, FEATURESET, MODELTRAINING, MODELVERSION, POLICY, POLICY_BINDING
from merkhet.kinds.kind import Cel, Column, Kind
from merkhet.kinds.modeltraining.observe import SHORT, observe
from merkhet.kinds.modeltraining.plan import plan
from merkhet.kinds.modeltraining.report import report
from merkhet.kinds.modeltraining.rules import GATES, OTHERS
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, ModelTrainingStatus
from merkhet.kinds.rules import DEADLINE, POD_LABELS

KIND = Kind(
    api=MODELTRAINING,
    short=SHORT,
    purpose="A model: what it learns from, by which pipeline, and what it must reach to be registered.",
    spec=ModelTrainingSpec,
    status=ModelTrainingStatus,
    observe=observe,
    plan=plan,
    report=report,
    children=(*runs.CHILDREN, MODELVERSION),
    reads=(*runs.READS, COMPONENT, FEATURESET, MODELVERSION, POLICY, POLICY_BINDING),
    columns=(
        Column("Version", ".status.latestVersion", "integer", description="The newest version that came of it."),
        Column("Metric", ".status.metrics[0].name", description="The main figure."),
        Column("Value", ".status.figure", description="The main figure on test rows, to four digits."),
        Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
        Column("Reason", '.status.conditions[?(@.type=="Ready")].reason'),
        Column("Gates", '.status.conditions[?(@.type=="GatesPassed")].status', wide=True),
        Column("Next", ".status.schedule.next", wide=True, description="When the schedule's next run is due."),
        Column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
        Column("Age", ".metadata.creationTimestamp", "date"),
    ),
    rules=(
        Cel(
            "!has(self.positive) || self.task == 'Classification'",
            "positive names the class that is looked for; a Regression has none: leave it out",
        ),
        *GATES,
        Cel(
            "!has(self.exclude) || !(self.target in self.exclude)",
            "the target is excluded: it is never a feature anyhow, take it out of exclude",
            at=("spec", "data"),
        ),
        Cel(
            "self.method != 'Group' || has(self.column)",
            "a split by Group needs the column that the groups are in: set split.column",
            at=("spec", "data", "split"),
        ),
        Cel(
            "self.method == 'Group' || !has(self.column)",
            "split.column is for the method Group alone: leave it out, or split by Group",
            at=("spec", "data", "split"),
        ),
        Cel(
            "has(self.estimator) != has(self.component)",
            "a step is one thing: write either estimator or component",
            at=("spec", "pipeline", "[]"),
        ),
        Cel(
            "!has(self.component) || !has(self.parameters)",
            "a component brings its own parameters: leave them out beside it",
            at=("spec", "pipeline", "[]"),
        ),
        *OTHERS,
        DEADLINE,
        *POD_LABELS,
    ),
)
