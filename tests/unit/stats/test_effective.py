"""Rows that are weighted or belong together tell less than as many that are drawn one by one, and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from merkhet.stats import effective
from merkhet.stats.intervals import wilson


def test_rows_that_are_drawn_one_by_one_are_counted() -> None:
    positive = np.arange(100) < 30
    assert effective.counts(positive) == (30.0, 100.0)
    alone = effective.counts(positive, np.full(100, 2.5), np.arange(100))
    assert alone == pytest.approx((29.7, 99.0)), "but for the one degree of freedom that the rate took"


def test_copies_tell_nothing_new() -> None:
    positive, clusters = np.repeat(np.arange(40) < 10, 5), np.repeat(np.arange(40), 5)
    count, rows = effective.counts(positive, clusters=clusters)
    assert (count / rows, rows) == pytest.approx((0.25, 39.0))


def test_weights_move_the_rate_and_uneven_ones_cost_rows() -> None:
    positive = np.arange(1000) % 2 == 0
    weights = np.where(np.arange(1000) < 500, 1.0, 9.0)
    count, rows = effective.counts(positive, weights)
    kish = weights.sum() ** 2 / (weights**2).sum()
    assert (count / rows, rows) == pytest.approx((0.5, kish), rel=0.01)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["none", "all"])
def test_where_all_are_alike_each_cluster_counts_once(share: float) -> None:
    count, rows = effective.counts(np.full(60, bool(share)), clusters=np.arange(60) // 6)
    assert (count, rows) == (10 * share, 10.0)


def test_a_rate_of_one_is_one_whatever_the_weights() -> None:
    weights = np.random.default_rng(1).random(5000)
    for count, rows in (effective.counts(np.ones(5000, np.bool_), weights * scale) for scale in (1.0, 0.1, 1e6)):
        assert count == rows < 5000


def test_one_cluster_is_one_row_and_no_weight_is_none() -> None:
    assert effective.counts(np.arange(8) < 4, clusters=np.zeros(8, np.int64)) == (0.5, 1.0)
    assert effective.counts(np.arange(8) < 4, np.zeros(8)) == (0.0, 0.0)


def test_intervals_hold_the_truth_as_often_as_they_say_also_of_households() -> None:
    chance, held, naive = np.random.default_rng(5), [], []
    clusters = np.repeat(np.arange(60), 5)
    for _ in range(600):
        leaning = chance.beta(1.2, 2.8, 60)  # 0.3 on the whole, far more alike within a household than between
        positive = chance.random(300) < leaning[clusters]
        weights = chance.choice([1.0, 2.0], 300)
        interval = wilson(*effective.counts(positive, weights, clusters))
        held.append(interval.low <= 0.3 <= interval.high)
        alone = wilson(positive.sum(), 300)
        naive.append(alone.low <= 0.3 <= alone.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(naive) < 0.9
