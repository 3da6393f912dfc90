"""Profiles as a page gets them: with everything that is awkward, and with nothing."""

from __future__ import annotations

from merkhet.contract.features import BiasFinding, CheckedBias, CheckedRule, GroupFigures
from merkhet.contract.profile import (
    PROBABILITIES,
    Bands,
    ColumnProfile,
    Histogram,
    Numbers,
    Profile,
    Times,
    Value,
    Values,
)

EVIL = '<script>alert("1")</script><img src=x onerror=alert(2)>\'"&amp;\u202e\x07'
HUGE = 1.7976931348623157e308

NUMBERS = Numbers(
    count=100,
    nan=3,
    infinite=1,
    minus_infinite=2,
    min=-5,
    max=1_000_000,
    mean=12.5,
    deviation=3.25,
    quantiles=tuple(float(round(p * 100)) for p in PROBABILITIES),
    histogram=Histogram(edges=(-5.0, 0.0, 10.0, 1e6), counts=(0, 99, 1), high_tail=True),
    bands=Bands(cuts=(50.0,), counts=(50, 50)),
)
EXTREME = Numbers(
    count=2,
    min=-HUGE,
    max=HUGE,
    mean=0.0,
    deviation=HUGE,
    quantiles=(-HUGE,) * 7 + (0.0,) + (HUGE,) * 7,
    histogram=Histogram(edges=(-HUGE, 0.0, HUGE), counts=(1, 1)),
)
ONE_VALUE = Numbers(
    count=4,
    min=7,
    max=7,
    mean=7.0,
    deviation=0.0,
    quantiles=(7.0,) * len(PROBABILITIES),
    histogram=Histogram(edges=(7.0, 7.0), counts=(4,)),
)
SOME = Values(top=(Value(value="a", count=60), Value(value="", count=30)), others=10)
TIMES = Times(
    count=9,
    first="2024-01-01T00:00:00",
    last="2024-01-03T10:00:00.5",
    unit="day",
    starts=("2024-01-01T00:00:00", "2024-01-02T00:00:00", "2024-01-03T00:00:00"),
    counts=(4, 0, 5),
)
COLUMNS = (
    ColumnProfile(name=EVIL, type="string", description=EVIL, distinct=2,
                  values=Values(top=(Value(value=EVIL[:63], count=2),))),
    ColumnProfile(name="number", type="float64", distinct=90, missing=3, missing_share=0.03, numbers=NUMBERS),
    ColumnProfile(name="extreme", type="float64", distinct=2, numbers=EXTREME),
    ColumnProfile(name="one value", type="int64", distinct=1, numbers=ONE_VALUE,
                  values=Values(top=(Value(value="7", count=4),))),
    ColumnProfile(name="nothing", type="float64", distinct=0, missing=100, missing_share=1.0, numbers=Numbers(count=0)),
    ColumnProfile(name="no text", type="string", distinct=0, missing=100, missing_share=1.0, values=Values()),
    ColumnProfile(name="infinite", type="float32", distinct=1, numbers=Numbers(count=0, infinite=100)),
    ColumnProfile(name="many", type="string", distinct=13, values=SOME),
    ColumnProfile(name="each its own", type="string", distinct=100, values=Values(others=100)),
    ColumnProfile(name="time", type="timestamp", distinct=9, times=TIMES),
    ColumnProfile(name="no time", type="date", distinct=0, times=Times(count=0)),
    ColumnProfile(name="far times", type="date", distinct=2,
                  times=Times(count=2, first="2024-01-01", last="5000000-01-01", infinite=1)),
    ColumnProfile(name="x" * 128, type="boolean", distinct=2, values=Values(top=(Value(value="true", count=100),))),
    ColumnProfile(name="person", type="int64", personal=True, missing=1, missing_share=0.01),
)  # fmt: skip
RULES = (
    CheckedRule(rule=f"number is at most {EVIL}", passed=False, found="3 of 100 rows fail (3 %), none may"),
    CheckedRule(rule="there are at least 10 rows", passed=True, found="100 rows"),
)
BIAS = CheckedBias(
    findings=(
        BiasFinding(metric="demographic_parity_difference", column="many", result="Failed", value=0.3, low=0.2,
                    high=0.4, limit=0.1, message=EVIL),
        BiasFinding(metric="demographic_parity_ratio", column="many", result="Passed", value=0.9, low=0.85, high=0.95,
                    limit=0.8),
        BiasFinding(metric="proxy_auc", column="many", result="Inconclusive", value=0.7),
        BiasFinding(metric="a metric of tomorrow", column="many", result="Reported"),
    ),
    groups=(
        GroupFigures(column="many", group=EVIL, rows=60, share=0.6, rate=0.5, low=0.4, high=0.6),
        GroupFigures(column="many", group="b", rows=3, share=0.03, rate=None, small=True),
    ),
)  # fmt: skip


def profile(columns: tuple[ColumnProfile, ...] = COLUMNS, *, rows: int = 100) -> Profile:
    """All there can be."""
    return Profile(
        feature_set="adults",
        number=3,
        rows=rows,
        data_digest="sha256:" + "a" * 64,
        entity=("person",),
        timestamp="time",
        columns=columns,
        quality=RULES,
        bias=BIAS,
    )


def plain() -> Profile:
    """As little as there can be."""
    return Profile(feature_set="a", number=1, rows=1, data_digest="sha256:b", columns=())


def wide() -> Profile:
    """As many columns as there can be."""
    made = (
        column.model_copy(update={"name": f"{column.name[:100]} {n}"})
        for n, column in ((n, COLUMNS[n % len(COLUMNS)]) for n in range(1_000))
    )
    return profile(tuple(made))
