"""Which models can be served, and what they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression

from merkhet.contract.training import Golden, Signature, Tensor
from merkhet.errors import Refused
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.readiness import prepare
from tests.unit.workloads.server.served import OPSET, Made, converted, numeric, task_for

X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
INPUT = Tensor(name="X", datatype="FP32", shape=(-1, 2), columns=("a", "b"))


def test_a_regression_answers_a_number_a_row(tmp_path: Path) -> None:
    line = LinearRegression().fit(X, X @ [2.0, 3.0])
    signature = Signature(
        inputs=(INPUT,),
        outputs=(Tensor(name="prediction", datatype="FP32", shape=(-1, 1)),),
        task="Regression",
        graph={"prediction": "variable"},
    )
    golden = Golden(inputs={"X": X.tolist()}, outputs={"prediction": line.predict(X).ravel().tolist()}, tolerance=1e-4)
    model = prepare(task_for(Made(converted_regression(line), signature, golden, X), tmp_path), tmp_path, threads=2)
    answers = model.run({"X": X[:3]})
    assert answers["prediction"].shape == (3, 1)
    np.testing.assert_allclose(answers["prediction"], line.predict(X[:3]).reshape(3, 1), atol=1e-4)


def converted_regression(line: Any) -> bytes:
    return bytes(to_onnx(line, X[:1], target_opset=OPSET).SerializeToString())


@pytest.mark.parametrize(
    ("classes", "datatype"), [((False, True), "INT64"), ((1, 2), "INT64"), (("bad", "good"), "BYTES")],
    ids=["booleans", "integers", "texts"],
)  # fmt: skip
def test_labels_are_the_classes_by_the_threshold(classes: tuple[Any, ...], datatype: str) -> None:
    y = np.array(classes)[(X[:, 0] > 0).astype(int)]
    estimator = LogisticRegression().fit(X, y)
    signature = Signature(
        inputs=(INPUT,),
        outputs=(
            Tensor(name="label", datatype=datatype, shape=(-1,)),
            Tensor(name="probabilities", datatype="FP32", shape=(-1, 2)),
        ),
        task="Classification",
        classes=classes,
        threshold=0.3,
        positive=classes[0],
    )
    model = Model(converted(estimator, X), signature, "m")
    labels = model.run({"X": X}, ["label"])["label"].tolist()
    first = estimator.predict_proba(X)[:, 0] >= 0.3
    assert labels == [classes[0] if reached else classes[1] for reached in first]


def test_a_dictionary_a_row_cannot_be_served() -> None:
    estimator = LogisticRegression().fit(X, X[:, 0] > 0)
    content = bytes(to_onnx(estimator, X[:1], target_opset=OPSET).SerializeToString())
    signature = Signature(
        inputs=(INPUT,), outputs=(Tensor(name="label", datatype="INT64", shape=(-1,)),), task="Classification"
    )
    with pytest.raises(Refused, match="only tensors can be served; export it with zipmap off"):
        Model(content, signature, "m")


def test_a_threshold_wants_a_positive_class() -> None:
    made = numeric()
    signature = made.signature.model_copy(update={"threshold": 0.5, "positive": 7})
    with pytest.raises(Refused, match="a threshold wants two classes, one of them positive"):
        Model(made.onnx, signature, "m")
