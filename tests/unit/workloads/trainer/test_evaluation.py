"""What the document says of answers is what scikit-learn and fairlearn say, of all rows and of each group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fairlearn  # type: ignore[import-untyped]
from sklearn import metrics
from sklearn.calibration import calibration_curve

from merkhet.contract.evaluation import MAX_POINTS, Evaluation
from merkhet.contract.training import FAIRNESS, FairnessLimit, Gates, GroupLimit, MetricLimit
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.evaluation import evaluated
from tests.unit.workloads.trainer import answers


def found(tested: Answered, asked: Gates | None = None) -> Evaluation:
    return evaluated(tested, asked or Gates(), target="y", train_rows=10)


def with_groups(rows: int = 3000, **more: Any) -> Answered:
    labels = np.random.default_rng(3).choice(["1", "2", "3", ""], rows, p=[0.6, 0.35, 0.01, 0.04])
    return answers.some(rows, groups={"SEX": labels}, **more)


def test_the_document_holds_all_and_can_be_written() -> None:
    document = found(with_groups(), Gates(metrics=(MetricLimit(name="roc_auc", min=0.7),)))
    assert document.rows == {"train": 10, "test": 3000}
    assert sum(document.class_rows) == 3000
    assert np.array(document.confusion).sum() == 3000
    assert [gate.result for gate in document.gates] == ["Passed"]
    assert Evaluation.load(document.dump()) == document


@pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
def test_fairness_is_fairlearns(*, weighted: bool) -> None:
    tested = with_groups()
    labels = tested.groups["SEX"]
    weights = np.random.default_rng(4).choice([1.0, 3.0], tested.rows) if weighted else None
    tested = with_groups(weights=weights)
    document = found(tested)
    large = (labels == "1") | (labels == "2")
    said = (tested.scores[:, 1] >= 0.5).astype(int)
    assert [one.metric for one in document.fairness] == list(FAIRNESS)
    for one in document.fairness:
        theirs = getattr(fairlearn, one.metric)(
            tested.truth[large],
            said[large],
            sensitive_features=labels[large],
            sample_weight=None if weights is None else weights[large],
        )
        assert one.estimate is not None
        assert one.estimate.value == pytest.approx(theirs, abs=1e-6)
        assert (one.estimate.low or 0) <= one.estimate.value <= (one.estimate.high or 0)
        assert one.groups == 2
        assert "left out: 3 (n=" in one.message


def test_a_group_has_the_figures_of_its_own_rows_unless_it_is_small() -> None:
    tested = with_groups()
    groups = {group.group: group for group in found(tested).groups}
    assert list(groups) == ["1", "2", "3"]
    assert (groups["3"].small, groups["3"].metrics, groups["3"].positive) == (True, (), None)
    own = tested.groups["SEX"] == "2"
    said = tested.scores[own, 1] >= 0.5
    figures = {metric.name: metric.value for metric in groups["2"].metrics}
    assert figures["roc_auc"] == pytest.approx(metrics.roc_auc_score(tested.truth[own], tested.scores[own, 1]))
    assert figures["recall"] == pytest.approx(metrics.recall_score(tested.truth[own], said))
    assert groups["2"].positive is not None
    assert groups["2"].base is not None
    assert groups["2"].positive.value == pytest.approx(said.mean(), abs=1e-6)
    assert groups["2"].base.value == pytest.approx(tested.truth[own].mean(), abs=1e-6)
    assert (groups["2"].base.low or 0) < groups["2"].base.value < (groups["2"].base.high or 0)


def test_what_a_group_says_nothing_of_is_no_figure() -> None:
    tested = with_groups()
    truth = np.where(tested.groups["SEX"] == "2", 0, tested.truth)
    document = found(with_groups(truth=truth))
    names = {metric.name for group in document.groups if group.group == "2" for metric in group.metrics}
    assert "accuracy" in names
    assert not {"recall", "roc_auc"} & names
    told = {one.metric: one for one in document.fairness}
    assert told["demographic_parity_difference"].estimate is not None
    assert told["equal_opportunity_difference"].estimate is None
    assert "1 group of 50 truly positive test rows or more, and two are needed" in (
        told["equal_opportunity_difference"].message
    )


def test_rows_that_belong_together_widen_what_is_said_of_groups() -> None:
    alone, clustered = found(with_groups()), found(with_groups(clusters=np.arange(3000) // 30))
    half = [np.array([(one.estimate.high or 0) - (one.estimate.low or 0) for one in document.fairness if one.estimate])
            for document in (alone, clustered)]  # fmt: skip
    assert clustered.intervals.clusters == 100
    assert half[0].shape == half[1].shape == (6,)
    # These households are alike by chance alone, so that their intervals are no wider but by chance.
    assert half[1] == pytest.approx(half[0], rel=0.35)
    truth = np.random.default_rng(1).integers(0, 2, 100)[np.arange(3000) // 30]
    scores = np.column_stack([1 - truth, truth]).astype(float)
    alike = found(with_groups(truth=truth, scores=scores, clusters=np.arange(3000) // 30)).groups[0].positive
    assert alike is not None
    assert (alike.high or 0) - (alike.low or 0) > 0.15, "100 households, not 1800 rows"


def test_intervals_at_a_gates_confidence_are_kept() -> None:
    asked = Gates(
        metrics=(MetricLimit(name="recall", min=0.5, confidence=0.8), MetricLimit(name="f1", min=0.1, confidence=0.95)),
        groups=(GroupLimit(metric="recall", by="SEX", min=0.5, confidence=0.9),),
    )
    document = found(with_groups(), asked)
    usual = {metric.name: metric for metric in document.metrics}
    narrow = [one for one in document.bounds if (one.name, one.by) == ("recall", "")]
    assert [one.confidence for one in narrow] == [0.8]
    assert (usual["recall"].low or 0) < narrow[0].low < usual["recall"].value < narrow[0].high
    assert {(one.by, one.group, one.confidence) for one in document.bounds if one.by} == {
        ("SEX", "1", 0.9),
        ("SEX", "2", 0.9),
    }
    assert {gate.result for gate in document.gates} == {"Passed"}


def test_curves_are_those_of_scikit_learn_and_short() -> None:
    tested = answers.some(5000)
    document = found(tested)
    (roc,), (curve,) = document.roc, document.precision_recall
    assert roc.area == pytest.approx(metrics.roc_auc_score(tested.truth, tested.scores[:, 1]), abs=1e-6)
    assert curve.area == pytest.approx(metrics.average_precision_score(tested.truth, tested.scores[:, 1]), abs=1e-6)
    assert len(roc.x) <= MAX_POINTS
    assert len(curve.x) <= MAX_POINTS
    fpr, tpr, _ = metrics.roc_curve(tested.truth, tested.scores[:, 1])
    inner = fpr > 0.001  # it rises straight up at the left
    assert np.interp(fpr, roc.x, roc.y)[inner] == pytest.approx(tpr[inner], abs=0.02)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert curve.x[-1] == 1


def test_calibration_is_that_of_scikit_learn_and_parts_no_equal_scores() -> None:
    tested = answers.some(4000)
    bins = found(tested).calibration
    true, predicted = calibration_curve(tested.truth, tested.scores[:, 1], n_bins=20, strategy="quantile")
    assert [one.observed.value for one in bins] == pytest.approx(true, abs=1e-6)
    assert [one.predicted for one in bins] == pytest.approx(predicted, abs=1e-6)
    assert all((one.observed.low or 0) <= one.observed.value <= (one.observed.high or 0) for one in bins)
    coarse = answers.some(4000, scores=np.where(tested.scores > 0.5, 0.8, 0.2))
    assert [one.predicted for one in found(coarse).calibration] == pytest.approx([0.2, 0.8])
    assert len(found(answers.some(60)).calibration) == 1


def test_a_regression_has_residuals_and_no_fairness() -> None:
    tested = answers.amounts()
    groups = {"SEX": np.where(np.arange(2000) % 3, "1", "2")}
    document = found(Answered(tested.features, tested.truth, tested.scores, tested.signature, groups=groups))
    assert document.residuals is not None
    assert sum(document.residuals.counts) == 2000
    assert list(document.residuals.predicted) == sorted(document.residuals.predicted)
    spread = np.array(document.residuals.high) - np.array(document.residuals.low)
    assert spread == pytest.approx(np.full(20, 2 * 1.2816 * 2), rel=0.4)
    assert (document.confusion, document.roc, document.calibration) == ((), (), ())
    assert {one.estimate for one in document.fairness} == {None}
    assert "a regression has no positive answers" in document.fairness[0].message
    assert {metric.name for metric in document.groups[0].metrics} == {"r2", "rmse", "mae"}


def test_three_classes_have_a_curve_each_and_no_fairness() -> None:
    random, classes = np.random.default_rng(1), ("a", "b", "c")
    truth = random.choice(classes, 900)
    scores = random.dirichlet((1, 1, 1), 900)
    groups = {"SEX": np.where((truth == "c") | (np.arange(900) % 2 == 0), "1", "2")}
    signature = answers.binary(classes=classes, positive=None)
    tested = answers.some(900, truth=truth, scores=scores, signature=signature, groups=groups)
    document = found(tested, Gates(fairness=(FairnessLimit(metric=next(iter(FAIRNESS)), by="SEX", max=0.1),)))
    assert [curve.name for curve in document.roc] == ["a", "b", "c"]
    assert document.calibration == ()
    assert [gate.result for gate in document.gates] == ["Inconclusive"]
    assert "3 classes, none of them positive" in document.gates[0].message
    own = groups["SEX"] == "2"
    said = np.array(classes)[scores[own].argmax(axis=1)]
    recalls = [(said[truth[own] == label] == label).mean() for label in ("a", "b")]
    figures = {metric.name: metric.value for metric in document.groups[1].metrics}
    assert figures["recall"] == pytest.approx(np.mean(recalls)), "of the classes that the group has"
