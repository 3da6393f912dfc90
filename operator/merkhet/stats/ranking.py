"""How well a score tells two groups apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from merkhet.stats.intervals import Floats


def area_under_curve(scores: Floats, members: NDArray[np.bool_]) -> tuple[float, float]:
    """The area under the ROC curve and its standard error, given the scores; ties count half.

    Source:
        E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, Comparing the areas under two or more correlated receiver
        operating characteristic curves, Biometrics 44 (1988) 837-845, by ranks as in X. Sun and W. Xu, IEEE Signal
        Processing Letters 21 (2014) 1389-1393.

    Example:
        >>> area, error = area_under_curve(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
        >>> area
        0.75

    """
    inside, outside = scores[members], scores[~members]
    everywhere = _ranks(scores)
    above = (everywhere[members] - _ranks(inside)) / len(outside)  # of each member: the share of others below it
    below = 1 - (everywhere[~members] - _ranks(outside)) / len(inside)
    variance = above.var(ddof=1) / len(inside) + below.var(ddof=1) / len(outside)
    return float(above.mean()), float(np.sqrt(variance))


def _ranks(values: Floats) -> Floats:
    """Ranks from one on; equal values share the middle of theirs."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = (last - (counts - 1) / 2)[places]
    return middle
