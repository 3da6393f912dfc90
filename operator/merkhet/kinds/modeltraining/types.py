"""What a ModelTraining is made of, and what is said of it."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import (
    AnyValue,
    ColumnName,
    Description,
    Duration,
    Name,
)
from merkhet.contract.training import Columns
from merkhet.kinds.card import Card
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.gates import BusinessTest, Gates, Importance, Label
from merkhet.kinds.references import ComponentReference, FeatureSetReference, Join
from merkhet.kinds.run import RunEntry
from merkhet.kinds.schedule import Schedule, ScheduleStatus, TimeZone
from merkhet.kinds.steps import COLUMNS, ESTIMATOR, PARAMETERS, ColumnChoice, EstimatorPath, Parameters, chosen

MAX_HISTORY = 20
Text = Annotated[str, Field(max_length=1024)]


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
    sensitive: Annotated[tuple[ColumnName, ...], Field(max_length=16)] = Field(
        default=(), description="Columns whose groups are judged each for itself, also where they are excluded."
    )
    sample_weight: ColumnName | None = Field(
        default=None,
        description="A column of how much each row counts, in learning and in figures; it is no feature.",
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


class Dimension(Part):
    """The values of a parameter that a search tries: write one of these."""

    values: Annotated[tuple[AnyValue, ...], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="A list of values; the only one that Grid takes."
    )
    uniform: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Least and most of a number, drawn evenly."
    )
    log_uniform: Annotated[tuple[float, ...], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Least and most of a positive number, drawn evenly by its logarithm."
    )
    integers: Annotated[tuple[int, ...], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Least and most of a whole number, both included."
    )

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        said = [one for one in (self.values, self.uniform, self.log_uniform, self.integers) if one is not None]
        if len(said) != 1:
            raise ValueError("a parameter's space is one thing: values, uniform, logUniform or integers")
        ends = self.uniform or self.log_uniform or self.integers
        if ends and (ends[0] >= ends[1] or (self.log_uniform and ends[0] <= 0)):
            raise ValueError(f"{list(ends)} is no range: the first is less than the second, and of logUniform above 0")
        return self


class Search(Part):
    """Parameters that are tried on folds of the training rows, each set in a pod's turn; the best one is trained."""

    method: Literal["Grid", "Random"] = Field(
        default="Random", description="Random: trials are drawn. Grid: every combination of the values."
    )
    trials: int | None = Field(
        default=None, ge=1, le=1000, description="How many are drawn; left out: 20. Grid tries every combination."
    )
    parallelism: int = Field(default=1, ge=1, le=100, description="How many pods work at once; the winner is the same.")
    folds: int = Field(default=3, ge=2, le=20, description="How many parts of the training rows, made as the split is.")
    metric: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="The figure that is best at the winner; left out: roc_auc, or r2 of a Regression."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Another seed draws other parameters.")
    space: Annotated[
        dict[Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Dimension],
        Field(min_length=1, max_length=32),
    ] = Field(description="What is tried, by the last step's parameters; step2__name is that of the second step.")

    @model_validator(mode="after")
    def _is_a_grid_of_values(self) -> Self:
        drawn = [name for name, one in self.space.items() if one.values is None]
        if self.method == "Grid" and drawn:
            raise ValueError(f"Grid tries lists of values, and {', '.join(drawn)} is a range: use Random, or values")
        if self.method == "Grid" and (self.trials is not None or self.combinations > 1000):
            raise ValueError(f"Grid tries each of {self.combinations} combinations, at most 1000: leave trials out")
        return self

    @property
    def combinations(self) -> int:
        """How many a grid has."""
        return math.prod(len(one.values or (None,)) for one in self.space.values())


class Costs(Part):
    """What a wrong answer costs, in any unit."""

    false_positive: float = Field(default=1.0, ge=0, description="Of a positive answer that is wrong.")
    false_negative: float = Field(default=1.0, ge=0, description="Of a negative answer that is wrong.")


class Threshold(Part):
    """From which probability on the positive class is predicted: write one of these."""

    value: float | None = Field(default=None, ge=0, le=1, description="This probability.")
    maximise: Literal["f1", "accuracy", "balanced_accuracy"] | None = Field(
        default=None, description="The one at which this figure is best, on out-of-fold predictions."
    )
    costs: Costs | None = Field(
        default=None, description="The one at which wrong answers cost least, on out-of-fold predictions."
    )

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if sum(one is not None for one in (self.value, self.maximise, self.costs)) != 1:
            raise ValueError("a threshold is found in one way: write value, maximise or costs")
        return self


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
    search: Search | None = Field(
        default=None, description="Parameters that are tried; left out: none but those given."
    )
    threshold: Threshold | None = Field(
        default=None,
        description="From which probability on the positive class is predicted, of two classes; left out: 0.5.",
    )
    gates: Gates = Field(default=Gates(), description="What the model must keep.")
    importance: Importance = Field(default=Importance(), description="How it is found out what the model goes by.")
    tests: Annotated[tuple[BusinessTest, ...], Field(max_length=32)] = Field(
        default=(), description="Rows whose answers are known, written by the business; each is a gate."
    )
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

    name: Annotated[str, Field(max_length=160)] = Field(default="", description="Which limit.")
    result: Annotated[str, Field(max_length=16)] = Field(default="", description="Passed, Failed or Inconclusive.")
    value: float | None = Field(default=None, description="What was found.")
    limit: float | None = Field(default=None, description="What was asked.")
    source: Annotated[str, Field(max_length=16)] = Field(
        default="spec", description="Who asks for it: spec, or policy (the namespace's merkhet-policy)."
    )
    message: Text = Field(default="", description="The result in words, where it was not passed.")


class SearchStatus(StatusPart):
    """The search of the run at work, or of the last finished one."""

    run: Annotated[str, Field(max_length=20)] = Field(default="", description="The run's key.")
    metric: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The figure that is best at the winner."
    )
    trials: int = Field(default=0, description="How many were asked for.")
    finished: int = Field(default=0, description="How many ended with a figure.")
    best: int | None = Field(default=None, description="Number of the best trial, from 0.")
    value: float | None = Field(default=None, description="Its figure: the mean over the folds.")
    parameters: Annotated[dict[Annotated[str, Field(max_length=128)], AnyValue], Field(max_length=64)] = Field(
        default_factory=dict, description="Its parameters."
    )
    message: Text = Field(default="", description="Why fewer ended than were asked for.")


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
    gates: Annotated[tuple[GateResult, ...], Field(max_length=128)] = Field(
        default=(), description="Gates of the last finished run."
    )
    search: SearchStatus | None = Field(default=None, description="What is known of the search.")
    champion: int | None = Field(
        default=None, description="The highest approved version of the model: what the next one is compared with."
    )
    policy: Annotated[tuple[Text, ...], Field(max_length=128)] = Field(
        default=(), description="What the namespace's policy (ConfigMap merkhet-policy) asks of every model, in words."
    )
    warnings: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="What a person should know of the last finished run, and no gate forbids."
    )
    schedule: ScheduleStatus | None = Field(default=None, description="What is known of the schedule.")
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=MAX_HISTORY + 3)] = Field(
        default=(), description="The last runs, newest first."
    )
