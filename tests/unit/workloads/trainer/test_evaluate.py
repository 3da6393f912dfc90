"""Figures are those of scikit-learn, and intervals hold them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from merkhet.workloads.trainer import evaluate

RANDOM = np.random.default_rng(4)
ROWS = 3000


def test_the_figures_of_two_classes_are_those_of_scikit_learn() -> None:
    truth = RANDOM.integers(0, 2, ROWS)
    positive = np.clip(truth * 0.3 + RANDOM.random(ROWS) * 0.7, 0.01, 0.99).round(2)
    scores = np.column_stack([1 - positive, positive])
    found = {m.name: m for m in evaluate.measured(evaluate.classification(truth, scores, (0, 1), 1, 0.5), ROWS)}
    said = (positive >= 0.5).astype(int)
    wanted = {
        "roc_auc": metrics.roc_auc_score(truth, positive),
        "accuracy": metrics.accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said),
        "recall": metrics.recall_score(truth, said),
        "f1": metrics.f1_score(truth, said),
        "log_loss": metrics.log_loss(truth, scores),
        "brier": metrics.brier_score_loss(truth, positive),
    }
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(wanted, abs=1e-9)
    assert all((m.low or 0.0) < m.value < (m.high or 0.0) for m in found.values())


def test_the_figures_of_three_classes_are_the_means_over_classes_of_scikit_learn() -> None:
    classes = ("a", "b", "c")
    truth = RANDOM.choice(classes, ROWS)
    scores = RANDOM.dirichlet((1.0, 1.0, 1.0), ROWS) + (truth[:, None] == np.array(classes)) * 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    found = {
        m.name: m.value for m in evaluate.measured(evaluate.classification(truth, scores, classes, None, 0.5), ROWS)
    }
    said = np.array(classes)[scores.argmax(axis=1)]
    wanted = {
        "roc_auc": metrics.roc_auc_score(truth, scores, multi_class="ovr"),
        "accuracy": metrics.accuracy_score(truth, said),
        "precision": metrics.precision_score(truth, said, average="macro"),
        "recall": metrics.recall_score(truth, said, average="macro"),
        "f1": metrics.f1_score(truth, said, average="macro"),
        "log_loss": metrics.log_loss(truth, scores),
        "brier": metrics.brier_score_loss(truth, scores),
    }
    assert found == pytest.approx(wanted, abs=1e-9)


def test_the_figures_of_a_regression_are_those_of_scikit_learn() -> None:
    truth = RANDOM.normal(10, 3, ROWS)
    predicted = truth + RANDOM.normal(0, 1, ROWS)
    found = {m.name: m.value for m in evaluate.measured(evaluate.regression(truth, predicted), ROWS)}
    wanted = {
        "r2": metrics.r2_score(truth, predicted),
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "mae": metrics.mean_absolute_error(truth, predicted),
    }
    assert found == pytest.approx(wanted, abs=1e-9)


def test_rows_that_belong_together_widen_an_interval() -> None:
    together = np.arange(ROWS) // 30
    truth = RANDOM.normal(size=together.max() + 1)[together]
    figures = evaluate.regression(truth, np.zeros(ROWS))
    alone, clustered = (
        next(m for m in evaluate.measured(figures, ROWS, known) if m.name == "mae") for known in (None, together)
    )
    assert (clustered.high or 0) - (clustered.low or 0) > 3 * ((alone.high or 0) - (alone.low or 0))


def test_an_interval_is_the_same_each_time() -> None:
    figures = evaluate.regression(np.arange(50.0), np.arange(50.0)[::-1])
    assert evaluate.measured(figures, 50) == evaluate.measured(figures, 50)
