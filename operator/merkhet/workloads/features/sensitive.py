"""Sensitive columns and their groups: what decides which group a row is in, and what the group is called."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from merkhet.contract.features import Bias, Column, SensitiveColumn
from merkhet.errors import Refused
from merkhet.workloads.features.contract import FLOATS, INTEGERS
from merkhet.workloads.features.rules import LARGEST_FLOAT32, LARGEST_INTEGER, TRUTHS
from merkhet.workloads.features.tables import quoted
from merkhet.workloads.run import RefusedForNow

INVALID = "InvalidBias"
MISSING = "(no value)"
EMPTY = "(empty text)"
TOLERANCE = 0.01  # of the sum of a population's shares, which people write with two digits
LONGEST_NAME = 128  # characters of a group's name


@dataclass(frozen=True, slots=True)
class Attribute:
    """A sensitive column. Without bins each value is a group."""

    column: Column
    bins: tuple[float, ...]
    population: Mapping[str, float]  # by group; empty where none is stated

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def key(self) -> str:
        """SQL of what tells groups apart, in their order; null where there is no value."""
        name = quoted(self.name)
        if not self.bins:
            return name
        steps = " ".join(f"when {name} < {self._border(border)} then {place}" for place, border in enumerate(self.bins))
        return f"case when {name} is null then null {steps} else {len(self.bins)} end"

    def group_at(self, key: Any) -> str:
        """What the group of such a key is called."""
        return self.interval(int(key)) if self.bins else called(key, self.column.type)

    def group_of(self, value: Any) -> str | None:
        """Which group a value is in; None where it is none."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if not self.bins:
            return called(value, self.column.type)
        borders = [float(np.float32(border)) if self._is_single(border) else border for border in self.bins]
        return self.interval(bisect_right(borders, value))

    def interval(self, place: int) -> str:
        """The name of the bin at this place; the first and the last are open."""
        if place == 0:
            return f"< {self.bins[0]:.15g}"
        if place == len(self.bins):
            return f">= {self.bins[-1]:.15g}"
        return f"[{self.bins[place - 1]:.15g}, {self.bins[place]:.15g})"

    def _border(self, border: float) -> str:
        """A border in the column's own precision: 0.7 as a float32 is less than 0.7."""
        if self.column.type in INTEGERS and abs(border) < LARGEST_INTEGER:
            return f"({math.ceil(border)})"
        return f"'{border!r}'::{'float' if self._is_single(border) else 'double'}"

    def _is_single(self, border: float) -> bool:
        return self.column.type == "float32" and abs(border) <= LARGEST_FLOAT32


def attributes(bias: Bias, columns: Sequence[Column]) -> tuple[Attribute, ...]:
    """The sensitive columns; raises ``Refused`` naming what cannot be meant."""
    names = [one.column for one in bias.sensitive]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise Refused(f"bias names {', '.join(twice)} as sensitive more than once; name it once", reason=INVALID)
    for name in bias.population:
        if name not in names:
            message = f"bias has a population for column {name}, which is not sensitive; sensitive are "
            raise Refused(f"{message}{', '.join(names)}: add it there or take its population away", reason=INVALID)
    return tuple(_attribute(one, bias.population.get(one.column, {}), columns) for one in bias.sensitive)


def column_of(name: str, columns: Sequence[Column], where: str) -> Column:
    """The column of this name; raises ``RefusedForNow`` where there is none."""
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        names = [column.name for column in columns]
        shown = ", ".join(names[:30]) + (" …" if len(names) > 30 else "")
        message = f"bias: column {name}, named in `{where}`, is not in the result, which has {shown}; name one of these"
        raise RefusedForNow(message, reason="MissingColumn")
    return found


def called(value: Any, kind: str) -> str:
    """What a value is called as a group; a whole number the same whatever its type.

    Example:
        >>> called(1.0, "float64"), called(0.7, "float32"), called(True, "boolean")
        ('1', '0.7', 'true')

    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < LARGEST_INTEGER
        return str(int(value)) if whole else str(np.float32(value) if kind == "float32" else value)
    if isinstance(value, date):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    return str(value) or EMPTY


def _attribute(one: SensitiveColumn, population: Mapping[str, float], columns: Sequence[Column]) -> Attribute:
    column = column_of(one.column, columns, "sensitive")
    _see_bins(one, column)
    plain = Attribute(column, one.bins, {})
    return Attribute(column, one.bins, _population(plain, population))


def _see_bins(one: SensitiveColumn, column: Column) -> None:
    where = f"bias: bins of column {column.name}"
    if one.bins and column.type not in INTEGERS | FLOATS:
        raise RefusedForNow(
            f"{where} are for numbers, it is {column.type}; leave them out or make groups in the query", reason=INVALID
        )
    if not all(math.isfinite(border) for border in one.bins):
        raise Refused(f"{where} have a border that is no number; write numbers", reason=INVALID)
    if any(first >= second for first, second in zip(one.bins, one.bins[1:], strict=False)):
        found = ", ".join(f"{border:.15g}" for border in one.bins)
        raise Refused(f"{where} are {found}; write them ascending, each once", reason=INVALID)


def _population(plain: Attribute, shares: Mapping[str, float]) -> dict[str, float]:
    """The shares by what the groups are called here."""
    where = f"bias: the population of column {plain.name}"
    found: dict[str, float] = {}
    for group, share in shares.items():
        name = _written(plain, group, where)
        if name in found:
            shown = "a group" if plain.column.personal else f"group {name}"
            raise Refused(f"{where} has {shown} twice; write it once", reason=INVALID)
        if not 0 <= share <= 1:
            raise Refused(f"{where} has a share of {share:g}; wanted shares from 0 to 1", reason=INVALID)
        found[name] = share
    total = math.fsum(found.values())
    # Beyond the tolerance by more than what adding such numbers gets wrong.
    if found and abs(total - 1) > TOLERANCE + 1e-9:
        raise Refused(f"{where} has shares that add up to {total:.6g}; wanted 1: state every group", reason=INVALID)
    return found


def _written(plain: Attribute, group: str, where: str) -> str:
    """A group as somebody has written it, in the way that groups are called here."""
    names = [plain.interval(place) for place in range(len(plain.bins) + 1)] if plain.bins else []
    shown = "a group" if plain.column.personal else f"group {group!r}"
    if names and group not in names:
        raise Refused(f"{where} has {shown}, the bins are {'; '.join(names)}; write these", reason=INVALID)
    if names:
        return group
    kind = plain.column.type
    family = "integer" if kind in INTEGERS else "float" if kind in FLOATS else kind
    try:
        return called(PARSERS[family](group), kind)
    except (ValueError, KeyError) as error:
        raise RefusedForNow(f"{where} has {shown}, which is no {kind}; write a value of it", reason=INVALID) from error


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "float": float,
    "boolean": lambda text: TRUTHS[text.lower()] == "true",
    "string": str,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
