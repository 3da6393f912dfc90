"""How good a model is on rows that it has not seen: figures with intervals.

Every figure is a function of weights, one a row. The value has all weights at one, or those of the rows; an interval
is the middle 95 % of 200 seeded bootstrap resamples, drawn by entity or group where these have several rows. A figure
that the rows say nothing of (recall, where none is positive) is NaN, and no metric is made of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.training import FIGURES, Metric, Signature, TrainingTask
from merkhet.errors import Refused
from merkhet.stats.intervals import quantile

RESAMPLES = 200
CONFIDENCE = 0.95
SEED = 7

Array = npt.NDArray[Any]
Figure = Callable[[Array], float]  # of weights

NO_CLASS = -1  # where a class is wanted
ROUNDING = 1e-12  # a share of all weight below this is what sums in two orders differ by

# Whether less is better.
IS_LOSS = frozenset({"log_loss", "brier", "rmse", "mae"})


def check_names(task: TrainingTask) -> None:
    """Raises Refused for a limit or a search by a figure that the task does not have."""
    names = [*(one.name for one in task.gates.metrics), *(one.metric for one in task.gates.groups)]
    names += [task.search.metric] if task.search is not None else []
    for name in names:
        if name not in FIGURES[task.task]:
            known = ", ".join(FIGURES[task.task])
            raise Refused(f"there is no metric {name} for {task.task}; there are {known}", reason="UnknownMetric")


def classification(
    truth: Array, scores: Array, classes: Sequence[Any], positive: Any, threshold: float
) -> dict[str, Figure]:
    """Figures of a classifier. Shapes: truth [n], scores [n, classes]. Several classes: the plain mean over classes."""
    true, judged = _places(truth, classes), list(range(len(classes)))
    said = scores.argmax(axis=1)
    if positive is not None:
        judged = [list(classes).index(positive)]
        said = np.where(reaches(scores[:, judged[0]], threshold), judged[0], 1 - judged[0])
    right = true == said
    ranked = [_ranked(true == at, scores[:, at]) for at in judged]
    actual, called, hit = (_sums(codes, judged) for codes in (true, said, np.where(right, true, NO_CLASS)))
    # As numbers: a product of weights and booleans would convert them at each resample.
    rightly, likely = _numbers(right), scores[np.arange(len(true)), true]
    loss = -np.log(np.clip(likely, np.finfo(np.float64).eps, 1.0))
    # Of the probabilities minus the truth; rounding must not make it less than nought.
    squares = np.maximum((scores**2).sum(axis=1) - 2 * likely + 1, 0.0) / (2 if positive is not None else 1)
    return {
        "roc_auc": lambda w: _mean([area(w) for area in ranked]),
        "accuracy": lambda w: _share(w, rightly),
        "precision": lambda w: _mean(_ratios(hit(w), called(w), among=actual(w) + called(w))),
        "recall": lambda w: _mean(_ratios(hit(w), actual(w))),
        "f1": lambda w: _mean(_ratios(2 * hit(w), actual(w) + called(w))),
        "log_loss": lambda w: _share(w, loss),
        "brier": lambda w: _share(w, squares),
    }


def reaches(scores: Array, threshold: float) -> npt.NDArray[np.bool_]:
    """Which scores are of positive rows: compared in float32, as a server compares what the graph answers."""
    reached: npt.NDArray[np.bool_] = scores.astype(np.float32) >= np.float32(threshold)
    return reached


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


def of(signature: Signature, truth: Array, scores: Array) -> dict[str, Figure]:
    """The figures of a model's answers. Shapes: truth [n], scores [n, classes], or [n, 1] for a regression."""
    if signature.task == "Regression":
        return regression(truth, scores[:, 0])
    threshold = 0.5 if signature.threshold is None else signature.threshold
    return classification(truth, scores, signature.classes, signature.positive, threshold)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Figures of all rows and of each resample, by name. Shapes: draws [RESAMPLES] each."""

    values: Mapping[str, float]
    draws: Mapping[str, Array]

    def metrics(self, confidence: float = CONFIDENCE) -> tuple[Metric, ...]:
        """Each figure that has a value, with its interval where enough resamples have one."""
        known = {name: value for name, value in self.values.items() if np.isfinite(value)}
        return tuple(_metric(name, value, self.draws[name], confidence) for name, value in known.items())

    def minus(self, other: Drawn) -> Drawn:
        """What is left of each figure that both have; paired, as the same rows are drawn each time."""
        names = [name for name in self.values if name in other.values]
        return Drawn(
            {name: self.values[name] - other.values[name] for name in names},
            {name: self.draws[name] - other.draws[name] for name in names},
        )


def measured(
    figures: Mapping[str, Figure], rows: int, clusters: Array | None = None, weights: Array | None = None
) -> tuple[Metric, ...]:
    """Each figure's value and interval; shapes as for ``drawn``."""
    return drawn(figures, rows, clusters, weights).metrics()


def drawn(
    figures: Mapping[str, Figure], rows: int, clusters: Array | None = None, weights: Array | None = None
) -> Drawn:
    """Each figure of the rows, and of resamples of them.

    Shapes: clusters [rows], numbers from 0 that tell which rows belong together; weights [rows], how much each counts.
    """
    count = np.ones(rows) if weights is None else weights
    # Sums over one vector are too small a thing for several threads; a resample may have no weight at all.
    with threadpool_limits(limits=1), np.errstate(divide="ignore", invalid="ignore"):
        values = {name: figure(count) for name, figure in figures.items()}
        draws = [{name: figure(count * w) for name, figure in figures.items()} for w in resamples(rows, clusters)]
    return Drawn(values, {name: np.array([draw[name] for draw in draws]) for name in values})


def _metric(name: str, value: float, draws: Array, confidence: float) -> Metric:
    defined = draws[np.isfinite(draws)]
    if len(defined) < RESAMPLES // 2:
        return Metric(name=name, value=value)
    beyond = (1 - confidence) / 2
    low, high = np.quantile(defined, [beyond, 1 - beyond])
    if beyond * len(defined) < 1:
        # So far out there are no resamples: the normal interval of their spread (Efron and Tibshirani 1993, 12.5).
        half = quantile(confidence) * defined.std()
        low, high = value - half, value + half
    return Metric(name=name, value=value, low=float(low), high=float(high))


def resamples(rows: int, clusters: Array | None) -> Iterator[Array]:
    """How often each row is drawn, seeded: whole clusters, where rows belong together. Shape: [rows] each."""
    random = np.random.default_rng(SEED)
    count = rows if clusters is None else int(clusters.max()) + 1
    for _ in range(RESAMPLES):
        draw = np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
        yield draw if clusters is None else draw[clusters]


def _ranked(positive: Array, score: Array) -> Figure:
    """Area under the ROC curve by weights: the share of pairs in the right order, ties half. Sorted once.

    Sums of all weights and of the positive ones up to where a score begins and ends tell what lies below it: two passes
    over all rows, and the rest over the positive ones, which are few where there are many classes.
    """
    order = np.argsort(score, kind="stable")
    ranked, members = score[order], np.flatnonzero(positive[order])
    begins, ends = (np.searchsorted(ranked, ranked[members], side) for side in ("left", "right"))
    own_begins, own_ends = np.searchsorted(members, begins), np.searchsorted(members, ends)

    def area(w: Array) -> float:
        weights = w[order]
        ones = weights[members]
        every, own = _sums_up_to(weights), _sums_up_to(ones)
        others = every[-1] - own[-1]
        if own[-1] <= 0 or others <= ROUNDING * every[-1]:
            return float("nan")
        below = (every[begins] - own[own_begins] + every[ends] - own[own_ends]) / 2
        return float(ones @ below / (own[-1] * others))

    return area


def _sums_up_to(weights: Array) -> Array:
    """Of the weights before each position, and of all. Shape: [n + 1]."""
    sums = np.zeros(len(weights) + 1)
    np.cumsum(weights, out=sums[1:])
    return sums


def _numbers(mask: Array) -> npt.NDArray[np.float64]:
    return mask.astype(np.float64)


def _share(w: Array, values: Array) -> float:
    return float(w @ values / w.sum())


def _places(truth: Array, classes: Sequence[Any]) -> Array:
    """The position of each row's class; they may stand in any order."""
    known = np.asarray(classes)
    order = np.argsort(known)
    return np.asarray(order[np.searchsorted(known[order], truth)])


def _sums(codes: Array, judged: Sequence[int]) -> Callable[[Array], Array]:
    """The weight of the rows of each class that is judged. A mask for each of many classes would be too large."""
    if len(judged) == 1:
        members = _numbers(codes == judged[0])
        return lambda w: np.array([w @ members])
    return lambda w: np.bincount(codes - NO_CLASS, weights=w, minlength=len(judged) + 1)[1:]


def _ratios(above: Array, below: Array, among: Array | None = None) -> Array:
    """NaN for a class that no row is ``among``; as scikit-learn has it, nought for another whose divisor is nought."""
    ratios = np.where((below if among is None else among) > 0, 0.0, np.nan)
    return np.divide(above, below, out=ratios, where=below > 0)


def _mean(values: Sequence[float] | Array) -> float:
    """Over the classes of which the rows say something."""
    known = [value for value in values if math.isfinite(value)]
    if len(known) == 1:
        return known[0]  # of two classes: asked thousands of times
    return float(np.mean(known)) if known else float("nan")
