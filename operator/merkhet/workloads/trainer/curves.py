"""What can be drawn of a model's answers: mistakes by class, curves, calibration, residuals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.evaluation import MAX_BINS, MAX_POINTS, CalibrationBin, Curve, Estimate, Residuals
from merkhet.stats import effective
from merkhet.stats.fairness import DIGITS
from merkhet.stats.intervals import wilson
from merkhet.workloads.trainer import golden
from merkhet.workloads.trainer.answered import Answered

Array = npt.NDArray[Any]
MOST_CLASSES = 100  # of a table of mistakes: nobody reads a larger one
MOST_CURVES = 10  # of the most frequent classes: more lines are not told apart
ROWS_PER_BIN = 50  # Wilson's interval is at most 27 % wide then
INNER = (0.005, 0.995)  # residuals outside count in the outermost bins, so that one row does not stretch the axis
TENTHS = (0.1, 0.5, 0.9)


def confusion(tested: Answered) -> tuple[tuple[int, ...], ...]:
    """How often a class (row) was taken for a class (column); nothing where there are too many classes."""
    classes = list(tested.signature.classes)
    if not classes or len(classes) > MOST_CLASSES:
        return ()
    place = {label: at for at, label in enumerate(classes)}
    true = np.array([place[label] for label in tested.truth.tolist()])
    said = np.array([place[label] for label in golden.labels(tested.signature, tested.scores)])
    counts = np.bincount(true * len(classes) + said, minlength=len(classes) ** 2)
    return tuple(tuple(row) for row in counts.reshape(len(classes), -1).tolist())


def roc(tested: Answered) -> tuple[Curve, ...]:
    """False and true positive rate by threshold, of the positive class or of each of the most frequent."""
    return tuple(_roc(str(label), *_ranked(tested, at)) for at, label in _drawn_classes(tested))


def precision_recall(tested: Answered) -> tuple[Curve, ...]:
    """Recall and precision by threshold, of the same classes; the area is the average precision."""
    return tuple(_precision_recall(str(label), *_ranked(tested, at)) for at, label in _drawn_classes(tested))


def calibration(tested: Answered) -> tuple[CalibrationBin, ...]:
    """Bins of about equally many rows in order of the positive class's score; equal scores are never parted."""
    signature = tested.signature
    if signature.positive is None:
        return ()
    score = tested.scores[:, signature.classes.index(signature.positive)]
    true = tested.truth == signature.positive
    bins = (_calibrated(tested, score, true, rows) for rows in _bins(score))
    return tuple(one for one in bins if one is not None)


def residuals(tested: Answered) -> Residuals | None:
    """How truth minus prediction is spread, over all rows and by prediction; None of a classifier."""
    if tested.signature.task != "Regression":
        return None
    predicted = tested.scores[:, 0]
    left = tested.truth - predicted
    low, high = np.quantile(left, INNER)
    counts, edges = np.histogram(np.clip(left, low, high), bins=MAX_BINS)
    bins = list(_bins(predicted))
    spread = np.array([np.quantile(left[rows], TENTHS) for rows in bins])
    return Residuals(
        edges=_rounded(edges),
        counts=tuple(counts.tolist()),
        predicted=_rounded(np.array([predicted[rows].mean() for rows in bins])),
        low=_rounded(spread[:, 0]),
        middle=_rounded(spread[:, 1]),
        high=_rounded(spread[:, 2]),
    )


def _drawn_classes(tested: Answered) -> list[tuple[int, Any]]:
    classes = list(tested.signature.classes)
    if tested.signature.positive is not None:
        return [(classes.index(tested.signature.positive), tested.signature.positive)]
    counts = [int((tested.truth == label).sum()) for label in classes]
    frequent = sorted(range(len(classes)), key=lambda at: -counts[at])[:MOST_CURVES]
    return [(at, classes[at]) for at in sorted(frequent)]


def _ranked(tested: Answered, at: int) -> tuple[Array, Array]:
    """Rightly and wrongly chosen rows' weight, by falling threshold, from none on; equal scores come in together."""
    score, true = tested.scores[:, at], tested.truth == tested.signature.classes[at]
    order = np.argsort(-score, kind="stable")
    weights = np.ones(tested.rows) if tested.weights is None else tested.weights
    last = np.flatnonzero(np.r_[np.diff(score[order]) != 0, True])
    rightly = np.cumsum((weights * true)[order])[last]
    wrongly = np.cumsum((weights * ~true)[order])[last]
    return np.r_[0.0, rightly], np.r_[0.0, wrongly]


def _roc(name: str, rightly: Array, wrongly: Array) -> Curve:
    if not rightly[-1] or not wrongly[-1]:
        return Curve(name=name, x=(), y=())
    x, y = wrongly / wrongly[-1], rightly / rightly[-1]
    area = float(np.trapezoid(y, x))
    kept = _thinned(x + y)
    return Curve(name=name, x=_rounded(x[kept]), y=_rounded(y[kept]), area=round(area, DIGITS))


def _precision_recall(name: str, rightly: Array, wrongly: Array) -> Curve:
    if not rightly[-1]:
        return Curve(name=name, x=(), y=())
    recall, chosen = rightly / rightly[-1], rightly + wrongly
    precision = np.divide(rightly, chosen, out=np.ones_like(chosen), where=chosen > 0)
    area = float(np.diff(recall) @ precision[1:])
    kept = _thinned(recall)
    return Curve(name=name, x=_rounded(recall[kept]), y=_rounded(precision[kept]), area=round(area, DIGITS))


def _thinned(along: Array) -> Array:
    """Positions of at most MAX_POINTS points, evenly along the curve, both ends among them."""
    if len(along) <= MAX_POINTS:
        return np.arange(len(along))
    wanted = np.linspace(along[0], along[-1], MAX_POINTS)
    inner = np.searchsorted(along, wanted[1:-1])
    return np.unique(np.r_[0, inner, len(along) - 1])


def _bins(values: Array) -> Iterator[Array]:
    """Positions of about equally many rows each, in order of their values."""
    count = max(1, min(MAX_BINS, len(values) // ROWS_PER_BIN))
    borders = np.unique(np.quantile(values, np.arange(1, count) / count)) if count > 1 else np.empty(0)
    place = np.searchsorted(borders, values, side="right")
    for at in range(len(borders) + 1):
        rows = np.flatnonzero(place == at)
        if len(rows):
            yield rows


def _calibrated(tested: Answered, score: Array, true: Array, rows: Array) -> CalibrationBin | None:
    weights = None if tested.weights is None else tested.weights[rows]
    clusters = None if tested.clusters is None else tested.clusters[rows]
    count, worth = effective.counts(true[rows], weights, clusters)
    if not worth:
        return None
    interval = wilson(count, worth)
    observed = Estimate(
        value=round(count / worth, DIGITS),
        low=round(float(interval.low), DIGITS),
        high=round(float(interval.high), DIGITS),
    )
    predicted = round(float(np.average(score[rows], weights=weights)), DIGITS)
    return CalibrationBin(rows=len(rows), predicted=predicted, observed=observed)


def _rounded(values: Array) -> tuple[float, ...]:
    """To six significant digits: more are in nobody's picture."""
    return tuple(float(f"{value:.6g}") for value in values.tolist())
