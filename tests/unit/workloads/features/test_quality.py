"""Quality rules at their limits, what is said of them, and what they keep from being published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from merkhet.contract.features import CheckedRule
from merkhet.errors import Refused
from merkhet.store import paths
from merkhet.workloads.features.quality import share, span
from merkhet.workloads.features.versions import published_numbers
from merkhet.workloads.run import RefusedForNow
from tests.unit.workloads.features.making import Workshop, workshop

CENSUS = {"census": "store://raw/census.parquet"}
NAN = float("nan")
Rule = dict[str, Any]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def checked(shop: Workshop, column: pa.Array, rule: Rule, **more: Any) -> CheckedRule:
    """What is found of a rule in a table of one column ``x``."""
    shop.put("census.parquet", pa.table({"x": column}))
    result = shop.make(CENSUS, quality={"rules": [rule], "on_failure": "Warn"}, **more)
    assert result.quality is not None
    return result.quality[0]


INTS = pa.array([1, 2, 2, None], pa.int64())
FLOATS = pa.array([0.5, 0.7, NAN, None], pa.float32())
TEXTS = pa.array(["a", "it's", "it's", None])
DAYS = pa.array([datetime(2024, 1, 1), datetime(2024, 1, 2), None])  # noqa: DTZ001 - the store's times are UTC

FAILING: dict[str, tuple[pa.Array, Rule, int]] = {
    "missing": (INTS, {"not_null": True}, 1),
    "NaN is missing too": (FLOATS, {"not_null": True}, 2),
    "nothing is missing": (INTS.drop_null(), {"not_null": True}, 0),
    "the least value": (INTS, {"min": 1}, 0),
    "less than the least": (INTS, {"min": 1.5}, 1),
    "less by a hair": (INTS, {"min": 1.0000001}, 1),
    "the most": (INTS, {"max": 2}, 0),
    "more than the most": (INTS, {"max": 1.5}, 2),
    "below nought": (pa.array([-1, 0], pa.int8()), {"min": -0.5}, 1),
    "an integer beyond float64": (pa.array([2**53, 2**53 + 1], pa.int64()), {"max": 2.0**53}, 1),
    "a limit beyond all integers": (INTS, {"max": 1e300}, 0),
    "a float32 at its least": (FLOATS, {"min": 0.7}, 1),
    "a float32 at its most": (FLOATS, {"max": 0.7}, 0),
    "a limit beyond float32": (FLOATS, {"max": 1e300}, 0),
    "infinity": (pa.array([1.0, float("inf")]), {"max": 1e308}, 1),
    "a float64 at its most": (pa.array([0.1, 0.2]), {"max": 0.1}, 1),
    "both ends and missing": (INTS, {"not_null": True, "min": 2, "max": 2}, 2),
    "a value twice": (INTS, {"unique": True}, 1),
    "two missing values are not the same": (pa.array([None, None, 1]), {"unique": True}, 0),
    "NaN twice is missing twice": (pa.array([NAN, NAN, 1.0]), {"unique": True}, 0),
    "a value three times, and none": (pa.array([5, 5, 5, None]), {"unique": True, "not_null": True}, 3),
    "a text twice": (TEXTS, {"unique": True}, 1),
    "not in a list": (INTS, {"allowed": [1]}, 2),
    "all in a list": (INTS, {"allowed": [1, 2]}, 0),
    "digits for a number": (INTS, {"allowed": ["1", "2"]}, 0),
    "a quote in a list": (TEXTS, {"allowed": ["it's"]}, 1),
    "a number for a text": (pa.array(["1", "2"]), {"allowed": [1]}, 1),
    "a fraction in a list": (FLOATS, {"allowed": ["0.7"]}, 1),
    "a truth in a list": (pa.array([True, False, None]), {"allowed": [1]}, 1),
    "a time in a list": (DAYS, {"allowed": ["2024-01-01T01:00:00+01:00"]}, 1),
    "a day in a list": (DAYS.cast(pa.date32()), {"allowed": ["2024-01-01", "2024-01-02"]}, 0),
    "a condition": (INTS, {"expression": "x > 1"}, 1),
    "a condition without a value passes": (INTS, {"expression": "x > 1 or x is null"}, 1),
    "a condition of NaN has no value": (FLOATS, {"expression": "x < 0.6"}, 1),
    "a condition that always holds": (INTS, {"expression": "true"}, 0),
    "a condition never true or false": (INTS, {"expression": "null::boolean"}, 0),
    "a condition that ends with a comment": (INTS, {"expression": "x > 1 -- adults"}, 1),
    "a condition over the whole table": (INTS, {"expression": "x < (select max(x) from features)"}, 2),
}


@pytest.mark.parametrize(("column", "rule", "failing"), FAILING.values(), ids=FAILING)
def test_rows_that_fail_are_counted(shop: Workshop, column: pa.Array, rule: Rule, failing: int) -> None:
    found = checked(shop, column, rule if "expression" in rule else {"column": "x", **rule})
    assert (found.failing_rows, found.passed) == (failing, failing == 0)
    assert found.fraction == pytest.approx(failing / len(column))


@pytest.mark.parametrize(
    ("limit", "failing", "passed"),
    [
        pytest.param(0.29, 29, True, id="exactly the share that may"),
        pytest.param(0.29, 30, False, id="one row more"),
        pytest.param(0.0, 1, False, id="one where none may"),
        pytest.param(1.0, 100, True, id="all where all may"),
    ],
)
@pytest.mark.parametrize("rule", [{"column": "x", "max": 0}, {"expression": "x = 0"}], ids=["column", "expression"])
def test_a_share_of_rows_may_fail(shop: Workshop, rule: Rule, limit: float, failing: int, passed: bool) -> None:
    column = pa.array([1] * failing + [0] * (100 - failing))
    found = checked(shop, column, {**rule, "max_failing_fraction": limit})
    assert (found.failing_rows, found.limit, found.passed) == (failing, limit, passed)


@pytest.mark.parametrize(("least", "passed"), [(4, True), (5, False)])
def test_there_are_rows_enough_or_not(shop: Workshop, least: int, passed: bool) -> None:
    found = checked(shop, INTS, {"min_rows": least})
    assert (found.passed, found.found, found.failing_rows) == (passed, "4 rows", None)


@pytest.mark.parametrize(
    ("now", "passed", "said"),
    [
        pytest.param(datetime(2024, 1, 4, tzinfo=UTC), True, "it is 48 hours old", id="exactly as old as it may be"),
        pytest.param(datetime(2024, 1, 4, 0, 0, 1, tzinfo=UTC), False, "it is 48 hours old", id="a second older"),
        pytest.param(datetime(2024, 1, 1, 12, tzinfo=UTC), True, "it lies 12 hours ahead", id="not yet"),
    ],
)
@pytest.mark.parametrize("column", [DAYS, DAYS.cast(pa.date32())], ids=["timestamp", "date"])
def test_age_is_that_of_the_newest_row_when_the_run_starts(
    shop: Workshop, column: pa.Array, now: datetime, passed: bool, said: str
) -> None:
    shop.now = now
    found = checked(shop, column, {"max_age_seconds": 172800}, timestamp="x")
    assert (found.passed, found.found) == (passed, said)
    assert found.rule == "the newest x is at most 48 hours old"


def test_rows_without_any_time_are_not_young(shop: Workshop) -> None:
    found = checked(shop, pa.array([None], pa.timestamp("us")), {"max_age_seconds": 3600}, timestamp="x")
    assert (found.passed, found.found) == (False, "no row has one")


def test_an_age_does_not_change_the_version(shop: Workshop) -> None:
    rule = {"max_age_seconds": 172800}
    checked(shop, DAYS, rule, timestamp="x")
    first = shop.manifest()
    shop.now = datetime(2025, 1, 1, tzinfo=UTC)
    assert not checked(shop, DAYS, rule, timestamp="x").passed
    assert shop.manifest() == first


def test_figures_are_told_with_their_limit(shop: Workshop) -> None:
    found = checked(shop, INTS, {"column": "x", "not_null": True, "min": 0, "max": 1, "max_failing_fraction": 0.5})
    assert found.rule == "x is never missing, at least 0, at most 1"
    assert found.found == "3 of 4 rows fail (75 %), at most 50 % may"
    one = checked(shop, INTS, {"column": "x", "unique": True})
    assert (one.rule, one.found) == ("x is unique", "1 of 4 rows fails (25 %), none may")


BROKEN: dict[str, tuple[Rule, str]] = {
    "a column that is not there": ({"column": "y", "min": 0}, r"quality rule 1 \(y is at least 0\): column y is not"),
    "a number for a text": ({"column": "t", "min": 0}, "min and max are for numbers, column t is string"),
    "a word in a list of numbers": ({"column": "x", "allowed": ["one"]}, "'one' of `in` is no int64"),
    "a fraction in a list of integers": ({"column": "x", "allowed": ["1.5"]}, "'1.5' of `in` is no int64"),
    "a condition over a column that is not there": ({"expression": "y > 0"}, r'quality rule 1 \(y > 0\).*"y"'),
    "a number for a condition": ({"expression": "x + 1"}, "gives BIGINT; wanted a condition"),
    "a figure of the whole table": ({"expression": "avg(x) > 1"}, "cannot be asked of these columns"),
    "another table": ({"expression": "x in (select x from census)"}, "census"),
    "a file": ({"expression": "exists (select 1 from read_text('/etc/passwd'))"}, "quality rule 1"),
    "a condition that stops at a row": ({"expression": "t::int > 0"}, "stops at some row: Conversion Error"),
    "a second expression": ({"expression": "x > 1, x > 2"}, "is no SQL expression"),
    "brackets that would close ours": ({"expression": "true)) or ((false"}, "is no SQL expression"),
    "half a condition": ({"expression": "x >"}, "is no SQL expression"),
    "another statement": ({"expression": "true; drop table features"}, "is no SQL expression"),
    "nothing said of a column": ({"column": "x"}, "says nothing"),
    "an age without a time": ({"max_age_seconds": 60.0}, "write `timestamp`"),
}


@pytest.mark.parametrize("on_failure", ["Block", "Warn"])
@pytest.mark.parametrize(("rule", "said"), BROKEN.values(), ids=BROKEN)
def test_a_rule_that_cannot_be_meant_is_refused_by_name(shop: Workshop, rule: Rule, said: str, on_failure: str) -> None:
    shop.put("census.parquet", pa.table({"x": INTS, "t": TEXTS}))
    with pytest.raises(Refused, match=f"(?s){said}") as caught:
        shop.make(CENSUS, quality={"rules": [rule], "on_failure": on_failure})
    assert "quality rule 1" in str(caught.value)
    assert published_numbers(shop.store, "adults") == []
    assert not list(shop.places.scratch.iterdir())


def test_the_rule_that_stops_is_named_among_others(shop: Workshop) -> None:
    shop.put("census.parquet", pa.table({"x": INTS, "t": TEXTS}))
    rules = [{"min_rows": 1}, {"expression": "x > 0"}, {"expression": "t::int > 0"}]
    with pytest.raises(RefusedForNow, match=r"^quality rule 3 \(t::int > 0\) stops at some row"):
        shop.make(CENSUS, quality={"rules": rules})


def test_no_value_of_a_personal_column_is_told(shop: Workshop) -> None:
    shop.put("census.parquet", pa.table({"x": INTS, "t": ["Dana", "Dana", "Gwen", "Erik"]}))
    personal: dict[str, Any] = {"columns": [{"name": "t", "personal": True}]}
    rules = [
        {"column": "t", "unique": True},
        {"column": "t", "allowed": ["Dana", "Erik"]},
        {"expression": "t <> upper(t)"},
    ]
    result = shop.make(CENSUS, quality={"rules": rules}, **personal)
    assert result.number is None
    assert not any(name in result.dump() for name in ("Dana", "Gwen", "Erik"))
    for expression in ("t::int > 0", "error(t) is null", "x * 5000000000000000000 > length(t)"):
        with pytest.raises(RefusedForNow, match="stops at some row") as caught:
            shop.make(CENSUS, quality={"rules": [{"expression": expression}]}, **personal)
        assert not any(name in str(caught.value) for name in ("Dana", "Gwen", "Erik"))
    wrong = {"rules": [{"column": "x", "allowed": ["Dana"]}]}
    with pytest.raises(Refused, match=r"x is one of 1 value\): a value of `in` is no int64") as refused:
        shop.make(CENSUS, quality=wrong, columns=[{"name": "x", "personal": True}])
    assert "Dana" not in str(refused.value)


def test_the_age_of_a_personal_time_is_not_told(shop: Workshop) -> None:
    found = checked(shop, DAYS, {"max_age_seconds": 60}, timestamp="x", columns=[{"name": "x", "personal": True}])
    assert (found.passed, found.found) == (False, "its age is left out, as the column is personal")


def test_blocked_rows_are_no_version_and_the_last_good_one_stays(shop: Workshop) -> None:
    rules = {"rules": [{"column": "x", "max": 2}]}
    shop.put("census.parquet", pa.table({"x": INTS}))
    good = shop.make(CENSUS, quality=rules)
    shop.put("census.parquet", {"x": [1, 3]})
    bad = shop.make(CENSUS, quality=rules)
    assert (good.number, bad.number, bad.digest, bad.rows) == (1, None, "", 2)
    assert published_numbers(shop.store, "adults") == [1]
    assert shop.table().column("x").to_pylist() == [1, 2, 2, None]
    assert list(shop.store.list(paths.feature_sets("adults"))) == [
        "featuresets/adults/1.json",
        "featuresets/adults/1.manifest.json",
        "featuresets/adults/1.profile.json",
    ]
    shop.put("census.parquet", {"x": [1, 2]})
    assert shop.make(CENSUS, quality=rules).number == 2


def test_warned_rows_are_a_version(shop: Workshop) -> None:
    shop.put("census.parquet", {"x": [1, 3]})
    result = shop.make(CENSUS, quality={"rules": [{"column": "x", "max": 2}], "on_failure": "Warn"})
    assert (result.number, [rule.passed for rule in result.quality or ()]) == (1, [False])


def test_rules_do_not_change_the_digest_of_the_rows(shop: Workshop) -> None:
    shop.put("census.parquet", {"x": [1, 2]})
    first = shop.make(CENSUS)
    again = shop.make(CENSUS, quality={"rules": [{"column": "x", "min": 0}]})
    assert (again.unchanged, again.digest) == (True, first.digest)


def test_what_a_try_published_before_it_died_stays_when_its_rows_grow_old(shop: Workshop) -> None:
    shop.put("census.parquet", pa.table({"x": DAYS}))
    more: dict[str, Any] = {"timestamp": "x", "quality": {"rules": [{"max_age_seconds": 172800}]}}
    first = shop.make(CENSUS, run="annotation/x", **more)
    shop.now = datetime(2025, 1, 1, tzinfo=UTC)
    again = shop.make(CENSUS, run="annotation/x", **more)
    assert (first.number, again.number) == (1, 1)
    assert [rule.passed for rule in again.quality or ()] == [False]


def test_fifty_rules_are_one_answer_in_order(shop: Workshop) -> None:
    shop.put("census.parquet", pa.table({"x": INTS, "n": FLOATS}))
    rules = [{"column": "xn"[n % 2], "min": n - 25} for n in range(50)]
    result = shop.make(CENSUS, quality={"rules": rules})
    assert [rule.passed for rule in result.quality or ()] == [n - 25 <= (0.5 if n % 2 else 1) for n in range(50)]
    assert "checking 50 quality rules" in shop.said


def test_names_that_need_quoting_have_rules(shop: Workshop) -> None:
    shop.put("census.parquet", {'an "odd" name': [1.5, NAN]})
    rules = [{"column": 'an "odd" name', "not_null": True}, {"expression": '"an ""odd"" name" > 1'}]
    result = shop.make(CENSUS, quality={"rules": rules})
    assert [rule.failing_rows for rule in result.quality or ()] == [1, 0]


def test_words_of_figures() -> None:
    assert [share(fraction) for fraction in (0.0, 0.0125, 1e-6, 0.99999, 1.0)] == [
        "0 %", "1.25 %", "under 0.01 %", "over 99.99 %", "100 %",
    ]  # fmt: skip
    assert [span(seconds) for seconds in (0.5, 90, 5400, 172800, 950400)] == [
        "0.5 seconds", "90 seconds", "90 minutes", "48 hours", "11 days",
    ]  # fmt: skip
