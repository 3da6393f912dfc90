"""What a model takes and gives, as callers see it."""

from __future__ import annotations

from merkhet.contract.training import Signature, TaskName, Tensor
from merkhet.workloads.trainer.acceptance import Acceptance
from merkhet.workloads.trainer.data import Target
from merkhet.workloads.trainer.features import INPUT, Features

THRESHOLD = 0.5


def describe(task: TaskName, features: Features, target: Target, accepted: Acceptance, graph: list[str]) -> Signature:
    """The signature; ``graph`` are the names of the ONNX graph's outputs, in order."""
    outputs = _outputs(task, target)
    names = [tensor.name for tensor in outputs]
    return Signature(
        inputs=_inputs(features, accepted),
        outputs=outputs,
        task=task,
        classes=target.classes,
        threshold=None if target.positive is None else THRESHOLD,
        positive=target.positive,
        graph=dict(zip(names, graph, strict=True)),
    )


def _inputs(features: Features, accepted: Acceptance) -> tuple[Tensor, ...]:
    if features.all_numeric:
        one = Tensor(
            name=INPUT,
            datatype="FP32",
            shape=(-1, len(features.names)),
            columns=features.names,
            missing=bool(accepted.missing),
            missing_columns=accepted.missing,
            column_categories=accepted.known,
        )
        return (one,)
    return tuple(
        Tensor(
            name=name,
            datatype="BYTES" if kind == "text" else "FP32",
            shape=(-1, 1),
            missing=name in accepted.missing,
            categories=accepted.known.get(name),
        )
        for name, kind in zip(features.names, features.kinds, strict=True)
    )


def _outputs(task: TaskName, target: Target) -> tuple[Tensor, ...]:
    if task == "Regression":
        return (Tensor(name="prediction", datatype="FP32", shape=(-1, 1)),)
    label = "BYTES" if isinstance(target.classes[0], str) else "INT64"
    return (
        Tensor(name="label", datatype=label, shape=(-1,)),
        Tensor(name="probabilities", datatype="FP32", shape=(-1, len(target.classes))),
    )
