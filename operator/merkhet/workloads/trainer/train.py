"""One training: from the rows of a FeatureSet's version to the record of a model version."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.base import canonical
from merkhet.contract.runs import Usage
from merkhet.contract.training import (
    Artifact,
    Gate,
    Golden,
    Lineage,
    Metric,
    Signature,
    TrainingResult,
    TrainingTask,
)
from merkhet.errors import Refused
from merkhet.store import claims, paths, roots
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.trainer import (
    acceptance,
    components,
    data,
    evaluate,
    export,
    golden,
    parity,
    pipeline,
    signature,
    split,
)
from merkhet.workloads.trainer.components import Used
from merkhet.workloads.trainer.data import Rows
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.fit import fit
from merkhet.workloads.trainer.parity import Pair, Parity

PACKAGES = ("scikit-learn", "numpy", "skl2onnx", "onnx", "onnxruntime", "pyarrow")
Progress = Callable[[str], None]
Array = npt.NDArray[Any]


def train(task: TrainingTask, store: Store, progress: Progress) -> TrainingResult:
    """Do the task; raises Refused where its result could not be trusted."""
    began, used = time.monotonic(), cgroup.consumption().cpu_seconds
    threads = cgroup.limits().threads or 1
    evaluate.check_names(task.metrics, task.task)
    task, used_components = components.expanded(task, store)
    progress(f"reading version {task.data.version} of {task.data.feature_set}")
    parts = divide(task, data.read(task, store))
    model = learn(task, parts, threads, progress)
    progress("testing and comparing with scikit-learn")
    examined = examine(task, parts, model)
    result = TrainingResult(
        model=task.model,
        lineage=_lineage(task, used_components),
        parameters=_parameters(task),
        metrics=examined.metrics,
        gates=examined.gates,
        rows={"train": parts.train.rows, "test": parts.test.rows},
        usage=_usage(began, used),
    )
    if not task.register_model:
        return result
    progress("registering")
    return _registered(task, store, result, model, examined)


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows to learn from and rows to test on."""

    train: Features
    train_truth: Array
    test: Features
    test_truth: Array
    clusters: Array | None  # of the test rows
    rows: Rows


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted pipeline and its ONNX form."""

    pair: Pair
    graph: bytes
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about a model."""

    signature: Signature
    parity: Parity
    metrics: tuple[Metric, ...]
    gates: tuple[Gate, ...]
    golden: Golden
    report: Mapping[str, Any]


def divide(task: TrainingTask, rows: Rows) -> Parts:
    """Split the rows; raises Refused where a part lacks what it takes."""
    testing = split.test_rows(task.split, rows.table, rows.manifest)
    together = split.clusters(rows.table, rows.manifest, task.split)
    truth = rows.target.values
    for part, name in ((~testing, "learn from"), (testing, "test on")):
        lacking = [label for label in rows.target.classes if not (truth[part] == label).any()]
        if lacking or len(np.unique(truth[part])) < 2:
            what = f"none with target {task.target} = {lacking[0]!r}" if lacking else "fewer than two different targets"
            method = f"{task.split.method}, testFraction {task.split.test_fraction:g}"
            raise Refused(
                f"of {len(truth)} rows the split ({method}) leaves "
                f"{int(part.sum())} to {name}, {what}; bring more rows, or another testFraction or seed",
                reason="TooFewRows",
            )
    return Parts(
        train=rows.features.take(~testing),
        train_truth=truth[~testing],
        test=rows.features.take(testing),
        test_truth=truth[testing],
        clusters=None if together is None else np.unique(together[testing], return_inverse=True)[1],
        rows=rows,
    )


def learn(task: TrainingTask, parts: Parts, threads: int, progress: Progress) -> Model:
    """Fit the pipeline and convert it."""
    built = pipeline.build(task.pipeline, task.task, parts.train, threads=threads)
    name = type(built.steps[-1][1]).__name__
    progress(f"fitting {name} on {parts.train.rows} rows of {len(parts.train.names)} features")
    warned = fit(built, parts.train, parts.train_truth, threads=threads)
    progress("converting to ONNX")
    graph = export.convert(built, parts.train)
    scale = 1.0 if task.task == "Classification" else float(parts.train_truth.std())
    return Model(Pair(built, parity.session(graph, threads), parts.rows.target.classes, scale), graph, warned)


def examine(task: TrainingTask, parts: Parts, model: Model) -> Examined:
    """Prove the parity, evaluate, and choose golden requests."""
    limit = task.max_parity_difference
    accepted = acceptance.find(model.pair, task.pipeline, parts.train, limit)
    outputs = [output.name for output in model.pair.session.get_outputs()]
    described = signature.describe(task.task, parts.train, parts.rows.target, accepted, outputs)
    scores = np.concatenate([_answered(model.pair, part) for part in parity.batches(parts.test)])
    edges = parity.edge_rows(model.pair.pipeline, parts.train, accepted.missing, tuple(accepted.known))
    proven = parity.prove(model.pair, parts.test, edges, limit)
    figures = _figures(parts, described, scores)
    metrics = evaluate.measured(figures, parts.test.rows, parts.clusters)
    chosen = golden.choose(parts.test, scores)
    truth = None if _is_personal(parts.rows, task.target) else parts.test_truth[chosen]
    tolerance = limit * model.pair.scale
    return Examined(
        signature=described,
        parity=proven,
        metrics=metrics,
        gates=(*evaluate.gates(metrics, task.metrics), _parity_gate(proven, limit)),
        golden=golden.make(described, parts.test.take(chosen), scores[chosen], truth, tolerance),
        report={
            **_report(parts, metrics, proven),
            **_confusion(parts, described, scores),
            "warnings": list(model.warnings),
        },
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


def _figures(parts: Parts, described: Signature, scores: Array) -> dict[str, evaluate.Figure]:
    if described.task == "Regression":
        return evaluate.regression(parts.test_truth, scores[:, 0])
    threshold = described.threshold or signature.THRESHOLD
    return evaluate.classification(parts.test_truth, scores, described.classes, described.positive, threshold)


def _parity_gate(proven: Parity, limit: float) -> Gate:
    return Gate(name="parity", result="Passed", value=proven.difference, limit=limit)


def _report(parts: Parts, metrics: tuple[Metric, ...], proven: Parity) -> dict[str, Any]:
    return {
        "version": 1,
        "rows": {"train": parts.train.rows, "test": parts.test.rows},
        "metrics": [metric.body() for metric in metrics],
        "intervals": {"method": "bootstrap", "resamples": evaluate.RESAMPLES, "confidence": evaluate.CONFIDENCE},
        "parity": {
            "difference": proven.difference,
            "percentile999": proven.percentile999,
            "rows": proven.rows,
            "edgeRows": proven.edge_rows,
        },
    }


def _confusion(parts: Parts, described: Signature, scores: Array) -> dict[str, Any]:
    """How often a class (row) was taken for a class (column)."""
    if described.task == "Regression":
        return {}
    said = np.asarray(golden.labels(described, scores))
    counts = [
        [int(((parts.test_truth == true) & (said == label)).sum()) for label in described.classes]
        for true in described.classes
    ]
    return {"classes": list(described.classes), "confusion": counts}


def _registered(
    task: TrainingTask, store: Store, result: TrainingResult, model: Model, examined: Examined
) -> TrainingResult:
    digest = store.add(model.graph)
    reports = {
        "golden": store.add(examined.golden.dump().encode()),
        "evaluation": store.add(canonical(dict(examined.report)).encode()),
    }
    # The number is claimed last, when all that it stands for is there.
    number = claims.claim_number(store, paths.models(task.model), task.run.key)
    artifact = Artifact(digest=digest, size=len(model.graph), uri=paths.blob(digest))
    used = [data.digest for data in result.lineage.data]
    used += [use.digest for use in result.lineage.components if use.digest is not None]
    roots.hold_for_model(store, task.model, number, task.run, (digest, *reports.values(), *used))
    return result.model_copy(
        update={"number": number, "artifact": artifact, "signature": examined.signature, "reports": reports}
    )


def _lineage(task: TrainingTask, used: Used) -> Lineage:
    run = task.run
    return Lineage(
        training={"name": task.training, "uid": run.origin.uid, "run": run.key, "trigger": run.trigger},
        data=(task.data, *(join.data for join in task.joins)),
        components=used,
        image=run.image,
        packages={name: metadata.version(name) for name in PACKAGES},
        revision=run.revision,
        author=task.author,
    )


def _parameters(task: TrainingTask) -> dict[str, Any]:
    return {
        "pipeline": [step.body() for step in task.pipeline],
        "target": task.target,
        "exclude": list(task.exclude),
        "split": task.split.body(),
        **({"joins": [join.body() for join in task.joins]} if task.joins else {}),
        "seed": pipeline.SEED,
    }


def _usage(began: float, used: float) -> Usage:
    now = cgroup.consumption()
    return Usage(
        cpu_seconds=round(now.cpu_seconds - used, 3),
        wall_seconds=round(time.monotonic() - began, 3),
        peak_memory=now.peak_memory,
    )


def _is_personal(rows: Rows, name: str) -> bool:
    return any(column.personal for column in rows.columns if column.name == name)
