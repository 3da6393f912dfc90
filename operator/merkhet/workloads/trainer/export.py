"""The fitted pipeline as ONNX, and the signature that callers see."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, TensorProto
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from merkhet.errors import Refused
from merkhet.workloads.trainer import converters  # noqa: F401 - registers our own
from merkhet.workloads.trainer.features import INPUT, Features

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


def _options(pipeline: Pipeline) -> Iterator[tuple[int, dict[str, Any]]]:
    """Per step: probabilities as a matrix, and a scaler that divides, as scikit-learn's does, not multiplies."""
    for part in fitted(pipeline):
        if isinstance(part, StandardScaler):
            yield id(part), {"div": "div"}
        elif isinstance(part, SelectorMixin):
            yield id(part), {}  # said, lest the converter take one that holds a classifier for one
    final = pipeline.steps[-1][1]
    if hasattr(final, "predict_proba"):
        yield id(final), {"zipmap": False}


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
    """Round the thresholds of histogram trees down to float32, in place, however deep they stand.

    For float32 inputs ``x <= t`` and ``x <= floor32(t)`` are the same, so scikit-learn answers as before; without it
    the converter rounds to nearest, and a value just above a threshold may take the other branch in ONNX.
    """
    predictors = (one for part in fitted(pipeline) for stage in getattr(part, "_predictors", ()) for one in stage)
    for predictor in predictors:
        thresholds = predictor.nodes["num_threshold"]
        rounded = thresholds.astype(np.float32)
        above = rounded.astype(np.float64) > thresholds
        rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
        predictor.nodes["num_threshold"] = rounded


def fitted(model: Any) -> Iterator[Any]:
    """A model of scikit-learn and every one that stands somewhere inside of it."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        part = waiting.pop()
        if isinstance(part, np.ndarray) and part.dtype == object:
            part = part.ravel().tolist()
        if isinstance(part, list | tuple):
            waiting.extend(part)
        elif isinstance(part, dict):
            waiting.extend(part.values())
        elif id(part) not in seen and hasattr(part, "__dict__") and type(part).__module__.startswith("sklearn."):
            seen.add(id(part))
            yield part
            waiting.extend(vars(part).values())


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
