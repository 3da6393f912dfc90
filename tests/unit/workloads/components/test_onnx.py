"""Graphs that add columns: what goes in, what comes out, and which files are never loaded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_format
import pyarrow as pa
import pytest
from onnx import TensorProto, helper, numpy_helper

from merkhet.contract.component import OnnxStep
from merkhet.errors import Refused
from merkhet.store.volume import Volume
from merkhet.workloads.components import onnx

FLOAT, STRING, INT64 = TensorProto.FLOAT, TensorProto.STRING, TensorProto.INT64
TABLE = pa.table({"a": [1, 2, 3], "b": [0.5, None, 2.0], "s": ["x", "y", "z"]})
Tensors = Sequence[tuple[str, int, list[int | None]]]


def graph(
    nodes: Sequence[Any], inputs: Tensors, outputs: Tensors, constants: Sequence[Any] = ()
) -> onnx_format.ModelProto:
    sides = [[helper.make_tensor_value_info(*tensor) for tensor in side] for side in (inputs, outputs)]
    body = helper.make_graph(list(nodes), "g", *sides, list(constants))
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def same(kind: int = FLOAT, shape: Sequence[int | None] = (None,), name: str = "a") -> onnx_format.ModelProto:
    node = helper.make_node("Identity", [name], ["out"])
    return graph([node], [(name, kind, list(shape))], [("out", kind, list(shape))])


def embedding(width: int | None = 3) -> onnx_format.ModelProto:
    """x [-1, 2] → e [-1, width]; each column is the sum."""
    node = helper.make_node("MatMul", ["x", "w"], ["e"])
    weights = constant("w", np.ones((2, width or 3), np.float32))
    return graph([node], [("x", FLOAT, [None, 2])], [("e", FLOAT, [None, width])], [weights])


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def apply(store: Volume, model: onnx_format.ModelProto | bytes, table: pa.Table = TABLE, *columns: str) -> pa.Table:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return onnx.apply(OnnxStep(digest=store.add(content), columns=columns), table, store, what="component emb 1")


def refusal(store: Volume, model: onnx_format.ModelProto | bytes, table: pa.Table = TABLE, *columns: str) -> Refused:
    with pytest.raises(Refused) as caught:
        apply(store, model, table, *columns)
    return caught.value


def test_outputs_become_columns_of_their_names(store: Volume) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Identity", ["s"], ["copy"])]
    inputs: Tensors = [("a", FLOAT, [None]), ("b", FLOAT, [None]), ("s", STRING, [None, 1])]
    found = apply(store, graph(nodes, inputs, [("sum", FLOAT, [None]), ("copy", STRING, [None, 1])]))
    assert found.column_names == ["a", "b", "s", "sum", "copy"]
    assert found["copy"].to_pylist() == ["x", "y", "z"]
    assert found["sum"].type == pa.float32()
    first, second, third = found["sum"].to_pylist()
    assert (first, third) == (1.5, 5.0)
    assert math.isnan(second)  # of a missing value


@pytest.mark.parametrize("width", [pytest.param(3, id="said"), pytest.param(None, id="seen when it is run")])
def test_a_wide_output_becomes_numbered_columns(store: Volume, width: int | None) -> None:
    found = apply(store, embedding(width), TABLE.slice(0, 1), "b", "a")
    assert found.slice(0, 1).select(["e_0", "e_1", "e_2"]).to_pylist() == [{"e_0": 1.5, "e_1": 1.5, "e_2": 1.5}]


def test_rows_go_in_pieces_and_come_out_in_order(store: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "BATCH_ROWS", 7)
    table = pa.table({"a": list(range(100))})
    assert apply(store, same(), table)["out"].to_pylist() == list(range(100))


def test_no_rows_have_the_columns_as_well(store: Volume) -> None:
    found = apply(store, embedding(), TABLE.slice(0, 0), "a", "b")
    assert (found.num_rows, found.column_names[-3:]) == (0, ["e_0", "e_1", "e_2"])


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        pytest.param(
            FLOAT, [2**24 + 1, 1], "column a has 1 values that float32 changes", id="an integer beyond float32"
        ),
        pytest.param(FLOAT, [16777217.0, 1.0], "that float32 changes", id="a whole float64"),
        pytest.param(FLOAT, [1e300, 1.0], "that float32 changes", id="a number beyond float32"),
        pytest.param(INT64, [1, None], "missing in 1 rows and the input takes int64", id="a missing integer"),
        pytest.param(TensorProto.INT32, [1.5, 2.0], "that int32 changes", id="a fraction"),
        pytest.param(TensorProto.INT32, [2**31, 1], "that int32 changes", id="an integer beyond int32"),
        pytest.param(TensorProto.UINT64, [-1, 1], "that uint64 changes", id="a negative number"),
        pytest.param(TensorProto.INT64, [float("nan"), 1.0], "that int64 changes", id="NaN"),
        pytest.param(TensorProto.BOOL, [2, 1], "that bool changes", id="two as a boolean"),
        pytest.param(TensorProto.DOUBLE, [2**53 + 1, None], "missing values, and whole numbers beyond 2^53", id="both"),
        pytest.param(
            TensorProto.INT64,
            [Decimal(2**53 + 1), Decimal(1)],
            "decimal128(16, 0) with values beyond 2^53",
            id="a decimal",
        ),
        pytest.param(FLOAT, ["1", "2"], "column a is string and the input takes float32", id="text for a number"),
        pytest.param(STRING, [1, 2], "column a is int64 and the input takes object", id="a number for text"),
        pytest.param(STRING, ["x", None], "missing in 1 rows", id="a missing text"),
        pytest.param(FLOAT, [[1], [2]], "column a is list", id="a list"),
    ],
)
def test_no_value_is_changed_on_its_way_in(store: Volume, kind: int, values: list[Any], words: str) -> None:
    refused = refusal(store, same(kind), pa.table({"a": values}))
    assert words in str(refused)
    assert str(refused).startswith("component emb 1: column a")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param(FLOAT, [0.1, -1.0], id="fractions, to the nearest"),
        pytest.param(FLOAT, [2**24, -1], id="integers that a float32 holds"),
        pytest.param(FLOAT, [float("inf"), 1.0], id="infinity"),
        pytest.param(TensorProto.INT8, [127, -128], id="integers that are small"),
        pytest.param(TensorProto.UINT64, [2**63, 1], id="integers that are large"),
        pytest.param(TensorProto.BOOL, [True, False], id="booleans"),
        pytest.param(STRING, ["é", ""], id="texts"),
    ],
)
def test_values_that_fit_go_through(store: Volume, kind: int, values: list[Any]) -> None:
    column = pa.array(values, pa.uint64()) if 2**63 in values else values
    found = apply(store, same(kind), pa.table({"a": column}))["out"].to_pylist()
    assert found == (pytest.approx(values) if kind == FLOAT else values)


@pytest.mark.parametrize(
    ("model", "columns", "words"),
    [
        pytest.param(
            embedding(), ("a", "nope"), "no column nope, which input x takes; the rows have a, b, s", id="missing"
        ),
        pytest.param(same(name="q"), (), "no column q, which input q takes", id="an input of no column"),
        pytest.param(embedding(), (), "name the columns that go in, in their order, in `columns`", id="columns unsaid"),
        pytest.param(embedding(), ("a",), "input x takes 2 columns and `columns` has 1", id="too few columns"),
        pytest.param(same(shape=[3]), (), "input a has shape [3]", id="a fixed number of rows"),
        pytest.param(same(shape=[None, 2, 2]), (), "input a has shape", id="a tensor of three dimensions"),
        pytest.param(same(TensorProto.COMPLEX64), (), "", id="complex numbers"),
        pytest.param(same(TensorProto.FLOAT16), (), "wanted a tensor of numbers", id="half floats"),
        pytest.param(
            graph([helper.make_node("Identity", ["a"], ["B"])], [("a", FLOAT, [None])], [("B", FLOAT, [None])]),
            (),
            "output B has the name of a column that is there already",
            id="a name that is taken",
        ),
        pytest.param(
            graph(
                [helper.make_node("Concat", ["a", "a"], ["m"], axis=0)], [("a", FLOAT, [None])], [("m", FLOAT, [None])]
            ),
            (),
            "output m has shape [6], wanted 3 rows",
            id="an output of another number of rows",
        ),
        pytest.param(
            graph([helper.make_node("Identity", ["a"], ["\n"])], [("a", FLOAT, [None])], [("\n", FLOAT, [None])]),
            (),
            "a column named '\\n'",
            id="a name that cannot be printed",
        ),
        pytest.param(embedding(1001), ("a", "b"), "gives more than 1000 columns", id="too many columns"),
    ],
)
def test_rows_and_graph_must_fit(store: Volume, model: Any, columns: tuple[str, ...], words: str) -> None:
    refused = refusal(store, model, TABLE.select(["a", "b", "s"]), *columns)
    assert words in str(refused)
    assert "component emb 1" in str(refused)


def with_external() -> onnx_format.ModelProto:
    made = embedding()
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="/etc/passwd")
    return made


def with_foreign() -> onnx_format.ModelProto:
    made = same()
    made.graph.node[0].domain = "com.example"
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return made


def with_function() -> onnx_format.ModelProto:
    made = same()
    inner = helper.make_node("Identity", ["i"], ["o"])
    made.functions.append(helper.make_function("", "Mine", ["i"], ["o"], [inner], [helper.make_opsetid("", 21)]))
    return made


def with_loop() -> onnx_format.ModelProto:
    sides: Tensors = [("i", INT64, []), ("go", TensorProto.BOOL, [])]
    inputs = [helper.make_tensor_value_info(*each) for each in sides]
    outputs = [helper.make_tensor_value_info("on", TensorProto.BOOL, [])]
    body = helper.make_graph([helper.make_node("Identity", ["go"], ["on"])], "b", inputs, outputs)
    made = same()
    made.graph.node.append(helper.make_node("Loop", ["", "for_ever"], [], body=body))
    made.graph.initializer.append(constant("for_ever", True))
    return made


def nested(depth: int) -> bytes:
    """A model in whose operator is a graph, in whose operator is a graph, and so on."""

    def field(number: int, content: bytes) -> bytes:
        size, digits = len(content), []
        while size > 127:
            digits.append(size & 127 | 128)
            size >>= 7
        return bytes([number << 3 | 2, *digits, size]) + content

    content = b""
    for _ in range(depth):
        content = field(1, field(5, field(6, content)))  # graph: node: attribute
    return field(7, content)


def making(operator: str, size: Any, *before: str) -> onnx_format.ModelProto:
    made = same()
    made.graph.node.append(helper.make_node(operator, [*before, "size"], ["large"]))
    made.graph.initializer.append(constant("size", size))
    return made


def with_empty_constant() -> onnx_format.ModelProto:
    made = embedding()
    made.graph.initializer[0].dims[:] = [10**6, 10**6]
    return made


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: b"<html>", "is no ONNX file", id="a page"),
        pytest.param(lambda: b"", "", id="nothing"),
        pytest.param(lambda: same().SerializeToString()[:-5], "is no ONNX file", id="cut short"),
        pytest.param(with_external, "keeps tensor 'w' in another file", id="values in another file"),
        pytest.param(with_foreign, "foreign domain 'com.example'", id="operators of others"),
        pytest.param(with_function, "brings a function of its own, Mine", id="functions"),
        pytest.param(lambda: nested(500), "is nested more deeply", id="graphs in graphs in graphs"),
        pytest.param(with_loop, "branches or loops (Loop)", id="a loop"),
        pytest.param(
            lambda: making("ConstantOfShape", [10**6, 10**6]), "makes more than 10,000,000", id="a large shape"
        ),
        pytest.param(lambda: making("Tile", [10**9], "a"), "makes more than 10,000,000", id="a large repetition"),
        pytest.param(lambda: making("Expand", [10**9], "a"), "makes more than 10,000,000", id="a large expansion"),
        pytest.param(with_empty_constant, "which its bytes do not fill", id="a constant without its bytes"),
        pytest.param(
            lambda: graph(
                [helper.make_node("RandomUniformLike", ["a"], ["r"])], [("a", FLOAT, [None])], [("r", FLOAT, [None])]
            ),
            "draws lots (RandomUniformLike)",
            id="chance",
        ),
    ],
)
def test_such_a_file_is_refused_before_it_is_loaded(
    store: Volume, make: Callable[[], Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words:
        monkeypatch.setattr(onnx, "session", lambda *_: pytest.fail("it was loaded"))
    refused = refusal(store, make())
    assert words in str(refused)
    assert refused.reason in {"InvalidModel", "ExternalData", "ForeignOperators"}


def test_a_file_larger_than_one_may_be_is_refused(store: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "MOST_BYTES", 10)
    assert "is larger than" in str(refusal(store, same()))
