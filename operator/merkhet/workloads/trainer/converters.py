"""Which ONNX forms are our own: those that skl2onnx has not, or has wrong.

Importing it registers them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.algebra.onnx_ops import OnnxGather, OnnxIdentity
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.operator_converters import calibrated_classifier_cv
from sklearn import feature_selection

from merkhet.workloads.trainer.pipeline import Unchanged

SELECTORS = (
    feature_selection.GenericUnivariateSelect,
    feature_selection.RFE,
    feature_selection.RFECV,
    feature_selection.SelectFdr,
    feature_selection.SelectFpr,
    feature_selection.SelectFromModel,
    feature_selection.SelectFwe,
    feature_selection.SelectKBest,
    feature_selection.SelectPercentile,
    feature_selection.SequentialFeatureSelector,
    feature_selection.VarianceThreshold,
)


def _unchanged_shape(operator: Any) -> None:
    shape = [None, sum(variable.type.shape[1] for variable in operator.inputs)]
    operator.outputs[0].type = FloatTensorType(shape)


def _unchanged_graph(scope: Any, operator: Any, container: Any) -> None:
    node = OnnxIdentity(operator.inputs[0], op_version=container.target_opset, output_names=operator.outputs[:1])
    node.add_to(scope, container)


def _selected_shape(operator: Any) -> None:
    operator.outputs[0].type = FloatTensorType([None, int(operator.raw_operator.get_support().sum())])


def _selected_graph(scope: Any, operator: Any, container: Any) -> None:
    """The chosen columns. skl2onnx makes a graph that does not load where the first column alone is chosen."""
    chosen = operator.raw_operator.get_support(indices=True).astype(np.int64)
    if not len(chosen):
        raise RuntimeError(f"{type(operator.raw_operator).__name__} chose no column")
    node = OnnxGather(
        operator.inputs[0], chosen, axis=1, op_version=container.target_opset, output_names=operator.outputs[:1]
    )
    node.add_to(scope, container)


def _interpolated(scope: Any, container: Any, model: Any, scores: str, k: int, *types: Any) -> str:
    """Isotonic calibration of one class, in the place of skl2onnx's, which takes the nearest point for a line.

    y(s) = y0 + sum over the pieces of clip((s - start) / width, 0, 1) * rise. Shapes: ``scores`` [rows, 1], the answer
    too; the last of ``types`` is ONNX's number for float32. A last piece without rise stands where there is one point.
    """
    isotonic = model.calibrators[k]
    if not hasattr(isotonic, "X_thresholds_"):
        raise NotImplementedError(f"calibration by {model.method}")
    x, y = np.asarray(isotonic.X_thresholds_, np.float64), np.asarray(isotonic.y_thresholds_, np.float64)
    constants = {
        "start": ([len(x)], x),
        "width": ([len(x)], np.append(np.diff(x), 1.0)),
        "rise": ([len(x), 1], np.append(np.diff(y), 0.0)),
        "lowest": ([1], y[:1]),
        "none": ([], [0.0]),
        "whole": ([], [1.0]),
    }
    names = {name: scope.get_unique_variable_name(f"isotonic_{name}") for name in constants}
    for name, (shape, values) in constants.items():
        container.add_initializer(names[name], types[-1], shape, np.asarray(values, np.float32).tolist())
    before = scores
    for operator, *others in (
        ("Sub", "start"),
        ("Div", "width"),
        ("Clip", "none", "whole"),
        ("MatMul", "rise"),
        ("Add", "lowest"),
    ):
        after = scope.get_unique_variable_name("isotonic")
        title = scope.get_unique_operator_name(f"Isotonic{operator}")
        container.add_node(operator, [before, *(names[other] for other in others)], after, name=title)
        before = after
    return before


update_registered_converter(Unchanged, "MerkhetUnchanged", _unchanged_shape, _unchanged_graph)
for _selector in SELECTORS:
    update_registered_converter(_selector, f"Merkhet{_selector.__name__}", _selected_shape, _selected_graph)
# The only way to one part of its converter; the allow-list's test fails where the name is gone.
calibrated_classifier_cv._transform_isotonic = _interpolated
