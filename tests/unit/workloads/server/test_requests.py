"""What is read from a request, and in which words it is refused."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import numpy as np
import pytest

from merkhet.contract.training import Signature, Tensor
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.requests import Reader

SIGNATURE = Signature(
    inputs=(Tensor(name="x", datatype="FP32", shape=(-1, 2), columns=("age", "pay"), missing_columns=("pay",)),),
    outputs=(Tensor(name="label", datatype="INT64", shape=(-1,)), Tensor(name="score", datatype="FP32", shape=(-1, 2))),
    task="Classification",
)
CODES = Signature(
    inputs=(
        Tensor(
            name="x", datatype="FP32", shape=(-1, 2), columns=("age", "grade"), column_categories={"grade": (1, 2.5)}
        ),
    ),
    outputs=SIGNATURE.outputs,
    task="Classification",
)
COLUMNS = Signature(
    inputs=(
        Tensor(name="age", datatype="FP32", shape=(-1, 1)),
        Tensor(name="grade", datatype="FP32", shape=(-1, 1), categories=(1, 2, 3)),
        Tensor(name="job", datatype="BYTES", shape=(-1, 1), categories=("baker", "clerk")),
    ),
    outputs=SIGNATURE.outputs,
    task="Classification",
)
TYPES = Signature(
    inputs=tuple(Tensor(name=t.lower(), datatype=t, shape=(-1,)) for t in ("INT64", "INT32", "BOOL", "FP64", "FP16")),
    outputs=SIGNATURE.outputs,
    task="Regression",
)


def tensor(data: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": data} | changes


def one(data: Any, **changes: Any) -> dict[str, Any]:
    return {"inputs": [tensor(data, **changes)]}


def columns(age: Any = (30,), grade: Any = (1,), job: Any = ("clerk",)) -> dict[str, Any]:
    given = {"age": ("FP32", age), "grade": ("FP32", grade), "job": ("BYTES", job)}
    return {
        "inputs": [
            {"name": name, "datatype": datatype, "shape": [len(data), 1], "data": list(data)}
            for name, (datatype, data) in given.items()
        ]
    }


def typed(name: str, data: list[Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"int64": [1], "int32": [1], "bool": [True], "fp64": [1.5]} | {name: data}
    inputs = [{"name": k, "datatype": k.upper(), "shape": [1], "data": v} for k, v in good.items()]
    return {"inputs": inputs}


REFUSED: list[tuple[str, Signature, Any, str]] = [
    ("no JSON", SIGNATURE, b'{"inputs": [', "the body is no JSON"),
    ("NaN in JSON", SIGNATURE, b'{"inputs": [{"data": [NaN]}]}', "the body is no JSON"),
    ("no UTF-8", SIGNATURE, b'{"id": "\xff"}', "the body is no JSON"),
    ("empty body", SIGNATURE, b"", "the body is no JSON"),
    ("a list", SIGNATURE, [1], "the body is [1]; send an object"),
    ("no inputs", SIGNATURE, {}, 'the request has no "inputs"; send a list with "x" (FP32 [-1, 2])'),
    ("inputs an object", SIGNATURE, {"inputs": {}}, 'has no "inputs"'),
    ("inputs of numbers", SIGNATURE, {"inputs": [1]}, '"inputs" holds 1'),
    ("id a number", SIGNATURE, one([1, 2]) | {"id": 7}, '"id" is 7; send a string'),
    ("unknown input", SIGNATURE, one([1, 2], name="y"), 'there is no input "y"; the model takes "x"'),
    ("input without a name", SIGNATURE, one([1, 2], name=None), "there is no input null"),
    ("duplicated input", SIGNATURE, {"inputs": [tensor([1, 2]), tensor([1, 2])]}, 'input "x" is given twice'),
    ("wrong datatype", SIGNATURE, one([1, 2], datatype="INT64"), 'input "x": datatype is "INT64"; send FP32'),
    ("no shape", SIGNATURE, one([1, 2], shape=None), "shape is null; send [rows, 2], a row being age, pay"),
    ("wrong rank", SIGNATURE, one([1, 2], shape=[2]), "shape is [2]; send [rows, 2]"),
    ("wrong width", SIGNATURE, one([1, 2, 3], shape=[1, 3]), "shape is [1,3]; send [rows, 2]"),
    ("negative rows", SIGNATURE, one([1, 2], shape=[-1, 2]), "shape is [-1,2]"),
    ("rows as a boolean", SIGNATURE, one([1, 2], shape=[True, 2]), "shape is [true,2]"),
    ("no rows", SIGNATURE, one([], shape=[0, 2]), 'input "x" has no rows'),
    ("no data", SIGNATURE, {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2]}]}, 'has no "data"'),
    ("data a number", SIGNATURE, one(1), '"data" is 1; send a list'),
    ("too few elements", SIGNATURE, one([1]), "has 1 elements; its shape [1, 2] wants 2"),
    ("too many elements", SIGNATURE, one([1, 2, 3]), "has 3 elements; its shape [1, 2] wants 2"),
    ("ragged rows", SIGNATURE, one([[1, 2], [3]], shape=[2, 2]), "row 1 is 1 elements; send 2 elements"),
    ("a row that is no list", SIGNATURE, one([[1, 2], 3], shape=[2, 2]), "row 1 is 3; send 2 elements"),
    ("text for a number", SIGNATURE, one([1, "2"]), 'column "pay" of row 0 is "2"; send a number'),
    ("list for a number", SIGNATURE, one([1, [2]]), 'column "pay" of row 0 is [2]; send a number'),
    ("null in a column never missing", SIGNATURE, one([1, 2, None, 2], shape=[2, 2]),
     'column "age" of row 1 is missing (null), which the model refuses'),
    ("number beyond float32", SIGNATURE, one([1, 1e39]),
     'column "pay" of row 0 is 1e+39; send a number that fits FP32'),
    ("integer that float32 cannot keep", SIGNATURE, one([16777217, 2]),
     'column "age" of row 0 is 16777217 and would become 16777216: FP32 keeps integers up to 16777216'),
    ("integer beyond all", SIGNATURE, one([1, 10**18 + 1]), "would become 999999984306749440"),
    ("too many rows", SIGNATURE, one([1] * 12, shape=[6, 2]),
     "6 rows are more than one request may have; send at most 5"),
    ("unknown output", SIGNATURE, one([1, 2]) | {"outputs": [{"name": "z"}]},
     'there is no output "z"; the model gives "label", "score"'),
    ("output as a string", SIGNATURE, one([1, 2]) | {"outputs": ["label"]}, 'there is no output "label"'),
    ("output twice", SIGNATURE, one([1, 2]) | {"outputs": [{"name": "label"}] * 2},
     'output "label" is asked for twice'),
    ("outputs an object", SIGNATURE, one([1, 2]) | {"outputs": {}}, '"outputs" is {}'),
    ("parameters a list", SIGNATURE, one([1, 2]) | {"parameters": []}, 'the "parameters" of the request are []'),
    ("binary flag a number", SIGNATURE, one([1, 2]) | {"parameters": {"binary_data_output": 1}},
     "binary_data_output is 1; send true or false"),
    ("binary without its header", SIGNATURE,
     {"inputs": [{k: v for k, v in tensor(0, parameters={"binary_data_size": 8}).items() if k != "data"}]},
     "Inference-Header-Content-Length is missing"),
    ("data and binary data", SIGNATURE, one([1, 2], parameters={"binary_data_size": 8}),
     "both data and binary_data_size"),
    ("binary size a text", SIGNATURE, one([1, 2], parameters={"binary_data_size": "8"}), 'binary_data_size is "8"'),
    ("missing column", COLUMNS, {"inputs": columns()["inputs"][:2]}, 'missing: "job" (BYTES [-1, 1])'),
    ("rows that differ", COLUMNS, columns(age=(1, 2)), 'differ in their rows: "age" has 2, "grade" has 1, "job" has 1'),
    ("unseen category", COLUMNS, columns(job=("miner",)),
     'column "job" of row 0 is "miner", unknown in training; send one of "baker", "clerk"'),
    ("unseen number", COLUMNS, columns(grade=(4,)), 'column "grade" of row 0 is 4.0, unknown in training'),
    ("unseen number in one of several columns", CODES, one([[1, 2.5], [2.5, 3]], shape=[2, 2]),
     'column "grade" of row 1 is 3.0, unknown in training; send one of 1.0, 2.5'),
    ("number for text", COLUMNS, columns(job=(1,)), 'column "job" of row 0 is 1, which is no string'),
    ("null for text", COLUMNS, columns(job=(None,)), 'column "job" of row 0 is null, which is no string'),
    ("null category", COLUMNS, columns(grade=(None,)), 'column "grade" of row 0 is missing'),
    ("fraction for an integer", TYPES, typed("int64", [1.5]), "is 1.5; send a whole number that fits INT64"),
    ("integer beyond INT32", TYPES, typed("int32", [2**31]), "is 2147483648; send a whole number that fits INT32"),
    ("number for a boolean", TYPES, typed("bool", [1]), "is 1, which is no boolean; send true or false"),
    ("half floats in JSON", TYPES, typed("fp16", [1.5]), "FP16 has no form in JSON; send it as binary data"),
]  # fmt: skip


@pytest.mark.parametrize(("signature", "body", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_bad_request_is_refused_in_words(signature: Signature, body: Any, words: str) -> None:
    with pytest.raises(Refusal) as refusal:
        Reader(signature, max_rows=5).read(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert words in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize("data", [[1, 2.5, 3, 4], [[1, 2.5], [3, 4]]], ids=["flat", "nested"])
def test_rows_are_read_in_order(data: list[Any]) -> None:
    call = Reader(SIGNATURE, 5).read(json.dumps(one(data, shape=[2, 2]) | {"id": "a"}).encode())
    assert call.feed["x"].dtype == np.float32
    assert call.feed["x"].tolist() == [[1.0, 2.5], [3.0, 4.0]]
    assert (call.rows, call.id, call.outputs) == (2, "a", None)


def test_known_categories_are_taken_in_their_column_alone() -> None:
    body = one([[7, 2.5], [8, 1]], shape=[2, 2])
    assert Reader(CODES, 5).read(json.dumps(body).encode()).feed["x"].tolist() == [[7, 2.5], [8, 1]]


def test_null_is_a_missing_value_where_training_had_them() -> None:
    array = Reader(SIGNATURE, 5).read(json.dumps(one([1, None])).encode()).feed["x"]
    assert array[0, 0] == 1
    assert math.isnan(array[0, 1])


def test_large_numbers_that_are_no_integers_are_rounded_as_floats_are() -> None:
    array = Reader(SIGNATURE, 5).read(b'{"inputs": [%s]}' % json.dumps(tensor([16777217.5, 2**30])).encode()).feed["x"]
    assert array.tolist() == [[16777218.0, 2.0**30]]


def test_text_and_numbers_come_in_inputs_of_their_own() -> None:
    feed = Reader(COLUMNS, 5).read(json.dumps(columns(job=("baker",))).encode()).feed
    assert feed["job"].tolist() == [["baker"]]
    assert feed["job"].dtype == object
    assert feed["grade"].tolist() == [[1.0]]


def test_integers_and_booleans_keep_their_values() -> None:
    body = typed("int64", [2**53 + 1])
    body["inputs"].append({"name": "fp16", "datatype": "FP16", "shape": [1], "parameters": {"binary_data_size": 2}})
    head = json.dumps(body).encode()
    feed = Reader(TYPES, 5).read(head + struct.pack("<e", 0.5), len(head)).feed
    values = {name: array.tolist() for name, array in feed.items()}
    assert values == {"int64": [2**53 + 1], "int32": [1], "bool": [True], "fp64": [1.5], "fp16": [0.5]}


def test_outputs_and_their_form_are_selected() -> None:
    body = one([1, 2]) | {"parameters": {"binary_data_output": True}}
    reader = Reader(SIGNATURE, 5)
    assert reader.read(json.dumps(body).encode()).outputs == (("label", True), ("score", True))
    body["outputs"] = [{"name": "score", "parameters": {"binary_data": False}}, {"name": "label"}]
    assert reader.read(json.dumps(body).encode()).outputs == (("score", False), ("label", True))


def binary(size: int, blob: bytes, *, pad: str = "") -> tuple[bytes, int]:
    part = {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [part], "id": pad}).encode()
    return head + blob, len(head)


@pytest.mark.parametrize("pad", ["", "1", "22", "333"])
def test_binary_tensors_are_read_wherever_they_are_aligned(pad: str) -> None:
    body, length = binary(8, struct.pack("<ff", 1.5, -2), pad=pad)
    assert Reader(SIGNATURE, 5).read(body, length).feed["x"].tolist() == [[1.5, -2.0]]


@pytest.mark.parametrize(
    ("size", "blob", "words"),
    [
        (7, b"1234567", "7 bytes are no whole number of FP32 elements"),
        (4, b"1234", "has 1 elements; its shape [1, 2] wants 2"),
        (8, b"1234", "announced with 8 bytes and 4 are left"),
        (8, b"123456789", "1 bytes at the end of the body belong to no input"),
        (8, struct.pack("<ff", math.nan, 1), 'column "age" of row 0 is NaN'),
        (8, struct.pack("<ff", 1, math.inf), 'column "pay" of row 0 is infinite'),
    ],
    ids=["no whole element", "too few elements", "cut off", "trailing bytes", "NaN", "infinity"],
)
def test_bad_binary_tensors_are_refused_in_words(size: int, blob: bytes, words: str) -> None:
    body, length = binary(size, blob)
    with pytest.raises(Refusal, match=words.replace("[", r"\[")):
        Reader(SIGNATURE, 5).read(body, length)
