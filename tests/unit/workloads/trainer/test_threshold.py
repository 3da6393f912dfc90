"""From which score on a row is called positive: against trying them all, and what it was chosen on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from merkhet.contract.training import Costs, Dimension, Search, Split, Step, Threshold, TrainingTask
from merkhet.errors import Refused
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import data
from merkhet.workloads.trainer.folds import out_of_fold
from merkhet.workloads.trainer.parts import Parts, divide
from merkhet.workloads.trainer.threshold import best, choose
from tests.unit.workloads.trainer.conftest import MakeTask

Array = npt.NDArray[Any]
People = dict[str, Any]
LINEAR = Step(estimator="sklearn.linear_model.LogisticRegression")
SCALE = Step(estimator="sklearn.preprocessing.StandardScaler")


def divided(task: TrainingTask, store: Volume) -> Parts:
    return divide(task, data.read(task, store))


def asked(make_task: MakeTask, people: People, **fields: Any) -> TrainingTask:
    return make_task({**people, "hours": np.nan_to_num(people["hours"])}, pipeline=(SCALE, LINEAR), **fields)


def mean_cost(truth: Array, called: Array, sample_weight: Array) -> float:
    """Of a row, where a false positive costs 1 and a false negative 4."""
    cost = np.where(called & ~truth, 1.0, np.where(~called & truth, 4.0, 0.0))
    return float(np.average(cost, weights=sample_weight))


COSTS = Threshold(costs=Costs(false_positive=1, false_negative=4))
FIGURES = [
    pytest.param(Threshold(maximise="f1"), f1_score, 1, id="f1"),
    pytest.param(Threshold(maximise="accuracy"), accuracy_score, 1, id="accuracy"),
    pytest.param(Threshold(maximise="balanced_accuracy"), balanced_accuracy_score, 1, id="balanced accuracy"),
    pytest.param(COSTS, mean_cost, -1, id="costs"),
]


@pytest.mark.parametrize("weighted", [pytest.param(False, id="alike"), pytest.param(True, id="weighted")])
@pytest.mark.parametrize("decimals", [pytest.param(1, id="with ties"), pytest.param(9, id="all different")])
@pytest.mark.parametrize(("wanted", "figure", "sign"), FIGURES)
def test_no_other_threshold_is_better(
    wanted: Threshold, figure: Callable[..., float], sign: int, decimals: int, weighted: bool
) -> None:
    random = np.random.default_rng(decimals)
    for rows in (2, 3, 30):
        truth = np.r_[True, False, random.random(rows - 2) < 0.3]
        scores = np.clip(truth * 0.2 + random.random(rows) * 0.8, 0, 1).round(decimals)
        weights = random.integers(1, 5, rows).astype(np.float64) if weighted else np.ones(rows)
        chosen = best(wanted, scores, truth, weights)
        every = [*np.unique(scores), 1.0 if scores.max() < 1 else scores.max()]
        reached = [figure(truth, scores >= at, sample_weight=weights) for at in every]
        assert chosen.figure == pytest.approx(sign * max(sign * one for one in reached))
        assert chosen.figure == pytest.approx(figure(truth, scores >= chosen.value, sample_weight=weights))
        assert chosen.rows == rows


@pytest.mark.parametrize(
    ("scores", "truth", "expected"),
    [
        pytest.param([0.25, 0.75], [0, 1], 0.5, id="in the middle between two scores"),
        pytest.param([0.2, 0.3, 0.6, 0.7], [0, 1, 0, 1], 0.6500000357627869, id="of equals nearest to a half"),
        pytest.param([0.4, 0.6, 0.6, 0.8], [0, 1, 1, 1], 0.5, id="above the highest score that is negative"),
        pytest.param([0.0, 0.0], [0, 1], 0.5, id="of equals the half where no score tells the rows apart"),
        pytest.param([1.0, 1.0], [0, 1], 0.5, id="of equals the half where all scores are one"),
    ],
)
def test_the_threshold_is_one_that_people_expect(scores: list[float], truth: list[int], expected: float) -> None:
    chosen = best(Threshold(maximise="accuracy"), np.array(scores), np.array(truth, bool), np.ones(len(truth)))
    assert chosen.value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        pytest.param(Costs(false_positive=1, false_negative=1000), 0.1, id="all are positive, as misses are dear"),
        pytest.param(Costs(false_positive=1000, false_negative=1), 0.9, id="none is, as false alarms are dear"),
    ],
)
def test_where_one_mistake_is_dear_nobody_is_on_its_side(costs: Costs, expected: float) -> None:
    scores, truth = np.array([0.2, 0.3, 0.6, 0.8]), np.array([True, True, False, False])
    chosen = best(Threshold(costs=costs), scores, truth, np.ones(4))
    assert chosen.value == pytest.approx(expected, abs=1e-7)
    assert chosen.figure == 0.5


def test_it_parts_scores_of_float32_as_it_parts_those_it_was_chosen_on() -> None:
    """The server holds a float32 probability against it, which NumPy then takes for a float32, too."""
    random = np.random.default_rng(4)
    for _ in range(200):
        low = np.float32(random.random() * 0.9)
        scores = np.array([low, np.nextafter(low, np.float32(1))], np.float64) + 1e-12
        chosen = best(Threshold(maximise="f1"), scores, np.array([False, True]), np.ones(2))
        assert chosen.value == float(np.float32(chosen.value))
        assert (scores.astype(np.float32) >= chosen.value).tolist() == [False, True]


def test_rows_without_weight_have_no_say() -> None:
    scores, truth = np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, False, True, False])
    chosen = best(Threshold(maximise="f1"), scores, truth, np.array([0.0, 1.0, 1.0, 0.0]))
    assert (0.2 < chosen.value <= 0.8, chosen.figure) == (True, 1.0)


def test_a_class_that_no_prediction_is_of_is_told() -> None:
    with pytest.raises(Refused, match="none of them is of the positive class") as caught:
        best(Threshold(maximise="f1"), np.array([0.1, 0.2]), np.array([False, False]), np.ones(2))
    assert caught.value.reason == "TooFewRows"


def test_a_figure_that_no_threshold_maximises_is_told() -> None:
    with pytest.raises(Refused, match="maximise is recall; a threshold may maximise f1, accuracy, balanced_accuracy"):
        best(Threshold(maximise="recall"), np.array([0.1, 0.2]), np.array([False, True]), np.ones(2))


@pytest.mark.parametrize(
    ("wanted", "value", "how"),
    [
        pytest.param(Threshold(), 0.5, "the default", id="nothing said"),
        pytest.param(Threshold(value=0.3), 0.3, "given", id="given"),
    ],
)
def test_what_needs_no_predictions_is_not_fitted_for(
    make_task: MakeTask, store: Volume, people: People, *, wanted: Threshold, value: float, how: str
) -> None:
    task = make_task(people, threshold=wanted, pipeline=(LINEAR,))  # which refuses missing hours
    chosen = choose(task, divided(task, store), threads=1)
    assert chosen is not None
    assert (chosen.value, chosen.how, chosen.figure, chosen.rows) == (value, how, None, 0)


@pytest.mark.parametrize(
    ("task_name", "values"),
    [
        pytest.param("Regression", [1.5, 2.5, 3.5], id="a regression"),
        pytest.param("Classification", [1, 2, 3], id="three classes"),
    ],
)
def test_what_is_not_of_two_classes_has_no_threshold(
    make_task: MakeTask, store: Volume, people: People, task_name: str, values: list[float]
) -> None:
    columns = {**people, "y": np.resize(values, len(people["id"]))}
    task = make_task(columns, task=task_name, threshold=Threshold(maximise="f1"))
    assert choose(task, divided(task, store), threads=1) is None


@pytest.mark.parametrize(
    ("search", "count"),
    [
        pytest.param(None, 5, id="five where no search says how many"),
        pytest.param(Search(metric="f1", folds=3, space={"C": Dimension(values=(1,))}), 3, id="those of the search"),
    ],
)
def test_it_is_the_best_on_out_of_fold_predictions(
    make_task: MakeTask, store: Volume, people: People, search: Search | None, count: int
) -> None:
    task = asked(make_task, people, threshold=Threshold(maximise="f1"), search=search)
    parts = divided(task, store)
    chosen = choose(task, parts, threads=1)
    assert chosen is not None
    scores = out_of_fold(task, parts, count, threads=1)[:, 1]
    assert chosen.figure == f1_score(parts.train_truth, scores >= chosen.value)
    assert (chosen.rows, chosen.how) == (parts.train.rows, "out of fold, f1 is greatest")


def test_another_positive_class_is_told_by_its_own_score(make_task: MakeTask, store: Volume, people: People) -> None:
    """With dear misses of the class 0 it is predicted from a low score of its own on."""
    task = asked(make_task, people, positive=0, threshold=COSTS)
    chosen = choose(task, divided(task, store), threads=1)
    assert chosen is not None
    assert 0.1 < chosen.value < 0.3


def test_test_rows_have_no_say(make_task: MakeTask, store: Volume, people: People) -> None:
    parts = divided(asked(make_task, people), store)
    changed = {**people, "y": np.where(parts.testing, 1 - people["y"], people["y"])}
    tasks = [asked(make_task, columns, threshold=COSTS) for columns in (people, changed)]
    one, other = (choose(task, divided(task, store), threads=1) for task in tasks)
    assert one == other


def test_by_time_rows_of_the_first_part_have_no_say(make_task: MakeTask, store: Volume, people: People) -> None:
    columns = {**people, "day": (np.arange(2000) // 10).astype("datetime64[D]")}
    task = asked(make_task, columns, split=Split(method="Time"), timestamp="day", threshold=COSTS)
    parts = divided(task, store)
    chosen = choose(task, parts, threads=1)
    assert chosen is not None
    assert chosen.rows == parts.train.rows * 5 / 6
