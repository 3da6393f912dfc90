"""Limits on bias: how groups of people differ in number, in label, in missing values, and in what gives them away.

What cannot be meant (a column that is not there, bins on text) is refused before any row is computed. Groups are
counted in a database that sees the finished table alone; rows without a value of a sensitive column are a group of
their own, which is shown and compared with nothing. Of a personal column no value is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from merkhet.contract.features import Bias, CheckedBias, Column, FeaturesTask, GroupFigures
from merkhet.errors import Refused
from merkhet.stats.intervals import wilson
from merkhet.workloads import cgroup
from merkhet.workloads.features import tables
from merkhet.workloads.features.contract import FLOATS, INTEGERS, TYPES
from merkhet.workloads.features.disparities import METRICS, OF_LABELS, Group, Grouped, findings, ordered
from merkhet.workloads.features.quality import TABLE, relation
from merkhet.workloads.features.rules import VALUES
from merkhet.workloads.features.sensitive import INVALID, LONGEST_NAME, MISSING, Attribute, attributes, column_of
from merkhet.workloads.features.sources import Located
from merkhet.workloads.features.tables import Database, Telling, quoted
from merkhet.workloads.run import RefusedForNow

PROXY = "proxy_auc"
MOST_GROUPS = 200  # of a column; beyond that it is no grouping
MOST_TOLD = 64  # groups of all columns; the answer stands in a ConfigMap
MOST_MISSING = 10  # columns whose missing values are told of a group
DIGITS = 6
KEY = '"\u241egroup"'  # no column can have this name


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: the sensitive columns, and SQL of whether a row has the label's positive value."""

    attributes: tuple[Attribute, ...]
    label: Column | None
    positive: str


@dataclass(frozen=True, slots=True)
class Comparer:
    """Where groups are compared: room, and manner of telling."""

    task: FeaturesTask
    scratch: Path
    telling: Telling

    def prepare(self, columns: Sequence[Column]) -> Comparison | None:
        """What to compare; raises ``Refused`` naming what cannot be meant. None: nobody asked."""
        bias = self.task.bias
        if bias is None:
            return None
        _see_limits(bias)
        found = attributes(bias, columns)
        if bias.label is None:
            return Comparison(found, None, "false")
        label = column_of(bias.label, columns, "label")
        if any(one.name == label.name for one in found):
            message = f"bias: column {label.name} is both the label and sensitive; compare the label of other groups"
            raise Refused(message, reason=INVALID)
        return Comparison(found, label, f"{quoted(label.name)} = {_positive(bias, label)}")

    def judge(self, comparison: Comparison, columns: Sequence[Column], files: Sequence[Path]) -> CheckedBias:
        """What is found in the finished table, whose parquet files these are."""
        bias = self.task.bias
        if bias is None:
            return CheckedBias()
        table = Located(TABLE, TABLE, "parquet", tuple(files))
        try:
            with tables.database([table], cgroup.limits(), self.scratch, self.telling) as database:
                counted = [_counted(one, comparison, columns, database) for one in comparison.attributes]
        except duckdb.Error as error:
            raise self.telling.meaning(error, "comparing groups") from error
        _see_positive(comparison, bias, counted[0])
        told = [finding for one in counted for finding in findings(one, bias, columns)]
        if PROXY in bias.limits:  # models are fitted for it: it takes seconds, and only who asks waits
            from merkhet.workloads.features.proxies import proxy_finding, sampled  # noqa: PLC0415 - two seconds, too

            # After the database: its memory is the sample's now.
            sample = sampled(self.task, comparison.attributes, columns, files)
            told += [proxy_finding(one, bias, sample) for one in counted]
        return CheckedBias(findings=tuple(ordered(told)), groups=tuple(_told(counted, columns, bias)))


def is_beyond(bias: Bias | None, found: CheckedBias | None) -> bool:
    """Whether the rows are kept back; what is undecided keeps none back."""
    blocks = bias is not None and bias.on_failure == "Block"
    return blocks and found is not None and any(finding.result == "Failed" for finding in found.findings)


def _see_limits(bias: Bias) -> None:
    """Limits that can be held against something."""
    unknown = [metric for metric in bias.limits if metric not in METRICS]
    if unknown:
        message = f"bias has a limit on {', '.join(unknown)}; there are limits on {', '.join(METRICS)}"
        raise Refused(f"{message}: write one of these", reason=INVALID)
    unlabelled = [metric for metric in bias.limits if metric in OF_LABELS]
    if unlabelled and bias.label is None:
        message = f"bias has a limit on {', '.join(unlabelled)} and no label, whose rates it compares; write `label`"
        raise Refused(message, reason=INVALID)
    if "population_difference" in bias.limits and not bias.population:
        message = "bias has a limit on population_difference and no population to differ from; write `population`"
        raise Refused(message, reason=INVALID)


def _positive(bias: Bias, label: Column) -> str:
    """SQL of the label's positive value, in the column's own type."""
    if bias.positive is None and label.type not in INTEGERS | FLOATS | {"boolean"}:
        message = f"bias: the label {label.name} is {label.type}, of which no value is positive by itself"
        raise RefusedForNow(f"{message}; write `positive`", reason=INVALID)
    value = "1" if bias.positive is None else str(bias.positive)
    family = "integer" if label.type in INTEGERS else "float" if label.type in FLOATS else label.type
    try:
        return VALUES[family](value, TYPES[label.type])
    except (ValueError, KeyError) as error:
        shown = "`positive`" if label.personal else f"`positive` {value!r}"
        message = f"bias: {shown} is no {label.type}, which the label {label.name} is; correct it"
        raise RefusedForNow(message, reason=INVALID) from error


def _see_positive(comparison: Comparison, bias: Bias, counted: Grouped) -> None:
    """A value that no row has would make all groups alike."""
    if comparison.label is None or any(group.positive for group in counted.all):
        return
    label = comparison.label
    value = "1" if bias.positive is None else str(bias.positive)
    shown = "the positive value" if label.personal else f"the positive value {value}"
    message = f"bias: {shown} of the label {label.name} is in none of {sum(group.rows for group in counted.all):,} rows"
    raise RefusedForNow(f"{message}; write the value that is counted as `positive`", reason=INVALID)


def _counted(attribute: Attribute, comparison: Comparison, columns: Sequence[Column], database: Database) -> Grouped:
    """The groups of a sensitive column, the missing one apart."""
    table = f"(select {attribute.key} as {KEY}, * from {relation(columns)})"  # noqa: S608 - quoted
    _see_number(attribute, table, database)
    label = "false" if comparison.label is None else f"{quoted(comparison.label.name)} is not null"
    figures = [
        "count(*)",
        f"count(*) filter (where {label})",
        f"count(*) filter (where {comparison.positive})",
        *(f"count(*) - count({quoted(column.name)})" for column in columns),
    ]
    rows = database.connection.execute(
        f"select {KEY}, {', '.join(figures)} from {table} group by {KEY} order by {KEY} nulls last"  # noqa: S608 - quoted
    ).fetchall()
    groups = tuple(
        Group(attribute.group_at(key), count, labelled, positive, tuple(missing))
        for key, count, labelled, positive, *missing in rows
        if key is not None
    )
    without = next((Group(MISSING, row[1], row[2], row[3], tuple(row[4:])) for row in rows if row[0] is None), None)
    return Grouped(attribute, groups, without)


def _see_number(attribute: Attribute, table: str, database: Database) -> None:
    """Names, incomes and the like are no groups; seen before they are counted, as they may be many."""
    query = f"select count(*) from (select distinct {KEY} from {table} where {KEY} is not null limit {MOST_GROUPS + 1})"  # noqa: S608 - quoted
    if database.connection.execute(query).fetchone()[0] > MOST_GROUPS:
        remedy = "give `bins`" if attribute.column.type in INTEGERS | FLOATS else "make groups of them in the query"
        message = f"bias: the sensitive column {attribute.name} has more than {MOST_GROUPS} values"
        raise RefusedForNow(f"{message}, which are no groups; {remedy}", reason=INVALID)


def _told(counted: Sequence[Grouped], columns: Sequence[Column], bias: Bias) -> list[GroupFigures]:
    """The groups of columns that are not personal, in their order; of a column with many the largest."""
    public = [one for one in counted if not one.attribute.column.personal]
    room = MOST_TOLD // max(1, len(public))
    return [
        _figures(one, group, columns, bias)
        for one in public
        for group in one.all
        if group in sorted(one.all, key=lambda group: -group.rows)[:room]
    ]


def _figures(grouped: Grouped, group: Group, columns: Sequence[Column], bias: Bias) -> GroupFigures:
    """A group as it is told; how few people of a small one have the label is not."""
    small = group.rows < bias.min_group_size
    rate = low = high = None
    if bias.label is not None and group.labelled >= bias.min_group_size:
        interval = wilson(group.positive, group.labelled)
        rate, low, high = (
            round(float(number), DIGITS) for number in (group.positive / group.labelled, interval.low, interval.high)
        )
    missing = sorted(
        ((count, column.name) for count, column in zip(group.missing, columns, strict=True) if count),
        key=lambda one: (-one[0], one[1]),
    )
    return GroupFigures(
        column=grouped.attribute.name,
        group=group.name[:LONGEST_NAME],
        rows=group.rows,
        share=round(group.rows / grouped.rows, DIGITS),
        rate=rate,
        low=low,
        high=high,
        small=small,
        missing={name: count for count, name in missing[:MOST_MISSING]},
    )
