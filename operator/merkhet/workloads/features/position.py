"""Where in somebody's SQL an error of the database is: DuckDB draws a line and carets, people want two numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The text of a line, shortened at either end where it is long, and carets below what is meant.
DRAWN = re.compile(r"\n+LINE (?P<line>\d+): (?P<shown>[^\n]*)\n(?P<carets> *)\^+[^\n]*")
SHORTENED = "..."


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def position_in(text: str, offset: int) -> Position:
    """The place of a character."""
    before = text[:offset]
    return Position(before.count("\n") + 1, offset - before.rfind("\n"))


def drawn(message: str, text: str, lines_before: int = 0) -> Position | None:
    """The place in ``text`` that a message draws, or None where it draws none or one in another text.

    ``lines_before``: how many lines of our own stood before the text when it was run. An error while rows are made
    draws a place of the text that was run last, which may be one of ours.
    """
    found = DRAWN.search(message)
    lines = text.split("\n")
    number = int(found["line"]) - lines_before if found else 0
    if found is None or not 1 <= number <= len(lines):
        return None
    line, shown = lines[number - 1].rstrip("\r"), found["shown"].rstrip("\r")
    caret = _index(shown, len(found["carets"]) - len(f"LINE {found['line']}: "))
    if shown == line:
        return Position(number, caret + 1)
    start = len(SHORTENED) if shown.startswith(SHORTENED) else 0
    fragment = shown[start:].removesuffix(SHORTENED)
    if not (start or shown.endswith(SHORTENED)) or line.count(fragment) != 1 or caret < start:
        return None
    return Position(number, line.index(fragment) + caret - start + 1)


def _index(shown: str, width: int) -> int:
    """Which character stands above a caret; tabs are drawn without a width."""
    at = drawn_so_far = 0
    while at < len(shown) and (drawn_so_far < width or shown[at] == "\t"):
        drawn_so_far += shown[at] != "\t"
        at += 1
    return at
