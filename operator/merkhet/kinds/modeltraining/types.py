"""What a ModelTraining is made of, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import (
    ColumnName,
    Description,
    Duration,
    LongText,
    Name,
)
from merkhet.contract.training import Columns
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.references import ComponentReference, FeatureSetReference, Join
from merkhet.kinds.run import RunEntry
from merkhet.kinds.schedule import Schedule, ScheduleStatus, TimeZone
from merkhet.kinds.steps import COLUMNS, ESTIMATOR, PARAMETERS, ColumnChoice, EstimatorPath, Parameters, chosen

MAX_HISTORY = 20
Text = Annotated[str, Field(max_length=1024)]
# A boolean target is named by 1 or 0.
Label = int | Annotated[str, Field(max_length=256)]


class Split(Part):
    """Which rows are kept for testing; a row that once was a test row stays one in later versions of the data."""

    method: Literal["Random", "Time", "Group"] = Field(
        default="Random",
        description="Random: by a seeded hash of the entity. Group: of the group, which is never divided. "
        "Time: the last part.",
    )
    test_fraction: float = Field(default=0.25, gt=0, lt=1, description="The share of rows for testing.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Another seed gives other test rows.")
    column: ColumnName | None = Field(default=None, description="The column of the groups, for Group.")


class TrainingSource(Part):
    """What is learnt from."""

    feature_set: FeatureSetReference = Field(description="Which features.")
    join: Annotated[tuple[Join, ...], Field(max_length=8)] = Field(
        default=(),
        description="FeatureSets whose columns are added to each row as they were known at the row's timestamp.",
    )
    target: ColumnName = Field(description="The column to predict.")
    exclude: Annotated[tuple[ColumnName, ...], Field(max_length=1000)] = Field(
        default=(), description="Columns that are no features; entity and timestamp never are."
    )
    split: Split = Field(default=Split(), description="Which rows are kept for testing.")


class Step(Part):
    """One step of the pipeline: an estimator, or a component of several."""

    estimator: EstimatorPath | None = Field(default=None, description=ESTIMATOR)
    parameters: Parameters = Field(default_factory=dict, description=PARAMETERS)
    columns: ColumnChoice = Field(default=None, description=COLUMNS)
    component: ComponentReference | None = Field(
        default=None,
        description="A Component of scikit-learn's steps, instead of an estimator; it has its own columns.",
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.estimator is None) is (self.component is None):
            raise ValueError("a step is one thing: write either estimator or component")
        if self.component is not None and (self.parameters or self.columns is not None):
            raise ValueError("a component brings its own parameters and columns: leave them out beside it")
        return self

    def chosen(self) -> Columns | None:
        """The columns as the pod is told them."""
        return chosen(self.columns)


class MetricGate(Part):
    """A limit on a figure of the test rows."""

    name: Annotated[str, Field(max_length=64)] = Field(
        description="Classification: roc_auc, accuracy, precision, recall, f1, log_loss or brier. "
        "Regression: r2, rmse or mae."
    )
    min: float | None = Field(default=None, description="The least that passes.")
    max: float | None = Field(default=None, description="The most that passes.")


class ParityGate(Part):
    """How far ONNX and scikit-learn may differ on the same rows."""

    max_difference: float = Field(
        default=0.0001,
        gt=0,
        le=0.1,
        description="Of probabilities; of a regression relative to the target's standard deviation. "
        "A model beyond it is not registered at all.",
    )


class Gates(Part):
    """What a model must keep to be served without anybody's doubt."""

    metrics: Annotated[tuple[MetricGate, ...], Field(max_length=32)] = Field(
        default=(), description="Limits on figures; a failed one registers the version as Rejected."
    )
    parity: ParityGate = Field(default=ParityGate(), description="How far ONNX and scikit-learn may differ.")


class Card(Part):
    """What users of the model should know; kept with each version."""

    intended_use: LongText = Field(default="", description="What it is for, and what not.")
    limitations: LongText = Field(default="", description="Where it is weak.")
    contact: Text = Field(default="", description="Whom to ask.")


class ModelTrainingSpec(Part):
    """A model: what it learns from, how, and what it must reach."""

    description: Description = Field(default="", description="What is predicted, and what for.")
    model: Name | None = Field(default=None, description="Its name in the registry; left out: the training's own.")
    task: Literal["Classification", "Regression"] = Field(description="Classification or Regression.")
    positive: Label | None = Field(
        default=None, description="Of two classes the one that is looked for; 1 or 0 where the target is a boolean."
    )
    data: TrainingSource = Field(description="What is learnt from.")
    pipeline: Annotated[tuple[Step, ...], Field(min_length=1, max_length=16)] = Field(
        description="Steps in order; the last one predicts, the others transform."
    )
    gates: Gates = Field(default=Gates(), description="What the model must keep.")
    card: Card = Field(default=Card(), description="What users of the model should know.")
    author: Annotated[str, Field(max_length=253)] | None = Field(default=None, description="Who answers for the model.")
    approval: Literal["Manual", "Automatic"] = Field(
        default="Manual",
        description="Manual: a person approves each version. Automatic: a version that passes all gates is approved.",
    )
    # ``register`` would hide a method of Python's abstract classes.
    register_model: bool = Field(
        default=True, alias="register", description="false: an experiment, reported and not registered."
    )
    schedule: Schedule | None = Field(
        default=None,
        description="When to train again, as in crontab, on the latest version of the features; the latest missed run "
        "is made up for. Left out: when the spec changes or the annotation merkhet.dev/run asks.",
    )
    time_zone: TimeZone = Field(default="UTC", description="The schedule's time zone, such as Europe/Paris.")
    suspend: bool = Field(default=False, description="Start nothing; what runs goes on.")
    deadline: Duration = Field(default="2h", description="How long a run may take over all its tries.")
    retries: int = Field(default=2, ge=0, le=10, description="How often a run is tried again after a failure.")
    history_limit: int = Field(default=5, ge=1, le=MAX_HISTORY, description="How many runs the status keeps.")
    resources: Resources = Field(default=Resources(), description="What the run's pod asks for and may use.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="Where the run's pod goes.")


class MetricResult(StatusPart):
    """A figure on the test rows of the last finished run."""

    name: Annotated[str, Field(max_length=64)] = Field(default="", description="Which figure.")
    value: float = Field(default=0.0, description="What it is.")
    low: float | None = Field(default=None, description="Lower end of its 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of its 95 % interval.")


class GateResult(StatusPart):
    """A gate of the last finished run."""

    name: Annotated[str, Field(max_length=64)] = Field(default="", description="Which limit.")
    result: Annotated[str, Field(max_length=16)] = Field(default="", description="Passed, Failed or Inconclusive.")
    message: Text = Field(default="", description="The result in words, where it was not passed.")


class ModelTrainingStatus(StatusPart):
    """What is known of a ModelTraining."""

    observed_generation: int = Field(default=-1, description="The generation of the spec that this status speaks of.")
    model: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="The registry name that the newest version has."
    )
    latest_version: int | None = Field(default=None, description="Number of the newest version that came of it.")
    metrics: Annotated[tuple[MetricResult, ...], Field(max_length=32)] = Field(
        default=(), description="Figures of the last finished run."
    )
    figure: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="The first of the metrics, to four digits: for people."
    )
    gates: Annotated[tuple[GateResult, ...], Field(max_length=64)] = Field(
        default=(), description="Gates of the last finished run."
    )
    schedule: ScheduleStatus | None = Field(default=None, description="What is known of the schedule.")
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=MAX_HISTORY + 3)] = Field(
        default=(), description="The last runs, newest first."
    )
