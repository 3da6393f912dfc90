"""A limit is kept, missed or not decided, and the gate says so in words that a person understands."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.contract.evaluation import (
    Bound,
    ChampionComparison,
    Estimate,
    Evaluation,
    Fairness,
    Group,
    Intervals,
    Latency,
    Parity,
    TriedCase,
)
from merkhet.contract.training import (
    Expectation,
    FairnessLimit,
    Gate,
    Gates,
    GroupLimit,
    LatencyLimit,
    Metric,
    MetricLimit,
    ParityLimit,
)
from merkhet.workloads.trainer.gates import COMPARABLE_ROWS, judged


def document(**more: Any) -> Evaluation:
    usual: dict[str, Any] = {
        "task": "Classification",
        "target": "y",
        "rows": {"train": 3000, "test": 1000},
        "metrics": (
            Metric(name="roc_auc", value=0.9, low=0.88, high=0.92),
            Metric(name="brier", value=0.1, low=0.09, high=0.11),
        ),
        "intervals": Intervals(resamples=200, confidence=0.95),
    }
    return Evaluation(**{**usual, **more})


def one(asked: Gates, **more: Any) -> Gate:
    (gate,) = judged(document(**more), asked)
    return gate


METRICS: dict[str, tuple[dict[str, Any], str, str]] = {
    "kept": ({"name": "roc_auc", "min": 0.9}, "Passed", ""),
    "missed": ({"name": "roc_auc", "min": 0.91}, "Failed", "roc_auc is 0.9 on the test rows, at least 0.91 was wanted"),
    "of a loss": ({"name": "brier", "max": 0.05}, "Failed", "brier is 0.1 on the test rows, at most 0.05 was wanted"),
    "no value": ({"name": "recall", "min": 0.5}, "Inconclusive", "recall has no value on these test rows"),
    "kept by both ends": ({"name": "roc_auc", "min": 0.88, "confidence": 0.95}, "Passed", ""),
    "kept, but not by the worse end": (
        {"name": "roc_auc", "min": 0.89, "confidence": 0.95},
        "Inconclusive",
        "but its 95 % interval begins at 0.88, at least 0.89 was wanted",
    ),
    "of a loss, not by the worse end": (
        {"name": "brier", "max": 0.105, "confidence": 0.95},
        "Inconclusive",
        "its 95 % interval ends at 0.11",
    ),
    "a confidence makes no gate more lenient": ({"name": "roc_auc", "min": 0.91, "confidence": 0.95}, "Failed", ""),
    "at another confidence": ({"name": "roc_auc", "min": 0.89, "confidence": 0.5}, "Passed", ""),
    "without an interval": ({"name": "brier", "max": 0.2, "confidence": 0.99}, "Inconclusive", "too few test rows"),
}


@pytest.mark.parametrize(("limit", "result", "told"), METRICS.values(), ids=METRICS)
def test_a_limit_on_a_figure(limit: dict[str, Any], result: str, told: str) -> None:
    bounds = (Bound(name="roc_auc", confidence=0.5, low=0.893, high=0.907),)
    gate = one(Gates(metrics=(MetricLimit(**limit, source="policy"),)), bounds=bounds)
    assert (gate.name, gate.result, gate.source) == (limit["name"], result, "policy")
    assert gate.limit == limit.get("min", limit.get("max"))
    assert told in gate.message


def compared(value: float, low: float, high: float, rows: int = 500, **more: Any) -> ChampionComparison:
    differences = (Metric(name="roc_auc", value=value, low=low, high=high),)
    return ChampionComparison(number=3, rows=rows, differences=differences, **more)


CHAMPIONS: dict[str, tuple[ChampionComparison | None, float | None, str, str]] = {
    "none yet": (None, None, "Passed", "there is no champion yet"),
    "better": (compared(0.02, 0.01, 0.03), None, "Passed", ""),
    "within the limit": (compared(-0.009, -0.03, 0.01), None, "Passed", ""),
    "worse beyond doubt": (
        compared(-0.05, -0.07, -0.03),
        None,
        "Failed",
        "version 3, is 0.05 (95 %: 0.03 to 0.07) on 500 rows that neither has learned from, at most 0.01 was wanted",
    ),
    "perhaps worse": (compared(-0.02, -0.05, 0.01), None, "Inconclusive", "is 0.02 (95 %: -0.01 to 0.05)"),
    "surely not worse": (compared(0.0, -0.009, 0.01), 0.95, "Passed", ""),
    "not surely": (compared(0.0, -0.02, 0.01), 0.95, "Inconclusive", "is 0 (95 %: -0.01 to 0.02)"),
    "surely at half": (
        compared(0.0, -0.02, 0.01, bounds=(Bound(name="roc_auc", confidence=0.5, low=-0.005, high=0.003),)),
        0.5,
        "Passed",
        "",
    ),
    "too few rows": (
        compared(0.02, 0.01, 0.03, rows=COMPARABLE_ROWS - 1),
        None,
        "Inconclusive",
        "only 99 rows were learned from by neither, 100 are needed",
    ),
    "not comparable": (
        ChampionComparison(number=3, message="it was brought"),
        None,
        "Inconclusive",
        "roc_auc cannot be compared with the champion, version 3: it was brought",
    ),
}


@pytest.mark.parametrize(("comparison", "confidence", "result", "told"), CHAMPIONS.values(), ids=CHAMPIONS)
def test_a_drop_from_the_champion(
    comparison: ChampionComparison | None, confidence: float | None, result: str, told: str
) -> None:
    limit = MetricLimit(name="roc_auc", max_drop_from_champion=0.01, confidence=confidence)
    gate = one(Gates(metrics=(limit,)), champion=comparison)
    assert (gate.name, gate.result, gate.limit) == ("roc_auc against the champion", result, 0.01)
    assert told in gate.message
    assert (gate.message == "") == (told == "")


def test_a_higher_loss_is_a_drop() -> None:
    differences = (Metric(name="brier", value=0.05, low=0.03, high=0.07),)
    comparison = ChampionComparison(number=3, rows=500, differences=differences)
    gate = one(Gates(metrics=(MetricLimit(name="brier", max_drop_from_champion=0.01),)), champion=comparison)
    assert (gate.result, gate.value) == ("Failed", 0.05)


def group(name: str, rows: int, recall: float | None, **more: Any) -> Group:
    metrics = () if recall is None else (Metric(name="recall", value=recall, low=recall - 0.1, high=recall + 0.1),)
    return Group(by="SEX", group=name, rows=rows, small=recall is None, metrics=metrics, **more)


RECALL = GroupLimit(metric="recall", by="SEX", min=0.75)
GROUPS: dict[str, tuple[tuple[Group, ...], GroupLimit, str, str]] = {
    "all keep it": ((group("1", 500, 0.8), group("2", 400, 0.76)), RECALL, "Passed", "lowest of 2 groups is that of 2"),
    "one misses it": (
        (group("1", 500, 0.8), group("2", 400, 0.7), group("3", 300, 0.74)),
        RECALL,
        "Failed",
        "recall where SEX is 2 (n=400) is 0.7 on the test rows, at least 0.75 was wanted",
    ),
    "a small one is not judged": (
        (group("1", 500, 0.8), group("2", 400, 0.8), group("3", 9, None)),
        RECALL,
        "Passed",
        "",
    ),
    "one large group": (
        (group("1", 500, 0.8), group("2", 30, None)),
        RECALL,
        "Inconclusive",
        "1 group of 50 test rows or more has the figure, and two are needed; there are 1 (n=500), 2 (n=30)",
    ),
    "no group": ((), RECALL, "Inconclusive", "no test row has a group by SEX: name it in data.sensitive"),
    "an end misses it": (
        (group("1", 500, 0.9), group("2", 400, 0.84)),
        RECALL.model_copy(update={"confidence": 0.95}),
        "Inconclusive",
        "where SEX is 2 (n=400) is 0.84 on the test rows, but its 95 % interval begins at 0.74",
    ),
    "the most": (
        (group("1", 500, 0.8), group("2", 400, 0.7)),
        GroupLimit(metric="recall", by="SEX", max=0.75),
        "Failed",
        "recall where SEX is 1 (n=500) is 0.8",
    ),
}


@pytest.mark.parametrize(("groups", "limit", "result", "told"), GROUPS.values(), ids=GROUPS)
def test_a_limit_on_each_group(groups: tuple[Group, ...], limit: GroupLimit, result: str, told: str) -> None:
    gate = one(Gates(groups=(limit,)), groups=groups)
    assert (gate.name, gate.result) == ("recall by SEX", result)
    assert told in gate.message


def apart(low: float, value: float, high: float, metric: str = "demographic_parity_difference") -> Fairness:
    return Fairness(
        metric=metric, by="SEX", estimate=Estimate(value=value, low=low, high=high), groups=2, message="1 and 2"
    )


MOST = FairnessLimit(metric="demographic_parity_difference", by="SEX", max=0.15)
LEAST = FairnessLimit(metric="demographic_parity_ratio", by="SEX", min=0.8)
FAIR: dict[str, tuple[tuple[Fairness, ...], FairnessLimit, str, str]] = {
    "within": ((apart(0.01, 0.05, 0.1),), MOST, "Passed", "1 and 2"),
    "beyond": (
        (apart(0.16, 0.2, 0.3),),
        MOST,
        "Failed",
        "demographic_parity_difference by SEX is 0.2 (95 %: 0.16 to 0.3), at most 0.15 was wanted; 1 and 2",
    ),
    "perhaps beyond": ((apart(0.1, 0.14, 0.2),), MOST, "Inconclusive", "interval lies on both sides of that"),
    "a ratio within": ((apart(0.81, 0.9, 0.99, LEAST.metric),), LEAST, "Passed", ""),
    "a ratio beyond": ((apart(0.6, 0.7, 0.79, LEAST.metric),), LEAST, "Failed", "at least 0.8 was wanted"),
    "no figure": (
        (Fairness(metric=MOST.metric, by="SEX", message="SEX has 1 group"),),
        MOST,
        "Inconclusive",
        "demographic_parity_difference by SEX cannot be judged: SEX has 1 group",
    ),
    "no such column": ((), MOST, "Inconclusive", "there are no groups by SEX: name it in data.sensitive"),
}


@pytest.mark.parametrize(("found", "limit", "result", "told"), FAIR.values(), ids=FAIR)
def test_a_limit_on_how_far_groups_lie_apart(
    found: tuple[Fairness, ...], limit: FairnessLimit, result: str, told: str
) -> None:
    gate = one(Gates(fairness=(limit,)), fairness=found)
    assert (gate.name, gate.result) == (f"{limit.metric} by SEX", result)
    assert told in gate.message


def test_all_gates_stand_in_one_order_each_with_who_asked() -> None:
    asked = Gates(
        metrics=(
            MetricLimit(name="roc_auc", min=0.8, max_drop_from_champion=0.01),
            MetricLimit(name="brier", max=0.2, source="policy"),
        ),
        groups=(RECALL.model_copy(update={"source": "policy"}),),
        fairness=(MOST,),
        latency=LatencyLimit(p99_milliseconds=5, source="policy"),
        parity=ParityLimit(max_difference=0.001),
    )
    tests = (
        TriedCase(
            name="child", passed=False, message="the model answers 1, 0 was expected", expect=Expectation(label=0)
        ),
    )
    gates = judged(document(tests=tests, latency=Latency(p50=1, p99=7, calls=9), parity=_parity()), asked)
    assert [(gate.name, gate.result, gate.source) for gate in gates] == [
        ("roc_auc", "Passed", "spec"),
        ("brier", "Passed", "policy"),
        ("roc_auc against the champion", "Passed", "spec"),
        ("recall by SEX", "Inconclusive", "policy"),
        ("demographic_parity_difference by SEX", "Inconclusive", "spec"),
        ("test child", "Failed", "spec"),
        ("latency", "Failed", "policy"),
        ("parity", "Passed", "spec"),
    ]
    told = {gate.name: gate for gate in gates}
    assert told["test child"].message == "test child: the model answers 1, 0 was expected"
    assert told["latency"].message == "99 of 100 calls of one row take 7 ms or less, at most 5 was wanted"
    assert (told["parity"].value, told["parity"].limit) == (1e-6, 0.001)


def test_what_was_not_measured_is_not_passed() -> None:
    gate = one(Gates(latency=LatencyLimit(p99_milliseconds=5)))
    assert (gate.name, gate.result) == ("latency", "Inconclusive")


def _parity() -> Parity:
    return Parity(difference=1e-6, percentile999=1e-7, rows=1000, edge_rows=400)
