"""Which entity does a caller mean? From text or JSON to the bytes that a row begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

from merkhet.errors import Corrupt
from merkhet.workloads.online.file import Header, prefixes, quoted
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.words import listed, shown

MOST_ENTITIES = 1000  # of one request
LONGEST_INTEGER = 20  # characters; those of 64 bits
WORDS = {"true": True, "false": False}

Form = Callable[[Any], str | None]  # a value as JSON has it; None where it is none of this type


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A column that an entity is named by."""

    name: str
    type: str
    prefix: bytes
    form: Form

    def part(self, value: Any, place: str) -> bytes:
        """The part of a key; raises ``Refusal`` naming place and column."""
        text = self.form(value)
        if text is None:
            # The value is not told: it may be a person's.
            found = f"is {type(value).__name__}" if not isinstance(value, str) else "is text"
            wanted = f"{self.type}: send {WANTED[kind_of(self.type)]}"
            raise Refusal(f"{place}: {shown(self.name)} {found} that is no {wanted}")
        return self.prefix + text.encode()


class Keys:
    """Reads the keys of one file's entities; raises ``Corrupt`` where they are none that anything is looked up by."""

    def __init__(self, header: Header) -> None:
        types = {column.name: column.type for column in header.columns}
        strange = [name for name in header.entity if kind_of(types.get(name, "")) not in FORMS]
        if strange or not header.entity:
            told = f"version {header.number} of {header.feature_set} has no entity that can be looked up"
            raise Corrupt(f"{told}: {', '.join(strange) or 'none is named'}; run its FeatureSet again")
        self.columns = tuple(
            KeyColumn(name, types[name], prefix, FORMS[kind_of(types[name])])
            for name, prefix in zip(header.entity, prefixes(header.entity), strict=True)
        )
        self.names = header.entity
        self.wanted = listed([f"{shown(column.name)} ({column.type})" for column in self.columns])

    def of_query(self, query: bytes) -> list[bytes]:
        """The keys in a query: ``entity=…&entity=…``, or each column by its name."""
        pairs = [pair.partition(b"=")[::2] for pair in query.split(b"&") if pair]
        if len(self.columns) == 1 and all(name in (b"entity", self.names[0].encode()) for name, _ in pairs):
            self._see_number(len(pairs))
            column = self.columns[0]
            return [column.part(decoded(value), f"entity {at}") for at, (_, value) in enumerate(pairs)]
        given = [(decoded(name), decoded(value)) for name, value in pairs]
        self._see_names([name for name, _ in given], "the query")
        named = dict(given)
        return [b",".join(column.part(named[column.name], "the query") for column in self.columns)]

    def of_objects(self, entities: Any) -> list[bytes]:
        """The keys in a list of JSON objects."""
        if type(entities) is not list:
            raise Refusal(f'"entities" is {type(entities).__name__}; send a list of objects with {self.wanted}')
        self._see_number(len(entities))
        return [self.of_object(entity, f"entity {at}") for at, entity in enumerate(entities)]

    def of_object(self, entity: Any, place: str) -> bytes:
        """The key in a JSON object."""
        if type(entity) is not dict:
            raise Refusal(f"{place} is {type(entity).__name__}; send an object with {self.wanted}")
        if entity.keys() != set(self.names):
            self._see_names(list(entity), place)
        return b",".join(column.part(entity[column.name], place) for column in self.columns)

    def of_columns(self, values: Mapping[str, Sequence[Any]], rows: int) -> list[bytes]:
        """The keys of as many rows, from their columns."""
        parts = [
            [column.part(value, f"row {at}") for at, value in enumerate(values[column.name])] for column in self.columns
        ]
        return parts[0] if len(parts) == 1 else [b",".join(part[at] for part in parts) for at in range(rows)]

    def _see_names(self, given: Sequence[str], place: str) -> None:
        for name in given:
            if name not in self.names or given.count(name) > 1:
                found = f"has {shown(name)}" + (" twice" if name in self.names else ", which is no entity column")
                raise Refusal(f"{place} {found}; send each of {self.wanted} once")
        for name in self.names:
            if name not in given:
                raise Refusal(f"{place} has no {shown(name)}; send each of {self.wanted} once")

    def _see_number(self, count: int) -> None:
        if not count:
            raise Refusal(f"no entity is asked for; send at least one, by {self.wanted}")
        if count > MOST_ENTITIES:
            raise Refusal(f"{count} entities are asked for; send at most {MOST_ENTITIES} at once")


def decoded(part: bytes) -> str:
    """A part of a query as text."""
    octets = part.replace(b"+", b" ")
    try:
        return (unquote_to_bytes(octets) if b"%" in octets else octets).decode()
    except UnicodeDecodeError:
        raise Refusal("the query is no UTF-8; encode it as UTF-8, then by percent signs") from None


def kind_of(type_: str) -> str:
    """What the types of a width have in common."""
    return "integer" if "int" in type_ else type_


def integer(value: Any) -> str | None:
    """A whole number."""
    if type(value) is str and len(value) <= LONGEST_INTEGER and value.removeprefix("-").isdecimal() and value.isascii():
        return str(int(value))
    return str(value) if type(value) is int else None


def text(value: Any) -> str | None:
    """A text."""
    if type(value) is not str:
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a character that takes two
        return None
    return quoted(value)


def boolean(value: Any) -> str | None:
    """True or false."""
    found = WORDS.get(value) if type(value) is str else value
    return None if type(found) is not bool else str(found).lower()


def day(value: Any) -> str | None:
    """A date."""
    try:
        return quoted(date.fromisoformat(value).isoformat())
    except (ValueError, TypeError):
        return None


def moment(value: Any) -> str | None:
    """A time; without a zone it is UTC's."""
    try:
        time = datetime.fromisoformat(value)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return quoted(time.replace(tzinfo=None).isoformat() + "Z")


FORMS: dict[str, Form] = {"integer": integer, "string": text, "boolean": boolean, "date": day, "timestamp": moment}
WANTED = {
    "integer": "a whole number",
    "string": "text in UTF-8",
    "boolean": "true or false",
    "date": "a date such as 2026-11-22",
    "timestamp": "a time such as 2026-11-22T11:40:00Z",
}
