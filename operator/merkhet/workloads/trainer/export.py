"""The fitted pipeline as ONNX, and the signature that callers see."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxIdentity
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from merkhet.errors import Refused
from merkhet.workloads.trainer.features import INPUT, Features
from merkhet.workloads.trainer.pipeline import Unchanged

OPSET = {"": 21, "ai.onnx.ml": 3}
DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})


def convert(pipeline: Pipeline, features: Features) -> bytes:
    """The ONNX graph's bytes; raises Refused where a step has no ONNX form."""
    settle_thresholds(pipeline)
    options = dict(_options(pipeline))
    try:
        with warnings.catch_warnings():
            # The converter gives numpy's booleans for integers, which numpy warns of.
            warnings.simplefilter("ignore")
            model = convert_sklearn(
                pipeline, name="pipeline", initial_types=_initial_types(features), options=options, target_opset=OPSET
            )
    except (RuntimeError, NotImplementedError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise Refused(f"the pipeline has no ONNX form: {str(error)[:500]}", reason="NotConvertible") from error
    if not features.all_numeric:
        name_inputs(model.graph, features.names)
    check_is_self_contained(model)
    return bytes(model.SerializeToString())


def _options(step: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    """Per step: probabilities as a matrix, and a scaler that divides, as scikit-learn's does, not multiplies."""
    for _, part in getattr(step, "steps", ()):
        yield from _options(part)
    for _, part, _ in getattr(step, "transformers_", ()):
        yield from _options(part)
    if isinstance(step, StandardScaler):
        yield id(step), {"div": "div"}
    elif hasattr(step, "predict_proba") and not isinstance(step, Pipeline):
        yield id(step), {"zipmap": False}


def name_inputs(graph: onnx.GraphProto, names: Sequence[str]) -> None:
    """Name the inputs after their columns, in place: the converter alters names with spaces or those it uses itself."""
    new = {value.name: name for value, name in zip(graph.input, names, strict=True)}
    used = {name for node in graph.node for name in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    for taken in sorted((used & set(names)) - set(new)):
        new[taken] = _free(f"{taken}_", used | set(names))
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = new.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)


def settle_thresholds(pipeline: Pipeline) -> None:
    """Round the thresholds of histogram trees down to float32, in place.

    For float32 inputs ``x <= t`` and ``x <= floor32(t)`` are the same, so scikit-learn answers as before; without it
    the converter rounds to nearest, and a value just above a threshold may take the other branch in ONNX.
    """
    for stage in getattr(pipeline.steps[-1][1], "_predictors", ()):
        for predictor in stage:
            thresholds = predictor.nodes["num_threshold"]
            rounded = thresholds.astype(np.float32)
            above = rounded.astype(np.float64) > thresholds
            rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
            predictor.nodes["num_threshold"] = rounded


def check_is_self_contained(model: ModelProto) -> None:
    """Raises Refused where a graph reads files beside it or needs operators that are not ONNX's own."""
    for node in _nodes(model.graph):
        if node.domain not in DOMAINS:
            raise Refused(f"operator {node.op_type} is of the foreign domain {node.domain}", reason="NotConvertible")
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise Refused(f"tensor {tensor.name} keeps its values in a file beside the model", reason="NotConvertible")


def _nodes(graph: onnx.GraphProto) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for part in _subgraphs(attribute):
                yield from _nodes(part)


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for part in _subgraphs(attribute):
                yield from _tensors(part)


def _subgraphs(attribute: AttributeProto) -> list[onnx.GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _initial_types(features: Features) -> list[tuple[str, Any]]:
    if features.all_numeric:
        return [(INPUT, FloatTensorType([None, len(features.names)]))]
    return [
        (f"column{position}", StringTensorType([None, 1]) if kind == "text" else FloatTensorType([None, 1]))
        for position, kind in enumerate(features.kinds)
    ]


def _unchanged_shape(operator: Any) -> None:
    shape = [None, sum(variable.type.shape[1] for variable in operator.inputs)]
    operator.outputs[0].type = FloatTensorType(shape)


def _unchanged_graph(scope: Any, operator: Any, container: Any) -> None:
    node = OnnxIdentity(operator.inputs[0], op_version=container.target_opset, output_names=operator.outputs[:1])
    node.add_to(scope, container)


update_registered_converter(Unchanged, "MerkhetUnchanged", _unchanged_shape, _unchanged_graph)
