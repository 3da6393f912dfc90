"""The data profile of a version: computed from its parquet files, column by column, in the pod's memory.

Each column that is not personal is read once and becomes a table of its different values with their counts, which the
database spills where it must; all figures come from that table in the order of its values, so that neither threads nor
the pieces rows come in can be told from the profile. Personal columns are never read. Of very many rows a sample stands
for all, the same one each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from pydantic import ValidationError

from merkhet.contract.features import CheckedBias, CheckedRule, Column, FeaturesManifest
from merkhet.contract.profile import (
    LONGEST_VALUE,
    MAX_TIMES,
    MAX_VALUES,
    ColumnProfile,
    Numbers,
    Profile,
    Times,
    Value,
    Values,
)
from merkhet.errors import Missing
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.features import tables
from merkhet.workloads.features.blobs import Files
from merkhet.workloads.features.contract import FLOATS, INTEGERS, TIMES
from merkhet.workloads.features.distribution import Block, distribution
from merkhet.workloads.features.sampling import sampled, with_extremes
from merkhet.workloads.features.sources import Located
from merkhet.workloads.features.tables import Database, Telling, quoted
from merkhet.workloads.run import Progress

TABLE, PART, GROUPED = "features", "part", "grouped"
PART_COLUMNS = 50
# Reading one column of a file of 1000 costs more than the column where there are few rows: parts are copied then.
COPIED_ROWS = 100_000
BLOCK = 65_536  # values; a fixed size, because sums are kept block by block
FEW = 50  # a whole number with so many different values at most is shown by value
DATE_UNITS = ("day", "week", "month", "quarter", "year", "decade", "century", "millennium")
UNITS = {"date": DATE_UNITS, "timestamp": ("second", "minute", "hour", *DATE_UNITS)}

# What is asked of the different values; in brackets stand words of ours only.
FREQUENT = f"""
    select {{text}}, n from {GROUPED} where (select max(n) from {GROUPED}) > 1
    order by n desc, v limit {MAX_VALUES}"""  # noqa: S608
DIFFERENT = f"select count(*) from {GROUPED}"  # noqa: S608
ROWS = f"select coalesce(sum(n), 0)::bigint from {GROUPED}"  # noqa: S608
# As far as a float can tell one whole number from the next.
WHOLE = f"select bool_and(v = trunc(v) and abs(v) < 9007199254740992) from {GROUPED}"  # noqa: S608
NAN = f"delete from {GROUPED} where isnan(v) returning n"  # noqa: S608
RANGE = f"""
    select coalesce(sum(n) filter ({{finite}}), 0)::bigint, min(v) filter ({{finite}}), max(v) filter ({{finite}})
    from {GROUPED}"""  # noqa: S608
INFINITE = f"""
    select coalesce(sum(n) filter (v = 'inf'), 0)::bigint, coalesce(sum(n) filter (v = '-inf'), 0)::bigint
    from {GROUPED}"""  # noqa: S608
ENDS = f"""
    select coalesce(sum(n) filter (isfinite(v)), 0)::bigint, coalesce(sum(n) filter (not isfinite(v)), 0)::bigint,
        (min(v) filter (isfinite(v)))::varchar, (max(v) filter (isfinite(v)))::varchar
    from {GROUPED}"""  # noqa: S608
SPANS = f"select {{spans}} from {GROUPED} where isfinite(v)"  # noqa: S608
BINNED = f"""
    with finite as (select date_trunc('{{unit}}', v::timestamp)::timestamp as t, n from {GROUPED} where isfinite(v)),
        found as (select t, sum(n)::bigint as n from finite group by t),
        bins as (select unnest(generate_series(min(t), max(t), interval 1 {{unit}})) as t from found)
    select strftime(t, '%Y-%m-%dT%H:%M:%S'), coalesce(n, 0) from bins left join found using (t) order by t"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Profiler:
    """Where profiles are made, and what was found of the rows otherwise."""

    scratch: Path
    telling: Telling
    quality: tuple[CheckedRule, ...] | None = None
    bias: CheckedBias | None = None
    of: str = ""  # data digest of the rows that this was found of

    def keep(self, manifest: FeaturesManifest, files: Files, progress: Progress) -> str:
        """The digest of a version's profile, which is made where there is none of these rows yet."""
        path, store = paths.feature_profile(manifest.feature_set, manifest.number), files.store
        earlier = _earlier(path, manifest, store)
        content = self._with_findings(earlier, manifest).dump().encode() if earlier is not None else None
        if earlier is None or content is None:
            count = len(manifest.columns)
            progress(f"profiling {count} column{'s' if count > 1 else ''}")
            content = self.make(manifest, files.of(manifest.blobs)).dump().encode()
            # What stands there is of other rows: an earlier try of this run left it before it could publish them.
            if not store.create(path, content):
                store.replace(path, content)
        elif content != earlier.dump().encode():
            store.replace(path, content)
        return store.add(content)

    def _with_findings(self, profile: Profile, manifest: FeaturesManifest) -> Profile:
        """The profile with what was found now, if other things were asked or the answers are others.

        Words alone change nothing: an age has others each time.
        """
        if manifest.data_digest != self.of:
            return profile
        told = [[(one.rule, one.passed) for one in rules or ()] for rules in (profile.quality, self.quality)]
        # Where a rule is broken, groups may not have been compared.
        unasked = self.bias is None and all(rule.passed for rule in self.quality or ())
        bias = self.bias if self.bias is not None or unasked else profile.bias
        if told[0] == told[1] and profile.bias == bias:
            return profile
        return profile.model_copy(update={"quality": self.quality, "bias": bias})

    def make(self, manifest: FeaturesManifest, files: Sequence[Path]) -> Profile:
        """The profile of the rows in these parquet files."""
        sample = sampled(manifest, files, self.scratch / "sample.parquet")
        with self._opened(files if sample is None else [sample.file]) as database:
            columns = tuple(_columns(manifest, database))
        if sample is not None:
            columns = tuple(with_extremes(columns, files))
        same = manifest.data_digest == self.of
        return Profile(
            feature_set=manifest.feature_set,
            number=manifest.number,
            rows=manifest.rows,
            data_digest=manifest.data_digest,
            sampled=None if sample is None else sample.rows,
            entity=manifest.entity,
            timestamp=manifest.timestamp,
            columns=columns,
            quality=self.quality if same else None,
            bias=self.bias if same else None,
        )

    @contextmanager
    def _opened(self, files: Sequence[Path]) -> Iterator[Database]:
        table = Located(TABLE, TABLE, "parquet", tuple(files))
        with tables.database([table], cgroup.limits(), self.scratch, self.telling) as database:
            try:
                yield database
            except duckdb.Error as error:
                raise self.telling.meaning(error, "making the data profile") from error


def _earlier(path: str, manifest: FeaturesManifest, store: Store) -> Profile | None:
    """The profile that stands there, if it is of these rows and can be read."""
    try:
        profile = Profile.load(store.read(path))
        return profile if profile.data_digest == manifest.data_digest else None
    except (Missing, ValidationError):
        return None


def _columns(manifest: FeaturesManifest, database: Database) -> Iterator[ColumnProfile]:
    kind = "table" if manifest.rows <= COPIED_ROWS else "view"
    for start in range(0, len(manifest.columns), PART_COLUMNS):
        part = manifest.columns[start : start + PART_COLUMNS]
        names = ", ".join(quoted(column.name) for column in part if not column.personal)
        if names:
            database.connection.execute(f"create temp {kind} {PART} as select {names} from {TABLE}")  # noqa: S608 - quoted
        yield from (_column(column, manifest.rows, database) for column in part)
        if names:
            database.connection.execute(f"drop {kind} {PART}")


def _column(column: Column, rows: int, database: Database) -> ColumnProfile:
    shown = ColumnProfile(
        name=column.name,
        type=column.type,
        description=column.description,
        personal=column.personal,
        missing=column.missing,
        missing_share=column.missing / rows if rows else 0.0,
    )
    return shown if column.personal else shown.model_copy(update=_Grouped.of(column, database).figures())


@dataclass(frozen=True, slots=True)
class _Grouped:
    """The different values of a column and their counts: a table of ``v`` and ``n``, without NaN."""

    column: Column
    connection: Any  # DuckDBPyConnection
    distinct: int
    nan: int

    @classmethod
    def of(cls, column: Column, database: Database) -> _Grouped:
        name = quoted(column.name)
        database.connection.execute(
            f"create or replace temp table {GROUPED} as "  # noqa: S608 - quoted
            f"select {name} as v, count(*) as n from {PART} where {name} is not null group by all"
        )
        nan = database.connection.execute(NAN).fetchall() if column.type in FLOATS else []
        [distinct] = database.connection.execute(DIFFERENT).fetchone()
        return cls(column, database.connection, distinct, sum(count for (count,) in nan))

    def figures(self) -> dict[str, Any]:
        """The fields of ColumnProfile that the column's type has."""
        kind, found = self.column.type, {"distinct": self.distinct}
        if kind in TIMES:
            return {**found, "times": self._times()}
        if kind not in FLOATS | INTEGERS:
            return {**found, "values": self._values("v::varchar")}
        whole = self._is_whole()
        few = {"values": self._values("v::hugeint::varchar")} if whole and self.distinct <= FEW else {}
        return {**found, "numbers": self._numbers(whole=whole), **few}

    def _is_whole(self) -> bool:
        """Whether all numbers are whole, also where a float holds them, because some are missing."""
        return bool(self._rows(WHOLE)[0][0]) if self.column.type in FLOATS else True

    def _values(self, text: str) -> Values:
        top = self._rows(FREQUENT, text=text)
        [[rows]] = self._rows(ROWS)
        values = tuple(Value(value=_cut(value), count=count) for value, count in top)
        return Values(top=values, others=rows - sum(value.count for value in values))

    def _times(self) -> Times:
        [[count, infinite, first, last]] = self._rows(ENDS)
        unit = self._unit() if first is not None else ""
        bins = self._rows(BINNED, unit=unit) if unit else []
        return Times(
            count=count,
            infinite=infinite,
            first=self._written(first),
            last=self._written(last),
            unit=unit,
            starts=tuple(start.partition("T")[0] if self.column.type == "date" else start for start, _ in bins),
            counts=tuple(size for _, size in bins),
        )

    def _written(self, time: str | None) -> str | None:
        """As ISO 8601 has it."""
        return time if time is None or self.column.type == "date" else "T".join(time.rsplit(" ", 1))

    def _unit(self) -> str:
        """The smallest unit that gives few enough bins; empty where none does."""
        units = UNITS[self.column.type]
        [spans] = self._rows(SPANS, spans=", ".join(f"date_diff('{unit}', min(v), max(v))" for unit in units))
        return next((unit for unit, span in zip(units, spans, strict=True) if span < MAX_TIMES), "")

    def _numbers(self, *, whole: bool) -> Numbers:
        finite = "isfinite(v)" if self.column.type in FLOATS else "true"
        [[count, low, high]] = self._rows(RANGE, finite=finite)
        above, below = self._rows(INFINITE)[0] if self.column.type in FLOATS else (0, 0)
        found = Numbers(count=count, nan=self.nan, infinite=above, minus_infinite=below, min=low, max=high)
        if not count:
            return found
        blocks = list(self._blocks(finite))  # twice as many bytes as the column has, of no more rows than a sample's
        drawn = distribution(blocks, count=count, low=low, high=high, whole=whole)
        return found.model_copy(update=drawn)

    def _blocks(self, finite: str) -> Iterator[Block]:
        """The finite values in order, in blocks of exactly ``BLOCK`` and a last smaller one."""
        query = f"select v::double as v, n from {GROUPED} where {finite} order by grouped.v"  # noqa: S608 - our own words
        held: list[Block] = []
        size = 0
        for batch in tables.batches(self.connection, query, BLOCK):
            held.append((batch.column(0).to_numpy(), batch.column(1).to_numpy()))
            size += batch.num_rows
            while size >= BLOCK:
                values, counts = (np.concatenate(parts) for parts in zip(*held, strict=True))
                yield values[:BLOCK], counts[:BLOCK]
                held, size = [(values[BLOCK:], counts[BLOCK:])], size - BLOCK
        if size:
            values, counts = (np.concatenate(parts) for parts in zip(*held, strict=True))
            yield values, counts

    def _rows(self, query: str, **words: str) -> list[Any]:
        return list(self.connection.execute(query.format(**words)).fetchall())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
