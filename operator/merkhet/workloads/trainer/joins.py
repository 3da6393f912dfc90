"""The rows of a FeatureSet's version with the columns of others as they were known at the time of each row."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa

from merkhet.contract.features import Column, FeaturesManifest, FeaturesVersion, Join
from merkhet.contract.training import DataVersion, TrainingTask
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.features.imports import Imported, Joined, column_of, imported
from merkhet.workloads.features.pointintime import ROW, added_columns, relation, with_joins
from merkhet.workloads.features.tables import RESULT, Telling, database, quoted
from merkhet.workloads.run import Places

OWN = "\u241erows"


def joined(task: TrainingTask, manifest: FeaturesManifest, store: Store) -> tuple[pa.Table, tuple[Column, ...]]:
    """The rows in their order, and all their columns, those of the joins last; raises Refused as joins do."""
    home = task.run.origin.namespace
    own = imported(_version(task.data), home, store)
    joins = [
        Joined(
            Join(features=_version(one.data), by=one.by, max_age_seconds=one.max_age_seconds),
            imported(_version(one.data), home, store),
        )
        for one in task.joins
    ]
    return _read(own, joins), (*manifest.columns, *_added(own, joins))


def _read(own: Imported, joins: list[Joined]) -> pa.Table:
    places = Places.from_environment()
    versions = (own, *(one.other for one in joins))
    personal = any(column.personal for one in versions for column in one.manifest.columns)
    tables = [one.as_source(f"{OWN}{number}") for number, one in enumerate(versions)]
    with (
        tempfile.TemporaryDirectory(prefix="joins-", dir=places.scratch) as scratch,
        database(tables, cgroup.limits(), Path(scratch), Telling(places.store, personal=personal)) as opened,
    ):
        rows = relation(own)
        sql = with_joins(rows, opened.columns_of(rows), own.manifest.timestamp, joins)
        ordered = f"select * exclude ({quoted(ROW)}) from {quoted(RESULT)} order by {quoted(ROW)}"  # noqa: S608 - quoted
        return pa.concat_tables(opened.rows(sql, ordered))


def _added(own: Imported, joins: list[Joined]) -> list[Column]:
    """What the joins add to the columns, with what their FeatureSets say of them."""
    names = [column.name for column in own.manifest.columns]
    added: list[Column] = []
    for one in joins:
        found = [column_of(one.other.manifest, name) for name in added_columns(one, names)]
        added += [column for column in found if column is not None]
        names += [column.name for column in found if column is not None]
    return added


def _version(data: DataVersion) -> FeaturesVersion:
    return FeaturesVersion(name=data.feature_set, version=data.version, digest=data.digest)
