"""A training on rows to which another FeatureSet's columns are joined as they were known."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import Blob, Column, FeaturesManifest
from merkhet.contract.training import DataVersion, Join, Split, TrainingTask
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import data, split
from merkhet.workloads.trainer.train import train

MakeTask = Callable[..., TrainingTask]
People = dict[str, Any]
DAY = timedelta(days=1)
START = datetime(2024, 1, 1)  # noqa: DTZ001 - the store knows no zones


@pytest.fixture
def regions(store: Volume) -> DataVersion:
    """What is known of two regions: an income from the first day, another from the eleventh, told on the 21st."""
    return published(
        store,
        {
            "region": ["n", "n", "s"],
            "day": [START, START + 10 * DAY, START],
            "told": [START, START + 20 * DAY, START],
            "income": [1.0, 2.0, 9.0],
            "mayor": ["x", "y", "z"],
        },
    )


def published(store: Volume, columns: dict[str, Any], **more: Any) -> DataVersion:
    """A version of FeatureSet ``regions``; the mayor is personal."""
    table = pa.table(columns)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    kinds = {"double": "float64", "timestamp[us]": "timestamp"}
    manifest = FeaturesManifest(
        feature_set="regions",
        number=4,
        data_digest="",
        rows=table.num_rows,
        columns=tuple(
            Column(name=name, type=kinds.get(str(table[name].type), str(table[name].type)), personal=name == "mayor")
            for name in table.column_names
        ),
        blobs=(Blob(digest=store.add(buffer.getvalue()), size=len(buffer.getvalue())),),
        **{"entity": ("region",), "timestamp": "day", "arrival": "told", **more},
    )
    return DataVersion(feature_set="regions", version=4, digest=store.add(manifest.dump().encode()))


@pytest.fixture
def dated(people: People) -> People:
    """People of two regions, one of them, each on a day."""
    days = np.array([np.datetime64(START + (number % 40) * DAY, "us") for number in range(2000)])
    return {**people, "region": np.where(people["id"] % 2 == 0, "n", "s"), "day": days}


def asking(make_task: MakeTask, rows: People, regions: DataVersion, **more: Any) -> TrainingTask:
    """A task on these rows and what was known of their region."""
    join = Join(data=regions, by=("region",), max_age_seconds=more.pop("age", None))
    task = make_task(rows, **{"timestamp": "day", "exclude": ("region",), **more})
    return task.model_copy(update={"joins": (join,)})


def test_each_row_learns_from_what_was_known_then(
    make_task: MakeTask, store: Volume, dated: People, regions: DataVersion
) -> None:
    rows = data.read(asking(make_task, dated, regions), store)
    assert rows.features.names == ("age", "hours", "school", "income")  # no key, no time, nothing personal
    day = np.arange(2000) % 40
    known = np.where(dated["id"] % 2 == 1, 9.0, np.where(day >= 20, 2.0, 1.0))
    assert np.array_equal(rows.features.column("income"), known.astype(np.float32))
    assert rows.table.column("id").to_pylist() == list(range(2000))


def test_what_is_too_old_is_missing(make_task: MakeTask, store: Volume, dated: People, regions: DataVersion) -> None:
    rows = data.read(asking(make_task, dated, regions, age=(5 * DAY).total_seconds()), store)
    day = np.arange(2000) % 40
    assert np.array_equal(~np.isnan(rows.features.column("income")), day <= 5)


def test_the_record_names_all_data_the_own_first(
    make_task: MakeTask, store: Volume, dated: People, regions: DataVersion
) -> None:
    task = asking(make_task, dated, regions)
    result = train(task, store, lambda _: None)
    assert result.lineage.data == (task.data, regions)
    assert result.parameters["joins"] == [{"data": regions.body(), "by": ["region"]}]
    assert result.signature is not None
    assert result.signature.inputs[0].columns == ("age", "hours", "school", "income")


def test_what_is_joined_moves_no_row_to_the_other_side(
    make_task: MakeTask, store: Volume, dated: People, regions: DataVersion
) -> None:
    task = asking(make_task, dated, regions, entity=())
    joined = data.read(task, store)
    alone = data.read(task.model_copy(update={"joins": ()}), store)
    side, other = (split.test_rows(Split(), rows.table, rows.manifest) for rows in (joined, alone))
    assert np.array_equal(side, other)


def test_a_group_may_be_of_what_is_joined(
    make_task: MakeTask, store: Volume, dated: People, regions: DataVersion
) -> None:
    rows = data.read(asking(make_task, dated, regions), store)
    side = split.test_rows(Split(method="Group", column="income", seed=1), rows.table, rows.manifest)
    assert len({bool(one) for one in side[rows.features.column("income") == 9.0]}) == 1


def test_arrival_is_never_a_feature(make_task: MakeTask, store: Volume, regions: DataVersion) -> None:
    manifest = FeaturesManifest.load(store.read(paths.blob(regions.digest)))
    task = make_task({"id": [1], "y": [1], "x": [1]}).model_copy(update={"target": "income", "data": regions})
    with pytest.raises(Refused, match="entity, timestamp, arrival, personal"):
        data.feature_names(task, manifest)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "rows without a time": ({"rows": {"timestamp": None}}, "the rows have none: name their `timestamp`"),
    "a joined set without a time": ({"regions": {"timestamp": None}}, "4 of FeatureSet people/regions.*no timestamp"),
    "a column that is there": ({"income": "age"}, "age would be there twice"),
    "a key that is not there": ({"region": "area"}, "column region, by which.* there is area"),
}


@pytest.mark.parametrize(("how", "said"), REFUSED.values(), ids=REFUSED)
def test_a_join_that_cannot_be_is_refused(
    make_task: MakeTask, store: Volume, dated: People, how: dict[str, Any], said: str
) -> None:
    columns = {"region": ["n"], "day": [START], "told": [START], "income": [1.0]}
    named = {how.get(name, name): values for name, values in columns.items()}
    known = published(store, named, **{"entity": (), **how.get("regions", {})})
    with pytest.raises(Refused, match=said):
        data.read(asking(make_task, dated, known, **how.get("rows", {})), store)


def test_joined_rows_that_are_lost_are_named(
    make_task: MakeTask, store: Volume, dated: People, regions: DataVersion
) -> None:
    task = asking(make_task, dated, regions)
    manifest = FeaturesManifest.load(store.read(paths.blob(regions.digest)))
    store.replace(paths.blob(manifest.blobs[0].digest), b"else")
    with pytest.raises(Corrupt, match="rows of version 4 of FeatureSet people/regions"):
        data.read(task, store)
    store.delete(paths.blob(regions.digest))
    with pytest.raises(Missing, match="the manifest of version 4 of FeatureSet people/regions"):
        data.read(task, store)
