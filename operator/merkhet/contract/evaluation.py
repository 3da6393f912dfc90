"""What was found out about a model on rows that it has not learned from: one JSON document per version, a blob.

The card, its page, the drift monitor and people read it. Nothing personal is in it.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.training import Expectation, Gate, Metric, SearchResult

MAX_POINTS = 200  # of a curve
MAX_BINS = 20
MAX_GROUPS = 100  # of a sensitive column


class Estimate(Message):
    """A figure with its 95 % interval, where there are rows enough for one."""

    value: float
    low: float | None = None
    high: float | None = None


class Intervals(Message):
    """How the intervals were made."""

    method: str = "bootstrap"
    resamples: int
    confidence: float
    clusters: int | None = None  # entities or groups that were drawn, where these have several rows


class Bound(Message):
    """An interval at another confidence than the usual, for a gate; ``by`` and ``group`` where it is of a group."""

    name: str
    confidence: float
    low: float
    high: float
    by: str = ""
    group: str = ""


class Group(Message):
    """The figures of a group; none where it has fewer rows than ``minGroupSize``."""

    by: str
    group: str
    rows: int
    small: bool = False
    share: float = 0.0  # of the test rows
    positive: Estimate | None = None  # share that is predicted positive; of two classes
    base: Estimate | None = None  # share that is positive in truth
    metrics: tuple[Metric, ...] = ()


class Fairness(Message):
    """How far the groups of a column lie apart, by fairlearn's definitions."""

    metric: str
    by: str
    estimate: Estimate | None = None
    groups: int = 0  # that were large enough to be compared
    message: str = ""  # which groups lie furthest apart, or why there is no figure


class Curve(Message):
    """Points of a curve, at most MAX_POINTS. ``name`` is the class that it is of."""

    name: str
    x: tuple[float, ...] = Field(max_length=MAX_POINTS)
    y: tuple[float, ...] = Field(max_length=MAX_POINTS)
    area: float | None = None


class CalibrationBin(Message):
    """Rows of about one score: what was predicted of them, and what was true."""

    rows: int
    predicted: float  # mean score
    observed: Estimate  # share that is positive in truth; Wilson's interval


class Residuals(Message):
    """Truth minus prediction of a regression. Units: the target's."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    # By bins of equally many rows in order of the prediction.
    predicted: tuple[float, ...] = ()
    low: tuple[float, ...] = ()  # 10 % of the residuals of the bin are below
    middle: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


class Parity(Message):
    """How far ONNX and scikit-learn differ. Units: probability, or standard deviations of the target."""

    difference: float
    percentile999: float
    rows: int
    edge_rows: int


class Latency(Message):
    """How long the ONNX model takes for one row, in this pod. Units: milliseconds."""

    p50: float
    p99: float
    calls: int  # in all rounds; the figures are of the quietest one


class ChampionComparison(Message):
    """The candidate beside the champion on rows that neither has learned from; differences are candidate - champion."""

    number: int
    rows: int = 0
    message: str = ""  # why there is no comparison
    champion: tuple[Metric, ...] = ()
    candidate: tuple[Metric, ...] = ()
    differences: tuple[Metric, ...] = ()
    bounds: tuple[Bound, ...] = ()  # of the differences


class TriedCase(Message):
    """A business test, with all columns as they were asked and what was answered."""

    name: str
    passed: bool
    message: str = ""
    input: dict[str, Any] = Field(default_factory=dict)
    expect: Expectation
    answer: dict[str, Any] = Field(default_factory=dict)  # label and probability, or prediction


class Trial(Message):
    """One set of parameters of a search; ``message`` says why there is no value."""

    number: int
    parameters: dict[str, Any] = Field(default_factory=dict)
    value: float | None = None  # mean over the folds
    deviation: float | None = None
    seconds: float = 0.0
    message: str = ""


class ChosenThreshold(Message):
    """From which score on the positive class is predicted, and how that was found."""

    value: float
    how: str  # in words
    figure: float | None = None  # what was maximised or the mean cost, out of fold
    rows: int = 0  # out-of-fold predictions that it was chosen on


class Search(Message):
    """A search in full."""

    result: SearchResult
    method: str
    folds: int
    seed: int
    trials: tuple[Trial, ...] = ()


class Evaluation(Message):
    """The document."""

    version: Literal[2] = 2
    task: str
    target: str
    rows: dict[str, int]  # train, test
    classes: tuple[Any, ...] = ()
    class_rows: tuple[int, ...] = ()  # of the test rows, by class
    metrics: tuple[Metric, ...]
    intervals: Intervals
    bounds: tuple[Bound, ...] = ()
    gates: tuple[Gate, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()  # how often a class (row) was taken for a class (column)
    groups: tuple[Group, ...] = ()
    fairness: tuple[Fairness, ...] = ()
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    calibration: tuple[CalibrationBin, ...] = Field(default=(), max_length=MAX_BINS)
    residuals: Residuals | None = None
    parity: Parity | None = None  # None: the model was brought, there is nothing to compare it with
    latency: Latency | None = None
    champion: ChampionComparison | None = None
    tests: tuple[TriedCase, ...] = ()
    search: Search | None = None
    threshold: ChosenThreshold | None = None
    warnings: tuple[str, ...] = ()


class FeatureImportance(Message):
    """By how much the main figure falls where a feature says nothing any more (SHAP: its mean absolute share)."""

    feature: str
    value: float
    low: float
    high: float


class Dependence(Message):
    """How the mean answer changes with a feature, all else as it is."""

    feature: str
    answer: str  # what the mean is of: "probability of <class>" or "prediction"
    kind: Literal["number", "category"]
    values: tuple[float | str, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...] = ()  # of single rows, the middle 80 % lies between
    high: tuple[float, ...] = ()
    rows: int = 0


class ImportanceReport(Message):
    """What the model goes by, asked of the ONNX model that is served; the most important feature first."""

    version: Literal[1] = 1
    method: Literal["Permutation", "SHAP"]
    metric: str
    rows: int
    repeats: int
    features: tuple[FeatureImportance, ...]
    dependence: tuple[Dependence, ...] = ()
