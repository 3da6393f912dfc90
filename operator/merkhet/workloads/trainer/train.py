"""One training: from the rows of a FeatureSet's version to the record of a model version."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

from merkhet.contract.evaluation import ImportanceReport, Search
from merkhet.contract.runs import Usage
from merkhet.contract.training import Lineage, Threshold, TrainingResult, TrainingTask
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.trainer import (
    card,
    components,
    data,
    evaluate,
    export,
    held_out,
    importance,
    leakage,
    parity,
    pipeline,
    register,
    search,
    threshold,
)
from merkhet.workloads.trainer.components import Used
from merkhet.workloads.trainer.examine import Examined, Model, examine, warned
from merkhet.workloads.trainer.fit import fit
from merkhet.workloads.trainer.parity import Pair
from merkhet.workloads.trainer.parts import Parts, divide

PACKAGES = ("scikit-learn", "numpy", "skl2onnx", "onnx", "onnxruntime", "pyarrow")
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a training works with."""

    store: Store
    progress: Progress
    threads: int


def train(task: TrainingTask, store: Store, progress: Progress) -> TrainingResult:
    """Do the task; raises Refused where its result could not be trusted."""
    began, used = time.monotonic(), cgroup.consumption().cpu_seconds
    desk = Desk(store, progress, cgroup.limits().threads or 1)
    evaluate.check_names(task)
    importance.check(task.importance)
    asked_for = search.identity(task)
    task, used_components = components.expanded(task, store)
    progress(f"reading version {task.data.version} of {task.data.feature_set}")
    parts = divide(task, data.read(task, store))
    searched = search.winner(task, store, asked_for) if task.search is not None else None
    task = search.applied(task, searched)
    model = learn(task, parts, desk)
    examined = _examined(task, parts, model, desk, searched)
    progress("finding out what the model goes by")
    important = importance.report(task.importance, model.pair.session, examined.tested)
    result = TrainingResult(
        model=task.model,
        lineage=_lineage(task, used_components),
        parameters=_parameters(task),
        metrics=examined.evaluation.metrics,
        gates=examined.evaluation.gates,
        rows=examined.evaluation.rows,
        warnings=examined.evaluation.warnings,
        search=None if searched is None else searched.result,
        champion=None if task.champion is None else task.champion.number,
        usage=usage_since(began, used),
    )
    if not task.register_model:
        return result
    progress("registering")
    result = register.claimed(store, task.run, result)
    documents = _documents(task, result, parts, examined, important)
    return register.registered(
        store, task.run, result, graph=model.graph, signature=examined.signature, documents=documents
    )


def learn(task: TrainingTask, parts: Parts, desk: Desk) -> Model:
    """Fit the pipeline and convert it."""
    built = pipeline.build(task.pipeline, task.task, parts.train, threads=desk.threads)
    name = type(built.steps[-1][1]).__name__
    desk.progress(f"fitting {name} on {parts.train.rows} rows of {len(parts.train.names)} features")
    said = fit(built, parts.train, parts.train_truth, weights=parts.train_weights, threads=desk.threads)
    desk.progress("converting to ONNX")
    graph = export.convert(built, parts.train)
    scale = 1.0 if task.task == "Classification" else float(parts.train_truth.std())
    return Model(Pair(built, parity.session(graph, desk.threads), parts.rows.target.classes, scale), graph, said)


def _examined(task: TrainingTask, parts: Parts, model: Model, desk: Desk, searched: Search | None) -> Examined:
    if task.threshold != Threshold():
        desk.progress("choosing the threshold on out-of-fold predictions")
    chosen = threshold.choose(task, parts, desk.threads)
    desk.progress("testing and comparing with scikit-learn")
    examined = examine(task, parts, model, chosen, desk.store)
    leaks = leakage.warnings(parts.train, parts.train_truth, regression=task.task == "Regression")
    short = () if searched is None else (search.shortfall(searched),)
    found = warned(examined.evaluation, short, model.warnings, leaks)
    return replace(examined, evaluation=found.model_copy(update={"search": searched, "threshold": chosen}))


def _documents(
    task: TrainingTask, result: TrainingResult, parts: Parts, examined: Examined, important: ImportanceReport
) -> register.Documents:
    made = card.made(task, result, examined.evaluation, important, parts.rows.described)
    return register.Documents(
        golden=examined.golden,
        evaluation=examined.evaluation,
        importance=important,
        card=made,
        card_text=card.text(made),
        held_out=held_out.parquet(examined.tested, truth_is_personal=parts.rows.is_personal(task.target)),
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
        **({"sampleWeight": task.sample_weight} if task.sample_weight else {}),
        "seed": pipeline.SEED,
    }


def usage_since(began: float, used: float) -> Usage:
    """What the container has used since then. Units: seconds by the monotonic clock, CPU seconds."""
    now = cgroup.consumption()
    return Usage(
        cpu_seconds=round(now.cpu_seconds - used, 3),
        wall_seconds=round(time.monotonic() - began, 3),
        peak_memory=now.peak_memory,
    )
