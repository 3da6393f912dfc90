"""How numbers are spread: mean, deviation, quantiles, histogram and bands, of values that pass twice in their order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from merkhet.contract.profile import MAX_BANDS, PROBABILITIES, Bands, Histogram

BINS = 32
Block = tuple[Any, Any]  # numpy arrays: different values ascending, and how many rows have each


def distribution(blocks: Sequence[Block], *, count: int, low: float, high: float, whole: bool) -> dict[str, Any]:
    """The fields of Numbers that take more than a count; ``low`` and ``high`` are the least and the greatest value.

    Blocks must be the same ones for the same values: the sums are kept block by block.
    """
    ranks, moments = _Ranks.of(count), _Moments(_exponent(low, high))
    for values, counts in blocks:
        ranks.take(values, counts)
        moments.take(values, counts)
    quantiles = tuple(ranks.quantile(probability) for probability in PROBABILITIES)
    edges, cuts = _edges(low, high, quantiles, whole=whole), ranks.cuts(float(low))
    binned, banded = _Counter(np.array(edges.inner)), _Counter(np.array(cuts))
    for values, counts in blocks:
        binned.take(values, counts)
        banded.take(values, counts)
    return {
        "mean": moments.of_all(),
        "deviation": moments.deviation(),
        "quantiles": quantiles,
        "histogram": edges.histogram(binned.counts),
        "bands": Bands(cuts=cuts, counts=tuple(banded.counts)),
    }


@dataclass(slots=True)
class _Ranks:
    """The values at some places of the sorted column, as it passes."""

    count: int
    wanted: Any  # places, ascending
    found: dict[int, float]
    passed: int = 0

    @classmethod
    def of(cls, count: int) -> _Ranks:
        """For the quantiles, and for the cuts between bands."""
        exact = [(count - 1) * p for p in PROBABILITIES]
        places = {math.floor(at) for at in exact} | {math.ceil(at) for at in exact}
        return cls(count, np.array(sorted(places | set(cls._at_cuts(count)))), {})

    @staticmethod
    def _at_cuts(count: int) -> list[int]:
        return [count * part // MAX_BANDS for part in range(1, MAX_BANDS)]

    def take(self, values: Any, counts: Any) -> None:
        """Take the next block."""
        ends = self.passed + np.cumsum(counts)
        here = self.wanted[(self.wanted >= self.passed) & (self.wanted < ends[-1])]
        at = np.searchsorted(ends, here, side="right")
        self.found.update(zip(here.tolist(), values[at].tolist(), strict=True))
        self.passed = int(ends[-1])

    def quantile(self, probability: float) -> float:
        """Interpolated between the two values beside it.

        Source: Hyndman and Fan (1996), definition 7, which is numpy's own choice, too.
        """
        at = (self.count - 1) * probability
        below, above = self.found[math.floor(at)], self.found[math.ceil(at)]
        part = at - math.floor(at)
        if below == above or part == 0:
            return below
        return min(max(below * (1 - part) + above * part, below), above)

    def cuts(self, low: float) -> tuple[float, ...]:
        """Where bands begin; the first begins with the least value, and before it."""
        return tuple(sorted({self.found[place] for place in self._at_cuts(self.count)} - {low}))


@dataclass(slots=True)
class _Moments:
    """Mean and deviation of the values as they pass, divided by a power of two so that no square overflows.

    Source: Chan, Golub and LeVeque (1979) for joining blocks; sums within a block are exact.
    """

    exponent: int
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0  # sum of squared distances from the mean

    def take(self, values: Any, counts: Any) -> None:
        """Take the next block."""
        scaled = np.ldexp(values, -self.exponent)
        size = int(counts.sum())
        mean = math.fsum((scaled * counts).tolist()) / size
        squares = math.fsum(((scaled - mean) ** 2 * counts).tolist())
        total = self.count + size
        apart = mean - self.mean
        self.squares += squares + apart * apart * (self.count * size / total)
        self.mean += apart * (size / total)
        self.count = total

    def of_all(self) -> float:
        """The mean."""
        return math.ldexp(self.mean, self.exponent)

    def deviation(self) -> float:
        """The standard deviation."""
        return math.ldexp(math.sqrt(self.squares / self.count), self.exponent)


class _Counter:
    """How many rows lie below the first of some places, between each and the next, and from the last on."""

    def __init__(self, places: Any) -> None:
        self.places = places
        self.counts = [0] * (len(places) + 1)

    def take(self, values: Any, counts: Any) -> None:
        """Take the next block."""
        below = np.concatenate(([0], np.cumsum(counts)))[np.searchsorted(values, self.places)]
        found = np.diff(below, prepend=0, append=counts.sum())
        self.counts = [before + more for before, more in zip(self.counts, found.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Edges:
    """The edges of a histogram."""

    values: tuple[float, ...]
    low_tail: bool = False
    high_tail: bool = False

    @property
    def inner(self) -> tuple[float, ...]:
        """Without the outermost: all values lie between those."""
        return self.values[1:-1]

    def histogram(self, counts: Sequence[int]) -> Histogram:
        """With what was counted between them."""
        return Histogram(
            edges=self.values, counts=tuple(counts), low_tail=self.low_tail, high_tail=self.high_tail
        )  # fmt: skip


def _edges(low: float, high: float, quantiles: Sequence[float], *, whole: bool) -> _Edges:
    """Equally wide bins from the least to the greatest value; a long tail beyond the 1st or 99th percentile is one bin.

    Bins of whole numbers are as many numbers wide, so that none looks fuller than its neighbours for nothing.
    """
    if low == high:
        return _Edges((float(low), float(high)))
    body, end = quantiles[0], quantiles[-1]
    # In halves, because the whole may be more than a number can be.
    reach = end / 2 - body / 2
    least = max(reach / 2, 1.0) if whole else reach / 2
    low_tail, high_tail = reach > 0 and body / 2 - low / 2 > least, reach > 0 and high / 2 - end / 2 > least
    first, last = (body if low_tail else float(low)), (end if high_tail else float(high))
    inside = _whole_steps(first, last) if whole else _steps(first, last)
    outer = {*([float(low)] if low_tail else []), *inside, *([float(high)] if high_tail else [])}
    return _Edges(tuple(sorted(outer)), low_tail, high_tail)


def _steps(first: float, last: float) -> list[float]:
    return [*(first * (1 - step / BINS) + last * (step / BINS) for step in range(BINS)), last]


def _whole_steps(first: float, last: float) -> list[float]:
    start, end = math.floor(first), math.ceil(last)
    width = -(-(end - start + 1) // BINS)
    steps = -(-(end - start + 1) // width)
    return [float(start + step * width) for step in range(steps + 1)]


def _exponent(low: float, high: float) -> int:
    """The power of two above all the values."""
    return math.frexp(max(abs(float(low)), abs(float(high))))[1]
