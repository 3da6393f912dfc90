"""What does an inference request say: which rows, which answers in which form?

From JSON straight into arrays; what is not exactly what the model takes is refused with the input, row and column
named. Rows are counted from 0, as JSON's indices are.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

import numpy as np
import orjson

from merkhet.contract.training import Signature, Tensor
from merkhet.workloads.server import binary
from merkhet.workloads.server.datatypes import DATATYPES
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.words import listed, shown

Array = np.ndarray[Any, Any]


@dataclass(slots=True)  # not frozen: that costs a microsecond a request
class Call:
    """A request that the model can answer. ``outputs``: names and whether as bytes; None is all of them in JSON."""

    rows: int
    feed: dict[str, Array]
    id: str | None = None
    outputs: tuple[tuple[str, bool], ...] | None = None


class Reader:
    """Reads the requests for one model."""

    def __init__(self, signature: Signature, max_rows: int) -> None:
        self.inputs = {tensor.name: InputReader(tensor) for tensor in signature.inputs}
        self.outputs = tuple(tensor.name for tensor in signature.outputs)
        self.max_rows = max_rows

    def read(self, body: bytes, json_length: int | None = None) -> Call:
        """The request in a body; ``json_length`` is given where bytes of tensors follow the JSON.

        *Raises* Refusal with a message for the caller.
        """
        document = parsed(body if json_length is None else body[:json_length])
        tensors = document.get("inputs")
        if type(tensors) is not list or not tensors:
            raise Refusal('the request has no "inputs"; send a list with ' + self._wanted())
        feed = self.feed(tensors, None if json_length is None else Blobs(body, json_length))
        identity = document.get("id")
        if identity is not None and type(identity) is not str:
            raise Refusal(f'"id" is {shown(identity)}; send a string')
        rows = self._rows(feed)
        if "outputs" not in document and "parameters" not in document:
            return Call(rows, feed, identity)
        return Call(rows, feed, identity, self._selected(document))

    def feed(self, tensors: list[Any], blobs: Blobs | None) -> dict[str, Array]:
        """The arrays of all inputs."""
        feed: dict[str, Array] = {}
        for tensor in tensors:
            if type(tensor) is not dict:
                raise Refusal(f'"inputs" holds {shown(tensor)}; send objects with name, shape, datatype and data')
            name = tensor.get("name")
            reader = self.inputs.get(name) if type(name) is str else None
            if reader is None:
                raise Refusal(f"there is no input {shown(name)}; the model takes {self._wanted()}")
            if reader.name in feed:
                raise Refusal(f"input {shown(name)} is given twice; send it once")
            blob = blob_of(tensor, blobs) if "parameters" in tensor else None
            feed[reader.name] = reader.read(tensor, blob)
        if blobs is not None:
            blobs.check_all_are_used()
        if len(feed) < len(self.inputs):
            absent = [reader.described for name, reader in self.inputs.items() if name not in feed]
            raise Refusal(f"missing: {listed(absent)}; send every input of the model")
        return feed

    def _rows(self, feed: dict[str, Array]) -> int:
        if len(feed) == 1:
            rows = int(next(iter(feed.values())).shape[0])
        else:
            counts = {name: array.shape[0] for name, array in feed.items()}
            if len(set(counts.values())) > 1:
                told = listed([f"{shown(name)} has {count}" for name, count in counts.items()])
                raise Refusal(f"the inputs differ in their rows: {told}; send as many rows of each")
            rows = max(counts.values())
        if rows > self.max_rows:
            raise Refusal(f"{rows} rows are more than one request may have; send at most {self.max_rows} at once")
        return rows

    def _selected(self, document: dict[str, Any]) -> tuple[tuple[str, bool], ...]:
        by_default = flag(parameters_of(document, "the request"), "binary_data_output")
        outputs = document.get("outputs")
        if outputs is None or outputs == []:
            return tuple((name, by_default) for name in self.outputs)
        if type(outputs) is not list:
            raise Refusal(f'"outputs" is {shown(outputs)}; send a list of objects with a name')
        selected: dict[str, bool] = {}
        for output in outputs:
            name = output.get("name") if type(output) is dict else output
            if type(output) is not dict or name not in self.outputs:
                known = listed([shown(known) for known in self.outputs])
                raise Refusal(f"there is no output {shown(name)}; the model gives {known}")
            if name in selected:
                raise Refusal(f"output {shown(name)} is asked for twice; name it once")
            selected[name] = flag(parameters_of(output, f"output {shown(name)}"), "binary_data", default=by_default)
        return tuple(selected.items())

    def _wanted(self) -> str:
        return listed([reader.described for reader in self.inputs.values()])


class InputReader:
    """Reads one input of the model."""

    def __init__(self, tensor: Tensor) -> None:
        self.name = tensor.name
        self.datatype = DATATYPES[tensor.datatype]
        self.datatype_name, self.numpy = tensor.datatype, self.datatype.numpy
        self.dimensions = list(tensor.shape[1:])  # of a row
        self.width = math.prod(self.dimensions)  # elements of a row
        self.columns = tensor.columns or (tensor.name,)
        self.described = f"{shown(tensor.name)} ({tensor.datatype} {list(tensor.shape)})"
        self.is_float = self.datatype.numpy.kind == "f"
        # Below this sum of squares each value is finite and each integer exact: one look at the whole tensor.
        self.harmless = float(self.datatype.exact or 0) ** 2
        self.may_be_missing = self._columns_that_may_be_missing(tensor)
        self.known = self._categories(tensor)

    def read(self, tensor: dict[str, Any], blob: tuple[bytes, int, int] | None = None) -> Array:
        """The array of a tensor of the request; a blob is the body, the start and the size of its bytes."""
        datatype = tensor.get("datatype")
        if datatype != self.datatype_name:
            raise Refusal(f"input {shown(self.name)}: datatype is {shown(datatype)}; send {self.datatype.name}")
        rows = self._rows(tensor.get("shape"))
        if blob is None:
            if "data" not in tensor:
                raise Refusal(f'input {shown(self.name)} has no "data"; send its elements')
            return self.from_json(tensor["data"], rows)
        return self._from_blob(blob, rows)

    def from_json(self, values: Any, rows: int) -> Array:
        """The array of JSON values, flat or nested."""
        flat = self._flat(values, rows)
        array = self._packed(flat)
        if self.is_float and not array.dot(array) < self.harmless:
            self._check_integers(flat, array)
            self._check_finite(array)
        if self.known:
            self._check_categories(array)
        return array.reshape(rows, *self.dimensions)

    def _from_blob(self, blob: tuple[bytes, int, int], rows: int) -> Array:
        try:
            array = binary.decode(*blob, self.datatype)
        except ValueError as error:
            raise Refusal(f"input {shown(self.name)}: {error}") from None
        if array.shape[0] != rows * self.width:
            self._refuse_count(array.shape[0], rows)
        if self.is_float:
            self._check_finite(array)
        if self.known:
            self._check_categories(array)
        return array.reshape(rows, *self.dimensions)

    def _rows(self, shape: Any) -> int:
        if type(shape) is list and shape[1:] == self.dimensions and type(shape[0]) is int and shape[0] > 0:
            rows: int = shape[0]
            return rows
        if type(shape) is list and shape[:1] == [0]:
            raise Refusal(f"input {shown(self.name)} has no rows; send at least one")
        count = "" if self.width == 1 else f", a row being {self._row_in_words()}"
        wanted = ["rows", *self.dimensions]
        raise Refusal(f"input {shown(self.name)}: shape is {shown(shape)}; send [{listed(wanted)}]{count}")

    def _row_in_words(self) -> str:
        if len(self.columns) == self.width <= 64:
            return listed(self.columns)
        return f"{self.width} elements"

    def _flat(self, values: Any, rows: int) -> list[Any]:
        if type(values) is not list:
            raise Refusal(f'input {shown(self.name)}: "data" is {shown(values)}; send a list')
        nested = bool(values) and type(values[0]) is list
        flat: list[Any] = self._flattened(values, [rows, *self.dimensions]) if nested else values
        if len(flat) != rows * self.width:
            self._refuse_count(len(flat), rows)
        return flat

    def _flattened(self, values: list[Any], shape: list[int]) -> list[Any]:
        """Nested lists as one, row by row; each level must be as long as the shape says."""
        for depth, length in enumerate(shape[1:], start=1):
            for position, part in enumerate(values):
                if type(part) is not list or len(part) != length:
                    found = f"{len(part)} elements" if type(part) is list else shown(part)
                    place = f"row {position}" if depth == 1 else f"list {position} at depth {depth}"
                    raise Refusal(f"input {shown(self.name)}: {place} is {found}; send {length} elements")
            values = list(chain.from_iterable(values))
        return values

    def _refuse_count(self, count: int, rows: int) -> NoReturn:
        shape = [rows, *self.dimensions]
        raise Refusal(f"input {shown(self.name)} has {count} elements; its shape {shape} wants {rows * self.width}")

    def _packed(self, flat: list[Any]) -> Array:
        letter = self.datatype.letter
        if letter is None:
            return self._strings(flat)
        if letter == "?" and not {bool}.issuperset(map(type, flat)):
            self._refuse_first(flat, lambda value: type(value) is not bool, "is no boolean; send true or false")
        try:
            return np.frombuffer(struct.pack(f"<{len(flat)}{letter}", *flat), self.numpy)
        except (struct.error, OverflowError):
            return self._packed_with_missing(flat)

    def _packed_with_missing(self, flat: list[Any]) -> Array:
        """The array where null is a missing value; refuses the first value that is neither that nor a number."""
        pack = struct.Struct(f"<{self.datatype.letter}").pack
        octets = bytearray()
        for position, value in enumerate(flat):
            if value is None:
                if not self.is_float or self._column(position) not in self.may_be_missing:
                    raise Refusal(f"{self._place(position)} is missing (null), {MISSING}")
                value = math.nan  # noqa: PLW2901 - what null means
            try:
                octets += pack(value)
            except (struct.error, OverflowError):
                raise Refusal(f"{self._place(position)} is {shown(value)}; send a {self._element()}") from None
        return np.frombuffer(bytes(octets), self.datatype.numpy)

    def _strings(self, flat: list[Any]) -> Array:
        if self.datatype.name != "BYTES":
            raise Refusal(f"input {shown(self.name)}: {self.datatype.name} has no form in JSON; send it as binary data")
        if not {str}.issuperset(map(type, flat)):
            self._refuse_first(flat, lambda value: type(value) is not str, "is no string; send a string")
        array = np.empty(len(flat), object)
        array[:] = flat
        return array

    def _check_integers(self, flat: list[Any], array: Array) -> None:
        for position, value in enumerate(flat):
            if type(value) is int and int(array[position]) != value:  # as integers: numpy would round ours first
                kept = f"{self.datatype.name} keeps integers up to {self.datatype.exact} exactly"
                raise Refusal(f"{self._place(position)} is {value} and would become {array[position]:.0f}: {kept}")

    def _check_finite(self, array: Array) -> None:
        finite = np.isfinite(array)
        if finite.all():
            return
        for position in np.flatnonzero(~finite).tolist():
            if not np.isnan(array[position]):
                raise Refusal(
                    f"{self._place(position)} is infinite or beyond {self.datatype.name}; send a finite number"
                )
            if self._column(position) not in self.may_be_missing:
                raise Refusal(f"{self._place(position)} is NaN, {MISSING}")

    def _check_categories(self, array: Array) -> None:
        for column, known in self.known.items():
            values = array[column :: self.width].tolist()
            if not known.issuperset(values):
                self._refuse_unknown(column, known, values)

    def _refuse_unknown(self, column: int, known: frozenset[Any], values: list[Any]) -> None:
        may_be_missing = self._column(column) in self.may_be_missing
        for row, value in enumerate(values):
            missing = value != value and may_be_missing  # noqa: PLR0124 - NaN alone is not itself
            if value not in known and not missing:
                some = listed([shown(one) for one in sorted(known, key=str)[:20]]) + (", …" if len(known) > 20 else "")
                place = self._place(row * self.width + column)
                raise Refusal(f"{place} is {shown(value)}, unknown in training; send one of {some}")

    def _refuse_first(self, flat: list[Any], wrong: Any, words: str) -> None:
        position = next(position for position, value in enumerate(flat) if wrong(value))
        raise Refusal(f"{self._place(position)} is {shown(flat[position])}, which {words}")

    def _place(self, position: int) -> str:
        """In words, where an element stands."""
        row = position // self.width
        return f"input {shown(self.name)}: column {shown(self._column(position))} of row {row}"

    def _column(self, position: int) -> str:
        at = position % self.width
        return self.columns[at] if len(self.columns) == self.width else str(at)

    def _element(self) -> str:
        kind = "number" if self.is_float else "whole number"
        return f"{kind} that fits {self.datatype.name}"

    def _columns_that_may_be_missing(self, tensor: Tensor) -> frozenset[str]:
        if tensor.missing_columns:
            return frozenset(tensor.missing_columns)
        return frozenset(self.columns) if tensor.missing else frozenset()

    def _categories(self, tensor: Tensor) -> dict[int, frozenset[Any]]:
        """By position of a column, the values it may have, as they come back from an array of this datatype."""
        named = dict(tensor.column_categories)
        if tensor.categories is not None:
            named[tensor.name] = tensor.categories
        return {self.columns.index(name): self._stored(values) for name, values in named.items()}

    def _stored(self, values: Sequence[Any]) -> frozenset[Any]:
        present = [value for value in values if value is not None]
        return frozenset(np.array(present, self.numpy).tolist())


MISSING = "which the model refuses as scikit-learn does; send a finite number"


class Blobs:
    """The bytes behind the JSON, given out in the order of the inputs."""

    def __init__(self, body: bytes, json_length: int) -> None:
        self.body = body
        self.at = json_length

    def next(self, name: str, size: int) -> tuple[bytes, int, int]:
        """Body, start and size of the bytes of the next input."""
        start, self.at = self.at, self.at + size
        if self.at > len(self.body):
            left = len(self.body) - start
            raise Refusal(f"input {shown(name)} is announced with {size} bytes and {left} are left in the body")
        return self.body, start, size

    def check_all_are_used(self) -> None:
        """Refuses bytes that belong to no input."""
        if self.at != len(self.body):
            raise Refusal(f"{len(self.body) - self.at} bytes at the end of the body belong to no input")


def blob_of(tensor: dict[str, Any], blobs: Blobs | None) -> tuple[bytes, int, int] | None:
    """Body, start and size of the bytes of an input that announces some."""
    name = tensor["name"]
    size = parameters_of(tensor, f"input {shown(name)}").get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise Refusal(f"input {shown(name)}: binary_data_size is {shown(size)}; send a number of bytes")
    if "data" in tensor:
        raise Refusal(f"input {shown(name)} has both data and binary_data_size; send one of them")
    if blobs is None:
        raise Refusal(
            f"input {shown(name)} is announced as binary data and the header Inference-Header-Content-Length is "
            "missing; send in it the length of the JSON"
        )
    return blobs.next(name, size)


def parsed(text: bytes) -> dict[str, Any]:
    """The object in a JSON text."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"the body is no JSON: {error}") from None
    if type(document) is not dict:
        raise Refusal(f'the body is {shown(document)}; send an object with "inputs"')
    return document


def parameters_of(part: dict[str, Any], place: str) -> dict[str, Any]:
    """The parameters of a part of the request."""
    parameters = part.get("parameters")
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise Refusal(f'the "parameters" of {place} are {shown(parameters)}; send an object')
    return parameters


def flag(parameters: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """A parameter that is true or false."""
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise Refusal(f"{name} is {shown(value)}; send true or false")
    return value
