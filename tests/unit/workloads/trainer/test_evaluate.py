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


def test_weighted_figures_are_those_of_scikit_learn() -> None:
    truth, weights = RANDOM.integers(0, 2, ROWS), RANDOM.choice([0.0, 1.0, 4.0], ROWS)
    positive = np.clip(truth * 0.2 + RANDOM.random(ROWS) * 0.8, 0.01, 0.99).round(2)
    figures = evaluate.classification(truth, np.column_stack([1 - positive, positive]), (0, 1), 1, 0.6)
    found = {m.name: m for m in evaluate.measured(figures, ROWS, weights=weights)}
    said = (positive >= 0.6).astype(int)
    wanted = {
        "roc_auc": metrics.roc_auc_score(truth, positive, sample_weight=weights),
        "accuracy": metrics.accuracy_score(truth, said, sample_weight=weights),
        "precision": metrics.precision_score(truth, said, sample_weight=weights),
        "recall": metrics.recall_score(truth, said, sample_weight=weights),
        "f1": metrics.f1_score(truth, said, sample_weight=weights),
        "log_loss": metrics.log_loss(truth, positive, sample_weight=weights),
        "brier": metrics.brier_score_loss(truth, positive, sample_weight=weights),
    }
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(wanted, abs=1e-9)


def test_what_the_rows_say_nothing_of_is_no_figure() -> None:
    scores = np.full((60, 2), 0.5)
    names = {m.name for m in evaluate.measured(evaluate.classification(np.zeros(60), scores, (0, 1), 1, 0.5), 60)}
    assert {"accuracy", "precision"} <= names
    assert not {"roc_auc", "recall"} & names


def test_a_wider_confidence_gives_a_wider_interval_of_the_same_figure() -> None:
    truth = RANDOM.normal(size=400)
    drawn = evaluate.drawn(evaluate.regression(truth, truth + RANDOM.normal(size=400)), 400)
    found = [drawn.metrics(confidence)[2] for confidence in (0.5, 0.95, 0.99, 0.999, 0.9999)]
    assert len({one.value for one in found}) == 1
    widths = [(one.high or 0) - (one.low or 0) for one in found]
    assert widths == sorted(widths)
    # The mean of |errors| of a normal: sqrt(1 - 2/pi) is their deviation.
    assert widths[3] == pytest.approx(2 * 3.29 * np.sqrt((1 - 2 / np.pi) / 400), rel=0.2)
    assert evaluate.measured(evaluate.regression(truth, truth), 400) == (
        evaluate.drawn(evaluate.regression(truth, truth), 400).metrics()
    )


def test_a_difference_is_paired() -> None:
    truth = RANDOM.normal(size=400)
    one = evaluate.drawn(evaluate.regression(truth, truth + 1), 400)
    two = evaluate.drawn(evaluate.regression(truth, truth + 1.5), 400)
    difference = {m.name: m for m in two.minus(one).metrics()}
    assert difference["mae"].value == pytest.approx(0.5)
    assert difference["mae"].low == pytest.approx(difference["mae"].high), "the same rows each time, so no chance"


@pytest.mark.parametrize("rows", [3, 12, 300])
def test_the_area_is_that_of_scikit_learn_with_ties_and_rows_that_weigh_nothing(rows: int) -> None:
    for _ in range(100):
        truth, score = RANDOM.random(rows) < 0.5, RANDOM.integers(0, 5, rows) / 5
        weights = RANDOM.choice([0.0, 1.0, 0.3, 2.7], rows)
        figures = evaluate.classification(truth, np.column_stack([1 - score, score]), (False, True), True, 0.5)
        if weights[truth].sum() > 0 and weights[~truth].sum() > 0:
            wanted = metrics.roc_auc_score(truth, score, sample_weight=weights)
            assert figures["roc_auc"](weights) == pytest.approx(wanted, abs=1e-9)
        else:
            assert np.isnan(figures["roc_auc"](weights))


def test_a_class_that_is_neither_true_nor_said_is_in_no_mean() -> None:
    """As in a group of few rows; scikit-learn leaves it out, too, and the order of the classes has no say."""
    truth, said = np.array(["b", "a", "b", "a"]), np.array([1, 2, 2, 2])
    scores = np.full((4, 4), 0.1)
    scores[np.arange(4), said] = 0.7
    figures = evaluate.classification(truth, scores, ("d", "b", "a", "c"), None, 0.5)
    words = np.array(["d", "b", "a", "c"])[said]
    found = {name: figures[name](np.ones(4)) for name in ("precision", "recall", "f1", "accuracy")}
    assert found == pytest.approx({
        "precision": metrics.precision_score(truth, words, average="macro"),
        "recall": metrics.recall_score(truth, words, average="macro"),
        "f1": metrics.f1_score(truth, words, average="macro"),
        "accuracy": 0.75,
    })  # fmt: skip


def test_a_group_without_a_positive_row_or_answer_has_no_f1() -> None:
    figures = evaluate.classification(np.zeros(60, int), np.tile([0.9, 0.1], (60, 1)), (0, 1), 1, 0.5)
    names = {metric.name for metric in evaluate.measured(figures, 60)}
    assert not {"precision", "recall", "f1", "roc_auc"} & names


@pytest.mark.parametrize("threshold", [0.41, 0.6, 0.7])
def test_a_score_reaches_a_threshold_as_at_the_server(threshold: float) -> None:
    """The server compares float32 with a number that has no type, which numpy takes for float32, too."""
    answered = np.array([np.float32(threshold), np.nextafter(np.float32(threshold), np.float32(0))], np.float32)
    at_the_server = answered >= threshold
    assert at_the_server.tolist() == [True, False]
    assert evaluate.reaches(answered.astype(np.float64), threshold).tolist() == [True, False]
    assert evaluate.reaches(np.array([threshold]), threshold).all(), "nor does a double fall short of itself"
