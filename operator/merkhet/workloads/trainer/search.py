"""Parameters that are tried on folds of the training rows, each trial by itself, and the best of them.

What a trial tries follows from the seed and its number, and what it finds is judged by no other: however many pods are
at work and in whatever order they end, the winner is the same.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from merkhet.contract import training as contract
from merkhet.contract.estimators import LISTED, unknown_estimator, unknown_parameters
from merkhet.contract.evaluation import Search, Trial
from merkhet.contract.runs import digest_of
from merkhet.contract.training import Dimension, SearchResult, Signature, TrainingTask
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads.trainer import evaluate, folds
from merkhet.workloads.trainer.folds import Fold
from merkhet.workloads.trainer.parts import Parts

Array = npt.NDArray[Any]
Parameters = Mapping[str, Any]
_OF_STEP = re.compile(r"step([1-9][0-9]*)__(.+)")
# Threads of a pod add up in any order, and pods have different numbers of them: figures that differ by less are equal.
NOISE_DIGITS = 12


def identity(task: TrainingTask) -> str:
    """The digest of all that a trial's figure depends on; a run keeps its key where its spec is edited meanwhile."""
    decisive = ("task", "positive", "data", "joins", "target", "exclude", "sampleWeight", "split", "pipeline", "search")
    said = task.body()
    return digest_of([said.get(name) for name in decisive] + [task.threshold.value])


def winner(task: TrainingTask, store: Store, asked_for: str | None = None) -> Search:
    """The search as far as its trials have ended; raises Refused where none has a figure.

    The best mean over the folds wins, of equal ones the lowest number. ``asked_for`` is the ``identity`` of the task as
    the trials were given it: its components were names then.
    """
    checked(task)
    asked = _asked(task)
    folder = asked_for or identity(task)
    found = [_ended(store, paths.trial(task.run.key, folder, number)) for number in range(asked.trials)]
    trials = tuple(trial for trial in found if trial is not None)
    judged = {trial.number: trial.value for trial in trials if trial.value is not None}
    if not judged:
        raise Refused(_nothing_found(asked, trials), reason="SearchFailed")
    best = min(judged, key=lambda number: (_worse(asked.metric, judged[number]), number))
    result = SearchResult(
        metric=asked.metric,
        trials=asked.trials,
        finished=len(judged),
        best=best,
        value=judged[best],
        parameters=next(trial.parameters for trial in trials if trial.number == best),
    )
    return Search(result=result, method=asked.method, folds=asked.folds, seed=asked.seed, trials=trials)


def applied(task: TrainingTask, searched: Search | None) -> TrainingTask:
    """The task with the winner's parameters in its pipeline."""
    return task if searched is None else with_parameters(task, searched.result.parameters)


def shortfall(searched: Search) -> str:
    """What a person should know of a search that did not come to its end; nothing where it did."""
    asked, ended = searched.result.trials, len(searched.trials)
    failed = [trial for trial in searched.trials if trial.value is None]
    told = []
    if ended < asked:
        told.append(
            f"{ended} of {asked} trials of the search ended before the deadline, and the best of these was trained"
        )
    if failed:
        told.append(f"{len(failed)} of {asked} trials have no figure; trial {failed[0].number}: {failed[0].message}")
    return "; ".join(told)


def tried(task: TrainingTask, parts: Parts, number: int, threads: int) -> Trial:
    """One trial; where its parameters cannot be trained with, the reason in place of a figure."""
    asked, began = _asked(task), time.monotonic()
    parameters = parameters_of(asked, number)
    trial = Trial(number=number, parameters=parameters)
    try:
        figures = _figures(with_parameters(task, parameters), parts, asked, threads)
    except Refused as error:
        return trial.model_copy(update={"message": str(error), "seconds": _since(began)})
    mean, deviation = float(np.mean(figures)), float(np.std(figures))
    return trial.model_copy(update={"value": mean, "deviation": deviation, "seconds": _since(began)})


def parameters_of(search: contract.Search, number: int) -> dict[str, Any]:
    """What trial ``number`` tries: a grid's combination in order of the names, or what its own seed draws."""
    space = sorted(search.space.items())
    if search.method == "Grid":
        values = [dimension.values or (None,) for _, dimension in space]
        at = np.unravel_index(number, [len(choices) for choices in values])
        return {name: choices[int(one)] for (name, _), choices, one in zip(space, values, at, strict=True)}
    random = np.random.default_rng((search.seed, number))
    return {name: _drawn(dimension, random) for name, dimension in space}


def checked(task: TrainingTask) -> None:
    """Raises Refused for a name of the space that is no parameter of the pipeline, whose components are expanded."""
    named: dict[tuple[int, str], str] = {}
    for name in _asked(task).space:
        at, parameter = _place(task, name)
        if not 0 <= at < len(task.pipeline):
            raise Refused(
                f"search.space names {name}, and the pipeline has {len(task.pipeline)} steps (those of components are "
                f"counted one by one)",
                reason="UnknownParameter",
            )
        path = task.pipeline[at].estimator
        fault = unknown_estimator(path) if path not in LISTED else unknown_parameters(path, (parameter,))
        if fault is not None:
            raise Refused(f"search.space names {name} of step {at + 1}: {fault}", reason="UnknownParameter")
        if (twice := named.setdefault((at, parameter), name)) != name:
            raise Refused(f"search.space names {twice} and {name}, which are the same parameter; take one away",
                          reason="InvalidSpec")  # fmt: skip


def with_parameters(task: TrainingTask, parameters: Parameters) -> TrainingTask:
    """The task with these parameters laid over those of its pipeline."""
    steps = list(task.pipeline)
    for name, value in parameters.items():
        at, parameter = _place(task, name)
        steps[at] = steps[at].model_copy(update={"parameters": {**steps[at].parameters, parameter: value}})
    return task.model_copy(update={"pipeline": tuple(steps)})


def _figures(task: TrainingTask, parts: Parts, asked: contract.Search, threads: int) -> list[float]:
    """The figure of each fold; raises Refused where one has none."""
    judged = folds.judged(task, parts, asked.folds, threads)
    return [_figure(task, parts, asked.metric, fold, scores) for fold, scores in judged]


def _figure(task: TrainingTask, parts: Parts, metric: str, fold: Fold, scores: Array) -> float:
    """Labels are told by the threshold that is given, else by the usual one: another is chosen on the winner alone."""
    target = parts.rows.target
    signature = Signature(
        inputs=(), outputs=(), task=task.task, classes=target.classes, positive=target.positive,
        threshold=task.threshold.value,
    )  # fmt: skip
    truth = parts.train_truth[fold.judging]
    weights = np.ones(len(truth)) if parts.train_weights is None else parts.train_weights[fold.judging]
    with np.errstate(divide="ignore", invalid="ignore"):
        figure = evaluate.of(signature, truth, scores)[metric](weights)
    if not np.isfinite(figure):
        raise Refused(
            f"{metric} is not defined on the {len(truth)} rows that a fold judges by: they lack a class, or differing "
            f"targets, or weight; bring more rows, ask for fewer folds, or search by another metric",
            reason="TooFewRows",
        )
    return float(figure)


def _drawn(dimension: Dimension, random: np.random.Generator) -> Any:
    if dimension.values is not None:
        return dimension.values[int(random.integers(len(dimension.values)))]
    if dimension.integers is not None:
        return int(random.integers(*dimension.integers, endpoint=True))
    if dimension.log_uniform is not None:
        low, high = dimension.log_uniform
        # Rounding may lead beyond an end.
        return float(np.clip(np.exp(random.uniform(np.log(low), np.log(high))), low, high))
    if dimension.uniform is not None:
        return float(random.uniform(*dimension.uniform))
    raise Refused("a parameter of search.space has neither values nor a range; give it one", reason="InvalidSpec")


def _place(task: TrainingTask, name: str) -> tuple[int, str]:
    """The position of the step from 0, and the name of its parameter."""
    match = _OF_STEP.fullmatch(name)
    return (int(match[1]) - 1, match[2]) if match else (len(task.pipeline) - 1, name)


def _ended(store: Store, path: str) -> Trial | None:
    try:
        return Trial.load(store.read(path))
    except Missing:
        return None
    except ValidationError as error:
        raise Corrupt(f"{path} is no trial: {error}; restore it from a snapshot") from error


def _worse(metric: str, value: float) -> float:
    """The less, the better."""
    rounded = float(f"{value:.{NOISE_DIGITS}g}")
    return rounded if metric in evaluate.IS_LOSS else -rounded


def _nothing_found(asked: contract.Search, trials: tuple[Trial, ...]) -> str:
    if not trials:
        return f"no trial ended of the {asked.trials} of the search; give it a longer deadline, or more parallelism"
    first = trials[0]
    return f"none of {len(trials)} trials of the search has a figure; trial {first.number}: {first.message}"


def _asked(task: TrainingTask) -> contract.Search:
    if task.search is None:
        raise Refused("the training has no search, and a trial of one was asked for", reason="InvalidSpec")
    return task.search


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
