"""What a model goes by is found out on the ONNX model: the right features, with honest intervals, always the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from merkhet.contract.training import Importance, Signature, Tensor
from merkhet.workloads.trainer import export, importance, parity
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.features import ColumnKind, Features

ROWS = 1500


def features(seed: int = 0) -> Features:
    """A strong number, a weak one, a flag, and noise."""
    random = np.random.default_rng(seed)
    columns = (
        random.normal(size=ROWS),
        random.normal(size=ROWS),
        (random.random(ROWS) < 0.5).astype(float),
        random.normal(size=ROWS),
    )
    kinds: tuple[ColumnKind, ...] = ("number", "number", "boolean", "number")
    return Features(("strong", "weak", "flag", "noise"), kinds, tuple(one.astype(np.float32) for one in columns))


def asked(rows: Features, truth: Any, *, regression: bool) -> tuple[Any, Answered]:
    model = LinearRegression() if regression else LogisticRegression()
    pipeline = Pipeline([("final", model.fit(rows.frame(), truth))])
    session = parity.session(export.convert(pipeline, rows))
    signature = Signature(
        inputs=(Tensor(name="input", datatype="FP32", shape=(-1, 4), columns=rows.names),),
        outputs=(Tensor(name="out", datatype="FP32", shape=(-1, 1)),),
        task="Regression" if regression else "Classification",
        classes=() if regression else tuple(np.unique(truth).tolist()),
        positive=None if regression or len(np.unique(truth)) > 2 else 1,
        threshold=None if regression else 0.5,
    )
    return session, Answered(rows, np.asarray(truth), importance.answers(session, rows), signature)


def binary() -> tuple[Any, Answered]:
    rows = features()
    score = 2 * rows.column("strong") + 0.5 * rows.column("weak") + rows.column("flag")
    truth = (score + np.random.default_rng(9).logistic(size=ROWS) > 0.5).astype(np.int64)
    return asked(rows, truth, regression=False)


def test_the_features_stand_in_the_order_of_what_they_say() -> None:
    session, rows = binary()
    found = importance.report(Importance(rows=1000), session, rows)
    assert found.features[0].feature == "strong"
    assert {one.feature for one in found.features[1:3]} == {"weak", "flag"}
    assert found.rows == 1000


def test_an_interval_holds_its_figure_and_that_of_noise_holds_nought() -> None:
    session, rows = binary()
    by_name = {one.feature: one for one in importance.report(Importance(rows=1000), session, rows).features}
    assert all(one.low <= one.value <= one.high for one in by_name.values())
    assert by_name["strong"].low > 0.05
    assert by_name["noise"].low <= 0 <= by_name["noise"].high


def test_the_same_rows_give_the_same_report() -> None:
    session, rows = binary()
    assert importance.report(Importance(rows=500), session, rows) == importance.report(
        Importance(rows=500), session, rows
    )


def test_the_dependence_of_a_number_rises_with_it_and_a_flag_has_two_values() -> None:
    session, rows = binary()
    told = {one.feature: one for one in importance.report(Importance(), session, rows).dependence}
    strong = told["strong"]
    assert strong.kind == "number"
    assert strong.answer == "probability of 1"
    assert list(strong.mean) == sorted(strong.mean)
    assert all(low <= mean <= high for low, mean, high in zip(strong.low, strong.mean, strong.high, strict=True))
    assert told["flag"].kind == "category"
    assert told["flag"].values == (0.0, 1.0)


def test_a_regression_loses_explained_variance_and_its_slope_is_told() -> None:
    rows = features()
    session, answered = asked(rows, 3.0 * rows.column("strong").astype(np.float64) + 100.0, regression=True)
    found = importance.report(Importance(), session, answered)
    assert found.metric == "r2"
    assert found.features[0].feature == "strong"
    line = found.dependence[0]
    slopes = np.diff(line.mean) / np.diff(np.array(line.values, dtype=float))
    assert slopes == pytest.approx(np.full(len(slopes), 3.0), abs=0.01)
    assert line.answer == "prediction"


def test_of_three_classes_the_most_frequent_one_is_told() -> None:
    rows = features()
    truth = np.array(["low", "middle", "high"])[np.digitize(rows.column("strong"), [-1.0, 1.0])]
    session, answered = asked(rows, truth, regression=False)
    found = importance.report(Importance(), session, answered)
    assert found.features[0].feature == "strong"
    assert found.dependence[0].answer == "probability of middle"


def test_rows_that_weigh_nothing_say_nothing() -> None:
    session, rows = binary()
    weights = (np.arange(ROWS) < ROWS // 2).astype(np.float64)
    half = Answered(rows.features, rows.truth, rows.scores, rows.signature, weights=weights)
    spoilt = Answered(
        rows.features, np.where(weights > 0, rows.truth, 1 - rows.truth), rows.scores, rows.signature, weights=weights
    )
    assert importance.report(Importance(), session, half) == importance.report(Importance(), session, spoilt)


@pytest.mark.parametrize("regression", [False, True], ids=["rows of one class", "rows of one amount"])
def test_rows_without_the_main_figure_are_judged_by_the_loss(regression: bool) -> None:
    """A sample of a rare class may have none of it."""
    if regression:
        rows = features()
        session, tested = asked(rows, 3 * rows.column("strong").astype(np.float64), regression=True)
        alike = Answered(tested.features, np.zeros(ROWS), tested.scores, tested.signature)
    else:
        session, tested = binary()
        alike = Answered(tested.features, np.zeros(ROWS, np.int64), tested.scores, tested.signature)
    found = importance.report(Importance(rows=500), session, alike)
    assert found.metric == ("rmse" if regression else "log_loss")
    assert all(np.isfinite([one.value, one.low, one.high]).all() for one in found.features)


def test_rows_none_of_which_weighs_anything_say_nothing_at_all() -> None:
    session, tested = binary()
    weightless = Answered(tested.features, tested.truth, tested.scores, tested.signature, weights=np.zeros(ROWS))
    assert importance.report(Importance(), session, weightless).features == ()
