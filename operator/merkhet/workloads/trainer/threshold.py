"""From which score on the positive class is predicted: chosen on out-of-fold predictions, never on test rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.evaluation import ChosenThreshold
from merkhet.contract.training import Threshold, TrainingTask
from merkhet.errors import Refused
from merkhet.workloads.trainer import folds
from merkhet.workloads.trainer.parts import Parts

Array = npt.NDArray[Any]
USUAL = 0.5
FOLDS = 5  # where no search says how many: as many as scikit-learn's cross-validation takes
NOISE = 1e-12  # figures nearer than this are equal: sums of weights are rounded in the order of the rows


def choose(task: TrainingTask, parts: Parts, threads: int) -> ChosenThreshold | None:
    """The threshold of two classes; None of more, and of a regression."""
    target = parts.rows.target
    if target.positive is None:
        return None
    if task.threshold.value is not None:
        return ChosenThreshold(value=task.threshold.value, how="given")
    if task.threshold.maximise is None and task.threshold.costs is None:
        return ChosenThreshold(value=USUAL, how="the default")
    count = FOLDS if task.search is None else task.search.folds
    scores = folds.out_of_fold(task, parts, count, threads)[:, target.classes.index(target.positive)]
    known = np.isfinite(scores)
    weights = np.ones(len(scores)) if parts.train_weights is None else parts.train_weights
    return best(task.threshold, scores[known], (parts.train_truth == target.positive)[known], weights[known])


def best(asked: Threshold, scores: Array, positive: Array, weights: Array) -> ChosenThreshold:
    """The threshold at which the figure is best, or answers cost least; of equals the one nearest to a half.

    It lies in the middle between two scores that were given, and is a number of float32, in which the server compares.
    Shapes: [rows] each; ``positive`` is the truth. Raises Refused where only one class is among the rows.
    """
    distinct, at = np.unique(scores.astype(np.float32).astype(np.float64), return_inverse=True)
    cuts = Cuts.of(at, positive, weights)
    figures, how, sign = _figures(asked, cuts)
    places = _between(distinct)
    # None of the rows is positive above the last score; where that is 1 there is no such place.
    worth = np.where(places <= 1, sign * figures, -np.inf)
    equals = np.flatnonzero(worth >= worth.max() - NOISE * max(1.0, abs(worth.max())))
    chosen = equals[abs(places[equals] - USUAL).argmin()]
    return ChosenThreshold(value=float(places[chosen]), how=how, figure=float(figures[chosen]), rows=len(scores))


@dataclass(frozen=True, slots=True)
class Cuts:
    """Weights of right and wrong answers if the rows from the n-th score on are called positive; the last cut has none.

    Shapes: [distinct scores + 1] each.
    """

    true_positive: Array
    false_positive: Array
    false_negative: Array
    true_negative: Array

    @classmethod
    def of(cls, at: Array, positive: Array, weights: Array) -> Cuts:
        """Of rows whose scores are numbered from the least; raises Refused where a class has no weight."""
        ones, others = (np.bincount(at, weights * side) for side in (positive, ~positive))
        if not ones.sum() > 0 or not others.sum() > 0:
            lacking = "positive" if not ones.sum() > 0 else "negative"
            raise Refused(
                f"the threshold is to be chosen on {len(at)} out-of-fold predictions, and none of them is of the "
                f"{lacking} class (or all of these have weight 0); bring more rows of it, or write threshold.value",
                reason="TooFewRows",
            )
        above = [np.append(np.cumsum(side[::-1])[::-1], 0.0) for side in (ones, others)]
        return cls(above[0], above[1], above[0][0] - above[0], above[1][0] - above[1])

    def f1(self) -> Array:
        """Of the positive class."""
        wrong = self.false_positive + self.false_negative
        figure: Array = 2 * self.true_positive / (2 * self.true_positive + wrong)
        return figure

    def accuracy(self) -> Array:
        """The share of right answers."""
        right = self.true_positive + self.true_negative
        share: Array = right / (right + self.false_positive + self.false_negative)
        return share

    def balanced_accuracy(self) -> Array:
        """The mean of the shares of right answers in each class."""
        found = self.true_positive / (self.true_positive + self.false_negative)
        passed = self.true_negative / (self.true_negative + self.false_positive)
        mean: Array = (found + passed) / 2
        return mean

    def cost(self, false_positive: float, false_negative: float) -> Array:
        """The mean cost of a row."""
        every = self.true_positive[0] + self.false_positive[0]
        mean: Array = (false_positive * self.false_positive + false_negative * self.false_negative) / every
        return mean


FIGURES: Mapping[str, Callable[[Cuts], Array]] = {
    "f1": Cuts.f1,
    "accuracy": Cuts.accuracy,
    "balanced_accuracy": Cuts.balanced_accuracy,
}


def _figures(asked: Threshold, cuts: Cuts) -> tuple[Array, str, int]:
    """The figure of each cut, how the best is told in words, and whether more or less of it is wanted."""
    if asked.costs is not None:
        positive, negative = asked.costs.false_positive, asked.costs.false_negative
        words = f"out of fold, wrong answers cost least (a false positive {positive:g}, a false negative {negative:g})"
        return cuts.cost(positive, negative), words, -1
    name = str(asked.maximise)
    if name not in FIGURES:
        raise Refused(
            f"threshold.maximise is {name}; a threshold may maximise {', '.join(FIGURES)}", reason="UnknownMetric"
        )
    return FIGURES[name](cuts), f"out of fold, {name} is greatest", 1


def _between(distinct: Array) -> Array:
    """A threshold for each cut: between its score and the one below; from 0 to the first, and from the last to 1."""
    below, above = np.append(0.0, distinct), np.append(distinct, 1.0)
    middle = ((below + above) / 2).astype(np.float32).astype(np.float64)
    # Between neighbours in float32 there is nothing: the upper one is in, as a score that reaches the threshold.
    middle = np.where(middle > below, middle, above)
    middle[-1] = middle[-1] if distinct[-1] < 1 else np.inf
    return middle
