"""Point-in-time joins as SQL: each row is given the columns of a FeatureSet as they were known at the row's time.

Of the joined rows with equal ``by`` columns, that is the latest whose timestamp is not after the row's, which had
arrived by then where the FeatureSet says when rows arrive, and which is no older than the maximum age; both ends count.
Of several with one timestamp it is the one that arrived last, then the last in the order of the version.

The latest by time may not have arrived yet, so that an ASOF join on the timestamp alone would be wrong. Seen from a
moment, the choice changes only when a row comes in that is later than all that came before it: these rows alone are
kept, each from the moment at which it was both true and known, and the ASOF join is on that moment. All of it is
sorting, which DuckDB does on disk where memory is short.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from merkhet.contract.features import FeaturesManifest
from merkhet.errors import Refused
from merkhet.workloads.features.contract import FLOATS, INFERRED, INTEGERS, TIMES, TYPES, WORDS
from merkhet.workloads.features.imports import Imported, Joined, column_of
from merkhet.workloads.features.tables import READERS, Database, literal, quoted
from merkhet.workloads.run import RefusedForNow

# Names that no column of a user has.
MARK = "\u241e"
TIME, SEEN, RANK, ARRIVAL = (quoted(f"{MARK}{word}") for word in ("time", "seen", "rank", "arrival"))
QUERY = f"{MARK}query"  # the rows before they are joined
ROW = f"{MARK}row"  # the position of a row in its version
POSITION = "file_index * 1000000000 + file_row_number"  # a blob has far fewer rows

Columns = Sequence[tuple[str, str]]  # names and DuckDB's types


def add_joins(statement: str, timestamp: str | None, joins: Sequence[Joined], database: Database) -> str:
    """A statement with the columns of the joins; raises ``Refused`` as ``with_joins`` does."""
    if not joins:
        return statement
    columns = database.columns_of(statement)
    database.connection.execute(f"create view {quoted(QUERY)} as {statement}")
    return with_joins(f"select * from {quoted(QUERY)}", columns, timestamp, joins)  # noqa: S608 - quoted


def with_joins(rows: str, columns: Columns, timestamp: str | None, joins: Sequence[Joined]) -> str:
    """A SELECT of the rows of another one, in any order, with the columns of the joins after their own.

    Raises ``Refused`` where a column is not there, of another type, or there twice.
    """
    for joined in joins:
        moment = _moment(columns, timestamp, joined)
        added = added_columns(joined, [name for name, _ in columns])
        rows = _select(rows, moment, _pairs(columns, joined), joined, added)
        columns = [*columns, *((name, TYPES[_type(joined, name)]) for name in added)]
    return rows


def added_columns(joined: Joined, names: Sequence[str]) -> tuple[str, ...]:
    """What a join adds to rows of these columns; raises ``Refused`` where a name is there already."""
    manifest = joined.other.manifest
    own = {*joined.join.by, *manifest.entity, manifest.timestamp, manifest.arrival}
    added = tuple(column.name for column in manifest.columns if column.name not in own)
    known = {name.lower() for name in names}
    twice = [name for name in added if name.lower() in known]
    if twice:
        raise RefusedForNow(
            f"{', '.join(twice)} would be there twice: in the rows, and from {joined.other.words}, which is joined "
            "(capitals make no difference); name them apart with `as` in one of the queries, or leave them out there",
            reason="DuplicateColumn",
        )
    return added


def relation(other: Imported) -> str:
    """The rows of a version as SQL, with their position as a further column ``ROW``."""
    return f"select *, {POSITION} as {quoted(ROW)} from {_parquet(other)}"  # noqa: S608 - quoted


def _select(rows: str, moment: str, pairs: Sequence[_Pair], joined: Joined, added: Sequence[str]) -> str:
    matches = [f"{pair.left} = r.{pair.name}" for pair in pairs]
    age = joined.join.max_age_seconds
    young = "" if age is None else f"epoch_us({moment})::hugeint - epoch_us(r.{TIME}) <= {round(age * 1e6)}"
    taken = [f"case when {young} then r.{name} end as {name}" if young else f"r.{name}" for name in map(quoted, added)]
    return (
        f"select {', '.join(['l.*', *taken])} from ({rows}) as l "  # noqa: S608 - quoted
        f"asof left join ({_known(pairs, joined, added)}) as r on {' and '.join([*matches, f'{moment} >= r.{SEEN}'])}"
    )


def _known(pairs: Sequence[_Pair], joined: Joined, added: Sequence[str]) -> str:
    """The joined rows that are ever the one to take, each from the moment at which it is."""
    manifest = joined.other.manifest
    time = f"{quoted(manifest.timestamp or '')}::timestamp"
    arrival = time if manifest.arrival is None else f"{quoted(manifest.arrival)}::timestamp"
    keys = ", ".join(pair.name for pair in pairs)
    columns = [*(f"{pair.right} as {pair.name}" for pair in pairs), *map(quoted, added)]
    given = (
        f"select {', '.join(columns)}, {time} as {TIME}, {arrival} as {ARRIVAL}, {POSITION} as {quoted(ROW)} "  # noqa: S608
        f"from {_parquet(joined.other)}"
    )
    complete = " and ".join(f"{name} is not null" for name in (*(pair.name for pair in pairs), TIME, ARRIVAL))
    ranked = (
        f"select *, greatest({TIME}, {ARRIVAL}) as {SEEN}, row_number() over "  # noqa: S608 - quoted
        f"(partition by {keys} order by {TIME}, {ARRIVAL}, {quoted(ROW)}) as {RANK} from ({given}) where {complete}"
    )
    # Rows seen at one moment are one step of the window: the last of them is kept.
    return f"select * from ({ranked}) qualify {RANK} = max({RANK}) over (partition by {keys} order by {SEEN})"  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Pair:
    """A column that tells which rows belong together, as SQL: the row's, the joined one's, and the name of that."""

    left: str
    right: str
    name: str


def _pairs(columns: Columns, joined: Joined) -> list[_Pair]:
    return list(_each_pair(dict(columns), joined))


def _each_pair(columns: dict[str, str], joined: Joined) -> Iterator[_Pair]:
    names = [column.name for column in joined.other.manifest.columns]
    for number, name in enumerate(joined.join.by):
        _see_column(name, list(columns), "the rows", joined)
        _see_column(name, names, joined.other.words, joined)
        found, wanted = _kept(columns[name]), _type(joined, name)
        if _family(found) != _family(wanted):
            raise RefusedForNow(
                f"column {name}, by which {joined.other.words} is joined, is {found} in the rows and {wanted} there; "
                "cast it in one of the queries",
                reason="ColumnMismatch",
            )
        left = f"try_cast(l.{quoted(name)} as {TYPES[wanted]})"
        yield _Pair(_present(left, wanted), _present(quoted(name), wanted), quoted(f"{MARK}by{number}"))


def _present(value: str, kind: str) -> str:
    """NaN is how a float says missing, and nought has one sign."""
    return f"case when not isnan({value}) then {value} + 0::{TYPES[kind]} end" if kind in FLOATS else value


def _see_column(name: str, names: Sequence[str], where: str, joined: Joined) -> None:
    if name not in names:
        near = difflib.get_close_matches(name.lower(), [known.lower() for known in names], n=1)
        some = [known for known in names if known.lower() in near] or names[:30]
        raise RefusedForNow(
            f"column {name}, by which {joined.other.words} is joined, is not in {where}; there is {', '.join(some)}",
            reason="MissingColumn",
        )


def _moment(columns: Columns, timestamp: str | None, joined: Joined) -> str:
    """SQL of the time of a row; raises ``Refused`` where one of the sides has no time."""
    _see_times(joined.other.manifest, joined.other.words)
    if timestamp is None:
        raise Refused(
            f"{joined.other.words} is joined as it was known at the time of each row, and the rows have none: name "
            "their `timestamp`",
            reason="NoTimestamp",
        )
    _see_column(timestamp, [name for name, _ in columns], "the rows, whose timestamp it is,", joined)
    found = _kept(dict(columns)[timestamp])
    if found not in TIMES:
        raise RefusedForNow(
            f"column {timestamp}, the timestamp, is {found}, and {joined.other.words} is joined by it; wanted "
            "timestamp or date: cast it in the query",
            reason="ColumnMismatch",
        )
    return f"l.{quoted(timestamp)}::timestamp"


def _see_times(manifest: FeaturesManifest, words: str) -> None:
    if manifest.timestamp is None:
        raise Refused(
            f"{words} is joined by time and names no timestamp; write `timestamp` into FeatureSet "
            f"{manifest.feature_set}, or join it as a source, by a query",
            reason="NoTimestamp",
        )
    for name, what in ((manifest.timestamp, "timestamp"), (manifest.arrival, "arrival")):
        column = column_of(manifest, name) if name is not None else None
        if name is not None and (column is None or column.type not in TIMES):
            raise RefusedForNow(
                f"{words} is joined by time, and its {what}, column {name}, is {column.type if column else 'not there'}"
                f"; wanted timestamp or date: put FeatureSet {manifest.feature_set} right",
                reason="ColumnMismatch",
            )


def _type(joined: Joined, name: str) -> str:
    column = column_of(joined.other.manifest, name)
    return column.type if column is not None else ""


def _kept(kind: str) -> str:
    """What a type of the database is in the words of a contract."""
    return WORDS.get(kind) or INFERRED.get(kind.partition("(")[0]) or kind


def _family(kind: str) -> str:
    return "integer" if kind in INTEGERS else kind


def _parquet(other: Imported) -> str:
    return READERS["parquet"].format(files=f"[{', '.join(literal(str(file)) for file in other.files)}]")
