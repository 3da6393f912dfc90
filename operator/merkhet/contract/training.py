"""What a training Job is asked and what it answers: the record of a model version."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.features import ComponentUse
from merkhet.contract.runs import Run, Usage

TaskName = Literal["Classification", "Regression"]
# The figures of a task, the main one first.
FIGURES: dict[TaskName, tuple[str, ...]] = {
    "Classification": ("roc_auc", "accuracy", "precision", "recall", "f1", "log_loss", "brier"),
    "Regression": ("r2", "rmse", "mae"),
}


class DataVersion(Message):
    """A version of a FeatureSet, by content."""

    feature_set: str
    version: int
    digest: str  # of the manifest


class Join(Message):
    """Columns of a FeatureSet's version as they were known at the time of each row. Units: seconds."""

    data: DataVersion
    by: tuple[str, ...]
    max_age_seconds: float | None = None


class Split(Message):
    """Which rows are for testing."""

    method: Literal["Random", "Time", "Group"] = "Random"
    test_fraction: float = 0.25
    seed: int = 0
    column: str | None = None  # of the group


class Columns(Message):
    """Which columns a step takes: by name, or all of a type."""

    names: tuple[str, ...] | None = None
    type: Literal["numeric", "categorical"] | None = None


class Step(Message):
    """One step of the pipeline: a class of scikit-learn by import path, or a component, which the pod resolves."""

    estimator: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    columns: Columns | None = None
    component: ComponentUse | None = None  # instead of an estimator


Source = Literal["spec", "policy"]  # who asks for a gate: the object itself, or the namespace's policy


class MetricLimit(Message):
    """A gate on a figure of the test rows; with ``confidence`` the interval's worse end has to keep it."""

    name: str
    min: float | None = None
    max: float | None = None
    max_drop_from_champion: float | None = None  # on rows that neither has learned from
    confidence: float | None = None
    source: Source = "spec"


class GroupLimit(Message):
    """A gate on a figure of each group of the test rows that is large enough."""

    metric: str
    by: str  # a sensitive column
    min: float | None = None
    max: float | None = None
    confidence: float | None = None
    source: Source = "spec"


class FairnessLimit(Message):
    """A gate on how far groups lie apart, by fairlearn's definitions."""

    metric: str  # one of ``FAIRNESS``
    by: str
    min: float | None = None
    max: float | None = None
    source: Source = "spec"


class ParityLimit(Message):
    """How far ONNX and scikit-learn may differ: probabilities absolutely, a regression in standard deviations."""

    max_difference: float = 0.0001
    source: Source = "spec"


class LatencyLimit(Message):
    """How long the ONNX model may take for one row. Units: milliseconds."""

    p99_milliseconds: float
    source: Source = "spec"


class Gates(Message):
    """All limits that a model has to keep, those of the spec and those of the policy."""

    metrics: tuple[MetricLimit, ...] = ()
    groups: tuple[GroupLimit, ...] = ()
    fairness: tuple[FairnessLimit, ...] = ()
    parity: ParityLimit = ParityLimit()
    latency: LatencyLimit | None = None
    min_group_size: int = 50


# Figures of groups, and whether the least is wanted (a ratio) or the most (a difference).
FAIRNESS: dict[str, bool] = {
    "demographic_parity_difference": False,
    "demographic_parity_ratio": True,
    "equal_opportunity_difference": False,
    "equal_opportunity_ratio": True,
    "equalized_odds_difference": False,
    "equalized_odds_ratio": True,
}


class Costs(Message):
    """What a wrong answer costs, in any unit."""

    false_positive: float = 1.0
    false_negative: float = 1.0


class Threshold(Message):
    """From which score on the positive class is predicted: given, or chosen on out-of-fold predictions."""

    value: float | None = None
    maximise: str | None = None  # f1, accuracy, balanced_accuracy, precision, recall …: a figure of the labels
    costs: Costs | None = None


class Dimension(Message):
    """The values of a parameter that a search tries: one of these is there."""

    values: tuple[Any, ...] | None = None
    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    integers: tuple[int, int] | None = None  # both ends included


class Search(Message):
    """Which parameters are tried. Names are those of the last step, or ``step<n>__<name>`` of another."""

    method: Literal["Grid", "Random"] = "Random"
    trials: int = 20  # Grid: as many as there are combinations
    folds: int = 3
    metric: str
    seed: int = 0
    space: dict[str, Dimension]


class Importance(Message):
    """How the importance of features is found out."""

    method: Literal["Permutation", "SHAP"] = "Permutation"
    rows: int = 2000  # of the test rows


class Range(Message):
    """Both ends count; one may be left out."""

    min: float | None = None
    max: float | None = None


class Expectation(Message):
    """What a business test wants of the answer."""

    label: bool | int | float | str | None = None
    probability: Range | None = None  # of the positive class
    prediction: Range | None = None  # of a regression


class Case(Message):
    """A business test; columns that ``input`` leaves out are those of a typical row."""

    name: str
    input: dict[str, Any]
    expect: Expectation


class Champion(Message):
    """The highest approved version when the run began. ``run`` made it; none did where it was brought."""

    number: int
    digest: str  # of the model
    run: str | None = None


class Tensor(Message):
    """An input or output of the ONNX graph as callers see it. Shape: -1 is the number of rows."""

    name: str
    datatype: str  # of the Open Inference Protocol: FP32, INT64, BYTES …
    shape: tuple[int, ...]
    columns: tuple[str, ...] = ()  # of an input with several columns, in order
    missing: bool = False  # whether NaN (numbers) may stand for a missing value in any of its columns
    missing_columns: tuple[str, ...] = ()  # which columns of it may be missing
    categories: tuple[Any, ...] | None = None  # values known at training, where an unknown one is refused
    column_categories: dict[str, tuple[Any, ...]] = Field(default_factory=dict)  # the same, of an input with several


class Signature(Message):
    """What the model takes and gives. ``graph`` maps an output's name to the name it has in the ONNX graph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    task: TaskName
    classes: tuple[Any, ...] = ()  # in the order of the probabilities
    threshold: float | None = None  # binary: positive means score >= threshold
    positive: bool | int | float | str | None = None
    graph: dict[str, str] = Field(default_factory=dict)


class Brought(Message):
    """A model that somebody brings, under a number of their choice. Units: bytes."""

    number: int
    claim: str  # by whom the number is claimed: a run's key, and the same one for each run that judges this version
    uri: str  # store://raw/…
    digest: str
    size: int
    signature: Signature


class TrainingTask(Message):
    """The whole task; with ``brought`` nothing is fitted, and the model that somebody brought is judged instead."""

    version: Literal[1] = 1
    run: Run
    training: str
    model: str
    task: TaskName
    positive: bool | int | float | str | None = None
    data: DataVersion
    joins: tuple[Join, ...] = ()
    target: str
    exclude: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()  # columns that groups are told by, features or not
    sample_weight: str | None = None
    split: Split = Split()
    pipeline: tuple[Step, ...]
    search: Search | None = None
    threshold: Threshold = Threshold()
    gates: Gates = Gates()
    champion: Champion | None = None
    importance: Importance = Importance()
    tests: tuple[Case, ...] = ()
    brought: Brought | None = None
    author: str | None = None
    card: dict[str, str] = Field(default_factory=dict)
    register_model: bool = True
    # Container image and packages are added by the pod, which knows them.


class Metric(Message):
    """A figure on the test rows."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


class Gate(Message):
    """A limit and whether it was kept."""

    name: str
    result: Literal["Passed", "Failed", "Inconclusive"]
    value: float | None = None
    limit: float | None = None
    message: str = ""
    source: Source = "spec"


class Artifact(Message):
    """The model itself. Units: bytes."""

    digest: str
    size: int
    format: Literal["onnx"] = "onnx"
    uri: str  # blobs/sha256/<hex>


class Golden(Message):
    """Requests and the answers that scikit-learn gave: replayed before any user is served. A blob, canonical JSON.

    Shapes: ``inputs[name]`` has one entry per row, a list of numbers for a tensor of several columns; ``outputs``
    alike. No personal column is in it.
    """

    version: Literal[1] = 1
    inputs: dict[str, list[Any]]
    outputs: dict[str, list[Any]]
    tolerance: float
    truth: list[Any] = Field(default_factory=list)


class Lineage(Message):
    """Where a version comes from."""

    training: dict[str, str]  # name, uid, run, trigger
    data: tuple[DataVersion, ...]
    components: tuple[ComponentUse, ...] = ()  # each with its digest
    image: str = ""
    packages: dict[str, str] = Field(default_factory=dict)
    revision: str | None = None
    author: str | None = None


class SearchResult(Message):
    """What came of a search, in short; the evaluation has each trial."""

    metric: str
    trials: int  # asked for
    finished: int
    best: int  # number of the trial, from 0
    value: float  # its mean over the folds
    parameters: dict[str, Any] = Field(default_factory=dict)


class TrainingResult(Message):
    """What the Job answers: the record of ModelVersion ``<model>-v<number>``, or figures alone for an experiment."""

    model: str
    number: int | None = None
    artifact: Artifact | None = None
    signature: Signature | None = None
    lineage: Lineage
    parameters: dict[str, Any] = Field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    gates: tuple[Gate, ...] = ()
    # By name: golden, evaluation, importance, card (JSON), cardText (Markdown), heldOut (parquet), tests. Digests.
    reports: dict[str, str] = Field(default_factory=dict)
    rows: dict[str, int] = Field(default_factory=dict)  # train, test
    warnings: tuple[str, ...] = Field(default=(), max_length=16)  # what a person should know, and no gate forbids
    search: SearchResult | None = None
    champion: int | None = None  # the version that it was compared with
    usage: Usage = Usage()
