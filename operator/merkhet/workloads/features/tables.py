"""The database in which a query runs: it sees its sources as tables and nothing else of the world."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from merkhet.errors import MerkhetError, Refused, Unavailable
from merkhet.store import paths
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.features.position import drawn
from merkhet.workloads.features.sources import Located
from merkhet.workloads.run import RefusedForNow

# Of the pod's memory. The rest is for Python, Arrow and the files' decompression, which DuckDB does not count.
SHARE = 0.4
LEAST_MEMORY = 128 * 1024**2  # bytes
MEMORY_PER_THREAD = 256 * 1024**2  # bytes; measured: with less a sort of 32 columns cannot begin to spill
BATCH_ROWS = 20_000

READERS = {
    # The whole file decides the types: a sample would make them depend on the order of rows.
    # Statistics of most writers pass over NaN; believing them, DuckDB would take no NaN for granted.
    "parquet": "read_parquet({files}, can_have_nan=true)",
    "csv": "read_csv({files}, sample_size=-1)",
    "json": "read_json({files}, sample_size=-1)",
}
CLOSED = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,  # a table's name never means a variable of this program
}
# Where DuckDB's advice begins, which is for people who may change how files are read.
ADVICE = re.compile(r"\n+(LINE \d|Potential Fixes|Possible solutions|If you are trying to)")
# Errors found before a row is looked at; what they quote are names.
OF_THE_QUERY = (
    *(duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException),
    *(duckdb.PermissionException, duckdb.IOException),
)
# What may be a value in an error found at a row: from the first quote to the last, as a value may have quotes itself;
# what is cast, whose parts have none; and a number by itself.
VALUES = re.compile(r"(?<=with value ).*(?= can't be cast)|'.*'|\".*\"|(?<![\w.])-?\d[\d.:eE+-]*")
BEGINS = re.compile(r"['\"\d]|with value ")
# How errors begin whose other words are the database's own. The rest may be somebody's: of `error(name)` all are.
OWN_WORDS = (
    *("Conversion Error: ", "Out of Range Error: ", "Out of Memory Error: ", "Not implemented Error: "),
    *("Invalid Input Error: No magic bytes", "Invalid Input Error: CSV Error", "Invalid Input Error: Error in file"),
    *("Invalid Input Error: Could not parse string", "Invalid Input Error: More than one row"),
)
# The operators of DuckDB's plans that pass rows on as they come; after any other, threads take turns by chance.
KEEPING_ORDER = {
    *("PROJECTION", "FILTER", "READ_PARQUET", "READ_CSV", "READ_CSV_AUTO", "READ_JSON", "READ_JSON_AUTO"),
    *("RANGE", "DUMMY_SCAN", "EMPTY_RESULT"),
}
# Those after which threads may take turns and the same rows come of it; of aggregates it is these.
WITHOUT_TURNS = {
    *KEEPING_ORDER,
    *("HASH_JOIN", "NESTED_LOOP_JOIN", "BLOCKWISE_NL_JOIN", "PIECEWISE_MERGE_JOIN", "IE_JOIN", "CROSS_PRODUCT"),
    *("LEFT_DELIM_JOIN", "RIGHT_DELIM_JOIN", "DELIM_SCAN", "COLUMN_DATA_SCAN", "CTE", "CTE_SCAN"),
    *("UNION", "UNNEST", "ORDER_BY", "HASH_GROUP_BY", "PERFECT_HASH_GROUP_BY", "UNGROUPED_AGGREGATE"),
}
EXACT = re.compile(r"((count_star|count|min|max|bool_and|bool_or|sum_no_overflow)\([^,]*\)( Filter: .*)?)?")
# The database's errors that mean something of their own, by their first words.
WRAPPED: dict[str, type[duckdb.Error]] = {
    "Out of Memory Error": duckdb.OutOfMemoryException,
    "IO Error": duckdb.IOException,
}
# What our own checks raise inside the database; see contract.py.
CHECK = "\u241ecolumn "
RESULT = "\u241eresult"  # of the user's query; no source can have this name


@dataclass(frozen=True, slots=True)
class Telling:
    """How an error of the database may be told: by the store's addresses, and without values if some are personal."""

    store_root: Path
    personal: bool

    def meaning(self, error: duckdb.Error, what: str, text: str = "", lines_before: int = 0) -> MerkhetError:
        """What it means to the user.

        ``text`` is what the user wrote, for the error to have a line and a column of it; see ``position.drawn``.
        """
        place = drawn(str(error), text, lines_before)
        message = f"{place}: {self._said(error)}" if place else self._said(error)
        if isinstance(error, duckdb.OutOfMemoryException):
            return RefusedForNow(
                f"{what} needs more memory than the pod has: {message.splitlines()[0]}; raise resources.limits.memory",
                reason="OutOfMemory",
            )
        if isinstance(error, duckdb.IOException) and "No space left" in message:
            return Unavailable(f"{what}: the pod's own room is full: {message}", reason="ScratchFull")
        if CHECK in message:
            return RefusedForNow(f"column {message.partition(CHECK)[2]}", reason="ColumnMismatch")
        if isinstance(error, duckdb.ParserException):
            return Refused(f"{what} cannot be read: {message}", reason="InvalidQuery")
        return RefusedForNow(f"{what} fails: {message}", reason="QueryFailed")

    def _said(self, error: duckdb.Error) -> str:
        message = ADVICE.split(str(error), maxsplit=1)[0].replace(f"{self.store_root}/", paths.SCHEME)
        if CHECK in message:
            return message.strip()
        if self.personal and not isinstance(error, OF_THE_QUERY):
            message = _without_values(message.strip())
        elif self.personal:
            lines = (line for line in message.splitlines() if not line.startswith("Original Line"))
            message = re.sub(r"'[^']*'", "'…'", "\n".join(lines))
        return re.sub(r"\s*\n\s*", " ", message.strip())


@contextmanager
def database(
    sources: Sequence[Located], limits: Limits, scratch: Path, telling: Telling, *, later: Sequence[Path] = ()
) -> Iterator[Database]:
    """A database that holds the sources and is locked before anybody's query runs.

    ``later``: files that it may read though they are written only when it is locked.
    """
    connection = duckdb.connect(config=_settings(limits, scratch))
    try:
        opened = Database(connection, telling)
        connection.execute("set TimeZone = 'UTC'")
        files = ", ".join(literal(str(file)) for file in (*(file for each in sources for file in each.files), *later))
        connection.execute(f"set allowed_paths = [{files}]")
        for source in sources:
            opened.attach(source)
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield opened
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Database:
    """The locked database."""

    connection: Any  # DuckDBPyConnection
    telling: Telling

    def attach(self, source: Located) -> None:
        """Make a source a table of its name."""
        reader = READERS[source.format].format(files=f"[{', '.join(literal(str(file)) for file in source.files)}]")
        try:
            self.connection.execute(f"create view {quoted(source.name)} as select * from {reader}")  # noqa: S608 - quoted
        except duckdb.Error as error:
            raise self.telling.meaning(error, f"source {source.name}, read as {source.format},") from error

    def statement(self, query: str) -> str:
        """The one SELECT of a query; raises ``Refused`` where it is anything else."""
        try:
            statements = self.connection.extract_statements(query)
        except duckdb.Error as error:
            raise self.telling.meaning(error, "the query", query) from error
        kinds = [statement.type.name for statement in statements]
        if kinds != ["SELECT"]:
            raise Refused(
                f"the query has {', '.join(kinds) if kinds else 'no statement'}; wanted one SELECT and nothing else",
                reason="InvalidQuery",
            )
        statement = str(statements[0].query)
        # Where the query had lines before its first word, the statement has them: errors name the line that people see.
        return re.sub(r"[^\n]", " ", query[: query.index(statement)]) + statement

    def columns_of(self, statement: str) -> list[tuple[str, str]]:
        """Names and types of what a statement gives."""
        try:
            described = self.connection.execute(f"describe\n{statement}").fetchall()
        except duckdb.Error as error:
            raise self.telling.meaning(error, "the query", statement, lines_before=1) from error
        return [(str(name), str(kind)) for name, kind, *_ in described]

    def keeps_order(self, statement: str) -> bool:
        """Whether the rows come in the order in which their source has them, however many threads make them."""
        return all(_name(operator) in KEEPING_ORDER for operator in self._plan(statement))

    def shows_turns(self, statement: str) -> bool:
        """Whether the turns that threads take may show in the rows: in sums of fractions, or in which row is first."""
        operators = self._plan(statement)
        return not all(_name(operator) in WITHOUT_TURNS and _is_exact(operator) for operator in operators)

    def _plan(self, statement: str) -> list[dict[str, Any]]:
        """The operators that would make the rows."""
        try:
            found = self.connection.execute(f"explain (format json)\n{statement}").fetchall()
        except duckdb.Error as error:
            raise self.telling.meaning(error, "the query", statement, lines_before=1) from error
        return [operator for plan in json.loads(found[0][1]) for operator in _operators(plan)]

    def rows(self, statement: str, sql: str, failing: Mapping[str, str] | None = None) -> Iterator[pa.Table]:
        """What ``sql`` makes of the result of a statement, which is its table ``RESULT``; a piece at a time.

        ``failing``: as in ``contract.Selected``; where a check stops the rows, it says of how many.
        """
        try:
            self.connection.execute(f"create or replace view {quoted(RESULT)} as\n{statement}")
            for batch in batches(self.connection, sql, BATCH_ROWS):
                yield pa.Table.from_batches([batch])
        except duckdb.Error as error:
            meaning = self.telling.meaning(error, "the query", statement, lines_before=1)
            failed = [name for name in failing or {} if str(meaning).startswith(f"column {name} is ")]
            if CHECK not in str(error) or not failed:
                raise meaning from error
            raise RefusedForNow(f"{meaning}{self._count(failing or {}, failed[0])}", reason=meaning.reason) from error

    def _count(self, failing: Mapping[str, str], name: str) -> str:
        """In words, how many rows fail a check; nothing where that cannot be told."""
        counts = f"select count(*) filter (where {failing[name]}), count(*) from {quoted(RESULT)}"  # noqa: S608 - ours
        try:
            failed, rows = self.connection.execute(counts).fetchone()
        except duckdb.Error:
            return ""
        return f" (rows with such a value: {failed:,} of {rows:,})"


def batches(connection: Any, sql: str, rows: int) -> Iterator[pa.RecordBatch]:
    """What a query gives, so many rows at a time; raises ``duckdb.Error``, also where Arrow wraps one up on the way."""
    reader = connection.sql(sql).to_arrow_reader(rows)
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            kind = next((kind for word, kind in WRAPPED.items() if str(error).startswith(word)), duckdb.Error)
            raise kind(str(error)) from error
        yield batch


def _without_values(message: str) -> str:
    """An error found at a row, without what may be somebody's.

    Example:
        >>> _without_values("Conversion Error: Could not convert string 'O'Dea' to INT32"), _without_values("Oh: Dana")
        ('Conversion Error: Could not convert string … to INT32', 'Oh: …')

    """
    if not message.startswith(OWN_WORDS):
        return f"{message.partition(':')[0]}: …"
    first, *others = message.splitlines()
    # A value that goes on in the next line has a quote that nothing closes.
    return VALUES.sub("…", first) if not others else f"{re.split(BEGINS, first, maxsplit=1)[0]}…"


def _operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan's operators."""
    yield plan
    for child in plan["children"]:
        yield from _operators(child)


def _name(operator: dict[str, Any]) -> str:
    return str(operator["name"]).strip()


def _is_exact(operator: dict[str, Any]) -> bool:
    """Whether it has no aggregates but those that are the same in whatever order they take their values."""
    said = (operator.get("extra_info") or {}).get("Aggregates", [])
    return all(EXACT.fullmatch(str(one)) for one in ([said] if isinstance(said, str) else said))


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _settings(limits: Limits, scratch: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {**CLOSED, "temp_directory": str(scratch / "spill")}
    if limits.memory is not None:
        memory = max(LEAST_MEMORY, int(limits.memory * SHARE))
        settings["memory_limit"] = f"{memory // 1024**2}MiB"
        cores = limits.threads or len(os.sched_getaffinity(0))
        settings["threads"] = max(1, min(cores, memory // MEMORY_PER_THREAD))
    elif limits.threads is not None:
        settings["threads"] = limits.threads
    return settings
