"""The rows of a FeatureSet's version: what is a feature, what is the target, and whether they may be used.

Entity, timestamp, arrival, target, excluded and personal columns are never features: what a model is fed with appears
in golden requests, and personal columns must not.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from merkhet.contract.features import Column, FeaturesManifest
from merkhet.contract.training import TrainingTask
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store.port import Store
from merkhet.workloads.trainer.features import ColumnKind, Features
from merkhet.workloads.trainer.joins import joined

MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be predicted. ``classes`` is empty for a regression; ``positive`` is one of two classes."""

    values: npt.NDArray[Any]  # int64, str or float64
    classes: tuple[Any, ...] = ()
    positive: Any = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A version's rows, ready for training."""

    table: pa.Table  # as stored, with what is joined: for the split
    manifest: FeaturesManifest  # of the version whose rows these are
    columns: tuple[Column, ...]  # of the table
    features: Features
    target: Target
    weights: npt.NDArray[np.float64] | None = None  # how much each row counts

    @property
    def described(self) -> FeaturesManifest:
        """The manifest with what is known of joined columns, too."""
        return self.manifest.model_copy(update={"columns": self.columns})

    def is_personal(self, name: str) -> bool:
        """Whether a column's values must not be shown."""
        return any(column.personal for column in self.columns if column.name == name)


def read(task: TrainingTask, store: Store, features: Sequence[str] | None = None) -> Rows:
    """The rows that a task names; raises Refused naming the column that may not be used and why.

    ``features`` are those of a model that is there; left out: all that may be learned from.
    """
    manifest = _manifest(task, store)
    table, columns = joined(task, manifest, store) if task.joins else (_stored(manifest, store), manifest.columns)
    offered = feature_names(task, manifest.model_copy(update={"columns": columns}))
    names = offered if features is None else _asked_for(task, features, offered)
    if table.num_rows == 0:
        raise Refused(f"{_version(task)} has no rows; nothing can be learned from it", reason="NoRows")
    personal = any(column.personal for column in columns if column.name == task.target)
    target = _target(task, table.column(task.target), personal=personal)
    return Rows(table, manifest, columns, features_of(table, names), target, _weights(task, table))


def feature_names(task: TrainingTask, manifest: FeaturesManifest) -> tuple[str, ...]:
    """The columns a model is fed with, in the manifest's order."""
    known = [column.name for column in manifest.columns]
    named = [(task.target, "target"), *((name, "excluded column") for name in task.exclude)]
    named += [(name, "sensitive column") for name in task.sensitive]
    named += [(task.sample_weight, "sample weight")] if task.sample_weight else []
    for wanted, what in named:
        if wanted not in known:
            raise Refused(f"{_version(task)} has no column {wanted}, which is the {what}{_hint(wanted, known)}",
                          reason="UnknownColumn")  # fmt: skip
    never = {task.target, task.sample_weight, *task.exclude, *manifest.entity, manifest.timestamp, manifest.arrival}
    names = tuple(column.name for column in manifest.columns if column.name not in never and not column.personal)
    if not names:
        raise Refused(
            f"{_version(task)} has no column left to learn from: entity, timestamp, arrival, personal and excluded "
            f"ones and the target {task.target} are never features",
            reason="NoFeatures",
        )
    return names


def _asked_for(task: TrainingTask, features: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    lacking = next((name for name in features if name not in offered), None)
    if lacking is not None:
        raise Refused(
            f"the model takes {lacking}, which {_version(task)} does not offer as a feature{_hint(lacking, offered)}",
            reason="UnknownColumn",
        )
    return tuple(features)


def _weights(task: TrainingTask, table: pa.Table) -> npt.NDArray[np.float64] | None:
    if task.sample_weight is None:
        return None
    name, column = task.sample_weight, _plain(table.column(task.sample_weight))
    if not (pa.types.is_integer(column.type) or _is_float(column) or pa.types.is_decimal(column.type)):
        raise Refused(
            f"sample weight {name} is of type {column.type}; name a column of numbers", reason="MistypedColumn"
        )
    weights = _numbers(column)
    wrong = int((~np.isfinite(weights) | (weights < 0)).sum())
    if wrong or not weights.any():
        found = f"is missing, infinite or negative in {wrong} rows" if wrong else "is nought in every row"
        raise Refused(f"sample weight {name} {found}; give each row a number of nought or more", reason="InvalidWeight")
    return weights


def _stored(manifest: FeaturesManifest, store: Store) -> pa.Table:
    tables = [pq.read_table(store.fetch(blob.digest)) for blob in manifest.blobs]
    return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


def features_of(table: pa.Table, names: Sequence[str]) -> Features:
    """These columns as estimators take them; raises Refused naming the one that they would not."""
    parts = [_feature(name, _plain(table.column(name))) for name in names]
    return Features(tuple(names), tuple(kind for kind, _ in parts), tuple(values for _, values in parts))


def _manifest(task: TrainingTask, store: Store) -> FeaturesManifest:
    try:
        with store.open(task.data.digest) as stream:
            content = stream.read()
    except Missing as error:
        raise Missing(
            f"{_version(task)} is not in the store any more: newer ones took its place before this run began; train on "
            f"the latest, or keep more of them with history.keep of the FeatureSet"
        ) from error
    try:
        return FeaturesManifest.load(content)
    except ValidationError as error:
        raise Corrupt(f"the manifest of {_version(task)} cannot be read: {error}; make the version anew") from error


def _feature(name: str, column: pa.ChunkedArray) -> tuple[ColumnKind, npt.NDArray[Any]]:
    if pa.types.is_null(column.type) or column.null_count == len(column):
        raise Refused(f"feature {name} has no value in any row; exclude it", reason="EmptyColumn")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return "text", _text(name, column)
    if pa.types.is_boolean(column.type):
        return "boolean", _float32(name, pc.cast(column, pa.int8()))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        return "number", _float32(name, column)
    raise Refused(
        f"feature {name} is of type {column.type}, from which no estimator learns; make numbers of it in the "
        f"FeatureSet's query (for a time: date_part, epoch differences), or exclude it",
        reason="MistypedColumn",
    )


def _text(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    if column.null_count:
        raise Refused(
            f"feature {name} holds text and is missing in {column.null_count} rows, which no ONNX form of an encoder "
            f"takes; give these rows a word of their own in the FeatureSet's query: coalesce({name}, 'unknown')",
            reason="MissingText",
        )
    return np.asarray(column.to_numpy(), dtype=object)


def _float32(name: str, column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    exact = _numbers(column)
    if np.isinf(exact).any():
        raise Refused(f"feature {name} holds infinity; clean it in the FeatureSet's query", reason="InfiniteValue")
    with np.errstate(over="ignore"):
        values = exact.astype(np.float32)
    if np.isinf(values).any():
        raise Refused(f"feature {name} holds numbers beyond float32 (3.4e38); scale it in the FeatureSet's query",
                      reason="InexactCast")  # fmt: skip
    known = exact[~np.isnan(exact)]
    if not len(known):
        raise Refused(f"feature {name} has no value in any row; exclude it", reason="EmptyColumn")
    whole = bool((known == np.trunc(known)).all())
    changed = known[values[~np.isnan(exact)] != known]
    if whole and len(changed):
        raise Refused(
            f"feature {name} holds {len(changed)} whole numbers that float32 changes, such as {changed[0]:.0f}; "
            f"models are fed float32: take a difference, a larger unit or text of it in the query, or exclude it",
            reason="InexactCast",
        )
    return values


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Doubles with NaN for a missing value. Integers beyond 2^53 come out changed, and still beyond 2^24."""
    doubles = pc.cast(column, pa.float64(), safe=False)
    return np.asarray(doubles.to_numpy(), dtype=np.float64)


def _target(task: TrainingTask, stored: pa.ChunkedArray, *, personal: bool) -> Target:
    column = _plain(stored)
    missing = column.null_count + (int(pc.sum(pc.is_nan(column)).as_py() or 0) if _is_float(column) else 0)
    if missing:
        raise Refused(
            f"target {task.target} is missing in {missing} of {len(column)} rows; leave such rows out in the query "
            f"(where {task.target} is not null)",
            reason="MissingTarget",
        )
    target = (
        _classes(task, column, personal=personal) if task.task == "Classification" else Target(_amounts(task, column))
    )
    if pc.count_distinct(column).as_py() < 2:
        value = "the same" if personal else repr(column[0].as_py())
        raise Refused(
            f"target {task.target} is {value} in every row: there is nothing to tell apart",
            reason="ConstantTarget",
        )
    return target


def _amounts(task: TrainingTask, column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if not (pa.types.is_integer(column.type) or _is_float(column) or pa.types.is_decimal(column.type)):
        raise Refused(
            f"target {task.target} is of type {column.type}; Regression predicts numbers (set task: Classification for "
            f"classes)",
            reason="MistypedTarget",
        )
    values = _numbers(column)
    if not np.isfinite(values).all():
        raise Refused(f"target {task.target} holds infinity; clean it in the query", reason="MistypedTarget")
    return values


def _classes(task: TrainingTask, column: pa.ChunkedArray, *, personal: bool) -> Target:
    values = _labels(task, column)
    classes = tuple(np.unique(values).tolist())
    if len(classes) > MOST_CLASSES:
        raise Refused(
            f"target {task.target} has {len(classes)} different values, more than {MOST_CLASSES} classes; set task: "
            f"Regression for amounts",
            reason="MistypedTarget",
        )
    return Target(values, classes, _positive(task, classes, personal=personal))


def _labels(task: TrainingTask, column: pa.ChunkedArray) -> npt.NDArray[Any]:
    if pa.types.is_boolean(column.type) or pa.types.is_integer(column.type):
        return np.asarray(pc.cast(column, pa.int64()).to_numpy(), dtype=np.int64)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.asarray(column.to_pylist(), dtype=str)
    if _is_float(column) and (values := _numbers(column)).tolist() == np.trunc(values).tolist():
        return values.astype(np.int64)
    fractions = " with fractions" if _is_float(column) else ""
    raise Refused(
        f"target {task.target} is of type {column.type}{fractions}; Classification wants whole numbers, booleans or "
        f"text (set task: Regression for amounts)",
        reason="MistypedTarget",
    )


def _positive(task: TrainingTask, classes: tuple[Any, ...], *, personal: bool) -> Any:
    if len(classes) != 2:
        if task.positive is not None and len(classes) > 2:
            raise Refused(
                f"positive is {task.positive!r}, and target {task.target} has {len(classes)} classes; leave `positive` "
                f"out, it is for two",
                reason="InvalidSpec",
            )
        return None
    if task.positive is None:
        return classes[1]
    found = next((label for label in classes if label == task.positive), None)
    if found is None:
        others = "one of two other values" if personal else f"{classes[0]!r} or {classes[1]!r}"
        raise Refused(
            f"positive is {task.positive!r}, and target {task.target} is {others}; name one of "
            f"these, quotes or none alike",
            reason="InvalidSpec",
        )
    return found


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _is_float(column: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_floating(column.type))


def _version(task: TrainingTask) -> str:
    return f"version {task.data.version} of FeatureSet {task.run.origin.namespace}/{task.data.feature_set}"


def _hint(wanted: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    shown = ", ".join(near or known[:20])
    return f"; did you mean {shown}?" if near else f"; it has {shown}"
