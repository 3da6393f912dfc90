"""What does the model see where a caller sends entities instead of columns?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from merkhet.contract.training import Signature, Tensor
from merkhet.workloads.online.keys import KeyColumn, kind_of
from merkhet.workloads.online.port import Table
from merkhet.workloads.online.table import Current
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.requests import Blobs, InputReader, Reader, blob_of
from merkhet.workloads.server.words import listed

Array = np.ndarray[Any, Any]

# The datatypes that entity columns travel as; all others are text.
DATATYPES = {"integer": "INT64", "boolean": "BOOL"}


class EntityReader(Reader):
    """Reads requests by column as any reader, and those whose inputs are exactly an entity's columns by look-up."""

    def __init__(self, signature: Signature, max_rows: int, current: Current) -> None:
        super().__init__(signature, max_rows)
        self.current = current

    def feed(self, tensors: list[Any], blobs: Blobs | None) -> dict[str, Array]:
        """The arrays of all inputs: of the columns sent, or of the latest rows of the entities sent."""
        table, first = self.current.table, tensors[0]
        if table is None or type(first) is not dict or first.get("name") not in table.keys.names:
            return super().feed(tensors, blobs)
        names = {name for tensor in tensors if type(tensor) is dict and type(name := tensor.get("name")) is str}
        if names != set(table.keys.names) or names == self.inputs.keys():
            return super().feed(tensors, blobs)
        if len(tensors) != len(names):
            raise Refusal(f"there are {len(tensors)} inputs; send each of {listed(table.keys.names)} once")
        columns = {column.name: column for column in table.keys.columns}
        values = {tensor["name"]: column_of(tensor, columns[tensor["name"]], blobs) for tensor in tensors}
        if blobs is not None:
            blobs.check_all_are_used()
        rows = self._rows({name: np.empty(len(column)) for name, column in values.items()})
        found = rows_of(table, table.keys.of_columns(values, rows))
        return {name: input_of(reader, found) for name, reader in self.inputs.items()}


def column_of(tensor: dict[str, Any], column: KeyColumn, blobs: Blobs | None) -> list[Any]:
    """The values of an entity column, sent as [rows] or [rows, 1]."""
    datatype = DATATYPES.get(kind_of(column.type), "BYTES")
    shape = tensor.get("shape")
    flat = (-1,) if type(shape) is list and len(shape) == 1 else (-1, 1)
    reader = InputReader(Tensor(name=column.name, datatype=datatype, shape=flat))
    values: list[Any] = reader.read(tensor, blob_of(tensor, blobs)).ravel().tolist()
    return values


def rows_of(table: Table, keys: Sequence[bytes]) -> list[dict[str, Any]]:
    """The latest row of each entity; raises ``Refusal`` naming the first that has none: no answer is in part."""
    now = time.time()
    found = table.find(keys, now)
    if None in found.rows:
        at = found.rows.index(None)
        stale = table.find([keys[at]], now).stale
        told = "its latest row is older than the features may be" if stale else "there is no such entity"
        raise Refusal(f"entity {at}: {told} in version {table.number} of the features; send columns instead", 404)
    return [orjson.loads(row) for row in found.rows if row is not None]


def input_of(reader: InputReader, rows: list[dict[str, Any]]) -> Array:
    """An input of the model from rows; what a caller may not send is refused here as well."""
    return reader.from_json([row[column] for row in rows for column in reader.columns], len(rows))


def columns_of(signature: Signature) -> list[str]:
    """The columns that rows must have."""
    return [column for tensor in signature.inputs for column in (tensor.columns or (tensor.name,))]
