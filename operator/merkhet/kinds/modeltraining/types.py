"""What a ModelTraining is made of, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import AnyValue, ColumnName, Description, Duration, LongText, Name, Version
from merkhet.contract.training import Columns
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.run import RunEntry

MAX_HISTORY = 20
Word = Annotated[str, Field(max_length=128)]
Text = Annotated[str, Field(max_length=1024)]
# A boolean target is named by 1 or 0.
Label = int | Annotated[str, Field(max_length=256)]


class FeatureSetReference(Part):
    """Which features."""

    name: Name = Field(description="Name of a FeatureSet in this namespace.")
    version: Version | None = Field(
        default=None, description="Number of its version; left out: the latest when the run starts."
    )


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
    target: ColumnName = Field(description="The column to predict.")
    exclude: Annotated[tuple[ColumnName, ...], Field(max_length=1000)] = Field(
        default=(), description="Columns that are no features; entity and timestamp never are."
    )
    split: Split = Field(default=Split(), description="Which rows are kept for testing.")


class Step(Part):
    """One step of the pipeline."""

    estimator: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")] = (
        Field(description="Import path of a scikit-learn estimator whose ONNX form is known to agree with it.")
    )
    parameters: Annotated[dict[Word, AnyValue], Field(max_length=64)] = Field(
        default_factory=dict, description="Its parameters by scikit-learn's names; what is left out has its default."
    )
    columns: AnyValue = Field(
        default=None,
        description="Columns that the step takes: a list of names, or {type: numeric} or {type: categorical}; "
        "left out: all. Steps with columns come first.",
    )

    @field_validator("columns")
    @classmethod
    def _is_a_choice(cls, value: Any) -> Any:
        named = isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value)
        typed = isinstance(value, dict) and value in ({"type": "numeric"}, {"type": "categorical"})
        if value is not None and not named and not typed:
            raise ValueError(f"columns is {value!r}; write a list of names, {{type: numeric}} or {{type: categorical}}")
        return value

    def chosen(self) -> Columns | None:
        """The columns as the pod is told them."""
        if self.columns is None:
            return None
        if isinstance(self.columns, dict):
            return Columns(type=self.columns["type"])
        return Columns(names=tuple(self.columns))


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
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=MAX_HISTORY + 2)] = Field(
        default=(), description="The last runs, newest first."
    )
