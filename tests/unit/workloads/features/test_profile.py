"""The data profile: its figures against numpy's, what is never in it, and that the same rows are the same bytes."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from merkhet.contract.features import BiasFinding, CheckedBias
from merkhet.contract.profile import MAX_BANDS, MAX_VALUES, PROBABILITIES, ColumnProfile, Numbers, Profile
from merkhet.pages.profile import render
from merkhet.store import paths
from merkhet.workloads import cgroup
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.features import blobs, profile, sampling, tables
from merkhet.workloads.features.profile import Profiler
from tests.unit.workloads.features.making import Workshop, workshop

SOURCES = {"t": "store://raw/t.parquet"}
SAMPLES = np.random.default_rng(7)
NUMBERS = {
    "normal": SAMPLES.normal(100, 15, 5_000),
    "float32": SAMPLES.normal(0, 1, 5_000).astype(np.float32),
    "far from nought": 1e9 + SAMPLES.random(5_000),
    "heavy tails": SAMPLES.standard_cauchy(5_000),
    "huge": SAMPLES.normal(0, 1e300, 5_000),
    "the largest there are": np.array([1.7e308, -1.7e308, 0.0]),
    "tiny": SAMPLES.random(5_000) * 1e-300,
    "mostly nought": np.concatenate([np.zeros(4_990), SAMPLES.random(10)]),
    "two values": np.array([1.5, 2.5] * 10),
    "one value": np.array([3.25] * 10),
    "one row": np.array([3.25]),
    "whole numbers": SAMPLES.integers(-5, 90, 5_000),
    "a long tail of whole numbers": np.concatenate([SAMPLES.integers(0, 2, 5_000), [2, 3, 70, 1_000_000]]),
    "unsigned bytes": SAMPLES.integers(0, 256, 5_000).astype(np.uint8),
    "large whole numbers": np.array([2**62, -(2**62), 5, 7]),
    "unsigned of 64 bits": np.array([2**64 - 1, 0, 1], dtype=np.uint64),
    "whole numbers as floats": SAMPLES.integers(0, 9, 5_000).astype(float),
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path)


def made(shop: Workshop, number: int | None = None) -> Profile:
    """The profile that was kept with a version."""
    found = shop.manifest(number)
    return Profile.load(shop.store.read(paths.feature_profile("adults", found.number)))


def of(shop: Workshop, values: Any, **contract: Any) -> ColumnProfile:
    """The profile of one column."""
    shop.put("t.parquet", pa.table({"x": values}))
    shop.make(SOURCES, columns=[{"name": "x", **contract}] if contract else [])
    return made(shop).columns[0]


def numbers(column: ColumnProfile) -> Numbers:
    assert column.numbers is not None
    return column.numbers


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_figures_are_those_of_numpy(shop: Workshop, values: Any) -> None:
    found = numbers(of(shop, values))
    plain = values.astype(np.longdouble)
    assert (found.count, found.min, found.max) == (len(values), values.min(), values.max())
    assert found.mean == pytest.approx(float(plain.mean()), rel=1e-12, abs=float(abs(plain).max()) * 1e-15)
    assert found.deviation == pytest.approx(float(plain.std()), rel=1e-9)
    assert found.quantiles == pytest.approx([float(q) for q in np.quantile(plain, PROBABILITIES)], rel=1e-9)


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_bins_hold_what_lies_between_their_edges(shop: Workshop, values: Any) -> None:
    found = numbers(of(shop, values))
    assert found.histogram is not None
    edges, plain = np.array(found.histogram.edges), values.astype(float)
    assert edges[0] <= plain.min()
    assert edges[-1] >= plain.max()
    if len(edges) > 2:
        assert (np.diff(edges) > 0).all()
        assert list(found.histogram.counts) == np.histogram(plain, edges)[0].tolist()
    assert sum(found.histogram.counts) == len(values)


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_bands_hold_every_number_and_about_equally_many(shop: Workshop, values: Any) -> None:
    bands = numbers(of(shop, values)).bands
    assert bands is not None
    plain = values.astype(float)
    inside = np.digitize(plain, bands.cuts)
    assert list(bands.counts) == np.bincount(inside, minlength=len(bands.cuts) + 1).tolist()
    repeated = max(np.unique(plain, return_counts=True)[1])
    assert max(bands.counts) <= len(plain) / MAX_BANDS + repeated


def test_a_long_tail_is_one_bin_and_does_not_flatten_the_rest(shop: Workshop) -> None:
    found = numbers(of(shop, np.concatenate([SAMPLES.normal(0, 1, 5_000), [1e6]]))).histogram
    assert found is not None
    assert (found.low_tail, found.high_tail) == (False, True)
    assert sum(count > 0 for count in found.counts) > 20


def test_neighbouring_whole_numbers_have_bins_of_one_width(shop: Workshop) -> None:
    for values in (np.arange(79), np.arange(79).astype(float)):
        found = numbers(of(shop, np.tile(values, 10))).histogram
        assert found is not None
        assert len(set(np.diff(found.edges))) == 1
        assert len(set(found.counts[:-1])) == 1


def test_nan_and_infinity_are_counted_and_in_no_figure(shop: Workshop) -> None:
    column = of(shop, [1.0, 2.0, float("nan"), None, float("inf"), float("inf"), float("-inf")])
    found = numbers(column)
    assert (found.count, found.nan, found.infinite, found.minus_infinite) == (2, 1, 2, 1)
    assert (found.min, found.max, found.mean) == (1, 2, 1.5)
    assert (column.missing, column.distinct) == (2, 4)


NOTHING = {
    "null": pa.array([None, None], pa.float64()),
    "NaN": pa.array([float("nan")] * 2),
    "null as a whole number": pa.array([None, None], pa.int64()),
}


@pytest.mark.parametrize("values", NOTHING.values(), ids=NOTHING)
def test_a_column_without_a_number_has_no_figures(shop: Workshop, values: Any) -> None:
    column = of(shop, values)
    assert (column.missing, column.missing_share, column.distinct) == (2, 1.0, 0)
    assert numbers(column).count == 0
    assert numbers(column).histogram is None


def test_only_infinities_have_no_figures_either(shop: Workshop) -> None:
    found = numbers(of(shop, [float("inf"), float("-inf")]))
    assert (found.count, found.infinite, found.minus_infinite, found.mean) == (0, 1, 1, None)


VALUES: dict[str, tuple[Any, list[tuple[str, int]], int]] = {
    "text": (["b", "a", "b", None, ""], [("b", 2), ("", 1), ("a", 1)], 0),
    "boolean": ([True, True, False, None], [("true", 2), ("false", 1)], 0),
    "whole numbers": ([3, 3, -1, None], [("3", 2), ("-1", 1)], 0),
    "whole numbers as floats": ([3.0, 3.0, -1.0, float("nan")], [("3", 2), ("-1", 1)], 0),
    "the largest": (pa.array([2**64 - 1] * 2, pa.uint64()), [("18446744073709551615", 2)], 0),
    "each its own": (["a", "b", "c"], [], 3),
}


@pytest.mark.parametrize(("values", "top", "others"), VALUES.values(), ids=VALUES)
def test_the_most_frequent_values_come_first(
    shop: Workshop, values: Any, top: list[tuple[str, int]], others: int
) -> None:
    found = of(shop, values).values
    assert found is not None
    assert ([(value.value, value.count) for value in found.top], found.others) == (top, others)


def test_numbers_with_fractions_or_many_values_are_no_categories(shop: Workshop) -> None:
    assert of(shop, [1.5, 1.5, 2.0]).values is None
    assert of(shop, list(range(1_000))).values is None


def test_texts_are_cut_and_no_more_than_a_few(shop: Workshop) -> None:
    column = of(shop, [f"{n:03}{'x' * 10_000}" for n in range(100)] * 2)
    assert column.values is not None
    assert len(column.values.top) == MAX_VALUES
    assert {len(value.value) for value in column.values.top} == {64}
    assert column.values.others == 200 - 2 * MAX_VALUES
    assert column.distinct == 100


TIMES: dict[str, tuple[list[Any], str, int]] = {
    "seconds": ([datetime(2024, 1, 1, 0, 0, s, tzinfo=UTC) for s in (0, 9)], "second", 10),
    "minutes": ([datetime(2024, 1, 1, 0, m, tzinfo=UTC) for m in (0, 59)], "minute", 60),
    "hours": ([datetime(2024, 1, d, tzinfo=UTC) for d in (1, 3)], "hour", 49),
    "days": ([date(2024, 1, 1), date(2024, 3, 1)], "day", 61),
    "months": ([date(2018, 1, 31), date(2024, 1, 1)], "month", 73),
    "all there is": ([date(1, 1, 1), date(9999, 12, 31)], "century", 100),
    "one time": ([datetime(2024, 1, 1, 5, tzinfo=UTC)] * 2, "second", 1),
    "one day": ([date(2024, 1, 1)] * 2, "day", 1),
}


@pytest.mark.parametrize(("values", "unit", "bins"), TIMES.values(), ids=TIMES)
def test_times_are_counted_by_a_sensible_unit(shop: Workshop, values: list[Any], unit: str, bins: int) -> None:
    found = of(shop, [*values, None]).times
    assert found is not None
    assert (found.unit, len(found.starts), len(found.counts), sum(found.counts)) == (unit, bins, bins, 2)
    assert found.first == values[0].isoformat().removesuffix("+00:00")
    assert found.counts[0] >= 1 <= found.counts[-1]


def test_infinite_times_and_those_of_long_ago_do_no_harm(shop: Workshop) -> None:
    shop.put("t.csv", "a\n1\n")
    query = """select unnest(['infinity'::timestamp, '-infinity', '2024-01-01', '0044-03-15 (BC)']) as late,
        unnest(['infinity'::date, '2024-01-01', '5000000-01-01', null]) as far from t"""
    shop.make({"t": "store://raw/t.csv"}, query=query)
    late, far = (column.times for column in made(shop).columns)
    assert late is not None
    assert far is not None
    assert (late.count, late.infinite, late.first) == (2, 2, "0044-03-15 (BC)T00:00:00")
    assert (far.count, far.infinite, far.unit, far.counts) == (2, 1, "", ())
    assert "<svg" in render(made(shop))


SECRETS = {
    "id": [f"SECRET-{n}" for n in range(40)],
    "pay": [987_654_321.125 + n for n in range(40)],
    "born": [date(1877, 6, 1 + n % 28) for n in range(40)],
    "code": [424_242] * 40,
    "sick": [True] * 40,
}


def test_nothing_of_a_personal_column_is_told_but_its_type_and_what_is_missing(shop: Workshop) -> None:
    shop.put("t.parquet", pa.table({**SECRETS, "open": list(range(40)), "gap": pa.array([None, 5] * 20)}))
    columns = [{"name": name, "personal": True} for name in (*SECRETS, "gap")]
    shop.make(SOURCES, columns=columns, entity=["id"])
    profile = made(shop)
    for told in (profile.dump(), render(profile)):
        for secret in ("SECRET", "987654", "987,654", "1877", "424242", "424,242"):
            assert secret not in told
    known = {"name", "type", "description", "personal", "missing", "missingShare"}
    personal = [column for column in profile.body()["columns"] if column["personal"]]
    assert {key for column in personal for key in column} == known
    assert [column["missingShare"] for column in personal] == [0.0] * 5 + [0.5]
    assert profile.columns[5].distinct == 40


def test_the_same_rows_give_the_same_bytes_whatever_way_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = 150_000
    draws = np.random.default_rng(3)
    table = pa.table({
        "f": draws.normal(1e6, 1, rows),
        "g": draws.standard_cauchy(rows),
        "k": draws.integers(0, 1_000, rows),
        "s": pa.array(draws.integers(0, 5_000, rows)).cast(pa.string()),
        "t": pa.array(draws.integers(1_500_000_000_000_000, 1_700_000_000_000_000, rows)).cast(pa.timestamp("us")),
    })  # fmt: skip
    found = set()
    for number, (threads, size, copied) in enumerate(itertools.product((1, 4), (20_000, 100_000), (0, 10**9))):
        monkeypatch.setattr(cgroup, "limits", partial(Limits, memory=None, cpus=float(threads)))
        monkeypatch.setattr(blobs, "GROUP_ROWS", size)
        monkeypatch.setattr(profile, "COPIED_ROWS", copied)
        folder = tmp_path / str(number)
        folder.mkdir()
        shop = workshop(folder)
        shop.put("t.parquet", table.take(random.Random(number).sample(range(rows), rows)))
        shop.make(SOURCES)
        found.add(shop.store.read(paths.feature_profile("adults", 1)))
    assert len(found) == 1


def test_a_profile_in_little_memory_is_the_same(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("t.parquet", pa.table({"f": SAMPLES.normal(size=400_000), "s": [f"{n:0100}" for n in range(400_000)]}))
    shop.make(SOURCES)
    plenty = made(shop)
    monkeypatch.setattr(cgroup, "limits", lambda: Limits(memory=300 * 1024**2, cpus=2.0))
    manifest = shop.manifest()
    little = Profiler(shop.places.scratch, tables.Telling(shop.places.store, personal=False))
    assert little.make(manifest, [shop.store.fetch(blob.digest) for blob in manifest.blobs]) == plenty


def test_a_wide_table_is_profiled_in_parts_in_the_order_of_its_columns(shop: Workshop) -> None:
    shop.put("t.parquet", pa.table({f"c{n}": pa.array([n, n + 1, None]) for n in range(230)}))
    shop.make(SOURCES, columns=[{"name": f"c{n}", "personal": True} for n in range(50, 100)])
    found = made(shop)
    assert [column.name for column in found.columns] == [f"c{n}" for n in range(230)]
    assert [column.distinct for column in found.columns] == [None if 50 <= n < 100 else 2 for n in range(230)]
    assert all(numbers(found.columns[n]).min == n for n in range(50))


STRANGE = [
    'a "quoted" one',
    "semi; drop table features",
    "'apostrophe'",
    "v",
    "n",
    "grouped",
    "part",
    "a.b",
    "Ünïcode ☃",
]


@pytest.mark.parametrize("name", STRANGE)
def test_a_columns_name_is_never_taken_for_sql(shop: Workshop, name: str) -> None:
    shop.put("t.parquet", pa.table({name: [1, 1, 2]}))
    shop.make(SOURCES)
    [column] = made(shop).columns
    assert (column.name, column.distinct) == (name, 2)


def test_the_result_names_the_profile_and_the_store_holds_it_twice(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    result = shop.make(SOURCES)
    with shop.store.open(result.profile) as content:
        assert content.read() == shop.store.read(paths.feature_profile("adults", 1))
    assert made(shop).data_digest == shop.manifest().data_digest


def test_unchanged_rows_keep_their_profile(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    first = shop.make(SOURCES)
    again = shop.make(SOURCES)
    assert again.unchanged
    assert again.profile == first.profile
    assert shop.said.count("profiling 1 column") == 1


def test_what_is_asked_of_unchanged_rows_later_comes_into_their_profile(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    first = shop.make(SOURCES)
    asked = shop.make(SOURCES, quality={"rules": [{"minRows": 1}]})
    assert asked.unchanged
    assert asked.profile != first.profile
    assert [rule.passed for rule in made(shop).quality or ()] == [True]
    assert shop.make(SOURCES, quality={"rules": [{"minRows": 1}]}).profile == asked.profile
    assert shop.make(SOURCES).profile == first.profile
    assert shop.said.count("profiling 1 column") == 1


def test_an_age_that_grows_gives_unchanged_rows_no_new_profile(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1], "at": [shop.now.replace(tzinfo=None)]})
    young: dict[str, Any] = {"timestamp": "at", "quality": {"rules": [{"max_age_seconds": 86400.0}]}}
    first = shop.make(SOURCES, **young)
    shop.now += timedelta(hours=1)
    assert shop.make(SOURCES, **young).profile == first.profile


def test_a_version_without_a_profile_is_given_one(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    first = shop.make(SOURCES)
    shop.store.delete(paths.feature_profile("adults", 1))
    assert shop.make(SOURCES).profile == first.profile


LEFT = {"of other rows": b"", "broken": b"{", "not ours": b"[]"}


@pytest.mark.parametrize("content", LEFT.values(), ids=LEFT)
def test_a_profile_that_an_earlier_try_left_is_not_taken_for_this_ones(shop: Workshop, content: bytes) -> None:
    shop.put("t.parquet", {"n": [1]})
    shop.make(SOURCES, run="annotation/a")
    other = shop.store.read(paths.feature_profile("adults", 1))
    shop.put("t.parquet", {"n": [1, 2]})
    shop.store.replace(paths.feature_profile("adults", 2), content or other)
    result = shop.make(SOURCES)
    assert result.number == 2
    assert made(shop, 2).rows == 2


def test_what_was_found_of_rules_is_in_the_profile_of_those_rows(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    shop.make(SOURCES, quality={"rules": [{"column": "n", "max": 1}, {"minRows": 1}], "onFailure": "Warn"})
    rules = made(shop).quality
    assert rules is not None
    assert [rule.passed for rule in rules] == [False, True]


def test_findings_of_other_rows_are_not_told_of_a_version(shop: Workshop) -> None:
    shop.put("t.parquet", {"n": [1, 2]})
    shop.make(SOURCES)
    bias = CheckedBias(findings=(BiasFinding(metric="min_group_share", column="n", result="Passed"),))
    manifest = shop.manifest()
    files = [shop.store.fetch(blob.digest) for blob in manifest.blobs]
    telling = tables.Telling(shop.places.store, personal=False)
    kept = [Profiler(shop.places.scratch, telling, bias=bias, of=of).make(manifest, files).bias
            for of in (manifest.data_digest, "sha256:other")]  # fmt: skip
    assert kept == [bias, None]


def test_a_profile_is_json_that_anybody_can_read(shop: Workshop) -> None:
    shop.put("t.parquet", {"x": [float("nan"), float("inf"), 1.0], "s": ["é", "\u0000", "\U0001f600"]})
    shop.make(SOURCES)
    text = shop.store.read(paths.feature_profile("adults", 1)).decode()
    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["version"] == 1


def test_of_very_many_rows_a_sample_stands_for_all(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MOST_ROWS", 10_000)
    monkeypatch.setattr(sampling, "KEPT_ROWS", 5_000)
    values = [None if n % 7 == 0 else float(n % 1000) for n in range(30_001)]
    values[17] = -5e6
    shop.put("t.parquet", {"x": values, "who": [f"secret {n}" for n in range(30_001)]})
    shop.make(SOURCES, columns=[{"name": "who", "personal": True}])
    found = made(shop)
    x = found.columns[0]
    assert (found.rows, x.missing) == (30_001, values.count(None))
    assert found.sampled is not None
    assert 3_500 < found.sampled < 5_000
    assert x.numbers is not None
    assert x.numbers.histogram is not None
    assert (x.numbers.min, x.numbers.histogram.edges[0]) == (-5e6, -5e6)
    assert sum(x.numbers.histogram.counts) == x.numbers.count
    assert x.numbers.count / found.sampled == pytest.approx(6 / 7, abs=0.03)
    assert x.numbers.quantiles[7] == pytest.approx(500, abs=30)
