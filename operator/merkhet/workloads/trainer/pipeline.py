"""The scikit-learn pipeline that a task describes, from steps of the allow-list.

Steps with ``columns`` come first: each column runs through the steps that name it, and what comes out is put side by
side. The steps after them take everything.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from merkhet.contract.estimators import (
    ALLOWED,
    MANY_INNER,
    ONE_INNER,
    EstimatorKind,
    fault_of,
    inner,
    names_of_members,
)
from merkhet.contract.training import Columns, Step, TaskName
from merkhet.errors import Refused
from merkhet.workloads.trainer.features import Features

SEED = 0
# What is the same in every pipeline: dense float32 between the steps, one seed, probabilities rather than votes. Voting
# flattens only where it transforms, which it never does here, and has an ONNX form only without.
FIXED: Mapping[str, Any] = {
    "random_state": SEED,
    "dtype": np.float32,
    "sparse_output": False,
    "voting": "soft",
    "flatten_transform": False,
}


class Unchanged(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Columns as they are: scikit-learn's own ``passthrough`` does not take Arrow tables."""

    def fit(self, X: Any, y: Any = None) -> Unchanged:  # noqa: ARG002, N803 - scikit-learn's signature
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:  # noqa: N803
        """The same numbers as a matrix."""
        return np.asarray(X, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Branch:
    """Columns that run through the same steps."""

    columns: tuple[str, ...]
    steps: tuple[int, ...]


def build(steps: Sequence[Step], task: TaskName, features: Features, *, threads: int = 1) -> Pipeline:
    """The pipeline, not fitted; raises Refused naming the step and what is wrong with it."""
    _check_steps(steps, last="classifier" if task == "Classification" else "regressor")
    if steps[-1].columns is not None:
        raise Refused(f"step {len(steps)} ({steps[-1].estimator}) takes every column; remove its `columns`",
                      reason="InvalidPipeline")  # fmt: skip
    return _assembled(steps, features, threads)


def preparation(steps: Sequence[Step], features: Features, *, threads: int = 1) -> Pipeline:
    """Steps that prepare rows and predict nothing, not fitted; raises Refused as ``build`` does."""
    check_preparation(steps, threads=threads)
    return _assembled(steps, features, threads)


def check_preparation(steps: Sequence[Step], *, threads: int = 1) -> None:
    """What can be said of steps that predict nothing before there are rows; raises Refused."""
    _check_steps(steps, last="transformer")
    _columns_head(steps)
    for position, step in enumerate(steps, 1):
        _checked(position, step, threads)


def _assembled(steps: Sequence[Step], features: Features, threads: int) -> Pipeline:
    made = [_checked(position, step, threads) for position, step in enumerate(steps, 1)]
    head = _columns_head(steps)
    tail = [(f"step{position}", made[position - 1]) for position in range(head + 1, len(steps) + 1)]
    if head == 0 and features.all_numeric:
        return Pipeline(tail)
    branches = plan_branches(steps[:head], features)
    _check_text_is_encoded(branches, steps, features)
    transformers = [_transformer(branch, made, features) for branch in branches]
    return Pipeline([("columns", ColumnTransformer(transformers, sparse_threshold=0)), *tail])


def make(path: str, parameters: Mapping[str, Any], threads: int = 1) -> Any:
    """An estimator of scikit-learn by import path, with what is the same in every pipeline set where it takes it."""
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    takes = inspect.signature(cls.__init__).parameters
    # One that holds others would start a process for each, with a copy of the rows; the threads are for those inside.
    holder = any(name in takes for name in (*ONE_INNER, MANY_INNER))
    fixed = {key: value for key, value in {**FIXED, "n_jobs": None if holder else threads}.items() if key in takes}
    return cls(**{**fixed, **{key: _value(key, value, threads) for key, value in parameters.items()}})


def plan_branches(steps: Sequence[Step], features: Features) -> list[Branch]:
    """Columns grouped by the steps that they run through, so that each group is of one kind; raises Refused."""
    chosen = [selected(position, step.columns, features) for position, step in enumerate(steps, 1)]
    groups: dict[tuple[tuple[int, ...], bool], list[str]] = {}
    for name, kind in zip(features.names, features.kinds, strict=True):
        through = tuple(position for position, names in enumerate(chosen) if name in names)
        groups.setdefault((through, kind == "text"), []).append(name)
    branches = [Branch(tuple(names), through) for (through, _), names in groups.items()]
    for position, names in enumerate(chosen):
        parts = [branch for branch in branches if position in branch.steps]
        if len(parts) > 1 and not ALLOWED[steps[position].estimator].columnwise:
            raise Refused(
                f"step {position + 1} ({steps[position].estimator}) mixes the columns {_listed(names)}, of which other "
                f"steps take only some or which are both text and numbers; give it its own columns",
                reason="InvalidPipeline",
            )
    return branches


def selected(position: int, columns: Columns | None, features: Features) -> tuple[str, ...]:
    """The columns that a step takes; raises Refused for one that is no feature."""
    if columns is None:
        return features.names
    if columns.names is None:
        numeric = columns.type != "categorical"
        return tuple(n for n, k in zip(features.names, features.kinds, strict=True) if (k == "number") is numeric)
    unknown = [name for name in columns.names if name not in features.names]
    if unknown:
        raise Refused(
            f"step {position} names the columns {_listed(unknown)}, which are not features; "
            f"features are {_listed(features.names)}",
            reason="UnknownColumn",
        )
    return columns.names


def _check_steps(steps: Sequence[Step], last: EstimatorKind) -> None:
    if not steps:
        raise Refused("the pipeline has no step; give it one", reason="InvalidPipeline")
    for position, step in enumerate(steps, 1):
        fault = fault_of(step.estimator, step.parameters)
        if fault is not None:
            raise Refused(f"step {position}: {fault.message}", reason="InvalidPipeline")
        kind, wanted = ALLOWED[step.estimator].kind, last if position == len(steps) else "transformer"
        if kind != wanted:
            raise Refused(
                f"step {position} ({step.estimator}) is a {kind}; a {wanted} is wanted there", reason="InvalidPipeline"
            )


def _columns_head(steps: Sequence[Step]) -> int:
    """How many steps name columns; raises Refused where one stands behind a step that takes everything."""
    head = next((position for position, step in enumerate(steps) if step.columns is None), len(steps))
    late = next((position for position in range(head, len(steps)) if steps[position].columns is not None), None)
    if late is not None:
        raise Refused(
            f"step {late + 1} ({steps[late].estimator}) names columns behind step {head + 1} "
            f"({steps[head].estimator}), which takes all of them; put steps with `columns` first",
            reason="InvalidPipeline",
        )
    return head


def _check_text_is_encoded(branches: Sequence[Branch], steps: Sequence[Step], features: Features) -> None:
    text = {name for name, kind in zip(features.names, features.kinds, strict=True) if kind == "text"}
    for branch in branches:
        plain = [name for name in branch.columns if name in text]
        if plain and not (branch.steps and ALLOWED[steps[branch.steps[0]].estimator].text):
            takers = ", ".join(path for path, estimator in ALLOWED.items() if estimator.text)
            raise Refused(
                f"the columns {_listed(plain)} hold text and their first step does not take text; "
                f"give them to one of {takers} with `columns`, or exclude them",
                reason="TextColumn",
            )


def _transformer(branch: Branch, made: Sequence[Any], features: Features) -> tuple[str, Any, list[int]]:
    name = "step" + "_".join(str(position + 1) for position in branch.steps) if branch.steps else "rest"
    name += "_text" if features.kinds[features.names.index(branch.columns[0])] == "text" else ""
    steps = [(f"step{position + 1}", made[position]) for position in branch.steps]
    positions = [features.names.index(column) for column in branch.columns]
    return name, Pipeline(steps) if steps else Unchanged(), positions


def _checked(position: int, step: Step, threads: int) -> Any:
    _check_values(f"step {position} ({step.estimator})", step.estimator, step.parameters)
    return make(step.estimator, step.parameters, threads)


def _check_values(where: str, path: str, parameters: Mapping[str, Any]) -> None:
    """Raises Refused in scikit-learn's own words where a value is of a wrong type or range, however deep it stands."""
    for one in inner(parameters):
        _check_values(f"{where}, {one.place} ({one.estimator})", one.estimator, one.parameters)
    try:
        make(path, parameters)._validate_params()
    except ValueError as error:
        raise Refused(f"{where}: {error}", reason="InvalidParameter") from error


def _value(name: str, value: Any, threads: int) -> Any:
    """A JSON value as scikit-learn wants it: its ranges and layer sizes are tuples, its inner estimators are made."""
    if name in ONE_INNER and value is not None:
        return _made_inside(value, threads)
    if name == MANY_INNER:
        made = [_made_inside(member, threads) for member in value]
        return list(zip(names_of_members(value), made, strict=True))
    if name == "weights" and isinstance(value, list):
        return np.asarray(value)  # the converter calculates with those of an ensemble
    return tuple(value) if isinstance(value, list) else value


def _made_inside(written: Mapping[str, Any], threads: int) -> Any:
    return make(written["estimator"], written.get("parameters") or {}, threads)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
