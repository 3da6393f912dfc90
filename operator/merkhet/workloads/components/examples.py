"""The examples of a component: rows that go in, and whether what was wanted comes out."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from merkhet.contract.component import Example, TriedExample
from merkhet.errors import Refused

Apply = Callable[[Example, pa.Table], pa.Table]
TOLD = 3  # differences in a message
SHOWN = 12  # columns in a message
LONGEST = 500  # characters; a result takes 512
# What the pod lacks and no example is to blame for: the run may be asked for again.
OF_THE_POD = ("NoSandbox", "OutOfMemory", "ComponentKilled")


def tried(number: int, example: Example, apply: Apply) -> TriedExample:
    """What came of an example; raises what is no fault of component or example."""
    try:
        faults = list(islice(_faults(apply(example, _table(example.input)), example), TOLD + 1))
    except Refused as refusal:
        if refusal.reason in OF_THE_POD:
            raise
        faults = [str(refusal)]
    more = " …" if len(faults) > TOLD else ""
    said = f"example {number}: {'; '.join(faults[:TOLD])}{more}" if faults else ""
    message = said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"
    return TriedExample(number=number, passed=not faults, message=message)


def _table(columns: Mapping[str, list[Any]]) -> pa.Table:
    """The rows that go in; raises Refused for a column of values that do not go together."""
    return pa.table({name: _column(name, values) for name, values in columns.items()})


def _column(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise Refused(f"input {name} is no column: {str(error)[:200]}; give it values of one type") from error


def _faults(found: pa.Table, example: Example) -> Iterator[str]:
    """What differs, in words; columns that the example does not speak of may be anything."""
    rows = len(next(iter(example.output.values()), []))
    missing = [name for name in example.output if name not in found.column_names]
    if missing:
        yield f"no column {', '.join(missing[:SHOWN])} comes out; there are {_listed(found.column_names)}"
        return
    if found.num_rows != rows:
        yield f"{found.num_rows} rows come out, wanted {rows}"
        return
    for name, wanted in example.output.items():
        yield from _faults_of_column(name, found.column(name), wanted, example.tolerance)


def _faults_of_column(name: str, found: pa.ChunkedArray, wanted: list[Any], tolerance: float) -> Iterator[str]:
    single = found.type == pa.float32()
    try:
        values = found.to_pylist()
    except (ValueError, OverflowError, LookupError) as error:  # a year 10000, nanoseconds, a zone of no name
        yield f"column {name} is {found.type} with a value that no example can have: {str(error)[:120]}"
        return
    for row, (is_, should_be) in enumerate(zip(values, wanted, strict=True), 1):
        plain = _plain(is_)
        if not _agree(plain, should_be, tolerance, single=single):
            close = _is_number(plain) and _is_number(should_be) and math.isclose(plain, should_be, rel_tol=1e-5)
            hint = " (`tolerance` says how far it may be)" if close else ""
            yield f"column {name} row {row} is {_said(plain)}, wanted {_said(should_be)}{hint}"


def _agree(found: Any, wanted: Any, tolerance: float, *, single: bool) -> bool:
    """Whether a value is the one that was wanted, which of a float32 column is the nearest one."""
    if found is None or wanted is None:
        return found is None and wanted is None
    if not (_is_number(found) and _is_number(wanted)):
        return bool(found == wanted) and isinstance(found, str) is isinstance(wanted, str)
    return bool(found == wanted) or (single and found == float(np.float32(wanted))) or abs(found - wanted) <= tolerance


def _plain(value: Any) -> Any:
    """A value as an example writes it: times as ISO 8601, NaN as nothing."""
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        value = float(value)
    return None if isinstance(value, float) and math.isnan(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _said(value: Any) -> str:
    if value is None:
        return "nothing"
    return f"{value:.9g}" if isinstance(value, float) else repr(value)[:80]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" …" if len(names) > SHOWN else "")
