"""A model that somebody brings: its file looked at, its answers judged on a version of a FeatureSet, then registered.

The rows are taken for ones that it has not learned from: whoever brings it answers for that.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import Brought, Golden, Lineage, Split, TrainingResult, TrainingTask
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.components import onnx as stranger
from merkhet.workloads.run import Progress, RefusedForNow
from merkhet.workloads.trainer import (
    card,
    cases,
    champion,
    data,
    evaluate,
    evaluation,
    golden,
    groups,
    held_out,
    importance,
    latency,
    parity,
    register,
    split,
    suitable,
)
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.data import Rows
from merkhet.workloads.trainer.examine import warned
from merkhet.workloads.trainer.parts import Parts
from merkhet.workloads.trainer.train import usage_since

# What a server may answer otherwise than this pod: the same runtime on another processor.
TOLERANCE = 1e-5


def judge(task: TrainingTask, store: Store, progress: Progress) -> TrainingResult:
    """Do the task; raises Refused where the file, its signature or the rows do not fit."""
    began, used = time.monotonic(), cgroup.consumption().cpu_seconds
    given = _brought(task)
    evaluate.check_names(task)
    importance.check(task.importance)
    progress(f"looking at {given.uri}")
    content, what = _content(given, store), f"the model at {given.uri}"
    stranger.check(content, what)
    session = suitable.session(content, given.signature, what)
    progress(f"reading version {task.data.version} of {task.data.feature_set}")
    rows = data.read(task, store, suitable.columns(given.signature))
    suitable.check_rows(task, given.signature, rows)
    parts = _parts(rows)
    progress("judging its answers")
    answered = _answered(task, given, parts, session)
    found = evaluation.evaluated(
        answered,
        task.gates,
        target=task.target,
        train_rows=0,
        latency=latency.measured(content, parts.test),
        champion=champion.compared(task, parts, answered, store),
        tests=cases.tried(task.tests, session, given.signature, parts.test),
    )
    found = warned(found, ["a model that was brought: nobody here knows which rows it has learned from"])
    progress("finding out what the model goes by")
    important = importance.report(task.importance, session, answered)
    result = TrainingResult(
        model=task.model,
        lineage=Lineage(training={"run": task.run.key}, data=(task.data,), author=task.author),
        metrics=found.metrics,
        gates=found.gates,
        rows=found.rows,
        warnings=found.warnings,
        champion=None if task.champion is None else task.champion.number,
        usage=usage_since(began, used),
    )
    progress("registering")
    result = register.claimed_as(store, given, result)
    made = card.made(task, result, found, important, parts.rows.described)
    documents = register.Documents(
        golden=_golden(task, parts, answered),
        evaluation=found,
        importance=important,
        card=made,
        card_text=card.text(made),
        held_out=held_out.parquet(answered, truth_is_personal=parts.rows.is_personal(task.target)),
    )
    return register.registered(store, task.run, result, graph=content, signature=given.signature, documents=documents)


def _brought(task: TrainingTask) -> Brought:
    if task.brought is None:
        raise ValueError("the task brings no model")
    return task.brought


def _content(given: Brought, store: Store) -> bytes:
    """The file's bytes; a corrected file is tried again."""
    place = paths.file(given.uri)
    size = store.stat(place).size
    content = store.read(place) if size <= stranger.MOST_BYTES else b""
    found = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if found != given.digest or len(content) != given.size:
        raise RefusedForNow(
            f"{given.uri} has {size} bytes of {found}, the record says {given.size} bytes of {given.digest}; "
            f"put that file there, or bring this one as a version of its own",
            reason="DigestMismatch",
        )
    return content


def _parts(rows: Rows) -> Parts:
    """All rows are for testing."""
    everything = np.ones(rows.features.rows, dtype=np.bool_)
    return Parts(
        train=rows.features.take(~everything),
        train_truth=rows.target.values[~everything],
        test=rows.features,
        test_truth=rows.target.values,
        clusters=_clusters(rows),
        testing=everything,
        rows=rows,
    )


def _clusters(rows: Rows) -> npt.NDArray[Any] | None:
    """Rows of one entity belong together, where any has several."""
    by_entity = split.clusters(rows.table, rows.manifest, Split(method="Time"))
    if by_entity is None or len(np.unique(by_entity)) == len(by_entity):
        return None
    return by_entity


def _answered(task: TrainingTask, given: Brought, parts: Parts, session: Any) -> Answered:
    scores = np.concatenate([importance.answers(session, part) for part in parity.batches(parts.test)])
    suitable.check_scores(given.signature, scores)
    return Answered(
        features=parts.test,
        truth=parts.test_truth,
        scores=scores,
        signature=given.signature,
        weights=parts.test_weights,
        clusters=parts.clusters,
        groups=groups.groups(parts.rows.table, parts.rows.columns, task.sensitive, training=parts.testing),
    )


def _golden(task: TrainingTask, parts: Parts, answered: Answered) -> Golden:
    chosen = golden.choose(answered.features, answered.scores)
    truth = None if parts.rows.is_personal(task.target) else answered.truth[chosen]
    scale = 1.0 if task.task == "Classification" else float(answered.truth.std())
    return golden.make(
        answered.signature, answered.features.take(chosen), answered.scores[chosen], truth, TOLERANCE * scale
    )
