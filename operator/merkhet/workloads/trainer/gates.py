"""What the limits make of a model: Passed, Failed, or Inconclusive where there are too few rows to tell.

A limit is kept or missed by the figure itself. With a confidence both ends of the interval have to keep it; where the
figure keeps it and an end does not, more rows have to tell. Groups that lie apart and drops from the champion are
judged by their intervals: what lies on both sides of the limit is not decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from merkhet.contract.evaluation import ChampionComparison, Evaluation, Fairness, Group
from merkhet.contract.training import FAIRNESS, FairnessLimit, Gate, Gates, GroupLimit, Metric, MetricLimit, Source
from merkhet.workloads.trainer.evaluate import CONFIDENCE, IS_LOSS

Result = Literal["Passed", "Failed", "Inconclusive"]
GRAVITY: tuple[Result, ...] = ("Failed", "Inconclusive", "Passed")
# A rate of 100 rows is known to 10 % on either side (Wilson): with fewer, any model may be better than any other.
COMPARABLE_ROWS = 100
LONGEST_NAME = 128  # as records of versions have it; a column's name may be longer
LONGEST = 1000  # characters of a message: several of them stand in one condition


def judged(evaluation: Evaluation, asked: Gates) -> tuple[Gate, ...]:
    """Each limit on what the document says, in order: metrics, champion, groups, fairness, tests, latency, parity."""
    found = (
        *(gate for limit in asked.metrics for gate in _metric(evaluation, limit)),
        *(_champion(evaluation.champion, limit) for limit in asked.metrics if limit.max_drop_from_champion is not None),
        *(gate for limit in asked.groups for gate in _groups(evaluation, limit, asked.min_group_size)),
        *(gate for one in asked.fairness for gate in _fairness(evaluation, one)),
        *_tests(evaluation),
        *_latency(evaluation, asked),
        *_parity(evaluation, asked),
    )
    return tuple(
        gate.model_copy(update={"name": gate.name[:LONGEST_NAME], "message": gate.message[:LONGEST]}) for gate in found
    )


def confidences(limits: Sequence[MetricLimit] | Sequence[GroupLimit]) -> tuple[float, ...]:
    """Those that these limits ask for, besides the usual one."""
    return tuple(sorted({one.confidence for one in limits if one.confidence is not None} - {CONFIDENCE}))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A limit on one side."""

    limit: float
    least: bool
    confidence: float | None
    source: Source

    @property
    def words(self) -> str:
        """As messages have it."""
        return f"{'at least' if self.least else 'at most'} {self.limit:.4g} was wanted"

    def keeps(self, value: float) -> bool:
        """Whether a value is within the limit."""
        return value >= self.limit if self.least else value <= self.limit


@dataclass(frozen=True, slots=True)
class Found:
    """A figure, in words and with its interval at the confidence that is wanted."""

    what: str
    value: float
    low: float | None
    high: float | None


def _wanted(limit: MetricLimit | GroupLimit | FairnessLimit) -> Iterator[Wanted]:
    confidence = None if isinstance(limit, FairnessLimit) else limit.confidence
    if limit.min is not None:
        yield Wanted(limit.min, least=True, confidence=confidence, source=limit.source)
    if limit.max is not None:
        yield Wanted(limit.max, least=False, confidence=confidence, source=limit.source)


def _judged(found: Found, wanted: Wanted) -> tuple[Result, str]:
    """What a limit makes of a figure, and why."""
    if not wanted.keeps(found.value):
        return "Failed", f"{found.what} is {found.value:.4g} on the test rows, {wanted.words}"
    if wanted.confidence is None:
        return "Passed", ""
    worse = found.low if wanted.least else found.high
    if worse is None:
        return "Inconclusive", f"{found.what} is {found.value:.4g}, and there are too few test rows for an interval"
    if wanted.keeps(worse):
        return "Passed", ""
    end = "begins at" if wanted.least else "ends at"
    return "Inconclusive", (
        f"{found.what} is {found.value:.4g} on the test rows, but its {wanted.confidence * 100:g} % interval {end} "
        f"{worse:.4g}, {wanted.words}: bring more rows, or let a person decide"
    )


def _metric(evaluation: Evaluation, limit: MetricLimit) -> Iterator[Gate]:
    metric = _named(evaluation.metrics, limit.name)
    for wanted in _wanted(limit):
        if metric is None:
            message = f"{limit.name} has no value on these test rows, {wanted.words}"
            yield _gate(limit.name, "Inconclusive", wanted, message=message)
            continue
        result, message = _judged(_found(evaluation, metric, wanted), wanted)
        yield _gate(limit.name, result, wanted, metric.value, message)


def _found(evaluation: Evaluation, metric: Metric, wanted: Wanted, of: Group | None = None) -> Found:
    by, group = ("", "") if of is None else (of.by, of.group)
    what = metric.name if of is None else f"{metric.name} where {by} is {group} (n={of.rows})"
    if wanted.confidence in (None, evaluation.intervals.confidence):
        return Found(what, metric.value, metric.low, metric.high)
    key = (metric.name, wanted.confidence, by, group)
    bound = next((one for one in evaluation.bounds if (one.name, one.confidence, one.by, one.group) == key), None)
    low, high = (None, None) if bound is None else (bound.low, bound.high)
    return Found(what, metric.value, low, high)


def _champion(comparison: ChampionComparison | None, limit: MetricLimit) -> Gate:
    """Judges the drop: how much worse the candidate is. Its interval may decide against it, never alone for it."""
    name, allowed = f"{limit.name} against the champion", limit.max_drop_from_champion or 0.0
    wanted = Wanted(allowed, least=False, confidence=limit.confidence, source=limit.source)
    if comparison is None:
        return _gate(name, "Passed", wanted, message="there is no champion yet")
    drop = _drop(comparison, limit)
    begin = f"{limit.name} cannot be compared with the champion, version {comparison.number}"
    if drop is None:
        why = comparison.message or f"it has no value on the {comparison.rows} rows that neither has learned from"
        return _gate(name, "Inconclusive", wanted, message=f"{begin}: {why}")
    if comparison.rows < COMPARABLE_ROWS:
        message = f"{begin}: only {comparison.rows} rows were learned from by neither, {COMPARABLE_ROWS} are needed"
        return _gate(name, "Inconclusive", wanted, drop.value, message)
    result = _dropped(drop, wanted)
    return _gate(name, result, wanted, drop.value, "" if result == "Passed" else _drop_told(drop, wanted, comparison))


def _drop(comparison: ChampionComparison, limit: MetricLimit) -> Found | None:
    difference = _named(comparison.differences, limit.name)
    if difference is None:
        return None
    low, high = difference.low, difference.high
    if limit.confidence not in (None, CONFIDENCE):
        key = (limit.name, limit.confidence)
        bound = next((one for one in comparison.bounds if (one.name, one.confidence) == key), None)
        low, high = (None, None) if bound is None else (bound.low, bound.high)
    if limit.name in IS_LOSS:
        return Found(limit.name, difference.value, low, high)
    # From nought, so that there is no -0.
    flipped = (None if high is None else 0.0 - high, None if low is None else 0.0 - low)
    return Found(limit.name, 0.0 - difference.value, *flipped)


def _dropped(drop: Found, wanted: Wanted) -> Result:
    judged_by = drop.value if wanted.confidence is None else drop.high
    if judged_by is not None and wanted.keeps(judged_by):
        return "Passed"
    return "Failed" if drop.low is not None and not wanted.keeps(drop.low) else "Inconclusive"


def _drop_told(drop: Found, wanted: Wanted, comparison: ChampionComparison) -> str:
    percent = (CONFIDENCE if wanted.confidence is None else wanted.confidence) * 100
    interval = "" if drop.low is None else f" ({percent:g} %: {drop.low:.4g} to {drop.high:.4g})"
    return (
        f"the drop of {drop.what} from the champion, version {comparison.number}, is {drop.value:.4g}{interval} on "
        f"{comparison.rows} rows that neither has learned from, {wanted.words}"
    )


def _groups(evaluation: Evaluation, limit: GroupLimit, minimum: int) -> Iterator[Gate]:
    name = f"{limit.metric} by {limit.by}"
    groups = [group for group in evaluation.groups if group.by == limit.by]
    large = [(group, metric) for group in groups if (metric := _named(group.metrics, limit.metric)) is not None]
    for wanted in _wanted(limit):
        if len(large) < 2:
            message = f"{name} cannot be judged: {_too_few(limit, groups, len(large), minimum)}"
            yield _gate(name, "Inconclusive", wanted, message=message)
            continue
        yield _worst(evaluation, limit, large, wanted)


def _worst(evaluation: Evaluation, limit: GroupLimit, large: Sequence[tuple[Group, Metric]], wanted: Wanted) -> Gate:
    """The group that has most to answer for."""

    def judgement(group: Group, metric: Metric) -> tuple[int, float, Result, str, float]:
        result, message = _judged(_found(evaluation, metric, wanted, group), wanted)
        nearness = metric.value if wanted.least else -metric.value
        told = (
            message or f"the {'lowest' if wanted.least else 'highest'} of {len(large)} groups is that of {group.group}"
        )
        return GRAVITY.index(result), nearness, result, told, metric.value

    _, _, result, message, value = min(judgement(group, metric) for group, metric in large)
    return _gate(f"{limit.metric} by {limit.by}", result, wanted, value, message)


def _too_few(limit: GroupLimit, groups: Sequence[Group], large: int, minimum: int) -> str:
    if not groups:
        return f"no test row has a group by {limit.by}: name it in data.sensitive"
    sizes = ", ".join(f"{group.group} (n={group.rows})" for group in groups[:5])
    more = f" and {len(groups) - 5} more" if len(groups) > 5 else ""
    having = f"{large} group{'' if large == 1 else 's'} of {minimum} test rows or more"
    return f"{having} {'has' if large == 1 else 'have'} the figure, and two are needed; there are {sizes}{more}"


def _fairness(evaluation: Evaluation, limit: FairnessLimit) -> Iterator[Gate]:
    found = next((one for one in evaluation.fairness if (one.metric, one.by) == (limit.metric, limit.by)), None)
    for wanted in _wanted(limit):
        yield _apart(found, limit, wanted)


def _apart(found: Fairness | None, limit: FairnessLimit, wanted: Wanted) -> Gate:
    name = f"{limit.metric} by {limit.by}"
    if found is None or found.estimate is None or found.estimate.low is None or found.estimate.high is None:
        why = f"there are no groups by {limit.by}: name it in data.sensitive" if found is None else found.message
        return _gate(name, "Inconclusive", wanted, message=f"{name} cannot be judged: {why}")
    low, high, value = found.estimate.low, found.estimate.high, found.estimate.value
    better, worse = (high, low) if FAIRNESS[limit.metric] else (low, high)
    result: Result = "Passed" if wanted.keeps(worse) else "Inconclusive" if wanted.keeps(better) else "Failed"
    told = f"{name} is {value:.4g} (95 %: {low:.4g} to {high:.4g}), {wanted.words}"
    undecided = ": its interval lies on both sides of that" if result == "Inconclusive" else ""
    return _gate(
        name, result, wanted, value, found.message if result == "Passed" else f"{told}{undecided}; {found.message}"
    )


def _tests(evaluation: Evaluation) -> Iterator[Gate]:
    for case in evaluation.tests:
        message = "" if case.passed else f"test {case.name}: {case.message}"
        yield Gate(name=f"test {case.name}", result="Passed" if case.passed else "Failed", message=message)


def _latency(evaluation: Evaluation, asked: Gates) -> Iterator[Gate]:
    if asked.latency is None:
        return
    limit = asked.latency.p99_milliseconds
    wanted = Wanted(limit, least=False, confidence=None, source=asked.latency.source)
    if evaluation.latency is None:
        yield _gate("latency", "Inconclusive", wanted, message="how long the model takes was not measured")
        return
    found = evaluation.latency.p99
    told = f"99 of 100 calls of one row take {found:.4g} ms or less, {wanted.words}"
    kept = wanted.keeps(found)
    yield _gate("latency", "Passed" if kept else "Failed", wanted, found, "" if kept else told)


def _parity(evaluation: Evaluation, asked: Gates) -> Iterator[Gate]:
    """A model beyond the limit is never evaluated; one that was brought has nothing to agree with."""
    if evaluation.parity is None:
        return
    wanted = Wanted(asked.parity.max_difference, least=False, confidence=None, source=asked.parity.source)
    found = evaluation.parity.difference
    kept = wanted.keeps(found)
    told = f"ONNX and scikit-learn differ by {found:.3g}, {wanted.words}"
    yield _gate("parity", "Passed" if kept else "Failed", wanted, found, "" if kept else told)


def _named(metrics: Sequence[Metric], name: str) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name), None)


def _gate(name: str, result: Result, wanted: Wanted, value: float | None = None, message: str = "") -> Gate:
    return Gate(name=name, result=result, value=value, limit=wanted.limit, message=message, source=wanted.source)
