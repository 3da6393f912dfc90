"""Intervals of rates, and of how two rates differ; they hold at none and at all of the rows, too.

All take numbers or arrays that broadcast, and give arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends, each of one shape."""

    low: Floats
    high: Floats


def quantile(confidence: float) -> float:
    """How many standard errors lie on either side of the middle.

    Example:
        >>> round(quantile(0.95), 4)
        1.96

    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(successes: ArrayLike, trials: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a rate.

    Source:
        E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927) 209-212.

    Example:
        >>> interval = wilson(218, 308)
        >>> round(float(interval.low), 4), round(float(interval.high), 4)
        (0.6547, 0.7558)

    """
    z = quantile(confidence)
    n = np.asarray(trials, dtype=np.float64)
    k = np.asarray(successes, dtype=np.float64)
    middle = (k + z * z / 2) / (n + z * z)
    half = z / (n + z * z) * np.sqrt(k * (n - k) / n + z * z / 4)
    # At the ends the interval begins or ends exactly there; the sum would miss it by a rounding.
    low = np.where(k == 0, 0.0, np.clip(middle - half, 0.0, 1.0))
    high = np.where(k == n, 1.0, np.clip(middle + half, 0.0, 1.0))
    return Interval(low, high)


def difference(
    successes: ArrayLike,
    trials: ArrayLike,
    other_successes: ArrayLike,
    other_trials: ArrayLike,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of a rate minus another one of independent rows: Wilson's, squared and added.

    Source:
        R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven
        methods, Statistics in Medicine 17 (1998) 873-890; method 10.

    Example:
        >>> interval = difference(56, 70, 48, 80)
        >>> round(float(interval.low), 4), round(float(interval.high), 4)
        (0.0524, 0.3339)

    """
    p, one = _rate(successes, trials, confidence)
    q, other = _rate(other_successes, other_trials, confidence)
    low = p - q - np.hypot(p - one.low, other.high - q)
    high = p - q + np.hypot(one.high - p, q - other.low)
    return Interval(low, high)


def ratio(
    successes: ArrayLike,
    trials: ArrayLike,
    other_successes: ArrayLike,
    other_trials: ArrayLike,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The interval of a rate over another one of independent rows; without an upper end where the other is nought.

    The same idea as for the difference. Katz's logarithm, which it agrees with for many rows, has no interval where
    one of the rates is nought and one without width where both are one.

    Source:
        A. Donner and G. Y. Zou, Closed-form confidence intervals for functions of the normal mean and standard
        deviation, Statistical Methods in Medical Research 21 (2012) 347-359 (MOVER-R), from Wilson's intervals.

    Example:
        >>> interval = ratio(218, 308, 1527, 1681)
        >>> round(float(interval.low), 3), round(float(interval.high), 3)
        (0.72, 0.834)

    """
    p, one = _rate(successes, trials, confidence)
    q, other = _rate(other_successes, other_trials, confidence)
    product = p * q
    lower, upper = one.low * (2 * p - one.low), one.high * (2 * p - one.high)
    other_lower, other_upper = other.low * (2 * q - other.low), other.high * (2 * q - other.high)
    with np.errstate(divide="ignore", invalid="ignore"):
        # As Donner and Zou have it, multiplied out: their divisor may be nought.
        low = lower / (product + np.sqrt(np.maximum(product**2 - lower * other_upper, 0.0)))
        high = (product + np.sqrt(np.maximum(product**2 - upper * other_lower, 0.0))) / other_lower
    return Interval(np.where(p == 0, 0.0, low), np.where(q == 0, np.inf, high))


def _rate(successes: ArrayLike, trials: ArrayLike, confidence: float) -> tuple[Floats, Interval]:
    """A rate, and its interval."""
    rate: Floats = np.asarray(successes, dtype=np.float64) / np.asarray(trials, dtype=np.float64)
    return rate, wilson(successes, trials, confidence)
