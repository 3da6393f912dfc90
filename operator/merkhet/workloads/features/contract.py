"""The columns of a version: those the contract names as it says, the others as they were found.

No cast loses anything: an integer that a float32 cannot hold, a fraction that an integer cannot, a time that a date
cannot, stop the run and name the column. The one exception is a float64 that somebody declares float32: it is rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from merkhet.contract.features import Column, ColumnContract, FeaturesTask
from merkhet.errors import Refused
from merkhet.workloads.features.tables import CHECK, RESULT, literal, quoted
from merkhet.workloads.run import RefusedForNow

# The words of the contract, and DuckDB's.
TYPES = {
    **{f"int{bits}": word for bits, word in ((8, "TINYINT"), (16, "SMALLINT"), (32, "INTEGER"), (64, "BIGINT"))},
    **{f"uint{bits}": word for bits, word in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER"), (64, "UBIGINT"))},
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
WORDS = {word: name for name, word in TYPES.items()}
# What a type that we do not keep becomes where nobody says.
INFERRED = {
    "HUGEINT": "int64",
    "UHUGEINT": "uint64",
    "DECIMAL": "float64",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_NS": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "ENUM": "string",
    "UUID": "string",
}
INTEGERS = {name for name in TYPES if "int" in name}
FLOATS = {"float32", "float64"}
TIMES = {"date", "timestamp"}


@dataclass(frozen=True, slots=True)
class Selected:
    """The SQL that gives the rows as they come, and in an order of their own; and the columns it gives."""

    sql: str
    ordered: str
    columns: tuple[Column, ...]
    failing: Mapping[str, str] = field(default_factory=dict)  # SQL of whether a row's value cannot be cast, by column


def select(task: FeaturesTask, found: Sequence[tuple[str, str]]) -> Selected:
    """Hold the result of a query, the table ``RESULT``, against the contract; raises ``Refused`` naming the column."""
    names = [name for name, _ in found]
    _see_names(task, names)
    wanted = {column.name: column for column in task.columns}
    columns, expressions, failing = [], [], {}
    for name, kind in found:
        said = wanted.get(name, ColumnContract(name=name))
        kept = said.type or _inferred(name, kind)
        columns.append(Column(name=name, type=kept, personal=said.personal, description=said.description))
        conversion = _conversion_to(kept, name, kind)
        value = conversion.value
        if conversion.fails:
            failing[name] = f"{quoted(name)} is not null and ({conversion.fails})"
            complaint = _complaint(name, _inferred(name, kind), kept, personal=said.personal)
            value = f"case when {failing[name]} then error({complaint}) else {value} end"
        expressions.append(f"{value} as {quoted(name)}")
    _see_times(task, columns)
    sql = f"select {', '.join(expressions)} from {quoted(RESULT)}"  # noqa: S608 - quoted
    keys = [name for name in (*task.entity, task.timestamp) if name is not None]
    order = ", ".join(quoted(name) for name in dict.fromkeys([*keys, *names]))
    ordered = f"select * from ({sql}) order by {order}"  # noqa: S608 - quoted
    return Selected(sql, ordered, tuple(columns), failing)


def see_names_differ(names: Sequence[str]) -> None:
    """Refuse columns of one name."""
    twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
    if twice:
        raise RefusedForNow(
            f"the query gives more than one column {', '.join(twice)} (capitals make no difference); "
            "name them apart with `as`",
            reason="DuplicateColumn",
        )


def _see_names(task: FeaturesTask, names: Sequence[str]) -> None:
    see_names_differ(names)
    asked = [
        *((name, "`entity`") for name in task.entity),
        *((name, "`timestamp`") for name in (task.timestamp,) if name is not None),
        *((name, "`arrival`") for name in (task.arrival,) if name is not None),
        *((column.name, "`columns`") for column in task.columns),
    ]
    for name, where in asked:
        if name not in names:
            shown = ", ".join(names[:30]) + (" …" if len(names) > 30 else "")
            raise RefusedForNow(
                f"column {name}, named in {where}, is not in the result, which has {shown}; "
                "name one of these or change the query",
                reason="MissingColumn",
            )


def _see_times(task: FeaturesTask, columns: Sequence[Column]) -> None:
    what = {task.arrival: "arrival", task.timestamp: "timestamp"}
    for column in columns:
        if column.name in what and column.type not in TIMES:
            raise RefusedForNow(
                f"column {column.name}, the `{what[column.name]}`, is {column.type}; wanted timestamp or date: "
                f"declare {{name: {column.name}, type: timestamp}} in `columns`",
                reason="ColumnMismatch",
            )


def _inferred(name: str, kind: str) -> str:
    word = kind.partition("(")[0]
    kept = WORDS.get(kind) or INFERRED.get(word)
    if kept is None or kind.endswith("]"):
        raise RefusedForNow(
            f"column {name} is {kind}, which a feature cannot be; wanted one of {', '.join(TYPES)}: "
            "cast it or take its parts in the query",
            reason="ColumnMismatch",
        )
    return kept


def _conversion_to(wanted: str, name: str, kind: str) -> _Conversion:
    """How a column becomes what is wanted; raises ``Refused`` where it cannot whatever its values are."""
    column = quoted(name)
    if wanted not in TYPES:
        raise Refused(f"column {name}: there is no type {wanted}; it is one of {', '.join(TYPES)}")
    # Nought has one sign, for the same rows to be the same bytes.
    unsigned = f" + 0::{TYPES[wanted]}" if wanted in FLOATS else ""
    if WORDS.get(kind) == wanted:
        return _Conversion(column + unsigned, "")
    source = _inferred(name, kind)
    conversion = _conversion(column, kind, source, wanted)
    if conversion is None:
        raise RefusedForNow(
            f"column {name} is {source}, wanted {wanted}: cast it in the query", reason="ColumnMismatch"
        )
    return _Conversion(conversion.value + unsigned, conversion.fails)


@dataclass(frozen=True, slots=True)
class _Conversion:
    """SQL of the converted value, and of whether that has lost something; empty where nothing can be lost."""

    value: str
    fails: str


def _conversion(column: str, kind: str, source: str, wanted: str) -> _Conversion | None:
    """How a type becomes another; None where that has no meaning."""
    value = f"try_cast({column} as {TYPES[wanted]})"
    there_and_back = _Conversion(value, f"try_cast({value} as {kind}) is distinct from {column}")
    if wanted == "string":
        return _Conversion(value, f"{value} is null")
    if source == "string":
        return _parsing(column, value, wanted)
    if source in TIMES or wanted in TIMES:
        return there_and_back if {source, wanted} <= TIMES else None
    if kind in {"FLOAT", "DOUBLE"} and wanted in INTEGERS:
        # NaN is how a float says missing.
        number = f"case when not isnan({column}) then {column} end"
        value = f"try_cast({number} as {TYPES[wanted]})"
        return _Conversion(value, f"try_cast({value} as {kind}) is distinct from {number}")
    if kind == "DOUBLE" and wanted == "float32":
        return _Conversion(value, f"{value} is null")
    return there_and_back


def _parsing(column: str, value: str, wanted: str) -> _Conversion:
    """How text becomes something else: DuckDB alone would round 1.5 to 2 and drop the hours of a date."""
    if wanted in INTEGERS:
        return _Conversion(value, f"{value} is null or try_cast({column} as double) is distinct from {value}::double")
    if wanted == "timestamp":
        instant = f"try_cast(try_cast({column} as timestamptz) as timestamp)"  # honours an offset; none means UTC
        return _Conversion(instant, f"{instant} is null")
    if wanted == "date":
        return _Conversion(
            value, f"{value} is null or try_cast({column} as timestamp) is distinct from {value}::timestamp"
        )
    return _Conversion(value, f"{value} is null")


def _complaint(name: str, source: str, wanted: str, *, personal: bool) -> str:
    """SQL of the message; it has the value where that is nobody's own."""
    end = f"which is no {wanted} without a loss; change `columns` or cast it in the query"
    if personal:
        return literal(f"{CHECK}{name} is {source} with a value {end}")
    value = f"coalesce(left({quoted(name)}::varchar, 40), '')"
    return f"{literal(f'{CHECK}{name} is {source} with the value ')} || {value} || {literal(f', {end}')}"
