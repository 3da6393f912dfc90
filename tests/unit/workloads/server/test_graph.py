"""Which ONNX files are refused before anybody loads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from merkhet.errors import Refused
from merkhet.workloads.server import graph
from tests.unit.workloads.server.served import mixed, numeric, slow


def tensor(*, external: bool = False) -> TensorProto:
    made = numpy_helper.from_array(np.ones(1, np.float32), "w")
    if external:
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value="../secret")
    return made


def model(node: Any = None, initializer: Any = None, domain: str = "") -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])
    nodes = [node or helper.make_node("Add", ["x", "w"], ["y"])]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])
    body = helper.make_graph(nodes, "g", [value], [out], [initializer or tensor()])
    opsets = [helper.make_opsetid("", 21)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(body, opset_imports=opsets)


def branch(*, external: bool = False, domain: str = "") -> Any:
    node = helper.make_node("Constant", [], ["c"], value=tensor(external=external))
    node.domain = domain
    inner = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])])
    return helper.make_node("If", ["x"], ["y"], then_branch=inner, else_branch=inner)


def function(domain: str) -> onnx.ModelProto:
    made = model()
    node = helper.make_node("Gelu", ["a"], ["b"], domain=domain)
    made.functions.append(helper.make_function("", "f", ["a"], ["b"], [node], [helper.make_opsetid("", 21)]))
    return made


def last_of_two() -> bytes:
    """A tensor that says twice where it is: the last word counts for ONNX Runtime."""
    outside = tensor(external=True).SerializeToString()
    twice = outside.replace(b"\x70\x01", b"\x70\x00\x70\x01")
    body = bytes(model(initializer=tensor(external=True)).graph.SerializeToString())
    body = body.replace(sized(5, outside), sized(5, twice))
    return sized(7, body) + sized(8, helper.make_opsetid("", 21).SerializeToString())


def sized(field: int, content: bytes) -> bytes:
    """A field of bytes, on the wire."""
    assert len(content) < 128
    return bytes([field << 3 | 2, len(content)]) + content


REFUSED = {
    "external initializer": (model(initializer=tensor(external=True)).SerializeToString(), "ExternalData"),
    "external constant in a branch": (model(node=branch(external=True)).SerializeToString(), "ExternalData"),
    "external tensor that first says it is not": (last_of_two(), "ExternalData"),
    "foreign operator set": (model(domain="com.microsoft").SerializeToString(), "ForeignOperators"),
    "foreign operator in a branch": (model(node=branch(domain="evil")).SerializeToString(), "ForeignOperators"),
    "foreign operator in a function": (function("evil").SerializeToString(), "ForeignOperators"),
    "text": (b"this is no model at all", "InvalidModel"),
    "half a model": (model().SerializeToString()[:-20], "InvalidModel"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_model_that_is_not_self_contained_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        graph.check(content, "model m version 3")
    assert refusal.value.reason == reason
    assert "model m version 3" in str(refusal.value)


@pytest.mark.parametrize("made", [numeric, slow, mixed], ids=["regression", "forest", "text"])
def test_what_training_makes_is_accepted(made: Any) -> None:
    graph.check(made().onnx, "m")
    graph.check(model(node=branch()).SerializeToString(), "m")
