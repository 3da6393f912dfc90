"""How many rows that are drawn one by one tell as much of a rate as rows that are weighted or belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merkhet.stats.intervals import Floats


def counts(
    positive: NDArray[np.bool_], weights: Floats | None = None, clusters: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """Positive rows and all rows, as many as have the rate and the variance of these; intervals take them as counts.

    The variance is the linearised one of a weighted mean, by clusters. Of rates that are nought or one it says
    nothing: there each cluster counts as one row, by Kish's formula where they weigh differently.

    Shapes: [n] each, n at least 1; ``clusters`` are numbers that tell which rows belong together.

    Source:
        E. L. Korn and B. I. Graubard, Confidence intervals for proportions with small expected number of positive
        counts estimated from survey data, Survey Methodology 24 (1998) 193-201; L. Kish, Survey Sampling (1965).

    Example:
        >>> counts(np.array([True, False, False, False]))
        (1.0, 4.0)
        >>> twice = np.array([True, True, False, False, False, False, False, False])
        >>> [round(number, 2) for number in counts(twice, clusters=np.array([0, 0, 1, 1, 2, 2, 3, 3]))]
        [0.75, 3.0]

    """
    if weights is None and clusters is None:
        return float(positive.sum()), float(len(positive))
    w = np.ones(len(positive)) if weights is None else weights
    total = float(w.sum())
    if not total:
        return 0.0, 0.0
    # Sums in two orders differ in the last digit: what is the same in all rows is said to be so.
    alike = positive[w > 0]
    rate = 1.0 if alike.all() else 0.0 if not alike.any() else min(1.0, float(w @ positive / total))
    together = np.arange(len(positive)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    worth, residuals = (np.bincount(together, weights=of).astype(np.float64) for of in (w, w * (positive - rate)))
    rows = _worth(rate, worth, residuals, total)
    rows = min(max(rows, 1.0), float(len(positive)))
    return rate * rows, rows


def _worth(rate: float, weights: Floats, residuals: Floats, total: float) -> float:
    """Rows with this rate's variance. Shapes: weights and residuals are sums, one a cluster."""
    present = int((weights > 0).sum())
    spread = float(residuals @ residuals)
    if present < 2 or not 0 < rate < 1 or not spread:
        return total**2 / float(weights @ weights)
    variance = present / (present - 1) * spread / total**2
    return rate * (1 - rate) / variance
