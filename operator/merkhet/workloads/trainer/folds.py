"""Parts of the training rows, made as the split makes them: what a search and out-of-fold predictions go by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from merkhet.contract.training import TrainingTask
from merkhet.errors import Refused
from merkhet.workloads.trainer import parity, pipeline, split
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.fit import fit
from merkhet.workloads.trainer.parity import Pair
from merkhet.workloads.trainer.parts import Parts

Array = npt.NDArray[Any]
NEVER_JUDGED = -1


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions among the training rows: to learn from, and to judge by."""

    learning: npt.NDArray[np.int64]
    judging: npt.NDArray[np.int64]


def folds(task: TrainingTask, parts: Parts, count: int) -> tuple[Fold, ...]:
    """Random, Group: each row is judged once, by a seeded hash of entity or group. Time: a fold learns of the earlier.

    Raises Refused where there are fewer entities, groups or moments than it takes, or a class is lacking to learn.
    """
    in_time = task.split.method == "Time"
    judged_in = _windows(parts, count) if in_time else _buckets(task, parts, count)
    made = [
        Fold(
            learning=np.flatnonzero(judged_in < number if in_time else judged_in != number),
            judging=np.flatnonzero(judged_in == number),
        )
        for number in range(count)
    ]
    for number, fold in enumerate(made, 1):
        _check_can_learn(task, parts, fold, f"fold {number} of {count}")
    return tuple(made)


def out_of_fold(task: TrainingTask, parts: Parts, count: int, threads: int) -> Array:
    """What models that have not seen a row say of it. Shape: [training rows, classes]; NaN where none does (Time)."""
    answers = np.full((parts.train.rows, len(parts.rows.target.classes) or 1), np.nan)
    for fold, scores in judged(task, parts, count, threads):
        answers[fold.judging] = scores
    return answers


def judged(task: TrainingTask, parts: Parts, count: int, threads: int) -> Iterator[tuple[Fold, Array]]:
    """Each fold with what a model that learned from it says of the rows to judge. Shape: [judging, classes]."""
    for fold in folds(task, parts, count):
        learning = parts.train.take(fold.learning)
        weights = None if parts.train_weights is None else parts.train_weights[fold.learning]
        built = pipeline.build(task.pipeline, task.task, learning, threads=threads)
        fit(built, learning, parts.train_truth[fold.learning], weights=weights, threads=threads)
        yield fold, _answers(Pair(built, None, parts.rows.target.classes), parts.train.take(fold.judging))


def _buckets(task: TrainingTask, parts: Parts, count: int) -> npt.NDArray[np.int64]:
    """The fold that judges each training row, the same in the next version of the data. Shape: [training rows]."""
    columns = split.hashed_columns(task.split, parts.rows.table, parts.rows.manifest)
    table = parts.rows.table.select(columns).filter(pa.array(~parts.testing))
    # The split's seeds are nought or more: this one is its own, and follows it.
    shares = split.hashed_share(split.canonical_text(table, columns), seed=-1 - task.split.seed)
    every, at = np.unique(shares, return_inverse=True)
    if len(every) < count:
        what = "groups" if task.split.method == "Group" else "entities" if parts.rows.manifest.entity else "rows"
        raise Refused(
            f"{parts.train.rows} training rows are of {len(every)} different {what}, and {count} folds want one each "
            f"at least; bring more rows, or ask for fewer folds",
            reason="TooFewRows",
        )
    buckets = np.floor(shares * count).astype(np.int64)
    if len(np.unique(buckets)) < count:
        # Few groups leave a bucket empty: dealt out in the order of their hashes, each fold gets one.
        buckets = at.astype(np.int64) % count
    return buckets


def _windows(parts: Parts, count: int) -> npt.NDArray[np.int64]:
    """The fold that judges each training row: equally many rows each in the order of time, the first part in none."""
    timestamp = parts.rows.manifest.timestamp
    assert timestamp is not None  # the split was by it
    moments = parts.rows.table.column(timestamp).to_numpy()[~parts.testing]
    every, at = np.unique(moments, return_inverse=True)
    if len(every) <= count:
        raise Refused(
            f"{len(moments)} training rows are of {len(every)} different moments, and {count} folds by Time want "
            f"{count + 1} at least: each learns from what is earlier; bring more rows, or ask for fewer folds",
            reason="TooFewRows",
        )
    # By the share of rows that are earlier, so that rows of one moment stay together.
    earlier = np.cumsum(np.bincount(at)) - np.bincount(at)
    windows = earlier * (count + 1) // len(moments)
    if len(np.unique(windows)) <= count:
        # Crowded moments leave a window empty: equally many moments each.
        windows = np.arange(len(every)) * (count + 1) // len(every)
    judged_in: npt.NDArray[np.int64] = windows[at] + NEVER_JUDGED
    return judged_in


def _check_can_learn(task: TrainingTask, parts: Parts, fold: Fold, name: str) -> None:
    known = np.unique(parts.train_truth[fold.learning])
    lacking = [label for label in parts.rows.target.classes if label not in known]
    if lacking:
        label = "one of its classes" if parts.rows.is_personal(task.target) else repr(lacking[0])
        raise Refused(
            f"{name} by {task.split.method} has {len(fold.learning)} of {parts.train.rows} training rows to learn "
            f"from, none with target {task.target} = {label}; bring more rows of it, or ask for fewer folds",
            reason="TooFewRows",
        )


def _answers(pair: Pair, rows: Features) -> Array:
    try:
        return np.concatenate([pair.trained(part) for part in parity.batches(rows)])
    except parity.REFUSALS as error:
        raise Refused(
            f"scikit-learn refuses a training row that a fold kept to judge by: {str(error)[:1000]}; let the pipeline "
            f"take it (an imputer for missing values, handle_unknown for categories)",
            reason="FoldRowRefused",
        ) from error
