"""Whether a feature says what is to be predicted: it would not be known when the model is asked.

Two views of a feature by itself: in its own order, which finds every threshold and every rising or falling relation,
and in bins by what is true in each, which finds the rest. Bins have rows enough that chance makes none of them pure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from merkhet.workloads.trainer.features import Features

Array = npt.NDArray[Any]
ALL_BUT = 0.999  # of AUC or R²: what no honest feature reaches on real rows, and a copy of the target always does
MOST_ROWS = 20_000  # a seeded sample of more: a hundred features take under a second then
FEWEST_ROWS = 50
FEWEST_OF_A_CLASS = 10  # with 100 features and 50 rows, chance ranks ten of a class in front once in 10^8 times
MOST_CLASSES = 10  # the most frequent
BINS = 128  # a parabola's R² is 0.9997 by so many, and 0.9988 by half of them
ROWS_OF_A_BIN = 20  # at least: a feature that says nothing has an R² of 0.05 then, and an AUC of 0.96 of a rare class
SEED = 3


def warnings(train: Features, truth: npt.NDArray[Any], *, regression: bool) -> tuple[str, ...]:
    """A sentence for each feature that alone all but determines the target."""
    if len(truth) < FEWEST_ROWS:
        return ()
    rows = np.random.default_rng(SEED).permutation(len(truth))[:MOST_ROWS]
    named = zip(train.names, train.kinds, train.columns, strict=True)
    told = truth[rows].astype(np.float64) if regression else _members(truth[rows])
    found = ((name, _strength(column[rows], told, text=kind == "text")) for name, kind, column in named)
    figure = "R²" if regression else "AUC"
    return tuple(
        f"feature {name} alone tells the target ({figure} {value:.3f}): will it be known when the model is asked? "
        f"Exclude it if not"
        for name, value in found
        if value >= ALL_BUT
    )


def _members(truth: Array) -> Array:
    """Which rows are of each class that is large enough; one column tells two classes. Shape: [rows, classes]."""
    classes, counts = np.unique(truth, return_counts=True)
    enough = np.flatnonzero((counts >= FEWEST_OF_A_CLASS) & (len(truth) - counts >= FEWEST_OF_A_CLASS))
    frequent = enough[np.argsort(-counts[enough], kind="stable")][:MOST_CLASSES]
    judged = frequent[:1] if len(classes) == 2 else frequent
    return np.asarray(truth[:, None] == classes[judged])


def _strength(column: Array, told: Array, *, text: bool) -> float:
    """AUC, the mean over classes, or R² of the better view; 0 where nothing can be said."""
    places = _places(column, text=text)
    if told.size == 0 or not places.any():
        return 0.0
    bins = _words(places) if text else _parts(places)
    if told.ndim == 1:
        return max(_explained(bins, told), 0.0 if text else _correlation(places, told))
    ranks = _ranks(places)
    areas = [
        (_area(_ranks(_by_mean(bins, inside)), inside), 0.0 if text else _area(ranks, inside)) for inside in told.T
    ]
    return float(np.mean([max(pair) for pair in areas]))


def _places(column: Array, *, text: bool) -> Array:
    """Each row's place among the values, from 0 and all there; of text in no order, of numbers a missing one last."""
    if text:
        return np.asarray(pa.array(column).dictionary_encode().indices.to_numpy())
    return np.unique(column, return_inverse=True)[1]


def _parts(places: Array) -> Array:
    """Bins of about equally many rows in the feature's order; equal values are never parted."""
    count = min(BINS, len(places) // ROWS_OF_A_BIN)
    borders = np.quantile(places, np.arange(1, count) / count, method="higher")
    return np.searchsorted(borders, places, side="right")


def _words(places: Array) -> Array:
    """Each value is a bin; those of few rows are one."""
    frequent = np.bincount(places) >= ROWS_OF_A_BIN
    return np.where(frequent[places], places + 1, 0)


def _means(bins: Array, values: Array) -> Array:
    """The mean of each row's bin."""
    return (np.bincount(bins, weights=values) / np.maximum(np.bincount(bins), 1))[bins]


def _by_mean(bins: Array, inside: Array) -> Array:
    """The place of each row's bin among the bins by how many of the class are in it."""
    return np.unique(_means(bins, inside), return_inverse=True)[1]


def _explained(bins: Array, truth: Array) -> float:
    """R² of the bins' means; 0 where the target does not differ."""
    spread = float(truth.var())
    return 1 - float(((truth - _means(bins, truth)) ** 2).mean()) / spread if spread else 0.0


def _correlation(places: Array, truth: Array) -> float:
    """Spearman's, squared: 1 where the target rises with the feature throughout, or falls."""
    other = np.unique(truth, return_inverse=True)[1]
    return float(np.corrcoef(_ranks(places), _ranks(other))[0, 1] ** 2) if other.any() else 0.0


def _area(ranks: Array, inside: Array) -> float:
    """The area under the ROC curve, in whichever direction."""
    members = int(inside.sum())
    others = len(inside) - members
    area = (float(ranks[inside].sum()) - members * (members + 1) / 2) / (members * others)
    return max(area, 1 - area)


def _ranks(places: Array) -> Array:
    """Ranks from one on; equal places share the middle of theirs. Shapes: places are numbers from 0, all there."""
    counts = np.bincount(places)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]
