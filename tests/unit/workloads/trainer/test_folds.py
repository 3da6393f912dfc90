"""Which training rows learn and which judge, in each fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from merkhet.contract.training import Columns, Split, Step, TrainingTask
from merkhet.errors import Refused
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import data
from merkhet.workloads.trainer.folds import Fold, folds, out_of_fold
from merkhet.workloads.trainer.parts import Parts, divide
from tests.unit.workloads.trainer.conftest import MakeTask

People = dict[str, Any]
LINEAR = Step(estimator="sklearn.linear_model.LogisticRegression")
BY_HOUSE = Split(method="Group", column="house")
BY_DAY = Split(method="Time")


def divided(task: TrainingTask, store: Volume) -> Parts:
    return divide(task, data.read(task, store))


def training(parts: Parts, name: str) -> Any:
    """A column's values in the training rows."""
    return parts.rows.table.column(name).to_numpy()[~parts.testing]


def asked(make_task: MakeTask, columns: People, **fields: Any) -> TrainingTask:
    """A task on rows that have a day, which is their timestamp."""
    return make_task(columns, timestamp="day", **fields)


def rows(count: int, *, houses: int = 200, days: int = 100) -> People:
    """Rows of which two classes differ in ``x``; more rows begin with the same entities."""
    random = np.random.default_rng(5)
    y = random.integers(0, 2, count)
    return {
        "id": np.arange(count),
        "house": np.arange(count) % houses,
        "day": np.sort(np.arange(count) % days).astype("datetime64[D]"),
        "x": y + random.normal(size=count),
        "y": y,
    }


def judged_by(parts: Parts, made: tuple[Fold, ...]) -> dict[int, int]:
    """The number of the fold that judges each entity."""
    ids = training(parts, "id")
    return {int(ids[at]): number for number, fold in enumerate(made) for at in fold.judging}


@pytest.mark.parametrize("split", [pytest.param(Split(), id="Random"), pytest.param(BY_HOUSE, id="Group")])
def test_each_training_row_is_judged_once_by_a_model_that_has_not_seen_it(
    make_task: MakeTask, store: Volume, split: Split
) -> None:
    task = asked(make_task, rows(1000), split=split)
    parts = divided(task, store)
    made = folds(task, parts, 4)
    assert sorted(np.concatenate([fold.judging for fold in made])) == list(range(parts.train.rows))
    for fold in made:
        assert sorted([*fold.learning, *fold.judging]) == list(range(parts.train.rows))
        assert abs(len(fold.judging) - parts.train.rows / 4) < parts.train.rows / 8


def test_a_group_is_never_divided(make_task: MakeTask, store: Volume) -> None:
    task = asked(make_task, rows(1000), split=BY_HOUSE)
    parts = divided(task, store)
    houses = training(parts, "house")
    for fold in folds(task, parts, 5):
        assert set(houses[fold.learning]).isdisjoint(houses[fold.judging])


@pytest.mark.parametrize("seed", [5, 15, 18])  # of which the split leaves six of eight groups
def test_few_groups_are_dealt_out_so_that_no_fold_is_empty(make_task: MakeTask, store: Volume, seed: int) -> None:
    """By their hashes alone six groups leave one of five folds empty nine times in ten."""
    split = Split(method="Group", column="house", seed=seed)
    task = asked(make_task, rows(300, houses=8), split=split)
    parts = divided(task, store)
    made = folds(task, parts, 5)
    houses = training(parts, "house")
    assert [len(set(houses[fold.judging])) for fold in made] == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("split", [pytest.param(Split(), id="Random"), pytest.param(BY_HOUSE, id="Group")])
def test_an_entity_keeps_its_fold_when_a_fifth_more_rows_come(make_task: MakeTask, store: Volume, split: Split) -> None:
    before, after = (asked(make_task, rows(count), split=split) for count in (1000, 1200))
    old, new = ((parts := divided(task, store), folds(task, parts, 3)) for task in (before, after))
    was, is_now = judged_by(*old), judged_by(*new)
    assert len(is_now) > len(was)
    assert {one: is_now[one] for one in was} == was


def test_folds_have_nothing_to_do_with_which_rows_are_tested(make_task: MakeTask, store: Volume) -> None:
    task = asked(make_task, rows(2000), split=Split(test_fraction=0.5))
    made = folds(task, divided(task, store), 2)
    # By the split's own seed all training rows would be in the upper half.
    assert abs(len(made[0].judging) - len(made[1].judging)) < 150


def test_by_time_a_fold_learns_only_from_what_is_earlier_and_the_first_part_is_never_judged(
    make_task: MakeTask, store: Volume
) -> None:
    task = asked(make_task, rows(1000), split=BY_DAY)
    parts = divided(task, store)
    days, made = training(parts, "day"), folds(task, parts, 4)
    for fold in made:
        assert days[fold.learning].max() < days[fold.judging].min()
    sizes = [len(fold.learning) for fold in made] + [parts.train.rows]
    assert np.diff([0, *sizes]).tolist() == [150] * 5
    assert not set(np.concatenate([fold.judging for fold in made])) & set(made[0].learning)


def test_by_time_crowded_moments_stay_together_and_leave_no_fold_empty(make_task: MakeTask, store: Volume) -> None:
    day = np.r_[np.zeros(700), np.arange(1, 101) // 10, np.full(200, 50)].astype("datetime64[D]")
    task = asked(make_task, rows(1000) | {"day": day}, split=Split(method="Time", test_fraction=0.2))
    parts = divided(task, store)
    days = training(parts, "day")
    for fold in folds(task, parts, 3):
        assert len(fold.judging)
        assert days[fold.learning].max() < days[fold.judging].min()


def test_scores_out_of_fold_are_of_models_that_have_not_seen_the_row(make_task: MakeTask, store: Volume) -> None:
    """A model that repeats what it has seen is right on all rows that it has seen, and on others by chance."""
    columns = rows(600) | {"x": np.random.default_rng(3).normal(size=600)}
    tree = Step(estimator="sklearn.tree.DecisionTreeClassifier")
    task = asked(make_task, columns, pipeline=(tree,))
    parts = divided(task, store)
    scores = out_of_fold(task, parts, 5, threads=1)
    assert scores.shape == (parts.train.rows, 2)
    assert abs(((scores[:, 1] >= 0.5) == parts.train_truth).mean() - 0.5) < 0.1


def test_by_time_rows_of_the_first_part_have_no_score(make_task: MakeTask, store: Volume) -> None:
    task = asked(make_task, rows(600), split=BY_DAY, pipeline=(LINEAR,))
    parts = divided(task, store)
    scores = out_of_fold(task, parts, 3, threads=1)
    unknown = np.isnan(scores).all(axis=1)
    days = training(parts, "day")
    assert abs(unknown.mean() - 0.25) < 0.02
    assert days[unknown].max() < days[~unknown].min()


def test_a_regression_has_one_score_a_row(make_task: MakeTask, store: Volume) -> None:
    ridge = Step(estimator="sklearn.linear_model.Ridge")
    columns = rows(300)
    columns["y"] = 3 * columns["x"]
    task = asked(make_task, columns, task="Regression", pipeline=(ridge,))
    parts = divided(task, store)
    scores = out_of_fold(task, parts, 3, threads=1)
    assert scores.shape == (parts.train.rows, 1)
    assert abs(scores[:, 0] - parts.train_truth).max() < 0.5


def test_weights_count_in_each_fold(make_task: MakeTask, store: Volume) -> None:
    """Rows without weight teach nothing: their labels are all wrong."""
    columns = rows(600)
    wrong = np.arange(600) % 2 == 0
    columns["y"] = np.where(wrong, columns["x"] < 0.5, columns["x"] >= 0.5).astype(np.int64)
    columns["weight"] = np.where(wrong, 0.0, 1.0)
    task = asked(make_task, columns, sample_weight="weight", pipeline=(LINEAR,))
    parts = divided(task, store)
    assert parts.train_weights is not None
    counted = parts.train_weights > 0
    labels = out_of_fold(task, parts, 3, threads=1)[:, 1] >= 0.5
    assert (labels == parts.train_truth)[counted].mean() > 0.9
    assert (labels == parts.train_truth)[~counted].mean() < 0.1


@pytest.mark.parametrize(
    ("split", "houses", "days", "count", "said"),
    [
        pytest.param(Split(), 20, 5, 50, r"of \d+ different entities, and 50 folds want one each", id="entities"),
        pytest.param(BY_HOUSE, 20, 5, 50, r"of \d+ different groups, and 50 folds want one each", id="groups"),
        pytest.param(BY_DAY, 20, 5, 4, r"of 3 different moments, and 4 folds by Time want 5", id="moments"),
    ],
)
def test_too_few_rows_for_the_folds_are_told(
    make_task: MakeTask, store: Volume, *, split: Split, houses: int, days: int, count: int, said: str
) -> None:
    task = asked(make_task, rows(40, houses=houses, days=days), split=split)
    with pytest.raises(Refused, match=said) as caught:
        folds(task, divided(task, store), count)
    assert caught.value.reason == "TooFewRows"


@pytest.mark.parametrize(
    ("personal", "said"),
    [
        pytest.param((), "none with target y = 'rare'", id="by its name"),
        pytest.param(("y",), "none with target y = one of its classes", id="not by its name where it is personal"),
    ],
)
def test_a_class_that_a_fold_cannot_learn_is_told(
    make_task: MakeTask, store: Volume, personal: tuple[str, ...], said: str
) -> None:
    columns, at = rows(400), np.arange(400)
    columns["y"] = np.where((at >= 200) & (at % 3 == 0), "rare", np.where(at % 2, "usual", "other"))
    task = asked(make_task, columns, split=BY_DAY, personal=personal)
    with pytest.raises(Refused, match=said):
        folds(task, divided(task, store), 5)


def test_a_row_that_scikit_learn_refuses_in_a_fold_is_told_in_its_words(make_task: MakeTask, store: Volume) -> None:
    columns = rows(400)
    columns["word"] = [f"w{number}" for number in range(400)]
    encoder = Step(estimator="sklearn.preprocessing.OneHotEncoder", columns=Columns(names=("word",)))
    task = asked(make_task, columns, pipeline=(encoder, LINEAR))
    with pytest.raises(Refused, match=r"Found unknown categories .* handle_unknown for categories"):
        out_of_fold(task, divided(task, store), 3, threads=1)
