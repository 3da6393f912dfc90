"""A quality rule in words, and as the SQL of how many rows fail it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime

import duckdb

from merkhet.contract.features import Column, QualityRule
from merkhet.errors import Refused
from merkhet.workloads.features.contract import FLOATS, INTEGERS, TYPES
from merkhet.workloads.features.tables import literal, quoted
from merkhet.workloads.run import RefusedForNow

INVALID = "InvalidRule"
LONGEST = 240  # characters of a rule in words
LARGEST_FLOAT32 = 3.4028234663852886e38
LARGEST_INTEGER = 2.0**63


def words_of(rule: QualityRule, columns: Sequence[Column]) -> str:
    """A rule that is about rows as a person says it; what may stand in a personal column is counted, not told."""
    if rule.column is None:
        return _bounded(" ".join((rule.expression or "").split()))
    personal = any(column.personal and column.name == rule.column for column in columns)
    allowed = rule.allowed or ()
    listed = f"{len(allowed)} value{'' if len(allowed) == 1 else 's'}" if personal else ", ".join(map(str, allowed))
    parts = (
        (rule.not_null, "never missing"),
        (rule.min is not None, f"at least {rule.min or 0:.15g}"),
        (rule.max is not None, f"at most {rule.max or 0:.15g}"),
        (rule.unique, "unique"),
        (bool(allowed), f"one of {listed}"),
    )
    return _bounded(f"{rule.column} is {', '.join(words for said, words in parts if said)}")


def failing_rows(rule: QualityRule, columns: Sequence[Column], where: str) -> str:
    """SQL of how many rows fail; raises ``Refused``, which begins with ``where``."""
    if rule.column is None:
        return _of_condition(rule.expression or "", where)
    column = next((column for column in columns if column.name == rule.column), None)
    if column is None:
        names = [column.name for column in columns]
        shown = ", ".join(names[:30]) + (" …" if len(names) > 30 else "")
        raise RefusedForNow(
            f"{where}: column {rule.column} is not in the result, which has {shown}; name one of these",
            reason="MissingColumn",
        )
    return _of_column(rule, column, where)


def _of_column(rule: QualityRule, column: Column, where: str) -> str:
    name = quoted(column.name)
    conditions = []
    if rule.not_null:
        conditions.append(f"{name} is null")
    if rule.min is not None:
        conditions.append(f"{name} < {_bound(rule.min, column, math.ceil, where)}")
    if rule.max is not None:
        conditions.append(f"{name} > {_bound(rule.max, column, math.floor, where)}")
    if rule.allowed:
        conditions.append(f"{name} not in ({', '.join(_value(value, column, where) for value in rule.allowed)})")
    counts = [f"count(*) filter (where {' or '.join(conditions)})"] if conditions else []
    # Who repeats a value has one, so that nobody is counted twice beside notNull.
    counts += [f"count({name}) - count(distinct {name})"] if rule.unique else []
    if not counts:
        raise Refused(f"{where} says nothing; give notNull, min, max, unique or in", reason=INVALID)
    return " + ".join(counts)


def _of_condition(expression: str, where: str) -> str:
    """A condition stands on lines of its own, as it may end with a comment."""
    try:
        duckdb.SQLExpression(expression)  # takes one expression and nothing that would close our brackets
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        raise Refused(f"{where} is no SQL expression: {said}; correct it", reason=INVALID) from error
    return f"count(*) filter (where not (\n{expression}\n))"


def _bound(limit: float, column: Column, whole: Callable[[float], int], where: str) -> str:
    """A number to compare a column with, in the column's own precision: 0.7 as a float32 is less than 0.7."""
    if column.type in INTEGERS and abs(limit) < LARGEST_INTEGER:
        return f"({whole(limit)})"
    if column.type == "float32" and abs(limit) <= LARGEST_FLOAT32:
        return f"'{limit!r}'::float"
    if column.type in INTEGERS | FLOATS:
        return f"'{limit!r}'::double"
    raise RefusedForNow(
        f"{where}: min and max are for numbers, column {column.name} is {column.type}; write an expression",
        reason=INVALID,
    )


def _value(value: int | str, column: Column, where: str) -> str:
    """SQL of a value that a column may have, in its own type."""
    family = "integer" if column.type in INTEGERS else "float" if column.type in FLOATS else column.type
    try:
        return VALUES[family](str(value), TYPES[column.type])
    except (ValueError, KeyError) as error:
        shown = "a value of `in`" if column.personal else f"{value!r} of `in`"
        message = f"{where}: {shown} is no {column.type}, which column {column.name} is; correct it"
        raise RefusedForNow(message, reason=INVALID) from error


def _instant(text: str, kind: str) -> str:
    moment = datetime.fromisoformat(text)  # without a zone: UTC, as all times of the store
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment
    return f"{literal(plain.isoformat(sep=' '))}::{kind}"


TRUTHS = {"1": "true", "true": "true", "0": "false", "false": "false"}
VALUES: Mapping[str, Callable[[str, str], str]] = {
    "integer": lambda text, _: f"({int(text)})",
    "float": lambda text, kind: f"'{float(text)!r}'::{kind}",
    "boolean": lambda text, _: TRUTHS[text.lower()],
    "string": lambda text, _: literal(text),
    "date": lambda text, kind: f"{literal(date.fromisoformat(text).isoformat())}::{kind}",
    "timestamp": _instant,
}


def _bounded(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
