"""What a model must keep, as specs and policies write it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Literal

from pydantic import Field

from merkhet.api.base import Part
from merkhet.api.fields import AnyValue, ColumnName
from merkhet.contract import training as contract
from merkhet.kinds.kind import Cel

FIGURE = "Classification: roc_auc, accuracy, precision, recall, f1, log_loss or brier. Regression: r2, rmse or mae."
MOST = 128  # gates in a record and in a status
# A boolean target is named by 1 or 0.
Label = int | Annotated[str, Field(max_length=256)]
FigureName = Annotated[str, Field(max_length=64)]
Confidence = Annotated[float, Field(ge=0.5, lt=1)]
FairnessName = Literal[
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equal_opportunity_difference",
    "equal_opportunity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
]


class MetricGate(Part):
    """A limit on a figure of the test rows."""

    name: FigureName = Field(description=FIGURE)
    min: float | None = Field(default=None, description="The least that passes.")
    max: float | None = Field(default=None, description="The most that passes.")
    max_drop_from_champion: float | None = Field(
        default=None,
        ge=0,
        description="How much worse than the highest approved version it may be, on rows that neither has learned "
        "from; too few of these are inconclusive, and no champion passes.",
    )
    confidence: Confidence | None = Field(
        default=None,
        description="The worse end of the interval of this confidence has to keep the limit; left out: the figure.",
    )


class GroupGate(Part):
    """A limit on a figure of each group that is large enough."""

    metric: FigureName = Field(description=FIGURE)
    by: ColumnName = Field(description="One of data.sensitive: the column that tells the groups.")
    min: float | None = Field(default=None, description="The least that passes, in each group.")
    max: float | None = Field(default=None, description="The most that passes, in each group.")
    confidence: Confidence | None = Field(
        default=None,
        description="The worse end of the interval of this confidence has to keep the limit; left out: the figure.",
    )


class FairnessGate(Part):
    """A limit on how far groups lie apart; inconclusive where its interval straddles the limit."""

    metric: FairnessName = Field(description="A figure by fairlearn's definition; of two classes.")
    by: ColumnName = Field(description="One of data.sensitive: the column that tells the groups.")
    min: float | None = Field(default=None, description="The least that passes: for ratios.")
    max: float | None = Field(default=None, description="The most that passes: for differences.")


class ParityGate(Part):
    """How far ONNX and scikit-learn may differ on the same rows."""

    max_difference: float = Field(
        default=0.0001,
        gt=0,
        le=0.1,
        description="Of probabilities; of a regression relative to the target's standard deviation. "
        "A model beyond it is not registered at all.",
    )


class LatencyGate(Part):
    """How long the ONNX model may take."""

    p99_milliseconds: float = Field(
        gt=0, description="For one row, in 99 of 100 calls, measured in the training pod on one core."
    )


class Gates(Part):
    """What a model must keep to be served without anybody's doubt."""

    metrics: Annotated[tuple[MetricGate, ...], Field(max_length=32)] = Field(
        default=(), description="Limits on figures; a failed one registers the version as Rejected."
    )
    groups: Annotated[tuple[GroupGate, ...], Field(max_length=32)] = Field(
        default=(), description="Limits on the figures of each group of a sensitive column."
    )
    fairness: Annotated[tuple[FairnessGate, ...], Field(max_length=32)] = Field(
        default=(), description="Limits on how far the groups of a sensitive column lie apart."
    )
    parity: ParityGate = Field(default=ParityGate(), description="How far ONNX and scikit-learn may differ.")
    latency: LatencyGate | None = Field(default=None, description="How long the ONNX model may take for one row.")
    min_group_size: int = Field(
        default=50,
        ge=2,
        description="Groups of fewer test rows are not judged; where fewer than two are left, it is inconclusive.",
    )


class Range(Part):
    """Both ends count."""

    min: float | None = Field(default=None, description="The least.")
    max: float | None = Field(default=None, description="The most.")


class Expectation(Part):
    """What a business test wants of the answer."""

    label: Label | None = Field(default=None, description="The class; 1 or 0 where the target is a boolean.")
    probability: Range | None = Field(default=None, description="Bounds of the positive class's probability.")
    prediction: Range | None = Field(default=None, description="Bounds of a Regression's answer.")


class BusinessTest(Part):
    """A row, and what the model must say of it."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-_. A-Za-z0-9]*)$")] = Field(
        description="What it is called in gates and reports."
    )
    input: Annotated[dict[ColumnName, AnyValue], Field(max_length=256)] = Field(
        description="Values of features; those left out are a typical row's: median, most frequent."
    )
    expect: Expectation = Field(description="What must be answered.")


class Importance(Part):
    """How it is found out what the model goes by."""

    method: Literal["Permutation", "SHAP"] = Field(
        default="Permutation",
        description="Permutation: how much worse the model is where a feature says nothing. SHAP: mean absolute "
        "Shapley values; the trainer's image needs the extra for it.",
    )
    rows: int = Field(default=2000, ge=10, le=100000, description="How many of the test rows are asked.")


def rules(*at: str) -> tuple[Cel, ...]:
    """What the API server refuses of gates and tests, in the node at ``at``."""
    return (
        Cel(
            "has(self.min) || has(self.max) || has(self.maxDropFromChampion)",
            "a gate without min, max and maxDropFromChampion lets everything pass: give one of them",
            at=(*at, "gates", "metrics", "[]"),
        ),
        Cel(
            "has(self.min) || has(self.max)",
            "a gate without min and max lets everything pass: give one of them",
            at=(*at, "gates", "groups", "[]"),
        ),
        Cel(
            "self.metric.endsWith('_ratio') ? has(self.min) && !has(self.max) : has(self.max) && !has(self.min)",
            "a difference has a max and a ratio has a min: write that one and no other",
            at=(*at, "gates", "fairness", "[]"),
        ),
        Cel(
            "has(self.label) || has(self.probability) || has(self.prediction)",
            "a test expects something: write label, probability or prediction",
            at=(*at, "tests", "[]", "expect"),
        ),
    )


def asked(gates: Gates, source: contract.Source = "spec") -> contract.Gates:
    """The gates as the pod is told them."""
    latency = gates.latency
    return contract.Gates(
        metrics=tuple(contract.MetricLimit(**one.model_dump(), source=source) for one in gates.metrics),
        groups=tuple(contract.GroupLimit(**one.model_dump(), source=source) for one in gates.groups),
        fairness=tuple(contract.FairnessLimit(**one.model_dump(), source=source) for one in gates.fairness),
        parity=contract.ParityLimit(max_difference=gates.parity.max_difference, source=source),
        latency=None
        if latency is None
        else contract.LatencyLimit(p99_milliseconds=latency.p99_milliseconds, source=source),
        min_group_size=gates.min_group_size,
    )


def count(limits: contract.Gates) -> int:
    """How many gates come of limits: each end of one is judged for itself, and so is the drop from the champion."""
    ended = chain(
        ((one.min, one.max) for one in limits.metrics),
        ((one.min, one.max) for one in limits.groups),
        ((one.min, one.max) for one in limits.fairness),
    )
    ends = sum(limit is not None for pair in ended for limit in pair)
    drops = sum(one.max_drop_from_champion is not None for one in limits.metrics)
    parity = 1  # is always asked
    return ends + drops + parity + (limits.latency is not None)


def cases(tests: Sequence[BusinessTest]) -> tuple[contract.Case, ...]:
    """The tests of the business as the pod is told them."""
    return tuple(contract.Case(**one.model_dump()) for one in tests)
