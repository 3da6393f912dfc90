"""How far groups lie apart, by fairlearn's definitions, with intervals that know that the extreme groups were chosen.

The two groups that lie furthest apart were picked because they do, so that the interval of these two alone is too
narrow and too far out. Here the intervals of all pairs hold together (Bonferroni: each of m is taken at 1 - 0.05/m):
the true largest difference is then at least the largest of their lower ends and at most the largest of their upper
ends, whichever pair it is. Two groups are one pair, whose interval is the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from merkhet.stats.intervals import CONFIDENCE, Floats, Interval, difference, ratio, wilson

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
    positive: Sequence[float], rows: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The highest rate of the groups minus the lowest.

    Source:
        fairlearn.metrics.demographic_parity_difference with method between_groups.

    Example:
        >>> demographic_parity_difference([218, 1527], [308, 1681]).value
        0.200596

    """
    k, n = _of_groups(positive, rows)
    found = _of_pairs(difference, k, n, confidence)
    rates = k / n
    return Estimate.rounded(rates.max() - rates.min(), max(0.0, found.low.max()), min(1.0, found.high.max()))


def demographic_parity_ratio(
    positive: Sequence[float], rows: Sequence[float], confidence: float = CONFIDENCE
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
    found = _of_pairs(ratio, k, n, confidence)
    return Estimate.rounded(rates.min() / rates.max(), found.low.min(), min(1.0, found.high.min()))


def equal_opportunity_difference(
    hits: Sequence[float], positives: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """The highest true positive rate of the groups minus the lowest: of those who are positive, who is found.

    Source:
        M. Hardt, E. Price and N. Srebro, Equality of opportunity in supervised learning, NeurIPS 2016;
        fairlearn.metrics.equal_opportunity_difference with method between_groups.

    Example:
        >>> equal_opportunity_difference([80, 90], [100, 100]).value
        0.1

    """
    return demographic_parity_difference(hits, positives, confidence)


def equal_opportunity_ratio(
    hits: Sequence[float], positives: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate | None:
    """The lowest true positive rate of the groups over the highest; None where all are nought.

    Source:
        fairlearn.metrics.equal_opportunity_ratio with method between_groups.

    Example:
        >>> equal_opportunity_ratio([80, 100], [100, 100]).value
        0.8

    """
    return demographic_parity_ratio(hits, positives, confidence)


def equalized_odds_difference(
    hits: Sequence[float],
    positives: Sequence[float],
    alarms: Sequence[float],
    negatives: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The larger of two differences: of the true positive rates, and of the false positive rates.

    The intervals of both rates hold together (Bonferroni), so that theirs holds whichever is larger.

    Source:
        M. Hardt, E. Price and N. Srebro, Equality of opportunity in supervised learning, NeurIPS 2016;
        fairlearn.metrics.equalized_odds_difference with method between_groups and agg worst_case.

    Example:
        >>> equalized_odds_difference([80, 90], [100, 100], [10, 40], [100, 100]).value
        0.3

    """
    each = together(confidence, 2)
    found = demographic_parity_difference(hits, positives, each)
    wrongly = demographic_parity_difference(alarms, negatives, each)
    return Estimate(max(found.value, wrongly.value), max(found.low, wrongly.low), max(found.high, wrongly.high))


def equalized_odds_ratio(
    hits: Sequence[float],
    positives: Sequence[float],
    alarms: Sequence[float],
    negatives: Sequence[float],
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """The smaller of two ratios: of the true positive rates, and of the false positive rates.

    Rates that are all nought have no ratio and do not count; None where both are so.

    Source:
        fairlearn.metrics.equalized_odds_ratio with method between_groups and agg worst_case.

    Example:
        >>> equalized_odds_ratio([80, 100], [100, 100], [10, 40], [100, 100]).value
        0.25

    """
    each = together(confidence, 2)
    both = (demographic_parity_ratio(hits, positives, each), demographic_parity_ratio(alarms, negatives, each))
    found = [one for one in both if one is not None]
    if not found:
        return None
    return Estimate(min(one.value for one in found), min(one.low for one in found), min(one.high for one in found))


def smallest_share(rows: Sequence[int], confidence: float = CONFIDENCE) -> Estimate:
    """The share of the smallest group of all rows of these groups.

    Example:
        >>> smallest_share([25, 75]).value
        0.25

    """
    n = np.asarray(rows, dtype=np.float64)
    found = _of_shares(n, confidence)
    return Estimate.rounded(n.min() / n.sum(), found.low.min(), found.high.min())


def population_difference(rows: Sequence[int], shares: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The most that a group's share of these rows differs from its share of the population.

    Example:
        >>> population_difference([25, 75], [0.5, 0.5]).value
        0.25

    """
    n, expected = np.asarray(rows, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    found = _of_shares(n, confidence)
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


def _of_shares(rows: Floats, confidence: float) -> Interval:
    """The intervals of all groups' shares; of two groups one share says the other."""
    intervals = 1 if len(rows) == 2 else len(rows)
    return wilson(rows, rows.sum(), together(confidence, intervals))


def _of_pairs(compare: Callable[..., Interval], positive: Floats, rows: Floats, confidence: float) -> Interval:
    """The intervals of all pairs of different groups, each pair both ways."""
    found = compare(positive[:, None], rows[:, None], positive, rows, together(confidence, pairs(len(rows))))
    apart = ~np.eye(len(rows), dtype=bool)
    return Interval(found.low[apart], found.high[apart])


def _of_groups(positive: Sequence[float], rows: Sequence[float]) -> tuple[Floats, Floats]:
    k, n = np.asarray(positive, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    if len(n) < 2 or len(k) != len(n) or (n <= 0).any() or (k < 0).any() or (k > n).any():
        raise ValueError(f"wanted two groups or more, each with rows and no more positive ones: {k} of {n}")
    return k, n
