"""Which rows are for testing, and that it stays so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from merkhet.contract.features import Column, FeaturesManifest
from merkhet.contract.training import Split
from merkhet.workloads.trainer import split

ROWS = 20_000


def manifest(*entity: str, timestamp: str | None = None, columns: Sequence[str] = ()) -> FeaturesManifest:
    return FeaturesManifest(
        feature_set="census",
        number=1,
        data_digest="sha256:0",
        rows=0,
        columns=tuple(Column(name=name, type="int64") for name in columns),
        entity=entity,
        timestamp=timestamp,
        blobs=(),
    )


def test_the_share_of_test_rows_is_near_the_fraction() -> None:
    table = pa.table({"id": np.arange(ROWS)})
    chosen = split.test_rows(Split(test_fraction=0.25, seed=7), table, manifest("id"))
    assert abs(chosen.mean() - 0.25) < 0.02


def test_the_first_shares_are_those_of_the_first_release() -> None:
    shares = split.hashed_share(pa.array(["1", "2", "person-3"]), seed=7)
    assert shares.round(6).tolist() == [0.545479, 0.673207, 0.095144]


def test_a_row_keeps_its_part_when_rows_are_added_reordered_or_stored_as_another_type() -> None:
    method = Split(test_fraction=0.3, seed=1)
    before = split.test_rows(method, pa.table({"id": np.arange(1000)}), manifest("id"))
    mixed = np.random.default_rng(1).permutation(3000)
    after = split.test_rows(method, pa.table({"id": mixed.astype(np.float64)}), manifest("id"))
    assert (after[np.argsort(mixed)][:1000] == before).all()


def test_another_seed_chooses_other_rows() -> None:
    table = pa.table({"id": np.arange(1000)})
    one, other = (split.test_rows(Split(seed=seed), table, manifest("id")) for seed in (1, 2))
    assert (one != other).any()


def test_a_group_is_never_on_both_sides() -> None:
    household = np.arange(ROWS) // 4
    table = pa.table({"id": np.arange(ROWS), "household": household})
    chosen = split.test_rows(Split(method="Group", column="household"), table, manifest("id"))
    assert set(household[chosen]).isdisjoint(household[~chosen])


def test_by_time_the_last_rows_are_tested_and_one_moment_is_never_on_both_sides() -> None:
    day = np.repeat(np.arange(100), 10).astype("datetime64[D]")
    chosen = split.test_rows(
        Split(method="Time", test_fraction=0.205), pa.table({"day": day}), manifest(timestamp="day")
    )
    assert day[~chosen].max() < day[chosen].min()
    assert abs(chosen.mean() - 0.205) < 0.02


def test_without_an_entity_equal_rows_stay_together_in_any_order() -> None:
    values = np.arange(1000) // 2
    chosen = split.test_rows(Split(), pa.table({"a": values, "b": values * 2}), manifest(columns="ab"))
    swapped = split.test_rows(Split(), pa.table({"b": values * 2, "a": values}), manifest(columns="ba"))
    assert (chosen == swapped).all()
    assert (chosen[::2] == chosen[1::2]).all()


@pytest.mark.parametrize(
    ("method", "entity", "together"),
    [
        pytest.param(Split(), ("id",), None, id="entities of one row are alone"),
        pytest.param(Split(method="Group", column="g"), ("id",), [0, 0, 1], id="a group belongs together"),
        pytest.param(Split(method="Time"), ("g",), [0, 0, 1], id="an entity belongs together"),
    ],
)
def test_clusters(method: Split, entity: tuple[str, ...], together: list[int] | None) -> None:
    table = pa.table({"id": [1, 2, 3], "g": ["a", "a", "b"]})
    found = split.clusters(table, manifest(*entity), method)
    assert (None if found is None else found.tolist()) == together
