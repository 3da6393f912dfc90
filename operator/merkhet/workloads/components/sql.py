"""Macros of a sql component, defined in the locked database before a query runs.

The lock holds for them as for the query: no file, no address, no extension, no setting. A macro that reads one cannot
even be defined.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import duckdb

from merkhet.errors import Refused
from merkhet.workloads.features.position import Position, drawn, position_in

REASON = "InvalidMacro"
WANTED = "wanted CREATE [OR REPLACE] MACRO name(…) AS … and nothing else"
# The grammar's own, which no list of functions has.
GRAMMAR = frozenset({"coalesce", "if", "ifnull", "nullif", "cast", "try_cast", "try", "case", "exists", "extract",
                     "grouping", "row", "struct", "unpack", "columns", "position", "overlay", "substring", "trim",
                     "interval", "operator", "lambda", "query", "query_table"})  # fmt: skip
KINDS = ("macro", "function")  # two words for the same


def define(connection: Any, macros: str) -> None:
    """Define the macros; raises ``Refused`` with line and column where anything else is among them."""
    try:
        statements = [str(statement.query) for statement in connection.extract_statements(macros)]
    except duckdb.Error as error:
        raise _refused(drawn(str(error), macros), _said(error)) from error
    found = list(_placed(macros, statements))
    if not found:
        raise Refused(f"the macros have no statement; {WANTED}", reason=REASON)
    taken = _taken(connection)
    for place, statement in found:
        name = _macro(place, statement)
        owner = "a function of the database" if name in GRAMMAR else taken.get(name)
        if owner is not None:
            raise _refused(place, f"macro {name} would hide {owner}; give it another name")
        taken[name] = f"the macro of {place}"
    for place, statement in found:
        _execute(connection, place, statement)


def _execute(connection: Any, place: Position, statement: str) -> None:
    try:
        connection.execute(statement)
    except duckdb.Error as error:
        within = drawn(str(error), statement)
        raise _refused(_moved(within, place) if within else place, _said(error)) from error


def _placed(text: str, statements: Sequence[str]) -> Iterator[tuple[Position, str]]:
    """The statements without what stands before their first word, and where that is."""
    end = 0
    for statement in statements:
        words = _words(statement)
        if not words:
            continue
        begun = statement[words[0][0] :]
        start = text.index(begun, end)
        end = start + len(begun)
        yield position_in(text, start), begun


def _macro(place: Position, statement: str) -> str:
    """The name, in small letters, of the macro that a statement defines."""
    words = [word for _, word in _words(statement)]
    rest = words[3:] if [word.lower() for word in words[:3]] == ["create", "or", "replace"] else words[1:]
    kind, name, after, *_ = (*rest, "", "", "")
    if words[0].lower() != "create" or kind.lower() not in KINDS:
        shown = " ".join(word.upper() for word in words[: 3 if words[0].lower() == "create" else 1])
        raise _refused(place, f"{shown[:64]} stands among the macros; {WANTED}")
    if after != "(":
        raise _refused(place, f"the macro's name {name[:64]} is followed by {after[:64] or 'nothing'}; {WANTED}")
    return (name[1:-1].replace('""', '"') if name.startswith('"') else name).lower()


def _words(statement: str) -> list[tuple[int, str]]:
    """Words and signs with their offsets, without comments."""
    marks = [(_characters(statement, offset), kind) for offset, kind in duckdb.tokenize(statement)]
    ends = [offset for offset, _ in marks[1:]] + [len(statement)]
    return [
        (start, statement[start:end].strip())
        for (start, kind), end in zip(marks, ends, strict=True)
        if kind != duckdb.token_type.comment
    ]


def _characters(text: str, size: int) -> int:
    """How many characters so many bytes are."""
    return len(text.encode()[:size].decode(errors="ignore"))


def _taken(connection: Any) -> dict[str, str]:
    """What the names of functions stand for already, by the name in small letters."""
    rows = connection.execute("select distinct lower(function_name), internal from duckdb_functions()").fetchall()
    words = {True: "a function of the database", False: "a macro of another component"}
    return {str(name): words[bool(internal)] for name, internal in sorted(rows, key=lambda row: row[1])}


def _moved(within: Position, start: Position) -> Position:
    first = within.line == 1
    return Position(start.line + within.line - 1, within.column + (start.column - 1 if first else 0))


def _refused(place: Position | None, words: str) -> Refused:
    return Refused(f"the macros, {place}: {words}" if place else f"the macros: {words}", reason=REASON)


def _said(error: duckdb.Error) -> str:
    """The first sentence of an error, without drawings and advice."""
    return str(error).split("\n", 1)[0].strip()
