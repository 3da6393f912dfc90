"""What a model goes by: asked of the ONNX model that is served, on test rows.

A feature whose values are dealt out anew among the rows says nothing any more; by how much the main figure falls is its
importance. The interval is of the rows that were drawn and of how the values were dealt, both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.evaluation import Dependence, FeatureImportance, ImportanceReport
from merkhet.contract.training import Importance
from merkhet.workloads.trainer import evaluate, shapley
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import INPUT, Features

SEED = 13
MOST_ANSWERS = 2_000_000  # rows that are answered in all: some seconds of most models
REPEATS, LEAST_REPEATS = 5, 3  # five as scikit-learn; each takes as long as all rows once more for each feature
MOST_DRAWS, LEAST_DRAWS = 20_000, 50  # resamples of all features together, and of each: a second of most models
DEPENDENT = 6  # leading features whose dependence is told
DEPENDENCE_ROWS = 500
POINTS = 20  # of a number's dependence
CATEGORIES = 12  # of a category's; numbers of fewer values are categories

Array = npt.NDArray[Any]


def report(asked: Importance, session: Any, tested: Answered) -> ImportanceReport:
    """Importance of each feature with intervals, and how the answer changes with the leading ones."""
    if asked.method == "SHAP":
        some, repeats = sample(tested, min(asked.rows, shapley.most_rows(len(tested.features.names)))), 1
        metric, found = _explained(session, some)
    else:
        some = sample(tested, asked.rows)
        repeats = int(np.clip(MOST_ANSWERS // (some.rows * len(some.features.names)), LEAST_REPEATS, REPEATS))
        metric = _metric(some, answers(session, some.features))
        found = _permuted(session, some, metric, repeats)
    ordered = tuple(sorted(found, key=lambda one: (-one.value, one.feature)))
    leading = [one.feature for one in ordered[:DEPENDENT] if one.value > 0]
    return ImportanceReport(
        method=asked.method,
        metric=metric,
        rows=some.rows,
        repeats=repeats,
        features=ordered,
        dependence=tuple(_dependence(session, some, name) for name in leading),
    )


def sample(tested: Answered, most: int) -> Answered:
    """At most so many of the rows, the same ones each time."""
    if tested.rows <= most:
        return tested
    rows = np.sort(np.random.default_rng(SEED).permutation(tested.rows)[:most])
    clusters = tested.clusters
    return Answered(
        features=tested.features.take(rows),
        truth=tested.truth[rows],
        scores=tested.scores[rows],
        signature=tested.signature,
        weights=None if tested.weights is None else tested.weights[rows],
        clusters=None if clusters is None else np.unique(clusters[rows], return_inverse=True)[1],
    )


def answers(session: Any, features: Features) -> Array:
    """What the ONNX model says. Shape: [rows, classes], or [rows, 1] for a regression."""
    return _asked(session, features.feed(), features.rows)


def _asked(session: Any, feed: dict[str, Array], rows: int) -> Array:
    return np.asarray(session.run(None, feed)[-1], dtype=np.float64).reshape(rows, -1)


def check(asked: Importance) -> None:
    """Raises Refused for a method that this image does not have."""
    if asked.method == "SHAP":
        shapley.check()


def _explained(session: Any, tested: Answered) -> tuple[str, list[FeatureImportance]]:
    """What is explained, and the Shapley values: of all classes where no one of two is looked for."""
    described = tested.signature
    if described.task == "Classification" and described.positive is None:
        return "probabilities", shapley.importances(lambda some: answers(session, some), tested)
    at, answer = _told(tested)
    return answer, shapley.importances(lambda some: answers(session, some)[:, at], tested)


def _permuted(session: Any, tested: Answered, metric: str, repeats: int) -> list[FeatureImportance]:
    base = _figure(tested, answers(session, tested.features), metric)
    count = np.ones(tested.rows) if tested.weights is None else tested.weights
    if not count.any():
        return []  # none of the rows that were drawn weighs anything
    most = int(np.clip(MOST_DRAWS // len(tested.features.names), LEAST_DRAWS, evaluate.RESAMPLES))
    draws = [count * draw for draw in islice(evaluate.resamples(tested.rows, tested.clusters), most)]
    feed = {name: values.copy() for name, values in tested.features.feed().items()}
    with threadpool_limits(limits=1):  # sums over one vector are too small a thing for several threads
        at_best = np.array([base(draw) for draw in draws])
        return [
            _importance(name, base(count) - _drawn(dealt, count), at_best - _in_turn(dealt, draws))
            for name in tested.features.names
            for dealt in [[_figure(tested, told, metric) for told in _dealt(session, tested, feed, name, repeats)]]
        ]


def _metric(tested: Answered, scores: Array) -> str:
    """The main figure, or the loss where rows of one class, or of one amount, have none."""
    main, loss = ("r2", "rmse") if tested.signature.task == "Regression" else ("roc_auc", "log_loss")
    count = np.ones(tested.rows) if tested.weights is None else tested.weights
    return main if np.isfinite(_figure(tested, scores, main)(count)) else loss


def _drawn(figures: Sequence[evaluate.Figure], weights: Array) -> float:
    return float(np.mean([figure(weights) for figure in figures]))


def _in_turn(figures: Sequence[evaluate.Figure], draws: Sequence[Array]) -> Array:
    """Each resample by one of the dealings, so that their spread is in the interval, too."""
    return np.array([figures[at % len(figures)](draw) for at, draw in enumerate(draws)])


def _figure(tested: Answered, scores: Array, metric: str) -> evaluate.Figure:
    """The more, the better."""
    figure = evaluate.of(tested.signature, tested.truth, scores)[metric]
    return (lambda weights: -figure(weights)) if metric in evaluate.IS_LOSS else figure


def _dealt(session: Any, tested: Answered, feed: dict[str, Array], name: str, repeats: int) -> Iterator[Array]:
    """What is answered where a feature's values are dealt out anew; in the end the feed is as it was."""
    at = tested.features.names.index(name)
    column = feed[INPUT][:, at] if tested.features.all_numeric else feed[name][:, 0]
    known = column.copy()
    for repeat in range(repeats):
        column[:] = known[np.random.default_rng((SEED, at, repeat)).permutation(tested.rows)]
        yield _asked(session, feed, tested.rows)
    column[:] = known


def _importance(name: str, value: float, drawn: Array) -> FeatureImportance:
    defined = drawn[np.isfinite(drawn)]
    low, high = np.quantile(defined, [0.025, 0.975]) if len(defined) else (value, value)
    return FeatureImportance(feature=name, value=_rounded(value), low=_rounded(low), high=_rounded(high))


def _dependence(session: Any, tested: Answered, name: str) -> Dependence:
    features = tested.features.take(np.arange(min(tested.rows, DEPENDENCE_ROWS)))
    values = _grid(tested.features, name)
    at, answer = _told(tested)
    curves = np.array([answers(session, features.changed(name, value))[:, at] for value in values])
    text = isinstance(values[0], str)
    return Dependence(
        feature=name,
        answer=answer,
        kind="category" if text or len(values) <= CATEGORIES else "number",
        values=tuple(values),
        mean=tuple(map(_rounded, curves.mean(axis=1))),
        low=tuple(map(_rounded, np.quantile(curves, 0.1, axis=1))),
        high=tuple(map(_rounded, np.quantile(curves, 0.9, axis=1))),
        rows=features.rows,
    )


def _told(tested: Answered) -> tuple[int, str]:
    """Which column of the answers is told, and what it is: of several classes the most frequent one."""
    described = tested.signature
    if described.task == "Regression":
        return 0, "prediction"
    label = described.positive
    if label is None:
        label = described.classes[int(np.argmax([(tested.truth == one).sum() for one in described.classes]))]
    return described.classes.index(label), f"probability of {label}"


def _grid(features: Features, name: str) -> list[Any]:
    """Values to ask about: the most frequent ones of text and of few numbers, else quantiles."""
    column = features.column(name)
    if features.kinds[features.names.index(name)] == "text":
        known, counts = np.unique(column.astype(str), return_counts=True)
        return sorted(known[np.argsort(-counts, kind="stable")[:CATEGORIES]].tolist())
    known = np.unique(column[~np.isnan(column)])
    if len(known) <= CATEGORIES:
        return [float(one) for one in known]
    return [float(one) for one in np.unique(np.quantile(known, np.linspace(0.01, 0.99, POINTS), method="nearest"))]


def _rounded(value: float) -> float:
    """Six digits: the last bits of a machine belong in no report."""
    return round(float(value), 6) + 0.0
