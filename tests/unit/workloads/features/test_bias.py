"""Groups are compared as they are, limits decide only what is sure, and nobody's own value is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from merkhet.contract.features import BiasFinding, CheckedBias, FeaturesResult
from merkhet.errors import Refused
from merkhet.workloads.features.proxies import MOST_ROWS
from merkhet.workloads.features.versions import published_numbers
from merkhet.workloads.run import RefusedForNow
from tests.unit.workloads.features.making import Workshop, workshop

PEOPLE = {"people": "store://raw/people.parquet"}
RATES = ("demographic_parity_difference", "demographic_parity_ratio")
NAN = float("nan")


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def made(shop: Workshop, table: pa.Table, bias: dict[str, Any], **more: Any) -> FeaturesResult:
    shop.put("people.parquet", table)
    return shop.make(PEOPLE, bias=bias, **more)


def checked(shop: Workshop, table: pa.Table, bias: dict[str, Any], **more: Any) -> CheckedBias:
    """What is found of groups; ``bias`` has the column ``g`` as the sensitive one where it says none."""
    found = made(shop, table, {"sensitive": [{"column": "g"}], **bias}, **more).bias
    assert found is not None
    return found


def finding(found: CheckedBias, metric: str, column: str = "g") -> BiasFinding:
    return next(one for one in found.findings if (one.metric, one.column) == (metric, column))


def people(**groups: tuple[int, int]) -> pa.Table:
    """Groups by name, each with its positive labels and its rows."""
    names = [name for name, (_, rows) in groups.items() for _ in range(rows)]
    labels = [int(row < positive) for positive, rows in groups.values() for row in range(rows)]
    return pa.table({"g": names, "y": pa.array(labels, pa.int64())})


def loans() -> pa.Table:
    """The counts of Wooldridge's ``loanapp``: approval of 308 non-white and 1,681 white applicants."""
    counts = people(nonwhite=(218, 308), white=(1527, 1681))
    return counts.set_column(0, "white", pa.array([int(name == "white") for name in counts["g"].to_pylist()]))


def test_mortgage_applications_have_the_published_figures(shop: Workshop) -> None:
    limits = {"demographic_parity_difference": 0.1, "demographic_parity_ratio": 0.8}
    bias = {"sensitive": [{"column": "white"}], "label": "approve", "limits": limits}
    found = checked(shop, loans().rename_columns(["white", "approve"]), bias)
    assert [(group.group, group.rows, round(group.rate or 0, 4)) for group in found.groups] == [
        ("0", 308, 0.7078), ("1", 1681, 0.9084),
    ]  # fmt: skip
    difference, ratio = (finding(found, metric, "white") for metric in RATES)
    assert (difference.value, difference.result) == (0.200596, "Failed")
    assert (ratio.value, ratio.limit) == (0.779174, 0.8)
    assert found.findings[0] == difference, "the worst first"
    assert "the rate of approve is 0.7078 (n=308) in group 0 and 0.9084 (n=1681) in group 1" in difference.message
    # Beyond four fifths, but 308 rows do not make that sure.
    assert (ratio.result, round(ratio.low or 0, 2), round(ratio.high or 0, 2)) == ("Inconclusive", 0.72, 0.83)
    assert "at least 0.8 is asked: the figure misses it, its interval lies on both sides" in ratio.message


LIMITS: dict[str, tuple[dict[str, float], str]] = {
    "a difference within": ({"demographic_parity_difference": 0.3}, "Passed"),
    "a difference that may be beyond": ({"demographic_parity_difference": 0.2}, "Inconclusive"),
    "a difference beyond": ({"demographic_parity_difference": 0.15}, "Failed"),
    "a ratio within": ({"demographic_parity_ratio": 0.7}, "Passed"),
    "a ratio that may be beyond": ({"demographic_parity_ratio": 0.8}, "Inconclusive"),
    "a ratio beyond": ({"demographic_parity_ratio": 0.85}, "Failed"),
    "a share within": ({"min_group_share": 0.1}, "Passed"),
    "a share that may be beyond": ({"min_group_share": 0.155}, "Inconclusive"),
    "a share beyond": ({"min_group_share": 0.2}, "Failed"),
    "a population met": ({"population_difference": 0.1}, "Passed"),
    "a population that may be missed": ({"population_difference": 0.05}, "Inconclusive"),
    "a population missed": ({"population_difference": 0.01}, "Failed"),
    "values that are all there": ({"missingness_gap": 0.0}, "Passed"),
    "no column that gives away": ({"proxy_auc": 0.5}, "Passed"),
}


@pytest.mark.parametrize(("limits", "result"), LIMITS.values(), ids=LIMITS)
def test_a_limit_decides_what_the_interval_decides(shop: Workshop, limits: dict[str, float], result: str) -> None:
    bias = {"label": "y", "limits": limits, "population": {"g": {"nonwhite": 0.2, "white": 0.8}}}
    found = checked(shop, people(nonwhite=(218, 308), white=(1527, 1681)), bias)
    (metric,) = limits
    assert finding(found, metric).result == result
    assert {one.result for one in found.findings if one.metric != metric} == {"Reported"}


def test_small_groups_are_named_and_not_compared(shop: Workshop) -> None:
    table = people(a=(30, 60), b=(40, 80), c=(0, 49), d=(50, 50))
    found = checked(shop, table, {"label": "y", "limits": dict.fromkeys(RATES, 0.4)})
    assert [(group.group, group.small, group.rate) for group in found.groups] == [
        ("a", False, 0.5), ("b", False, 0.5), ("c", True, None), ("d", False, 1.0),
    ]  # fmt: skip
    assert finding(found, RATES[0]).value == 0.5
    assert "1 group (c) of fewer than 50 rows left out" in finding(found, RATES[0]).message


@pytest.mark.parametrize("table", [people(a=(30, 60), b=(4, 8)), people(a=(3, 6), b=(4, 8)), people(a=(30, 60))])
def test_fewer_than_two_large_groups_decide_nothing(shop: Workshop, table: pa.Table) -> None:
    table = table.append_column("z", pa.array([None, *range(len(table) - 1)]))
    metrics = (*RATES, "missingness_gap", "proxy_auc")
    found = checked(shop, table, {"label": "y", "limits": dict.fromkeys(metrics, 0.5)})
    assert {finding(found, metric).result for metric in metrics} == {"Inconclusive"}
    assert {finding(found, metric).value for metric in metrics} == {None}
    assert "of 50 rows or more; two are needed" in finding(found, RATES[0]).message


def test_nobody_of_a_large_group_is_positive(shop: Workshop) -> None:
    found = checked(shop, people(a=(0, 60), b=(0, 60), c=(1, 1)), {"label": "y", "limits": dict.fromkeys(RATES, 0.5)})
    assert [finding(found, metric).result for metric in RATES] == ["Passed", "Inconclusive"]


@pytest.mark.parametrize(
    "values",
    [pa.array(["a", "b", None]), pa.array([0.0, 1.0, NAN]), pa.array([0.0, 1.0, None], pa.float32())],
    ids=["text", "NaN", "float32"],
)
def test_missing_values_are_a_group_of_their_own_that_nothing_is_compared_with(
    shop: Workshop, values: pa.Array
) -> None:
    column = values.take(pa.array([0] * 60 + [1] * 60 + [2] * 80))
    table = pa.table({"g": column, "y": [1, 0] * 60 + [1] * 80})
    found = checked(shop, table, {"label": "y", "limits": {"demographic_parity_difference": 0.5}})
    assert [(group.group, group.rows, group.share) for group in found.groups][-1] == ("(no value)", 80, 0.4)
    assert finding(found, RATES[0]).value == 0
    assert finding(found, "min_group_share").value == 0.5
    assert "80 rows without a value are in no group" in finding(found, RATES[0]).message


def test_groups_that_are_alike_are_said_to_be(shop: Workshop) -> None:
    table = people(a=(60, 60), b=(70, 70)).append_column("x", pa.array([None, 1] * 65))
    found = checked(shop, table, {"label": "y"})
    assert "the rate of y is 1 (n=60) in all of 2 groups (a, b)" in finding(found, RATES[0]).message
    assert "x lacks 0.5 of its values in all of 2 groups (a, b)" in finding(found, "missingness_gap").message


def test_rows_without_a_label_are_in_no_rate(shop: Workshop) -> None:
    table = pa.table({"g": ["a"] * 100 + ["b"] * 100, "y": [True] * 25 + [False] * 25 + [None] * 50 + [True] * 100})
    found = checked(shop, table, {"label": "y"})
    assert [(group.rows, group.rate) for group in found.groups] == [(100, 0.5), (100, 1.0)]
    assert [group.missing for group in found.groups] == [{"y": 50}, {}]


BINS: dict[str, tuple[pa.Array, list[float], list[tuple[str, int]]]] = {
    "whole numbers": (
        pa.array([24, 25, 44, 45, 65, 80], pa.int8()),
        [25, 45, 65],
        [("< 25", 1), ("[25, 45)", 2), ("[45, 65)", 1), (">= 65", 2)],
    ),
    "a border between whole numbers": (pa.array([1, 2]), [1.5], [("< 1.5", 1), (">= 1.5", 1)]),
    "a float32 on the border": (pa.array([0.7, 0.69], pa.float32()), [0.7], [("< 0.7", 1), (">= 0.7", 1)]),
    "fractions and nothing": (
        pa.array([-1.0, 0.0, NAN, None, float("inf")]),
        [0.0],
        [("< 0", 1), (">= 0", 2), ("(no value)", 2)],
    ),
    "borders beyond the type": (
        pa.array([1.0, 2.0], pa.float32()),
        [-1e300, 1e300],
        [("[-1e+300, 1e+300)", 2)],
    ),
    "borders beyond whole numbers": (pa.array([1, 2]), [-1e30, 1e30], [("[-1e+30, 1e+30)", 2)]),
    "a bin that nobody is in": (pa.array([1, 30]), [10, 20], [("< 10", 1), (">= 20", 1)]),
}


@pytest.mark.parametrize(("values", "bins", "groups"), BINS.values(), ids=BINS)
def test_bins_hold_what_lies_on_their_lower_border(
    shop: Workshop, values: pa.Array, bins: list[float], groups: list[tuple[str, int]]
) -> None:
    found = checked(shop, pa.table({"g": values}), {"sensitive": [{"column": "g", "bins": bins}]})
    assert [(group.group, group.rows) for group in found.groups] == groups


KINDS = {
    "whole numbers": (pa.array([2, 10]), ["2", "10"]),
    "whole floats": (pa.array([1.0, 2.0]), ["1", "2"]),
    "float32": (pa.array([0.7, 1.5], pa.float32()), ["0.7", "1.5"]),
    "truths": (pa.array([False, True]), ["false", "true"]),
    "texts": (pa.array(["", "it's"]), ["(empty text)", "it's"]),
    "days": (pa.array([0, 1], pa.date32()), ["1970-01-01", "1970-01-02"]),
}


@pytest.mark.parametrize(("values", "names"), KINDS.values(), ids=KINDS)
def test_groups_are_called_by_their_values(shop: Workshop, values: pa.Array, names: list[str]) -> None:
    stated = dict.fromkeys((name.removeprefix("(empty text)") for name in names), 0.5)
    found = checked(shop, pa.table({"g": values}), {"population": {"g": stated}})
    assert [group.group for group in found.groups] == names
    assert finding(found, "population_difference").value == 0


def test_who_is_in_the_data_or_in_the_population_alone_is_said(shop: Workshop) -> None:
    stated = {"a": 0.5, "b": 0.3, "c": 0.2}
    limits = {"population_difference": 0.15, "min_group_share": 0.01}
    found = checked(shop, people(a=(1, 500), b=(1, 300), x=(1, 200)), {"population": {"g": stated}, "limits": limits})
    told = finding(found, "population_difference")
    assert (told.value, told.result) == (0.2, "Failed")
    assert "1 group (x) in the data, not in the population" in told.message
    assert "1 group (c) in the population, not in the data" in told.message
    assert finding(found, "min_group_share").result == "Failed", "nobody of c is there"


def test_the_column_whose_missing_values_differ_most_is_named(shop: Workshop) -> None:
    table = people(a=(0, 200), b=(0, 200))
    table = table.append_column("income", pa.array([None] * 100 + [1.0] * 100 + [NAN] * 10 + [1.0] * 190))
    table = table.append_column("age", pa.array([None] * 20 + [1] * 380))
    found = checked(shop, table, {"limits": {"missingness_gap": 0.1}})
    told = finding(found, "missingness_gap")
    assert (told.value, told.result) == (0.45, "Failed")
    assert "income lacks 0.5 of its values in group a and 0.05 in group b" in told.message
    assert [group.missing for group in found.groups] == [{"income": 100, "age": 20}, {"income": 10}]


def proxied(names: Sequence[str] = ("a", "b"), rows: int = 1500) -> pa.Table:
    """A sensitive column that ``street`` gives away and ``noise`` does not."""
    chance = np.random.default_rng(7)
    places = chance.integers(0, len(names), rows)
    return pa.table(
        {
            "person": np.arange(rows),
            "g": [names[place] for place in places],
            "y": chance.integers(0, 2, rows),
            "noise": chance.normal(size=rows),
            "street": [f"street {place}" for place in places],
        }
    )


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c", "d")], ids=["two groups", "four groups"])
def test_a_column_that_gives_groups_away_is_found_and_named(shop: Workshop, names: Sequence[str]) -> None:
    bias = {"label": "y", "limits": {"proxy_auc": 0.95}}
    told = finding(checked(shop, proxied(names), bias, entity=["person"]), "proxy_auc")
    assert (told.value, told.result) == (1.0, "Failed")
    assert "told by 2 other columns, most by street (1 alone)" in told.message
    assert f"as the mean of {len(names)} groups, each against the rest" in told.message
    quiet = checked(shop, proxied(names).drop_columns(["street"]), bias, entity=["person"])
    told = finding(quiet, "proxy_auc")
    assert (told.result, 0.45 < (told.value or 0) < 0.55) == ("Passed", True)


NEVER: dict[str, dict[str, Any]] = {
    "the entity": {"entity": ["street"]},
    "a personal column": {"columns": [{"name": "street", "personal": True}]},
    "the label": {"bias": {"label": "street", "positive": "street 1"}},
    "another sensitive column": {"bias": {"sensitive": [{"column": "g"}, {"column": "street"}]}},
}


@pytest.mark.parametrize("more", NEVER.values(), ids=NEVER)
def test_some_columns_are_no_proxies(shop: Workshop, more: dict[str, Any]) -> None:
    bias = {"limits": {"proxy_auc": 1.0}, **more.get("bias", {})}
    found = checked(shop, proxied(), bias, **{k: v for k, v in more.items() if k != "bias"})
    told = finding(found, "proxy_auc")
    assert "street" not in told.message
    assert (told.value or 0) < 0.6


def test_columns_without_a_value_tell_nothing(shop: Workshop) -> None:
    table = pa.table({"g": ["a", "b"] * 60, "x": pa.nulls(120, pa.float32()), "n": [NAN] * 120})
    assert finding(checked(shop, table, {"limits": {"proxy_auc": 0.6}}), "proxy_auc").value == 0.5


def test_two_persons_tell_nothing_of_proxies(shop: Workshop) -> None:
    table = pa.table({"g": ["a", "b"] * 60, "x": range(120), "person": [1, 2] * 60})
    told = finding(checked(shop, table, {"limits": {"proxy_auc": 0.9}}, entity=["person"]), "proxy_auc")
    assert (told.result, told.value) == ("Inconclusive", None)
    assert "30 rows of 3 entities" in told.message


def test_a_person_who_repeats_is_not_learnt_by_heart(shop: Workshop) -> None:
    chance = np.random.default_rng(7)
    persons = np.repeat(np.arange(150), 10)
    table = pa.table({
        "person": persons,
        "g": chance.integers(0, 2, 150).astype(str)[persons],
        "size": chance.normal(size=150)[persons],
        "day": pa.array(np.arange(1500), pa.timestamp("us")),
    })  # fmt: skip
    asked = {"limits": {"proxy_auc": 1.0}}
    told = finding(checked(shop, table, asked, entity=["person"], timestamp="day"), "proxy_auc")
    assert (told.value or 0) < 0.65
    assert (finding(checked(shop, table, asked, timestamp="day"), "proxy_auc").value or 0) > 0.9


def test_the_same_rows_give_the_same_figures(shop: Workshop) -> None:
    table = proxied(rows=2000).drop_columns(["street"])
    turned = table.take(pa.array(np.random.default_rng(1).permutation(len(table))))
    for entity in ([], ["person"]):
        first = checked(shop, table, {"label": "y"}, entity=entity)
        assert checked(shop, turned, {"label": "y"}, entity=entity) == first


def test_many_rows_are_sampled_in_the_same_way_each_time(shop: Workshop) -> None:
    table = pa.table({"g": np.arange(200_000) % 2, "x": np.arange(200_000) % 2, "z": pa.nulls(200_000, pa.int8())})
    first, second = (checked(shop, table, {"limits": {"proxy_auc": 0.9}}) for _ in range(2))
    assert first == second
    told = finding(first, "proxy_auc")
    rows = int(told.message.partition(" rows,")[0].rpartition(" ")[2].replace(",", ""))
    assert (told.result, abs(rows - MOST_ROWS) < 1000) == ("Failed", True)


def test_nothing_of_a_personal_column_is_told(shop: Workshop) -> None:
    table = people(Dana=(10, 60), Gwen=(50, 60), Erik=(1, 10))
    bias = {
        "label": "y",
        "population": {"g": {"Dana": 0.5, "Gwen": 0.3, "Olaf": 0.2}},
        "limits": {"demographic_parity_difference": 0.1, "min_group_share": 0.1, "population_difference": 0.1},
    }
    result = made(shop, table, {**bias, "sensitive": [{"column": "g"}]}, columns=[{"name": "g", "personal": True}])
    assert result.bias is not None
    assert (result.bias.groups, finding(result.bias, RATES[0]).result) == ((), "Failed")
    said = result.bias.dump()
    assert not any(name in said for name in ("Dana", "Gwen", "Erik", "Olaf"))
    assert "1 group of fewer than 50 rows left out" in finding(result.bias, RATES[0]).message


SOME = pa.table({"g": ["Dana", "Erik"], "x": [1, 2], "y": [0, 1], "t": ["no", "yes"], "b": [True, False]})
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a sensitive column that is not there": ({"sensitive": [{"column": "sex"}]}, "column sex, named in `sensitive`"),
    "a sensitive column twice": ({"sensitive": [{"column": "g"}, {"column": "g"}]}, "names g as sensitive more"),
    "bins on text": ({"sensitive": [{"column": "g", "bins": [1]}]}, "bins of column g are for numbers, it is string"),
    "bins on truth": ({"sensitive": [{"column": "b", "bins": [1]}]}, "bins of column b are for numbers"),
    "bins that descend": ({"sensitive": [{"column": "x", "bins": [2, 1]}]}, "are 2, 1; write them ascending"),
    "a bin twice": ({"sensitive": [{"column": "x", "bins": [1, 1]}]}, "are 1, 1; write them ascending"),
    "a bin of nothing": ({"sensitive": [{"column": "x", "bins": [NAN]}]}, "a border that is no number"),
    "a label that is not there": ({"label": "employed"}, "column employed, named in `label`, is not in the result"),
    "a label that is sensitive": ({"label": "g"}, "column g is both the label and sensitive"),
    "a label of text": ({"label": "t"}, "the label t is string, of which no value is positive by itself"),
    "a positive value that is none": ({"label": "y", "positive": "yes"}, "'yes' is no int64, which the label y is"),
    "a positive value that nobody has": ({"label": "y", "positive": 7}, "7 of the label y is in none of 2 rows"),
    "a population of another column": ({"population": {"x": {"1": 1.0}}}, "column x, which is not sensitive"),
    "a population that is too small": ({"population": {"g": {"Dana": 0.5, "Erik": 0.48}}}, "add up to 0.98"),
    "a population that is too large": ({"population": {"g": {"Dana": 0.6, "Erik": 0.42}}}, "add up to 1.02"),
    "a share below nought": ({"population": {"g": {"Dana": -0.5, "Erik": 1.5}}}, "a share of -0.5"),
    "a group that is no value": (
        {"sensitive": [{"column": "x"}], "population": {"x": {"one": 1.0}}}, "group 'one', which is no int64"
    ),
    "a group that is no bin": (
        {"sensitive": [{"column": "x", "bins": [2]}], "population": {"x": {"young": 1.0}}}, "the bins are < 2; >= 2"
    ),
    "a group twice": (
        {"sensitive": [{"column": "x"}], "population": {"x": {"1": 0.5, "01": 0.5}}}, "has group 1 twice"
    ),
    "a limit on what there is not": ({"limits": {"equal_odds": 0.1}}, "a limit on equal_odds; there are limits on"),
    "a limit on rates of nothing": ({"limits": {"demographic_parity_ratio": 0.8}}, "no label.*write `label`"),
    "a limit on no population": ({"limits": {"population_difference": 0.1}}, "write `population`"),
}  # fmt: skip


@pytest.mark.parametrize("on_failure", ["Block", "Warn"])
@pytest.mark.parametrize(("bias", "said"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_meant_is_refused_by_name(
    shop: Workshop, bias: dict[str, Any], said: str, on_failure: str
) -> None:
    with pytest.raises(Refused, match=f"(?s)^bias.*{said}"):
        made(shop, SOME, {"sensitive": [{"column": "g"}], "on_failure": on_failure, **bias})
    assert published_numbers(shop.store, "adults") == []
    assert ("running the query" in shop.said) == ("none of 2 rows" in said), "before any row is computed, where it can"
    assert not list(shop.places.scratch.iterdir())


def test_a_column_of_many_values_is_no_grouping(shop: Workshop) -> None:
    table = pa.table({"g": range(201), "t": [f"Dana {number}" for number in range(201)]})
    for column, remedy in (("g", "give `bins`"), ("t", "make groups of them in the query")):
        with pytest.raises(RefusedForNow, match=f"column {column} has more than 200 values, .*{remedy}"):
            made(shop, table, {"sensitive": [{"column": column}]})
    assert len(checked(shop, table.slice(0, 200), {}).groups) == 64


def test_bad_input_about_a_personal_column_tells_no_value(shop: Workshop) -> None:
    personal: dict[str, Any] = {"columns": [{"name": name, "personal": True} for name in ("x", "y")]}
    for bias in (
        {"sensitive": [{"column": "x"}], "population": {"x": {"Dana": 1.0}}},
        {"sensitive": [{"column": "x", "bins": [2]}], "population": {"x": {"Dana": 1.0}}},
        {"sensitive": [{"column": "g"}], "label": "y", "positive": "Dana"},
    ):
        with pytest.raises(Refused, match=r"^bias") as caught:
            made(shop, SOME, bias, **personal)
        assert "Dana" not in str(caught.value)
    with pytest.raises(Refused, match="the positive value of the label y is in none"):
        made(shop, SOME, {"sensitive": [{"column": "g"}], "label": "y", "positive": 7}, **personal)


APART = {"sensitive": [{"column": "g"}], "label": "y", "limits": {"demographic_parity_difference": 0.2}}
FAIR, UNFAIR = people(a=(250, 500), b=(250, 500)), people(a=(100, 500), b=(400, 500))
UNSURE = people(a=(20, 60), b=(36, 60))


def test_blocked_rows_are_no_version_and_the_last_good_one_stays(shop: Workshop) -> None:
    blocking = {**APART, "on_failure": "Block"}
    good, bad = made(shop, FAIR, blocking), made(shop, UNFAIR, blocking)
    assert (good.number, bad.number, bad.digest, bad.rows) == (1, None, "", 1000)
    assert published_numbers(shop.store, "adults") == [1]
    assert "a limit on bias does not hold: the rows are not published" in shop.said
    unsure = made(shop, UNSURE, blocking)
    assert unsure.bias is not None
    assert (finding(unsure.bias, RATES[0]).result, unsure.number) == ("Inconclusive", 2)


def test_warned_rows_are_a_version(shop: Workshop) -> None:
    result = made(shop, UNFAIR, APART)
    assert result.bias is not None
    assert (result.number, finding(result.bias, RATES[0]).result) == (1, "Failed")


def test_rows_that_break_a_quality_rule_are_not_compared(shop: Workshop) -> None:
    quality = {"rules": [{"min_rows": 10_000}]}
    blocked = made(shop, UNFAIR, {**APART, "on_failure": "Block"}, quality=quality)
    assert (blocked.number, blocked.bias) == (None, None)
    warned = made(shop, UNFAIR, APART, quality={**quality, "on_failure": "Warn"})
    assert (warned.number, warned.bias is None) == (1, False)


def test_without_a_wish_nothing_is_compared(shop: Workshop) -> None:
    shop.put("people.parquet", FAIR)
    assert shop.make(PEOPLE).bias is None
    assert "comparing groups" not in shop.said


def test_limits_do_not_change_the_digest_of_the_rows(shop: Workshop) -> None:
    shop.put("people.parquet", FAIR)
    first = shop.make(PEOPLE)
    again = shop.make(PEOPLE, bias=APART)
    assert (again.unchanged, again.digest) == (True, first.digest)


def test_the_answer_stays_small(shop: Workshop) -> None:
    chance = np.random.default_rng(7)
    columns: dict[str, Any] = {f"s{number}": chance.integers(0, 150, 2000) for number in range(4)}
    columns |= {f"a rather long name of column {number}": [None, *range(1999)] for number in range(60)}
    result = made(shop, pa.table(columns), {"sensitive": [{"column": f"s{number}"} for number in range(4)]})
    assert result.bias is not None
    assert (len(result.bias.groups), len(result.bias.dump()) < 100_000) == (64, True)


def test_names_that_need_quoting_are_compared(shop: Workshop) -> None:
    table = pa.table({'an "odd" name': ["a", "b"] * 60, "key": [1, 0, 1, 1] * 30, "features": range(120)})
    found = checked(shop, table, {"sensitive": [{"column": 'an "odd" name'}], "label": "key"})
    assert finding(found, RATES[0], 'an "odd" name').value == 0.5
