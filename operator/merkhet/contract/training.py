"""What a training Job is asked and what it answers: the record of a model version."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.features import ComponentUse
from merkhet.contract.runs import Run, Usage

TaskName = Literal["Classification", "Regression"]


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


class MetricLimit(Message):
    """A gate on a metric of the test rows."""

    name: str
    min: float | None = None
    max: float | None = None


class TrainingTask(Message):
    """The whole task."""

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
    split: Split = Split()
    pipeline: tuple[Step, ...]
    metrics: tuple[MetricLimit, ...] = ()
    max_parity_difference: float = 0.0001
    author: str | None = None
    card: dict[str, str] = Field(default_factory=dict)
    register_model: bool = True
    # Container image and packages are added by the pod, which knows them.


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
    reports: dict[str, str] = Field(default_factory=dict)  # golden, evaluation: digests
    rows: dict[str, int] = Field(default_factory=dict)  # train, test
    usage: Usage = Usage()
