"""How good a model is on rows that it has not seen: figures with intervals.

Every figure is a function of weights, one a row. The value has all weights at one; an interval is the middle 95 % of
200 seeded bootstrap resamples, drawn by entity or group where these have several rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.training import Gate, Metric, MetricLimit, TaskName
from merkhet.errors import Refused

RESAMPLES = 200
CONFIDENCE = 0.95
SEED = 7

Array = npt.NDArray[Any]
Figure = Callable[[Array], float]  # of weights

NAMES: Mapping[TaskName, tuple[str, ...]] = {
    "Classification": ("roc_auc", "accuracy", "precision", "recall", "f1", "log_loss", "brier"),
    "Regression": ("r2", "rmse", "mae"),
}


def check_names(limits: Sequence[MetricLimit], task: TaskName) -> None:
    """Raises Refused for a limit on a figure that the task does not have."""
    for limit in limits:
        if limit.name not in NAMES[task]:
            raise Refused(f"there is no metric {limit.name} for {task}; there are {', '.join(NAMES[task])}",
                          reason="UnknownMetric")  # fmt: skip


def classification(
    truth: Array, scores: Array, classes: Sequence[Any], positive: Any, threshold: float
) -> dict[str, Figure]:
    """Figures of a classifier. Shapes: truth [n], scores [n, classes]. Several classes: the plain mean over classes."""
    member = truth[:, None] == np.asarray(classes)[None, :]
    chosen = np.asarray(classes)[scores.argmax(axis=1)]
    if positive is not None:
        at = list(classes).index(positive)
        other = classes[1 - at]
        chosen = np.where(scores[:, at] >= threshold, positive, other)
    judged = [positive] if positive is not None else list(classes)
    columns = [list(classes).index(label) for label in judged]
    ranked = [_ranked(member[:, at], scores[:, at]) for at in columns]
    # As numbers: a product of weights and booleans would convert them at each resample.
    right = _numbers(truth == chosen)
    actual = [_numbers(truth == label) for label in judged]
    said = [_numbers(chosen == label) for label in judged]
    both = [one * other for one, other in zip(actual, said, strict=True)]
    counts = list(zip(both, actual, said, strict=True))
    loss = -np.log(np.clip((scores * member).sum(axis=1), np.finfo(np.float64).eps, 1.0))
    squares = ((scores - member) ** 2).sum(axis=1) / (2 if positive is not None else 1)
    return {
        "roc_auc": lambda w: _mean([area(w) for area in ranked]),
        "accuracy": lambda w: _share(w, right),
        "precision": lambda w: _mean([_ratio(w @ hit, w @ called) for hit, _, called in counts]),
        "recall": lambda w: _mean([_ratio(w @ hit, w @ true) for hit, true, _ in counts]),
        "f1": lambda w: _mean([_ratio(2 * (w @ hit), w @ true + w @ called) for hit, true, called in counts]),
        "log_loss": lambda w: _share(w, loss),
        "brier": lambda w: _share(w, squares),
    }


def regression(truth: Array, predicted: Array) -> dict[str, Figure]:
    """Figures of a regressor. Shapes: [n]."""
    squares, absolute = (truth - predicted) ** 2, abs(truth - predicted)

    def explained(w: Array) -> float:
        spread = w @ (truth - _share(w, truth)) ** 2
        return float(1 - (w @ squares) / spread) if spread > 0 else float("nan")

    return {
        "r2": explained,
        "rmse": lambda w: float(np.sqrt(_share(w, squares))),
        "mae": lambda w: _share(w, absolute),
    }


def measured(figures: Mapping[str, Figure], rows: int, clusters: Array | None = None) -> tuple[Metric, ...]:
    """Each figure's value and interval. Shapes: clusters [rows], numbers that tell which rows belong together."""
    # Sums over one vector are too small a thing for several threads.
    with threadpool_limits(limits=1):
        values = {name: figure(np.ones(rows)) for name, figure in figures.items()}
        drawn = [{name: figure(w) for name, figure in figures.items()} for w in _resamples(rows, clusters)]
    return tuple(_metric(name, value, np.array([draw[name] for draw in drawn])) for name, value in values.items())


def gates(metrics: Sequence[Metric], limits: Sequence[MetricLimit]) -> tuple[Gate, ...]:
    """Each limit and whether the metric keeps it."""
    values = {metric.name: metric.value for metric in metrics}
    return tuple(
        gate
        for limit in limits
        for gate in (
            _gate(limit.name, values[limit.name], limit.min, "at least", values[limit.name] >= (limit.min or 0.0)),
            _gate(limit.name, values[limit.name], limit.max, "at most", values[limit.name] <= (limit.max or 0.0)),
        )
        if gate is not None
    )


def _gate(name: str, value: float, limit: float | None, wanted: str, kept: bool) -> Gate | None:
    if limit is None:
        return None
    message = "" if kept else f"{name} is {value:.4g} on the test rows, {wanted} {limit:.4g} was wanted"
    return Gate(name=name, result="Passed" if kept else "Failed", value=value, limit=limit, message=message)


def _metric(name: str, value: float, drawn: Array) -> Metric:
    defined = drawn[np.isfinite(drawn)]
    if len(defined) < RESAMPLES // 2:
        return Metric(name=name, value=value)
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Metric(name=name, value=value, low=float(low), high=float(high))


def _resamples(rows: int, clusters: Array | None) -> Iterator[Array]:
    random = np.random.default_rng(SEED)
    count = rows if clusters is None else int(clusters.max()) + 1
    for _ in range(RESAMPLES):
        draw = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
        yield draw if clusters is None else draw[clusters]


def _ranked(positive: Array, score: Array) -> Figure:
    """Area under the ROC curve by weights: the share of pairs in the right order, ties half. Sorted once."""
    order = np.argsort(score, kind="stable")
    truth, starts = _numbers(positive[order]), np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])

    def area(w: Array) -> float:
        weights = w[order]
        ones = np.add.reduceat(weights * truth, starts)
        zeros = np.add.reduceat(weights, starts) - ones
        below = np.cumsum(zeros) - zeros
        pairs = float(ones.sum() * zeros.sum())
        return _ratio(float(ones @ (below + zeros / 2)), pairs, empty=float("nan"))

    return area


def _numbers(mask: Array) -> npt.NDArray[np.float64]:
    return mask.astype(np.float64)


def _share(w: Array, values: Array) -> float:
    return float(w @ values / w.sum())


def _ratio(above: float, below: float, empty: float = 0.0) -> float:
    return float(above / below) if below > 0 else empty


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
