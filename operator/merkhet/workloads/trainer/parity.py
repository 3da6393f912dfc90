"""Whether the ONNX graph answers what scikit-learn answers, on test rows and on rows at the edges.

Probabilities differ absolutely, predictions of a regression relative to the target's standard deviation. Where the
probabilities agree, labels can differ only within the limit of a threshold or a tie, and there they may.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from sklearn.pipeline import Pipeline

from merkhet.errors import Refused
from merkhet.workloads.trainer.features import Features, joined

Array = npt.NDArray[Any]
MOST_EDGES = 400  # thresholds that are tried
BATCH = 16_384  # rows at once
UNKNOWN_TEXT = "\u2047 unknown \u2047"
# scikit-learn's own way to say that it does not take these rows.
REFUSALS = (ValueError, TypeError)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same model twice. ``scale`` is what a difference of predictions is measured in; 1 for probabilities."""

    pipeline: Pipeline
    session: Any
    classes: tuple[Any, ...] = ()
    scale: float = 1.0

    def trained(self, features: Features) -> Array:
        """What scikit-learn answers. Shape: [rows, classes], or [rows, 1] for a regression."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown categories, which it is asked about on purpose
            frame = features.frame()
            answer = self.pipeline.predict_proba(frame) if self.classes else self.pipeline.predict(frame)
        return np.asarray(answer, dtype=np.float64).reshape(features.rows, -1)

    def exported(self, features: Features) -> Array:
        """What the ONNX graph answers. Shape: as ``trained``."""
        return self._exported(features)[1]

    def _exported(self, features: Features) -> tuple[Array, Array]:
        """What the ONNX graph answers first, labels of a classifier, and last."""
        answers = self.session.run(None, features.feed())
        scores = np.asarray(answers[-1], dtype=np.float64).reshape(features.rows, -1)
        return np.asarray(answers[0]).reshape(-1), scores

    def differences(self, features: Features) -> Array:
        """The largest difference of each row; infinite where one of the two answers no number."""
        return np.concatenate([self._differences(part) for part in batches(features)])

    def agree(self, features: Features, limit: float) -> bool:
        """Whether scikit-learn takes these rows and the graph says the same."""
        try:
            return bool((self.differences(features) <= limit).all())
        except REFUSALS:
            return False

    def _differences(self, features: Features) -> Array:
        trained, (labels, exported) = self.trained(features), self._exported(features)
        if trained.shape != exported.shape:
            return np.full(features.rows, np.inf)
        worst = np.nan_to_num(abs(trained - exported) / self.scale, nan=np.inf).max(axis=1)
        if self.classes:
            top = np.sort(trained, axis=1)
            clear = top[:, -1] - top[:, -2] > 2 * worst
            other = labels != np.asarray(self.classes)[trained.argmax(axis=1)]
            worst[clear & other] = np.inf
        return np.asarray(worst, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Parity:
    """How far apart the two are at most. Units: probability, or standard deviations of the target."""

    difference: float
    percentile999: float
    rows: int
    edge_rows: int


def session(model: bytes, threads: int = 1) -> Any:
    """A session as the server makes it; raises Refused where the runtime does not load the graph."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes share no other base
        raise Refused(f"the ONNX graph does not load: {str(error)[:500]}", reason="NotConvertible") from error


def prove(pair: Pair, test: Features, edges: Features, limit: float) -> Parity:
    """The agreement on test and edge rows; raises Refused with the worst row beyond the limit."""
    edges = _accepted(pair, edges)
    rows = joined([test, edges])
    differences = pair.differences(rows)
    worst = int(differences.argmax())
    if differences[worst] > limit:
        raise Refused(_disagreement(pair, rows, worst, float(differences[worst]), limit), reason="ParityFailed")
    return Parity(float(differences[worst]), float(np.quantile(differences, 0.999)), test.rows, edges.rows)


def edge_rows(
    pipeline: Pipeline, train: Features, missing: Sequence[str], known: Sequence[str], seed: int = 11
) -> Features:
    """Rows at the edges of what the model takes: extremes, values beside thresholds, missing and unknown ones.

    ``missing`` may have none; ``known`` take only values seen at training.
    """
    random = np.random.default_rng(seed)
    base = train.take(random.choice(train.rows, size=min(4, train.rows), replace=False))
    parts = [base]
    for name, kind in zip(train.names, train.kinds, strict=True):
        free = name not in known
        values = _text_edges(train, name, free) if kind == "text" else _number_edges(train, name, free, random)
        parts += [base.changed(name, value) for value in (*values, *([np.nan] if name in missing else []))]
    thresholds = [(name, value) for name, value in tree_thresholds(pipeline, train) if name not in known]
    chosen = random.permutation(len(thresholds))[:MOST_EDGES]
    one = base.take([0])
    parts += [one.changed(name, value) for name, at in (thresholds[i] for i in chosen) for value in _beside(at)]
    if missing:
        everything = base
        for name in missing:
            everything = everything.changed(name, np.nan)
        parts.append(everything)
    return joined(parts)


def tree_thresholds(pipeline: Pipeline, train: Features) -> list[tuple[str, float]]:
    """The values at which the trees of the last step part, for inputs that reach it unchanged."""
    found = list(_splits(pipeline.steps[-1][1]))
    if not found:
        return []
    sample = train.take(np.arange(min(256, train.rows)))
    reaching = sample.frame()
    for _, step in pipeline.steps[:-1]:
        reaching = step.transform(reaching)
    source = {
        at: name
        for at in {at for at, _ in found}
        for name, kind in zip(train.names, train.kinds, strict=True)
        if kind != "text" and np.array_equal(reaching[:, at], sample.column(name), equal_nan=True)
    }
    return [(source[at], value) for at, value in found if at in source and np.isfinite(value)]


def batches(features: Features) -> Iterator[Features]:
    """Parts of a size that both sides hold easily."""
    for start in range(0, features.rows, BATCH):
        yield features.take(np.arange(start, min(start + BATCH, features.rows)))


def _accepted(pair: Pair, rows: Features) -> Features:
    """The rows that scikit-learn takes: some edges are beyond what a step is made for."""

    def takes(some: Features) -> bool:
        try:
            pair.trained(some)
        except REFUSALS:
            return False
        return True

    return rows if takes(rows) else rows.take([at for at in range(rows.rows) if takes(rows.take([at]))])


def _splits(model: Any) -> Iterator[tuple[int, float]]:
    """Column and value of each split of a model and of those inside of it that are given the same columns."""
    for stage in getattr(model, "_predictors", ()):  # histogram gradient boosting
        for predictor in stage:
            nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            yield from zip(nodes["feature_idx"].tolist(), nodes["num_threshold"].tolist(), strict=True)
    if hasattr(model, "tree_"):
        parts = model.tree_.feature >= 0
        yield from zip(model.tree_.feature[parts].tolist(), model.tree_.threshold[parts].tolist(), strict=True)
    for member, columns in _members(model):
        yield from ((at if columns is None else int(columns[at]), value) for at, value in _splits(member))


def _members(model: Any) -> Iterator[tuple[Any, Any]]:
    """What stands inside of a fitted model, with the columns that it sees of the model's own; None is all of them.

    The final estimator of a stack is not among them: it is given what the others answer.
    """
    held = getattr(model, "estimators_", ())
    several = held.ravel().tolist() if isinstance(held, np.ndarray) else list(held)
    columns = getattr(model, "estimators_features_", None)  # of a bag
    yield from zip(several, columns if columns is not None else [None] * len(several), strict=True)
    yield from ((calibrated.estimator, None) for calibrated in getattr(model, "calibrated_classifiers_", ()))
    if hasattr(model, "estimator_"):
        yield model.estimator_, None


def _number_edges(train: Features, name: str, free: bool, random: np.random.Generator) -> list[float]:
    seen = train.column(name)
    seen = np.unique(seen[~np.isnan(seen)])
    some = random.permutation(seen)[:6].tolist()
    low, high = float(seen[0]), float(seen[-1])
    if not free:
        return [low, high, *some]
    if train.kinds[train.names.index(name)] == "boolean":
        return [0.0, 1.0]
    span = high - low
    return [low, high, low - span, high + span, 0.0, *(value for at in some for value in _beside(at))]


def _text_edges(train: Features, name: str, free: bool) -> list[str]:
    known = sorted(set(train.column(name)))[:50]
    return [*known, UNKNOWN_TEXT, ""] if free else known


def _beside(value: float) -> list[float]:
    middle = np.float32(value)
    return [
        float(np.nextafter(middle, np.float32(-np.inf))),
        float(middle),
        float(np.nextafter(middle, np.float32(np.inf))),
    ]


def _disagreement(pair: Pair, rows: Features, worst: int, difference: float, limit: float) -> str:
    row = rows.take([worst])
    shown = ", ".join(f"{name}={row.column(name)[0]!s}" for name in row.names[:8])
    empty = [n for n, kind in zip(row.names, row.kinds, strict=True) if kind != "text" and np.isnan(row.column(n)[0])]
    hint = (
        f"; {empty[0]} is missing there: put sklearn.impute.SimpleImputer before this estimator"
        if empty
        else "; choose another estimator, or raise gates.parity.maxDifference if this is near enough"
    )
    return (
        f"ONNX and scikit-learn differ by {difference:.3g}, more than {limit:.3g}: for the row {shown} scikit-learn "
        f"answers {_said(pair.trained(row))} and ONNX {_said(pair.exported(row))}{hint}"
    )


def _said(answer: Array) -> str:
    return "[" + ", ".join(f"{value:.6g}" for value in answer[0][:5]) + "]"
