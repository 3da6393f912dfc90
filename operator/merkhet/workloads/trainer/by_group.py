"""The figures of each group of the test rows, and how far the groups of a sensitive column lie apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.evaluation import Bound, Estimate, Fairness, Group
from merkhet.contract.training import FAIRNESS
from merkhet.stats import effective, fairness
from merkhet.stats.fairness import DIGITS
from merkhet.stats.intervals import wilson
from merkhet.workloads.trainer import evaluate
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.evaluate import Drawn

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
NAMED = 5  # groups that a message names
LONGEST = 512  # characters of a message


def figures(
    tested: Answered, minimum: int, confidences: Sequence[float] = ()
) -> tuple[tuple[Group, ...], tuple[Bound, ...]]:
    """Every group, and the intervals of its figures at these confidences; groups of fewer rows have no figures."""
    found = [_group(tested, part, minimum, confidences) for by in tested.groups for part in _parts(tested, by)]
    return tuple(group for group, _ in found), tuple(bound for _, bounds in found for bound in bounds)


def disparities(tested: Answered, minimum: int) -> tuple[Fairness, ...]:
    """How far the groups of each column lie apart, or why that cannot be said."""
    reason = _why_none(tested)
    if reason:
        return tuple(Fairness(metric=metric, by=by, message=reason) for by in tested.groups for metric in FAIRNESS)
    return tuple(one for by in tested.groups for one in _disparities(tested, by, minimum))


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of a group."""

    by: str
    group: str
    member: Mask


def _parts(tested: Answered, by: str) -> Iterator[Part]:
    """The groups of a column in the order of their names; rows without a value are in none."""
    labels = tested.groups[by]
    for group in sorted({str(label) for label in np.unique(labels)} - {""}, key=_place):
        yield Part(by, group, labels == group)


def bounds(drawn: Drawn, confidences: Sequence[float], *, by: str = "", group: str = "") -> tuple[Bound, ...]:
    """The intervals of all figures at these confidences, where there is one."""
    return tuple(
        Bound(name=one.name, confidence=confidence, low=one.low, high=one.high, by=by, group=group)
        for confidence in confidences
        for one in drawn.metrics(confidence)
        if one.low is not None and one.high is not None
    )


def _place(group: str) -> tuple[float, bool, str]:
    """Where a group stands: by the first number of its name, ``< 25`` before ``[25, 45)``; then those of words."""
    number = re.match(r"(?:group |[<>]?=? ?|\[)(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)", group)
    return (float(number[1]) if number else np.inf, not group.startswith("<"), group)


def _group(tested: Answered, part: Part, minimum: int, confidences: Sequence[float]) -> tuple[Group, tuple[Bound, ...]]:
    rows = int(part.member.sum())
    group = Group(
        by=part.by, group=part.group, rows=rows, small=rows < minimum, share=round(rows / tested.rows, DIGITS)
    )
    if group.small:
        return group, ()
    own = evaluate.of(tested.signature, tested.truth[part.member], tested.scores[part.member])
    drawn = evaluate.drawn(own, rows, _clusters(tested, part.member), _of(tested.weights, part.member))
    told: dict[str, Any] = {"metrics": drawn.metrics()}
    if tested.signature.positive is not None:
        said, true = answers(tested)
        told |= {"positive": _estimate(tested, said, part.member), "base": _estimate(tested, true, part.member)}
    return group.model_copy(update=told), bounds(drawn, confidences, by=part.by, group=part.group)


def answers(tested: Answered) -> tuple[Mask, Mask]:
    """Which rows are said to be positive, and which are."""
    signature = tested.signature
    at = signature.classes.index(signature.positive)
    threshold = 0.5 if signature.threshold is None else signature.threshold
    return evaluate.reaches(tested.scores[:, at], threshold), tested.truth == signature.positive


def rate(tested: Answered, positive: Mask, among: Mask) -> tuple[float, float]:
    """How many of these rows are positive, and how many they are, in independent rows."""
    return effective.counts(positive[among], _of(tested.weights, among), _of(tested.clusters, among))


def _estimate(tested: Answered, positive: Mask, among: Mask) -> Estimate | None:
    count, rows = rate(tested, positive, among)
    if not rows:
        return None
    interval = wilson(count, rows)
    value, low, high = (round(float(one), DIGITS) for one in (count / rows, interval.low, interval.high))
    return Estimate(value=value, low=low, high=high)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often rows of a kind are said to be positive, in a group. ``rows`` are as counted, ``worth`` independent."""

    group: str
    rows: int
    count: float
    worth: float

    @property
    def value(self) -> float:
        """The rate."""
        return self.count / self.worth


@dataclass(frozen=True, slots=True)
class Rates:
    """Those of all groups of a column that have rows enough. ``kind`` is of the rows, in words."""

    by: str
    kind: str
    minimum: int
    large: tuple[Rate, ...]
    small: Mapping[str, int]  # rows by group

    @property
    def counts(self) -> tuple[list[float], list[float]]:
        """As figures take them."""
        return [one.count for one in self.large], [one.worth for one in self.large]

    def words(self) -> str:
        """Which groups lie furthest apart."""
        low, high = min(self.large, key=lambda one: one.value), max(self.large, key=lambda one: one.value)
        if low.value == high.value:
            told = f"the rate of positive answers is {low.value:.4g} in all {len(self.large)} groups of {self.by}"
        else:
            told = f"the rate of positive answers is {self._told(low)} and {self._told(high)}"
        return told + (f", of {self.kind} rows" if self.kind else "") + self._left_out()

    def too_few(self) -> str:
        """Why they cannot be compared."""
        count = f"{self.by} has {len(self.large)} group{'' if len(self.large) == 1 else 's'}"
        kind = f"{self.kind} " if self.kind else ""
        sizes = {one.group: one.rows for one in self.large} | dict(self.small)
        told = f"; there are {_listed(sizes)}" if sizes else ""
        return f"{count} of {self.minimum} {kind}test rows or more, and two are needed{told}"

    def _told(self, rate: Rate) -> str:
        return f"{rate.value:.4g} where {self.by} is {rate.group} (n={rate.rows})"

    def _left_out(self) -> str:
        if not self.small:
            return ""
        return f"; of fewer than {self.minimum} rows and left out: {_listed(self.small)}"


def _listed(sizes: Mapping[str, int]) -> str:
    shown = ", ".join(f"{group} (n={rows})" for group, rows in list(sizes.items())[:NAMED])
    return shown + (f" and {len(sizes) - NAMED} more" if len(sizes) > NAMED else "")


def _disparities(tested: Answered, by: str, minimum: int) -> Iterator[Fairness]:
    said, true = answers(tested)
    rates = {
        "every": _rates(tested, by, said, np.ones(tested.rows, dtype=np.bool_), minimum=minimum),
        "hits": _rates(tested, by, said, true, minimum=minimum, kind="truly positive"),
        "alarms": _rates(tested, by, said, ~true, minimum=minimum, kind="truly negative"),
    }
    for metric, (names, figure) in FIGURES.items():
        yield _disparity(metric, [rates[name] for name in names], figure)


def _disparity(metric: str, rates: Sequence[Rates], figure: Callable[..., fairness.Estimate | None]) -> Fairness:
    by, compared = rates[0].by, min(len(one.large) for one in rates)
    lacking = next((one for one in rates if len(one.large) < 2), None)
    if lacking is not None:
        return Fairness(metric=metric, by=by, groups=compared, message=_bounded(lacking.too_few()))
    found = figure(*(counts for one in rates for counts in one.counts))
    if found is None:
        return Fairness(
            metric=metric, by=by, groups=compared, message=f"no group of {by} has a positive answer: there is no ratio"
        )
    apart = max(rates, key=lambda one: _spread(one, ratio=FAIRNESS[metric]))
    estimate = Estimate(value=found.value, low=found.low, high=found.high)
    return Fairness(metric=metric, by=by, estimate=estimate, groups=compared, message=_bounded(apart.words()))


# The rates that a figure is of, and the figure.
FIGURES: Mapping[str, tuple[tuple[str, ...], Callable[..., fairness.Estimate | None]]] = {
    "demographic_parity_difference": (("every",), fairness.demographic_parity_difference),
    "demographic_parity_ratio": (("every",), fairness.demographic_parity_ratio),
    "equal_opportunity_difference": (("hits",), fairness.equal_opportunity_difference),
    "equal_opportunity_ratio": (("hits",), fairness.equal_opportunity_ratio),
    "equalized_odds_difference": (("hits", "alarms"), fairness.equalized_odds_difference),
    "equalized_odds_ratio": (("hits", "alarms"), fairness.equalized_odds_ratio),
}


def _rates(tested: Answered, by: str, said: Mask, among: Mask, *, minimum: int, kind: str = "") -> Rates:
    large: list[Rate] = []
    small: dict[str, int] = {}
    for part in _parts(tested, by):
        rows = part.member & among
        count, worth = rate(tested, said, rows) if rows.sum() >= minimum else (0.0, 0.0)
        if worth:
            large.append(Rate(part.group, int(rows.sum()), count, worth))
        else:
            small[part.group] = int(rows.sum())
    return Rates(by, kind, minimum, tuple(large), small)


def _spread(rates: Rates, *, ratio: bool) -> float:
    values = [one.value for one in rates.large]
    if not ratio:
        return max(values) - min(values)
    return 1 - min(values) / max(values) if max(values) else 0.0


def _why_none(tested: Answered) -> str:
    if tested.signature.task == "Regression":
        return "a regression has no positive answers to compare; gates.groups judge its figures by group"
    if tested.signature.positive is None:
        count = len(tested.signature.classes)
        return f"the target has {count} classes, none of them positive; gates.groups judge figures by group"
    return ""


def _of(values: Array | None, rows: Mask) -> Array | None:
    return None if values is None else values[rows]


def _clusters(tested: Answered, rows: Mask) -> Array | None:
    """Numbered from 0 anew."""
    return None if tested.clusters is None else np.unique(tested.clusters[rows], return_inverse=True)[1]


def _bounded(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
