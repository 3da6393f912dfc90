"""An onnx component: a graph whose outputs become columns.

The file is a stranger's. It is refused before ONNX Runtime sees it where it reads other files, brings operators or
functions of its own, branches or loops, or asks for more room than rows can need.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.compute as pc

from merkhet.contract.component import OnnxStep
from merkhet.errors import Refused
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.run import RefusedForNow
from merkhet.workloads.server import graph
from merkhet.workloads.server.datatypes import BY_ONNXRUNTIME
from merkhet.workloads.server.model import Array, session

REASON = "InvalidModel"
BATCH_ROWS = 20_000
BATCH_VALUES = 2_000_000  # a batch of many columns has fewer rows
MOST_BYTES = 1024**3  # of the file
MOST_NODES = 100_000
MOST_WIDTH = 1000  # columns of a table
# Of a constant that says a shape or a size: more values than a batch has would be no feature of rows.
MOST_VALUES = 10_000_000
# Their outputs are as large as a value says, from few bytes of file.
SIZED = frozenset({"ConstantOfShape", "Expand", "Range", "Tile", "OneHot", "Resize", "Upsample", "Pad", "EyeLike"})
# The same rows must give the same version.
RANDOM = frozenset({"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli",
                    "Multinomial"})  # fmt: skip
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


def apply(step: OnnxStep, table: pa.Table, store: Store, *, what: str = "the component") -> pa.Table:
    """The table with the outputs of the graph as further columns; ``what`` names the component in messages."""
    opened = Graph.open(step, store, what)
    pieces = [opened.add(piece) for piece in batches(table, opened)]
    return pa.concat_tables(pieces) if pieces else opened.add(table)


def batches(table: pa.Table, opened: Graph) -> Iterator[pa.Table]:
    """The rows of a table in pieces that the graph takes at once."""
    size = max(1, min(BATCH_ROWS, BATCH_VALUES // opened.width))
    return (table.slice(start, size) for start in range(0, table.num_rows, size))


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that has been looked at and loaded."""

    what: str
    columns: tuple[str, ...]
    session: Any

    @classmethod
    def open(cls, step: OnnxStep, store: Store, what: str) -> Graph:
        """Look at the file, then load it; raises Refused naming what is wrong with it."""
        with store.open(step.digest) as stream:
            content = stream.read(MOST_BYTES + 1)
        check(content, what)
        opened = cls(what, step.columns, session(content, what, cgroup.limits().threads or 1))
        opened._see_signature()
        return opened

    @property
    def takes(self) -> frozenset[str]:
        """The columns that go in."""
        return frozenset(self.columns or (tensor.name for tensor in self.session.get_inputs()))

    @property
    def width(self) -> int:
        """Values of a row, in and out."""
        return sum(
            max(1, _columns_of(tensor) or 1) for tensor in (*self.session.get_inputs(), *self.session.get_outputs())
        )

    def add(self, table: pa.Table) -> pa.Table:
        """The table with the outputs; raises Refused naming the column or output that does not fit."""
        feed = {tensor.name: self._fed(tensor, table) for tensor in self.session.get_inputs()}
        names = [tensor.name for tensor in self.session.get_outputs()]
        try:
            found = self.session.run(names, feed) if table.num_rows else [None] * len(names)
        except Exception as error:
            raise self._refused(f"cannot be run on these rows: {_first_line(error)}") from error
        for tensor, values in zip(self.session.get_outputs(), found, strict=True):
            for name, column in self._given(tensor, values, table.num_rows):
                if name.lower() in {known.lower() for known in table.column_names}:
                    raise RefusedForNow(
                        f"{self.what}: output {name} has the name of a column that is there already; give the column "
                        "another name in the query",
                        reason="DuplicateColumn",
                    )
                table = table.append_column(name, column)
        return table

    def _see_signature(self) -> None:
        """Inputs and outputs are rows of numbers or texts, and nothing else."""
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        for side, tensor in (*(("input", one) for one in inputs), *(("output", one) for one in outputs)):
            kind, shape = BY_ONNXRUNTIME.get(tensor.type), list(tensor.shape)
            if kind is None or kind.name == "FP16":
                raise self._refused(
                    f"{side} {tensor.name} is {tensor.type}; wanted a tensor of numbers, booleans or text"
                )
            fixed_rows = bool(shape) and isinstance(shape[0], int)
            if len(shape) not in {1, 2} or fixed_rows:
                raise self._refused(
                    f"{side} {tensor.name} has shape {shape}; wanted [-1], [-1, 1] or [-1, k], any rows"
                )
        for tensor in inputs:
            self._see_width(tensor, alone=len(inputs) == 1)
        names = [name for tensor in outputs for name in _names_of(tensor, _columns_of(tensor) or 1)]
        twice = [name for name, count in Counter(name.lower() for name in names).items() if count > 1]
        if twice or len(names) > MOST_WIDTH:
            raise self._refused(f"gives column {twice[0]} twice" if twice else f"gives more than {MOST_WIDTH} columns")
        for name in names:
            if not NAME.fullmatch(name):
                raise self._refused(
                    f"gives a column named {name[:64]!r}; wanted up to 255 characters that can be printed"
                )

    def _see_width(self, tensor: Any, *, alone: bool) -> None:
        width = _columns_of(tensor)
        if self.columns and not alone:
            raise self._refused("takes several inputs, so each takes the column of its name; leave `columns` out")
        if self.columns and width not in {None, len(self.columns)}:
            raise self._refused(f"input {tensor.name} takes {width} columns and `columns` has {len(self.columns)}")
        if not self.columns and width != 1:
            raise self._refused(
                f"input {tensor.name} has shape {list(tensor.shape)}; name the columns that go in, in their order, in "
                "`columns`"
            )

    def _fed(self, tensor: Any, table: pa.Table) -> Array:
        """The values of an input."""
        names = self.columns or (tensor.name,)
        missing = [name for name in names if name not in table.column_names]
        if missing:
            known = ", ".join(table.column_names[:20]) + (" …" if table.num_columns > 20 else "")
            raise RefusedForNow(
                f"{self.what}: there is no column {missing[0]}, which input {tensor.name} takes; the rows have {known}",
                reason="MissingColumn",
            )
        wanted = BY_ONNXRUNTIME[tensor.type].numpy
        values = [self._values(name, table.column(name), wanted) for name in names]
        return values[0] if len(tensor.shape) == 1 else np.stack(values, axis=1)

    def _values(self, name: str, column: pa.ChunkedArray, wanted: np.dtype[Any]) -> Array:
        """A column as an input takes it, without losing anything."""
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        text = pa.types.is_string(plain.type) or pa.types.is_large_string(plain.type)
        number = pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type) or pa.types.is_decimal(plain.type)
        if text != (wanted.kind == "O") or not (text or number or pa.types.is_boolean(plain.type)):
            raise self._mismatch(
                f"column {name} is {plain.type} and the input takes {wanted.name}; cast it in the query"
            )
        if plain.null_count and wanted.kind != "f":
            raise self._mismatch(
                f"column {name} is missing in {plain.null_count} rows and the input takes {wanted.name}, which has no "
                f"way to say so; give these rows a value: coalesce({name}, …)"
            )
        if text:
            return np.asarray(plain.to_numpy(), dtype=object)
        return self._numbers(name, plain, wanted)

    def _numbers(self, name: str, column: pa.ChunkedArray, wanted: np.dtype[Any]) -> Array:
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        if pa.types.is_decimal(column.type) and _is_beyond_doubles(column):
            raise self._mismatch(
                f"column {name} is {column.type} with values beyond 2^53, which come to a graph as float64 and would "
                "change; cast it to bigint in the query, or take a larger unit"
            )
        try:
            exact = _exact(column)
        except pa.ArrowInvalid as error:
            raise self._mismatch(
                f"column {name} has missing values, and whole numbers beyond 2^53 beside them; give the missing a value"
            ) from error
        with np.errstate(over="ignore", invalid="ignore"):
            values = exact.astype(wanted)
            back = values.astype(exact.dtype) if exact.dtype.kind != "f" else values.astype(np.float64)
        if exact.dtype.kind == "f" and wanted.kind == "f":
            # A fraction is rounded, as everywhere; a whole number that changes is another number, infinity is none.
            lost = np.isfinite(exact) & ((back != exact) & (exact == np.trunc(exact)) | np.isinf(back))
        else:
            lost = (back != exact) | ((values < 0) != (exact < 0))
        count = int(lost.sum())
        if count:
            raise self._mismatch(
                f"column {name} has {count:,} values that {wanted.name} changes; take a difference, a larger unit or "
                "text of it in the query"
            )
        return values

    def _given(self, tensor: Any, values: Array | None, rows: int) -> Iterator[tuple[str, pa.Array]]:
        """An output as columns."""
        width = _columns_of(tensor)
        kind = (
            pa.string() if tensor.type == "tensor(string)" else pa.from_numpy_dtype(BY_ONNXRUNTIME[tensor.type].numpy)
        )
        if values is None:
            yield from ((name, pa.array([], kind)) for name in _names_of(tensor, width or 1))
            return
        found = np.asarray(values)
        many = found.reshape(rows, -1) if rows and found.shape[:1] == (rows,) and found.ndim <= 2 else None
        if many is None or (width or many.shape[1]) != many.shape[1] or many.shape[1] > MOST_WIDTH:
            raise self._refused(f"output {tensor.name} has shape {list(found.shape)}, wanted {rows} rows")
        for name, column in zip(_names_of(tensor, many.shape[1]), many.T, strict=True):
            yield name, pa.array(np.ascontiguousarray(column), kind)

    def _mismatch(self, words: str) -> Refused:
        return RefusedForNow(f"{self.what}: {words}", reason="ColumnMismatch")

    def _refused(self, words: str) -> Refused:
        return Refused(f"{self.what} {words}", reason=REASON)


def check(content: bytes, what: str) -> None:
    """Refuse a file that is more than a graph of ONNX's own operators over rows."""
    if len(content) > MOST_BYTES:
        raise Refused(f"{what} is larger than {MOST_BYTES // 1024**2} MiB", reason=REASON)
    try:
        graph.check(content, what)  # other files, foreign operators; before onnx reads it
    except RecursionError:
        raise Refused(f"{what} is nested more deeply than any graph of operators", reason=REASON) from None
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:
        raise Refused(f"{what} is no ONNX file: {_first_line(error)}", reason=REASON) from error
    faults = [*_in_nodes(model.graph.node), *_in_constants(model.graph)]
    if model.functions:
        faults.insert(
            0, f"brings a function of its own, {model.functions[0].name[:64]}; export it with the graph inlined"
        )
    if model.training_info or model.graph.sparse_initializer:
        faults.append("has parts for training or sparse values, which nothing here reads")
    if faults:
        raise Refused(f"{what} {faults[0]}", reason=REASON)


def _in_nodes(nodes: Sequence[Any]) -> Iterator[str]:
    if len(nodes) > MOST_NODES:
        yield f"has {len(nodes)} operators, more than {MOST_NODES}"
    for node in nodes:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield f"branches or loops ({node.op_type[:64]}); export it as one graph without them"
        elif node.op_type in RANDOM:
            yield f"draws lots ({node.op_type}); the same rows must give the same columns"


def _in_constants(body: Any) -> Iterator[str]:
    """Constants that are larger than their bytes, or that say a size beyond all rows."""
    held = {node.output[0]: attribute.t for node in body.node if node.op_type == "Constant" and node.output
            for attribute in node.attribute if attribute.HasField("t")}  # fmt: skip
    held |= {tensor.name: tensor for tensor in body.initializer}
    for name, tensor in held.items():
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > 8 * tensor.ByteSize():
            yield f"has constant {name[:64]} of shape {list(tensor.dims)}, which its bytes do not fill"
    for node in body.node:
        for name in node.input if node.op_type in SIZED else ():
            if name in held and _says_too_much(node.op_type, held[name]):
                yield f"makes more than {MOST_VALUES:,} values from a constant ({node.op_type} {name[:64]})"


def _says_too_much(operator: str, tensor: Any) -> bool:
    if tensor.data_type not in {onnx.TensorProto.INT64, onnx.TensorProto.INT32} or math.prod(tensor.dims) > 64:
        return operator == "ConstantOfShape"
    said = [abs(int(value)) for value in onnx.numpy_helper.to_array(tensor).ravel()]
    return math.prod(max(1, value) for value in said) > MOST_VALUES


def _columns_of(tensor: Any) -> int | None:
    """How many columns a tensor is; None where only a run tells."""
    if len(tensor.shape) == 1:
        return 1
    return tensor.shape[1] if isinstance(tensor.shape[1], int) else None


def _names_of(tensor: Any, width: int) -> list[str]:
    single = len(tensor.shape) == 1 or width == 1
    return [tensor.name] if single else [f"{tensor.name}_{number}" for number in range(width)]


def _exact(column: pa.ChunkedArray) -> Array:
    """Numbers with nothing lost: integers as they are, all else as doubles with NaN for a missing value."""
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    if pa.types.is_integer(column.type):
        doubles = pc.cast(column, pa.float64())  # safe: beyond 2^53 it raises
        return np.asarray(doubles.to_numpy(), dtype=np.float64)
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def _is_beyond_doubles(column: pa.ChunkedArray) -> bool:
    """Whether a decimal may not be the same number as a double."""
    doubles = np.abs(_exact(column))
    return bool((doubles[np.isfinite(doubles)] >= 2.0**53).any())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
