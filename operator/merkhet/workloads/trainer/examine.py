"""What is found out about a fitted model: that its ONNX form agrees, how good it is, and which requests prove it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract import evaluation as contract
from merkhet.contract.evaluation import ChosenThreshold, Evaluation
from merkhet.contract.training import Golden, Signature, TrainingTask
from merkhet.errors import Refused
from merkhet.store.port import Store
from merkhet.workloads.trainer import (
    acceptance,
    cases,
    champion,
    evaluation,
    golden,
    groups,
    latency,
    parity,
    signature,
)
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.parity import Pair
from merkhet.workloads.trainer.parts import Parts

Array = npt.NDArray[Any]
MOST_WARNINGS = 16  # of a record
# A record goes to the operator in a ConfigMap, which ends at 1 MiB, and stands in its ModelVersion, which ends at 1.5;
# what else is in it is bounded to less than a half of that.
MOST_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted pipeline and its ONNX form."""

    pair: Pair
    graph: bytes
    warnings: tuple[str, ...]  # of scikit-learn, while it fitted


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about a model."""

    signature: Signature
    tested: Answered
    evaluation: Evaluation
    golden: Golden


def examine(
    task: TrainingTask, parts: Parts, model: Model, threshold: ChosenThreshold | None, store: Store
) -> Examined:
    """Prove the parity, evaluate, and choose golden requests; raises Refused where scikit-learn and ONNX differ."""
    limit = task.gates.parity.max_difference
    accepted = acceptance.find(model.pair, task.pipeline, parts.train, limit)
    outputs = [output.name for output in model.pair.session.get_outputs()]
    described = signature.describe(task.task, parts.train, parts.rows.target, accepted, outputs)
    if threshold is not None:
        described = described.model_copy(update={"threshold": threshold.value})
    check_size(described)
    edges = parity.edge_rows(model.pair.pipeline, parts.train, accepted.missing, tuple(accepted.known))
    proven = parity.prove(model.pair, parts.test, edges, limit)
    tested = _tested(task, parts, model.pair, described)
    found = evaluation.evaluated(
        tested,
        task.gates,
        target=task.target,
        train_rows=parts.train.rows,
        parity=contract.Parity(
            difference=proven.difference,
            percentile999=proven.percentile999,
            rows=proven.rows,
            edge_rows=proven.edge_rows,
        ),
        latency=latency.measured(model.graph, parts.test),
        champion=champion.compared(task, parts, tested, store),
        tests=cases.tried(task.tests, model.pair.session, described, parts.train),
    )
    return Examined(described, tested, found, _golden(task, parts, tested, limit * model.pair.scale))


def _tested(task: TrainingTask, parts: Parts, pair: Pair, described: Signature) -> Answered:
    by = groups.groups(parts.rows.table, parts.rows.columns, task.sensitive, training=~parts.testing)
    return Answered(
        features=parts.test,
        truth=parts.test_truth,
        scores=np.concatenate([_answered(pair, part) for part in parity.batches(parts.test)]),
        signature=described,
        weights=parts.test_weights,
        clusters=parts.clusters,
        groups={name: labels[parts.testing] for name, labels in by.items()},
    )


def _answered(pair: Pair, rows: Features) -> Array:
    try:
        return pair.trained(rows)
    except parity.REFUSALS as error:
        raise Refused(
            f"scikit-learn refuses a test row: {str(error)[:1000]}; let the pipeline take it (an imputer for missing "
            f"values, handle_unknown for categories)",
            reason="TestRowRefused",
        ) from error


def _golden(task: TrainingTask, parts: Parts, tested: Answered, tolerance: float) -> Golden:
    chosen = golden.choose(tested.features, tested.scores)
    truth = None if parts.rows.is_personal(task.target) else tested.truth[chosen]
    return golden.make(tested.signature, tested.features.take(chosen), tested.scores[chosen], truth, tolerance)


def warned(evaluation: Evaluation, *told: Sequence[str]) -> Evaluation:
    """The document with what a person should know."""
    every = tuple(dict.fromkeys(one[:500] for words in told for one in words if one))
    if len(every) > MOST_WARNINGS:
        every = (*every[: MOST_WARNINGS - 1], f"and {len(every) - MOST_WARNINGS + 1} warnings more")
    return evaluation.model_copy(update={"warnings": every})


def check_size(described: Signature) -> None:
    """Raises Refused for a signature that no record holds."""
    size = len(described.dump().encode())
    if size > MOST_BYTES:
        known = [one for tensor in described.inputs for one in (tensor.categories, *tensor.column_categories.values())]
        count = sum(len(one) for one in known if one is not None)
        raise Refused(
            f"the model's signature takes {size} bytes, at most {MOST_BYTES} are kept in a version: it has {count} "
            f"categories that encoders remember, {len(described.classes)} classes and the names of the columns; set "
            f"handle_unknown: ignore, or exclude columns",
            reason="RecordTooLarge",
        )
