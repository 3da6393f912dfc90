"""Our own ONNX forms say what scikit-learn says, where skl2onnx's say something else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_selection import RFE, SelectFromModel, SelectPercentile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from merkhet.errors import Refused
from merkhet.workloads.trainer import export, parity, trials
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.trials import Table


@pytest.fixture(autouse=True)
def one_quiet_thread() -> Iterator[None]:
    with trials.quietly():
        yield


def pair_of(pipeline: Pipeline, table: Table) -> parity.Pair:
    pipeline.fit(table.train.frame(), table.target)
    graph = export.convert(pipeline, table.train)
    return parity.Pair(pipeline, parity.session(graph), table.classes)


@pytest.mark.parametrize("ensemble", [True, False], ids=["one a fold", "one for all"])
@pytest.mark.parametrize("table", [trials.binary(), trials.several()], ids=["two classes", "three classes"])
def test_isotonic_calibration_is_a_line_between_its_points(table: Table, ensemble: bool) -> None:
    """skl2onnx takes the nearest point: up to 0.08 off."""
    calibrated = CalibratedClassifierCV(LogisticRegression(max_iter=500), method="isotonic", cv=3, ensemble=ensemble)
    pair = pair_of(Pipeline([("final", calibrated)]), table)
    assert pair.differences(table.held_out).max() < 1e-5


def test_isotonic_calibration_of_one_score_is_a_constant() -> None:
    table = trials.binary()
    constant = DecisionTreeClassifier(min_samples_leaf=len(table.target))
    pair = pair_of(Pipeline([("final", CalibratedClassifierCV(constant, method="isotonic", cv=2))]), table)
    assert pair.differences(table.held_out).max() < 1e-6
    assert np.unique(pair.exported(table.held_out)).size <= 2


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param(SelectPercentile(percentile=20), id="by a percentile"),
        pytest.param(SelectFromModel(DecisionTreeClassifier(random_state=0), max_features=1), id="by a model"),
        pytest.param(RFE(LogisticRegression(), n_features_to_select=1), id="by a classifier, again and again"),
    ],
)
def test_a_selector_may_choose_the_first_column_alone(selector: object) -> None:
    """skl2onnx makes a graph of it that does not load."""
    table = trials.binary()
    first = np.argmax(np.arange(5) == 0)
    target = (table.train.columns[first] > 0).astype(np.int64)
    alone = Table("first column", table.train, target, table.held_out, (0, 1))
    pair = pair_of(Pipeline([("select", selector), ("final", LogisticRegression())]), alone)
    assert pair.pipeline.steps[0][1].get_support(indices=True).tolist() == [0]
    assert pair.differences(table.held_out).max() < 1e-6


def test_a_selector_that_chose_nothing_is_refused() -> None:
    table = trials.binary()
    rows: Features = table.train
    selector = SelectFromModel(DecisionTreeClassifier(random_state=0), threshold=2.0).fit(rows.frame(), table.target)
    final = LogisticRegression().fit(rows.frame()[:, :1], table.target)
    with pytest.raises(Refused, match="SelectFromModel chose no column"):
        export.convert(Pipeline([("select", selector), ("final", final)]), rows)
