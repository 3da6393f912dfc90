"""Intervals agree with what was published, with scipy, and with the share of samples that they promise to hold in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats.contingency import relative_risk

from merkhet.stats.intervals import difference, ratio, wilson

COUNTS = [(0, 10), (1, 10), (5, 10), (10, 10), (218, 308), (1527, 1681), (3, 100_000)]


@pytest.mark.parametrize(("successes", "trials"), COUNTS)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_wilson_is_scipys(successes: int, trials: int, confidence: float) -> None:
    theirs = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    ours = wilson(successes, trials, confidence)
    assert (float(ours.low), float(ours.high)) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


# Table II of Newcombe 1998, method 10.
PUBLISHED = {
    "56 of 70 and 48 of 80": ((56, 70, 48, 80), (0.0524, 0.3339)),
    "9 of 10 and 3 of 10": ((9, 10, 3, 10), (0.1705, 0.8090)),
    "6 of 7 and 2 of 7": ((6, 7, 2, 7), (0.0582, 0.8062)),
    "5 of 56 and none of 29": ((5, 56, 0, 29), (-0.0381, 0.1926)),
    "none and none": ((0, 10, 0, 20), (-0.1611, 0.2775)),
    "all and none": ((10, 10, 0, 20), (0.6791, 1.0)),
}


@pytest.mark.parametrize(("counts", "wanted"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_difference_is_newcombes(counts: tuple[int, int, int, int], wanted: tuple[float, float]) -> None:
    found = difference(*counts)
    assert (float(found.low), float(found.high)) == pytest.approx(wanted, abs=5e-5)


def test_a_ratio_of_many_rows_is_that_of_katz() -> None:
    theirs = relative_risk(70_000, 100_000, 90_000, 100_000).confidence_interval()
    ours = ratio(70_000, 100_000, 90_000, 100_000)
    assert (float(ours.low), float(ours.high)) == pytest.approx((theirs.low, theirs.high), abs=2e-5)


EDGES = {
    "none over some": ((0, 10, 5, 10), 0.0, False),
    "some over none": ((5, 10, 0, 10), np.inf, True),
    "all over all": ((3, 3, 3, 3), 1.0, False),
    "none over none": ((0, 10, 0, 10), np.nan, True),
}


@pytest.mark.parametrize(("counts", "value", "open_ended"), EDGES.values(), ids=EDGES)
def test_a_ratio_has_an_interval_at_the_edges(
    counts: tuple[int, int, int, int], value: float, open_ended: bool
) -> None:
    found = ratio(*counts)
    assert np.isinf(found.high) == open_ended
    assert found.low < found.high
    assert np.isnan(value) or found.low <= value <= found.high


def test_a_ratio_turned_round_is_one_over_it() -> None:
    ours, turned = ratio(218, 308, 1527, 1681), ratio(1527, 1681, 218, 308)
    assert (float(1 / turned.high), float(1 / turned.low)) == pytest.approx((float(ours.low), float(ours.high)))


@pytest.mark.parametrize(("p", "n", "q", "m"), [(0.7, 60, 0.9, 200), (0.05, 100, 0.1, 300), (0.5, 50, 0.5, 50)])
def test_nineteen_of_twenty_samples_have_the_truth_in_them(p: float, n: int, q: float, m: int) -> None:
    chance = np.random.default_rng(7)
    k, j = chance.binomial(n, p, 20_000), chance.binomial(m, q, 20_000)
    for found, truth in ((wilson(k, n), p), (difference(k, n, j, m), p - q), (ratio(k, n, j, m), p / q)):
        assert np.mean((found.low <= truth) & (truth <= found.high)) > 0.935
