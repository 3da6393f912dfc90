"""How far groups lie apart, by fairlearn's definitions, with intervals that know that the extreme groups were chosen.

The two groups that lie furthest apart were picked because they do, so that the interval of these two alone is too
narrow and too far out. Here the intervals of all pairs hold together (Bonferroni: each of m is taken at 1 - 0.05/m):
the true largest difference is then at least the largest of their lower ends and at most the largest of their upper
ends, whichever pair it is. Two groups are one pair, whose interval is the usual one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from merkhet.stats.intervals import CONFIDENCE, Floats, difference, ratio, wilson

DIGITS = 6


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def rounded(cls, value: float, low: float, high: float) -> Estimate:
        """With as many digits as anybody reads, so that the last bit of a machine is in no status."""
        return cls(*(round(float(number), DIGITS) + 0.0 for number in (value, low, high)))


def demographic_parity_difference(
    positive: Sequence[int], rows: Sequence[int], confidence: float = CONFIDENCE
) -> Estimate:
    """The highest rate of the groups minus the lowest.

    Source:
        fairlearn.metrics.demographic_parity_difference with method between_groups.

    Example:
        >>> demographic_parity_difference([218, 1527], [308, 1681]).value
        0.200596

    """
    k, n = _of_groups(positive, rows)
    found = difference(k[:, None], n[:, None], k, n, together(confidence, pairs(len(n))))
    rates = k / n
    value = rates.max() - rates.min()
    return Estimate.rounded(value, max(0.0, _apart(found.low).max()), min(1.0, _apart(found.high).max()))


def demographic_parity_ratio(
    positive: Sequence[int], rows: Sequence[int], confidence: float = CONFIDENCE
) -> Estimate | None:
    """The lowest rate of the groups over the highest; None where all are nought.

    Source:
        fairlearn.metrics.demographic_parity_ratio with method between_groups.

    Example:
        >>> demographic_parity_ratio([218, 1527], [308, 1681]).value
        0.779174

    """
    k, n = _of_groups(positive, rows)
    rates = k / n
    if not rates.max():
        return None
    found = ratio(k[:, None], n[:, None], k, n, together(confidence, pairs(len(n))))
    value = rates.min() / rates.max()
    return Estimate.rounded(value, _apart(found.low).min(), min(1.0, _apart(found.high).min()))


def smallest_share(rows: Sequence[int], confidence: float = CONFIDENCE) -> Estimate:
    """The share of the smallest group of all rows of these groups.

    Example:
        >>> smallest_share([25, 75]).value
        0.25

    """
    n = np.asarray(rows, dtype=np.float64)
    found = wilson(n, n.sum(), together(confidence, _intervals_of_shares(len(n))))
    return Estimate.rounded(n.min() / n.sum(), found.low.min(), found.high.min())


def population_difference(rows: Sequence[int], shares: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The most that a group's share of these rows differs from its share of the population.

    Example:
        >>> population_difference([25, 75], [0.5, 0.5]).value
        0.25

    """
    n, expected = np.asarray(rows, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    found = wilson(n, n.sum(), together(confidence, _intervals_of_shares(len(n))))
    low, high = found.low - expected, found.high - expected
    nearest = np.maximum(np.maximum(low, -high), 0.0)
    return Estimate.rounded(
        np.abs(n / n.sum() - expected).max(), nearest.max(), np.maximum(np.abs(low), np.abs(high)).max()
    )


def together(confidence: float, intervals: int) -> float:
    """The confidence of each of several intervals that all hold with the confidence asked for.

    Source:
        C. E. Bonferroni (1936); the events need not be independent.

    Example:
        >>> round(together(0.95, 10), 6)
        0.995

    """
    return 1 - (1 - confidence) / max(1, intervals)


def pairs(groups: int) -> int:
    """How many pairs there are of so many groups."""
    return groups * (groups - 1) // 2


def _intervals_of_shares(groups: int) -> int:
    """Of two groups one share says the other."""
    return 1 if groups == 2 else groups


def _of_groups(positive: Sequence[int], rows: Sequence[int]) -> tuple[Floats, Floats]:
    k, n = np.asarray(positive, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    if len(n) < 2 or len(k) != len(n) or (n <= 0).any() or (k < 0).any() or (k > n).any():
        raise ValueError(f"wanted two groups or more, each with rows and no more positive ones: {k} of {n}")
    return k, n


def _apart(matrix: Floats) -> Floats:
    """What stands for two different groups."""
    apart: Floats = matrix[~np.eye(len(matrix), dtype=bool)]
    return apart
