"""Models' answers for tests, without a model: name what matters, the rest is usual."""

from __future__ import annotations

from typing import Any

import numpy as np

from merkhet.contract.training import Signature, Tensor
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import Features


def binary(threshold: float = 0.5, **more: Any) -> Signature:
    """Of two numbers, telling 1 from 0."""
    usual: dict[str, Any] = {
        "inputs": (Tensor(name="input", datatype="FP32", shape=(-1, 2), columns=("a", "b")),),
        "outputs": (),
        "task": "Classification",
        "classes": (0, 1),
        "positive": 1,
        "threshold": threshold,
    }
    return Signature(**{**usual, **more})


def regression() -> Signature:
    """Of one number."""
    return binary(classes=(), positive=None, task="Regression").model_copy(update={"threshold": None})


def some(rows: int = 2000, seed: int = 1, **more: Any) -> Answered:
    """Truth of two classes and scores that tell them apart fairly well."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, rows)
    positive = np.clip(truth * 0.3 + random.random(rows) * 0.7, 0.0, 1.0)
    usual: dict[str, Any] = {
        "features": Features(("a",), ("number",), (np.zeros(rows, np.float32),)),
        "truth": truth,
        "scores": np.column_stack([1 - positive, positive]),
        "signature": binary(),
    }
    return Answered(**{**usual, **more})


def amounts(rows: int = 2000, seed: int = 1) -> Answered:
    """Truth and predictions of a regression, off by 2 in the standard deviation."""
    random = np.random.default_rng(seed)
    truth = random.normal(50, 10, rows)
    features = Features(("a",), ("number",), (truth.astype(np.float32),))
    return Answered(features, truth, (truth + random.normal(0, 2, rows))[:, None], regression())
