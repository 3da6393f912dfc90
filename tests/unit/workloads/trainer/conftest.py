"""A store with a version of a FeatureSet in it, and tasks that train on it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.features import Blob, Column, FeaturesManifest
from merkhet.contract.runs import Origin, Run
from merkhet.contract.training import DataVersion, Step, TrainingTask
from merkhet.store.volume import Volume

Columns = Mapping[str, Any]
MakeTask = Callable[..., TrainingTask]

FOREST = Step(estimator="sklearn.ensemble.HistGradientBoostingClassifier", parameters={"max_iter": 20})


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    folder = tmp_path / "store"
    folder.mkdir()
    return Volume(folder)


@pytest.fixture
def make_task(store: Volume) -> MakeTask:
    """A task on columns that are put into the store first."""

    def make(
        columns: Columns,
        *,
        entity: tuple[str, ...] = ("id",),
        timestamp: str | None = None,
        personal: tuple[str, ...] = (),
        **fields: Any,
    ) -> TrainingTask:
        table = pa.table(dict(columns))
        manifest = FeaturesManifest(
            feature_set="census",
            number=1,
            data_digest="sha256:" + "0" * 64,
            rows=table.num_rows,
            columns=tuple(Column(name=n, type=str(table[n].type), personal=n in personal) for n in table.column_names),
            entity=entity,
            timestamp=timestamp,
            blobs=tuple(_stored(store, part) for part in (table.slice(0, 100), table.slice(100))),
        )
        digest = store.add(manifest.dump().encode())
        defaults: dict[str, Any] = {
            "run": Run(
                key="0123456789abcdef0123",
                trigger="spec/1",
                origin=Origin(kind="ModelTraining", namespace="people", name="employment", uid="u-1"),
            ),
            "training": "employment",
            "model": "employment",
            "task": "Classification",
            "data": DataVersion(feature_set="census", version=1, digest=digest),
            "target": "y",
            "pipeline": (FOREST,),
        }
        return TrainingTask(**{**defaults, **fields})

    return make


@pytest.fixture
def people() -> dict[str, Any]:
    """2000 rows: three numbers, one of them missing here and there, and a class that depends on them."""
    random = np.random.default_rng(1)
    rows = 2000
    age, hours, school = random.integers(16, 90, rows), random.gamma(4.0, 8.0, rows), random.integers(1, 24, rows)
    y = (age / 30 - hours / 20 + school / 12 + random.logistic(size=rows) > 1.5).astype(np.int64)
    return {
        "id": np.arange(rows),
        "age": age,
        "hours": np.where(random.random(rows) < 0.05, np.nan, hours),
        "school": school,
        "y": y,
    }


def _stored(store: Volume, table: pa.Table) -> Blob:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return Blob(digest=store.add(buffer.getvalue()), size=len(buffer.getvalue()), rows=table.num_rows)
