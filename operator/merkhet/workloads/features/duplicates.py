"""Rows that say twice what is true of one entity at one time: a join would have to guess between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from merkhet.contract.features import Column, FeaturesTask
from merkhet.workloads import cgroup
from merkhet.workloads.features import tables
from merkhet.workloads.features.sources import Located
from merkhet.workloads.features.tables import Telling, quoted
from merkhet.workloads.run import RefusedForNow

TABLE = "features"


def unique_keys(task: FeaturesTask) -> tuple[str, ...]:
    """The columns that together come once: entity and timestamp where the FeatureSet names both."""
    if not task.entity or task.timestamp is None:
        return ()
    return tuple(dict.fromkeys([*task.entity, task.timestamp]))


def see_once_each(
    task: FeaturesTask, columns: Sequence[Column], files: Sequence[Path], scratch: Path, telling: Telling
) -> None:
    """See that no two rows of the finished table have the same keys; raises ``RefusedForNow``.

    A row in which one of them is missing repeats nothing.
    """
    keys = unique_keys(task)
    found = _repeated(keys, files, scratch, telling)
    if found is None:
        return
    count, *values = found
    some = "row repeats" if count == 1 else "rows repeat"
    raise RefusedForNow(
        f"{count:,} {some} another's entity ({', '.join(task.entity)}) and timestamp ({task.timestamp})"
        f"{_told(keys, values, columns)}; what was true of an entity at a time stands in one row: group them in the "
        "query, or name more columns in `entity`",
        reason="DuplicateRows",
    )


def _repeated(
    keys: Sequence[str], files: Sequence[Path], scratch: Path, telling: Telling
) -> tuple[int, *tuple[object, ...]] | None:
    """How many rows repeat another's keys, and the least of such keys; None where none does."""
    names = ", ".join(map(quoted, keys))
    whole = " and ".join(f"{quoted(key)} is not null" for key in keys)
    groups = f"select {names}, count(*) - 1 as again from {TABLE} where {whole} group by all having count(*) > 1"  # noqa: S608
    table = Located(TABLE, TABLE, "parquet", tuple(files))
    with tables.database([table], cgroup.limits(), scratch, telling) as database:
        try:
            found = database.connection.execute(
                f"select sum(again) over (), {names} from ({groups}) order by {names} limit 1"  # noqa: S608 - quoted
            ).fetchone()
        except duckdb.Error as error:
            raise telling.meaning(error, "looking for rows that repeat an entity and timestamp") from error
    return None if found is None else (int(found[0]), *found[1:])


def _told(keys: Sequence[str], values: Sequence[object], columns: Sequence[Column]) -> str:
    """One of the rows, unless it tells of a person."""
    if any(column.personal for column in columns if column.name in keys):
        return ""
    return f", such as {', '.join(f'{key} {str(value)[:40]}' for key, value in zip(keys, values, strict=True))}"
