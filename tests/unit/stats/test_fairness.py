"""How far groups lie apart is what fairlearn says, and the interval is honest about having looked for the furthest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from fairlearn import metrics as fairlearn  # type: ignore[import-untyped]

from merkhet.stats import fairness
from merkhet.stats.intervals import difference
from merkhet.stats.ranking import area_under_curve

GROUPS = {
    "loan applications": ([218, 1527], [308, 1681]),
    "three groups": ([10, 60, 33], [50, 100, 60]),
    "nobody of one": ([0, 60], [50, 100]),
    "all of one": ([50, 60], [50, 100]),
    "all alike": ([25, 50], [50, 100]),
}


@pytest.mark.parametrize(("positive", "rows"), GROUPS.values(), ids=GROUPS)
def test_figures_are_fairlearns(positive: Sequence[int], rows: Sequence[int]) -> None:
    groups = np.repeat(np.arange(len(rows)), rows)
    labels = np.concatenate([np.arange(n) < k for k, n in zip(positive, rows, strict=True)]).astype(int)
    told = {"sensitive_features": groups}
    ours = fairness.demographic_parity_difference(positive, rows)
    assert ours.value == pytest.approx(fairlearn.demographic_parity_difference(labels, labels, **told), abs=1e-6)
    over = fairness.demographic_parity_ratio(positive, rows)
    assert over is not None
    assert over.value == pytest.approx(fairlearn.demographic_parity_ratio(labels, labels, **told), abs=1e-6)
    for found in (ours, over):
        assert found.low <= found.value <= found.high


# Of each group: hits, positives, false alarms, negatives.
ODDS = {
    "two groups": ([40, 90], [60, 100], [10, 30], [70, 90]),
    "wrong alarms lie further apart": ([50, 55], [60, 60], [5, 40], [60, 60]),
    "three groups": ([10, 60, 33], [50, 100, 60], [9, 9, 20], [40, 90, 50]),
    "no alarm in one": ([30, 40], [50, 50], [0, 10], [50, 60]),
}
Four = tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[int]]


@pytest.mark.parametrize("counts", ODDS.values(), ids=ODDS)
def test_figures_of_opportunity_and_odds_are_fairlearns(counts: Four) -> None:
    rows = [
        (truth, said, group)
        for group, (hits, positives, alarms, negatives) in enumerate(zip(*counts, strict=True))
        for truth, said, count in ((1, 1, hits), (1, 0, positives - hits), (0, 1, alarms), (0, 0, negatives - alarms))
        for _ in range(count)
    ]
    truth, said, groups = np.transpose(rows)
    for name, ours in (
        ("equal_opportunity_difference", fairness.equal_opportunity_difference(*counts[:2])),
        ("equal_opportunity_ratio", fairness.equal_opportunity_ratio(*counts[:2])),
        ("equalized_odds_difference", fairness.equalized_odds_difference(*counts)),
        ("equalized_odds_ratio", fairness.equalized_odds_ratio(*counts)),
    ):
        assert ours is not None
        theirs = getattr(fairlearn, name)(truth, said, sensitive_features=groups)
        assert ours.value == pytest.approx(theirs, abs=1e-6), name
        assert ours.low <= ours.value <= ours.high, name


def test_the_true_odds_lie_in_the_interval() -> None:
    chance, rows = np.random.default_rng(7), [80, 80, 80]
    right, wrong = (0.6, 0.7, 0.8), (0.1, 0.2, 0.35)
    held = []
    for _ in range(1000):
        hits, alarms = chance.binomial(80, right).tolist(), chance.binomial(80, wrong).tolist()
        found = fairness.equalized_odds_difference(hits, rows, alarms, rows)
        held.append(found.low <= 0.25 <= found.high)
    assert np.mean(held) > 0.94


def test_rates_that_are_all_nought_have_no_ratio_of_odds() -> None:
    assert fairness.equalized_odds_ratio([0, 0], [50, 60], [0, 0], [50, 60]) is None
    alone = fairness.equalized_odds_ratio([25, 60], [50, 60], [0, 0], [50, 60])
    assert alone is not None
    assert alone.value == 0.5


def test_where_nobody_is_positive_there_is_no_ratio() -> None:
    assert fairness.demographic_parity_ratio([0, 0], [50, 60]) is None
    assert fairness.demographic_parity_difference([0, 0], [50, 60]).value == 0


def test_two_groups_have_the_interval_of_the_pair() -> None:
    found, pair = fairness.demographic_parity_difference([218, 1527], [308, 1681]), difference(1527, 1681, 218, 308)
    assert (found.low, found.high) == pytest.approx((float(pair.low), float(pair.high)), abs=1e-6)


@pytest.mark.parametrize("groups", [2, 5, 20])
def test_groups_that_are_alike_are_seldom_said_to_differ(groups: int) -> None:
    chance = np.random.default_rng(7)
    samples = chance.binomial(100, 0.3, (2000, groups))
    wrong = sum(fairness.demographic_parity_difference(sample, [100] * groups).low > 0 for sample in samples)
    assert wrong / len(samples) < 0.06
    naive = [difference(sample.max(), 100, sample.min(), 100).low > 0 for sample in samples]
    assert groups == 2 or np.mean(naive) > 0.2, "the extreme pair's own interval would be wrong this often"


RATES = {"two": (0.7, 0.9), "one of five stands out": (0.5, 0.5, 0.5, 0.5, 0.7), "spread": (0.1, 0.2, 0.3, 0.4)}


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
def test_the_true_extremes_lie_in_the_intervals(rates: Sequence[float]) -> None:
    chance, rows = np.random.default_rng(7), [80] * len(rates)
    samples = chance.binomial(80, rates, (1000, len(rates)))
    apart = [fairness.demographic_parity_difference(sample, rows) for sample in samples]
    assert np.mean([found.low <= max(rates) - min(rates) <= found.high for found in apart]) > 0.94
    over = [found for sample in samples if (found := fairness.demographic_parity_ratio(sample, rows)) is not None]
    assert np.mean([found.low <= min(rates) / max(rates) <= found.high for found in over]) > 0.94


def test_shares_of_rows() -> None:
    smallest = fairness.smallest_share([10, 90, 900])
    assert (smallest.value, smallest.low < 0.01 < smallest.high) == (0.01, True)
    assert fairness.smallest_share([0, 1000]).low == 0
    found = fairness.population_difference([400, 600], [0.5, 0.5])
    assert (found.value, found.low > 0.06, found.high < 0.14) == (0.1, True, True)
    assert fairness.population_difference([500, 500], [0.5, 0.5]).low == 0
    assert fairness.population_difference([1000, 0], [0.5, 0.5]).value == 0.5


@pytest.mark.parametrize(
    ("positive", "rows"),
    [([1], [2]), ([1, 2], [2, 0]), ([3, 1], [2, 2]), ([-1, 1], [2, 2]), ([1, 1, 1], [2, 2])],
    ids=["one group", "a group without rows", "more than all", "less than none", "a group without a count"],
)
def test_counts_that_cannot_be_are_refused(positive: Sequence[int], rows: Sequence[int]) -> None:
    with pytest.raises(ValueError, match="wanted two groups or more"):
        fairness.demographic_parity_difference(positive, rows)


def test_the_area_under_the_curve_is_scikit_learns_and_its_error_is_that_of_repeated_samples() -> None:
    from sklearn.metrics import roc_auc_score

    chance = np.random.default_rng(7)
    members = np.arange(300) < 100
    found = []
    for _ in range(400):
        scores = np.round(chance.normal(members * 1.0, 1.0), 1)
        found.append(area_under_curve(scores, members))
        assert found[-1][0] == pytest.approx(roc_auc_score(members, scores), abs=1e-12)
    areas, errors = np.transpose(found)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.1)
