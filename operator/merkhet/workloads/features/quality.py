"""Quality rules: held against the finished table in a database that sees nothing else, in one pass.

A rule that cannot be meant (a column that is not there, a condition that is none) is refused before any row is
computed. Missing values are as with SQL's CHECK: a row fails where a condition is false, not where it has no value;
NaN is how a float says missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from merkhet.contract.features import CheckedRule, Column, FeaturesTask, QualityRule
from merkhet.errors import Refused
from merkhet.workloads import cgroup
from merkhet.workloads.features import tables
from merkhet.workloads.features.contract import FLOATS, TYPES
from merkhet.workloads.features.rules import INVALID, failing_rows, words_of
from merkhet.workloads.features.sources import Located
from merkhet.workloads.features.tables import Database, Telling, quoted
from merkhet.workloads.run import RefusedForNow

TABLE = "features"  # what the finished table is called, for a condition that names it


@dataclass(frozen=True, slots=True)
class Check:
    """A rule in words, and the SQL of how many rows fail; None where it is not about rows."""

    rule: QualityRule
    words: str
    failing: str | None
    where: str  # what a message calls it


@dataclass(frozen=True, slots=True)
class Checker:
    """Where rules are checked: room, clock and manner of telling."""

    task: FeaturesTask
    scratch: Path
    telling: Telling
    now: datetime

    def prepare(self, columns: Sequence[Column]) -> tuple[Check, ...]:
        """The rules as SQL, tried on a table without rows; raises ``Refused`` naming the one that cannot be meant."""
        if self.task.quality is None:
            return ()
        rules = enumerate(self.task.quality.rules, 1)
        checks = tuple(_check(number, rule, self.task, columns) for number, rule in rules)
        with tables.database([], cgroup.limits(), self.scratch, self.telling) as database:
            kinds = ", ".join(f"{quoted(column.name)} {TYPES[column.type]}" for column in columns)
            database.connection.execute(f"create table {TABLE} ({kinds})")
            for check in checks:
                _try(check, columns, database)
        return checks

    def judge(self, checks: Sequence[Check], columns: Sequence[Column], files: Sequence[Path]) -> list[CheckedRule]:
        """What is found of each rule in the finished table, whose parquet files these are."""
        figures = [check.failing for check in checks if check.failing is not None]
        table = Located(TABLE, TABLE, "parquet", tuple(files))
        with tables.database([table], cgroup.limits(), self.scratch, self.telling) as database:
            try:
                rows, newest, *counted = _row(["count(*)", _newest(self.task), *figures], columns, database)
            except duckdb.Error as error:
                self._blame(checks, columns, database)
                raise self.telling.meaning(error, "checking the quality rules") from error
        age = None if newest is None else self.now.timestamp() - newest / 1e6
        failing = iter(counted)
        return [
            _of_rows(check, next(failing), rows) if check.failing is not None else self._of_table(check, rows, age)
            for check in checks
        ]

    def _of_table(self, check: Check, rows: int, age: float | None) -> CheckedRule:
        """A rule on the number of rows or on their age."""
        wanted = check.rule.min_rows
        if wanted is not None:
            return CheckedRule(rule=check.words, passed=rows >= wanted, found=f"{rows:,} rows")
        passed = age is not None and age <= (check.rule.max_age_seconds or 0)
        return CheckedRule(rule=check.words, passed=passed, found=self._age(age))

    def _age(self, age: float | None) -> str:
        personal = any(column.personal and column.name == self.task.timestamp for column in self.task.columns)
        if age is None:
            return "no row has one"
        if personal:
            return "its age is left out, as the column is personal"
        return f"it is {span(age)} old" if age >= 0 else f"it lies {span(-age)} ahead"

    def _blame(self, checks: Sequence[Check], columns: Sequence[Column], database: Database) -> None:
        """Name the rule whose condition stops at some row; nothing where it is none of them."""
        for check in checks:
            if check.rule.expression is None or check.failing is None:
                continue
            try:
                _row([check.failing], columns, database)
            except duckdb.OutOfMemoryException:
                return
            except duckdb.Error as error:
                # Beside a personal column even a number in the message may be somebody's.
                said = type(error).__name__ if self.telling.personal else _first_line(error)
                message = f"{check.where} stops at some row: {said}; write it so that it has a value, or try_cast"
                raise RefusedForNow(message, reason=INVALID) from error


def span(seconds: float) -> str:
    """A time in words, in the unit that a person would take.

    Example:
        >>> span(90), span(172800), span(950400)
        ('90 seconds', '48 hours', '11 days')

    """
    units = (("days", 86400.0, 72 * 3600.0), ("hours", 3600.0, 2 * 3600.0), ("minutes", 60.0, 120.0))
    unit, size = next(((unit, size) for unit, size, least in units if seconds > least), ("seconds", 1.0))
    return f"{round(seconds / size, 1):g} {unit}"


def share(fraction: float) -> str:
    """A fraction as a percentage; a very small one is not rounded to nothing.

    Example:
        >>> share(0.0125), share(0.000001), share(0.99999)
        ('1.25 %', 'under 0.01 %', 'over 99.99 %')

    """
    if 0 < fraction < 0.0001:
        return "under 0.01 %"
    if 0.9999 < fraction < 1:
        return "over 99.99 %"
    return f"{round(fraction * 100, 2):g} %"


def _check(number: int, rule: QualityRule, task: FeaturesTask, columns: Sequence[Column]) -> Check:
    where = f"quality rule {number}"
    if rule.max_age_seconds is not None and task.timestamp is None:
        raise Refused(f"{where}: maxAge is measured from the newest timestamp; write `timestamp`", reason=INVALID)
    if rule.min_rows is not None:
        return Check(rule, f"there are at least {rule.min_rows:,} rows", None, where)
    if rule.max_age_seconds is not None:
        return Check(rule, f"the newest {task.timestamp} is at most {span(rule.max_age_seconds)} old", None, where)
    words = words_of(rule, columns)
    where = f"{where} ({words})"
    return Check(rule, words, failing_rows(rule, columns, where), where)


def _of_rows(check: Check, failing: int, rows: int) -> CheckedRule:
    """A rule that each row keeps or breaks."""
    limit = check.rule.max_failing_fraction
    fraction = failing / rows if rows else 0.0
    some = f"{failing:,} of {rows:,} rows fail{'s' if failing == 1 else ''} ({share(fraction)})"
    allowed = f"at most {share(limit)} may" if limit else "none may"
    return CheckedRule(
        rule=check.words,
        passed=fraction <= limit,
        found=f"{some}, {allowed}" if failing else "no row fails",
        failing_rows=failing,
        fraction=round(fraction, 12),
        limit=limit,
    )


def _newest(task: FeaturesTask) -> str:
    """SQL of the newest timestamp. Units: microseconds since 1970."""
    if task.timestamp is None:
        return "null"
    name = quoted(task.timestamp)
    return f"epoch_us((max({name}) filter (where isfinite({name})))::timestamp)"


def _row(figures: Sequence[str], columns: Sequence[Column], database: Database) -> tuple[Any, ...]:
    """The figures of the table."""
    query = f"select {', '.join(figures)} from {relation(columns)}"  # noqa: S608 - quoted, and nothing else is there
    return tuple(database.connection.execute(query).fetchone())


def relation(columns: Sequence[Column]) -> str:
    """The finished table with NaN as what it means."""
    names = [quoted(column.name) for column in columns if column.type in FLOATS]
    numbers = ", ".join(f"case when not isnan({name}) then {name} end as {name}" for name in names)
    return f"(select *{f' replace ({numbers})' if names else ''} from {TABLE}) as {TABLE}"  # noqa: S608 - quoted


def _try(check: Check, columns: Sequence[Column], database: Database) -> None:
    """See whether a rule has a meaning for these columns."""
    if check.failing is None:
        return
    try:
        if check.rule.expression is not None:
            _see_condition(check, columns, database)
        _row([check.failing], columns, database)
    except duckdb.Error as error:
        message = f"{check.where} cannot be asked of these columns: {_first_line(error)}; correct it"
        raise RefusedForNow(message, reason=INVALID) from error


def _see_condition(check: Check, columns: Sequence[Column], database: Database) -> None:
    """A number would count as true where it is not nought; what is meant is a condition."""
    query = f"describe select (\n{check.rule.expression}\n) from {relation(columns)}"  # noqa: S608 - one expression
    kinds = [str(kind) for _, kind, *_ in database.connection.execute(query).fetchall()]
    if kinds != ["BOOLEAN"]:
        message = f"{check.where} gives {', '.join(kinds)}; wanted a condition, which is true or false"
        raise RefusedForNow(message, reason=INVALID)


def _first_line(error: duckdb.Error) -> str:
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
