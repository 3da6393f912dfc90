"""What trials try, what they are judged by, which of them wins, and what is told of those that never ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from merkhet.contract.evaluation import Trial
from merkhet.contract.training import Dimension, Search, Split, Step, TrainingTask
from merkhet.errors import Corrupt, Refused
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import data, search
from merkhet.workloads.trainer.folds import judged
from merkhet.workloads.trainer.parts import Parts, divide
from tests.unit.workloads.trainer.conftest import MakeTask

People = dict[str, Any]
IMPUTE = Step(estimator="sklearn.impute.SimpleImputer")
TREE = Step(estimator="sklearn.tree.DecisionTreeClassifier", parameters={"min_samples_leaf": 5, "max_depth": 2})
DEPTHS = {"max_depth": Dimension(integers=(1, 12)), "min_samples_leaf": Dimension(values=(1, 20))}


def searching(space: dict[str, Dimension], **fields: Any) -> Search:
    return Search(**{"metric": "roc_auc", "trials": 4, "seed": 3, "space": space, **fields})


def asked(make_task: MakeTask, people: People, wanted: Search | None = None, **fields: Any) -> TrainingTask:
    usual = {"pipeline": (IMPUTE, TREE), "search": wanted or searching(DEPTHS)}
    return make_task(people, **{**usual, **fields})


def divided(task: TrainingTask, store: Volume) -> Parts:
    return divide(task, data.read(task, store))


def keep(store: Volume, task: TrainingTask, trials: Sequence[Trial]) -> None:
    """Leave trials as their pods do."""
    for trial in trials:
        assert store.create(paths.trial(task.run.key, search.identity(task), trial.number), trial.dump().encode())


def without_time(trial: Trial) -> Trial:
    return trial.model_copy(update={"seconds": 0.0})


def test_a_grid_has_each_combination_once_whatever_the_order_of_the_names() -> None:
    space = {"b": Dimension(values=(1, None)), "a": Dimension(values=("x", "y", "z"))}
    one, other = searching(space, method="Grid", trials=6), searching(dict(reversed(space.items())), method="Grid")
    every = [search.parameters_of(one, number) for number in range(6)]
    assert [(found["a"], found["b"]) for found in every] == [
        ("x", 1), ("x", None), ("y", 1), ("y", None), ("z", 1), ("z", None),
    ]  # fmt: skip
    assert every == [search.parameters_of(other, number) for number in range(6)]


def test_a_draw_stays_within_its_range_and_reaches_all_of_it() -> None:
    wanted = searching(
        {
            "uniform": Dimension(uniform=(-1.0, 1.0)),
            "log": Dimension(log_uniform=(0.001, 1000.0)),
            "integer": Dimension(integers=(1, 3)),
            "value": Dimension(values=("a", None, [8, 4])),
        }
    )
    drawn = [search.parameters_of(wanted, number) for number in range(300)]
    uniform, log = (np.array([one[name] for one in drawn]) for name in ("uniform", "log"))
    assert (uniform.min() >= -1, uniform.max() <= 1, abs(uniform.mean()) < 0.15) == (True, True, True)
    assert (log.min() >= 0.001, log.max() <= 1000, 0.4 < (log < 1).mean() < 0.6) == (True, True, True)
    assert {one["integer"] for one in drawn} == {1, 2, 3}
    assert {str(one["value"]) for one in drawn} == {"a", "None", "[8, 4]"}
    assert all(type(one["integer"]) is int and type(one["log"]) is float for one in drawn)


def test_the_first_draws_are_those_of_the_first_release() -> None:
    wanted = searching({"rate": Dimension(log_uniform=(0.01, 1.0)), "depth": Dimension(integers=(1, 100))}, seed=7)
    assert [search.parameters_of(wanted, number) for number in (0, 5)] == [
        {"depth": 95, "rate": pytest.approx(0.6229132974474139)},
        {"depth": 56, "rate": pytest.approx(0.21535338026062104)},
    ]


def test_another_seed_draws_others() -> None:
    one, other = ([search.parameters_of(searching(DEPTHS, seed=seed), n) for n in range(5)] for seed in (1, 2))
    assert one != other


def test_the_same_seed_has_the_same_winner_in_whatever_order_trials_end(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    task = asked(make_task, people)
    parts = divided(task, store)
    forth = [search.tried(task, parts, number, threads=1) for number in range(4)]
    back = [search.tried(task, parts, number, threads=2) for number in reversed(range(4))]
    assert [without_time(one) for one in forth] == [without_time(one) for one in reversed(back)]
    keep(store, task, back)
    found = search.winner(task, store)
    best = max(forth, key=lambda one: one.value or 0.0)
    assert (found.result.best, found.result.value) == (best.number, best.value)
    assert found.result.parameters == best.parameters == search.parameters_of(searching(DEPTHS), best.number)
    assert [one.number for one in found.trials] == [0, 1, 2, 3]
    assert search.shortfall(found) == ""


def test_a_trial_is_judged_by_its_metric_on_each_fold(make_task: MakeTask, store: Volume, people: People) -> None:
    columns = {**people, "w": people["age"] / 50}
    task = asked(make_task, columns, sample_weight="w", split=Split(method="Group", column="school"))
    parts = divided(task, store)
    trial = search.tried(task, parts, 1, threads=1)
    assert parts.train_weights is not None
    figures = [
        roc_auc_score(parts.train_truth[fold.judging], scores[:, 1], sample_weight=parts.train_weights[fold.judging])
        for fold, scores in judged(search.with_parameters(task, trial.parameters), parts, 3, threads=1)
    ]
    assert trial.value == pytest.approx(np.mean(figures))
    assert trial.deviation == pytest.approx(np.std(figures))


def test_test_rows_are_never_seen(make_task: MakeTask, store: Volume, people: People) -> None:
    parts = divided(asked(make_task, people), store)
    changed = {**people, "y": np.where(parts.testing, 1 - people["y"], people["y"])}
    changed["age"] = np.where(parts.testing, 0, people["age"])
    one, other = (
        search.tried(task, divided(task, store), 2, threads=1)
        for task in (asked(make_task, columns) for columns in (people, changed))
    )
    assert one.value is not None
    assert without_time(one) == without_time(other)


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        pytest.param("roc_auc", (0.6, 0.8, 0.7), 1, id="most of what should be great"),
        pytest.param("log_loss", (0.6, 0.8, 0.5), 2, id="least of a loss"),
        pytest.param("roc_auc", (0.6, 0.8, 0.8), 1, id="of equals the first"),
        pytest.param("roc_auc", (0.6, 0.8, 0.8 + 1e-15), 1, id="of those that rounding alone tells apart the first"),
        pytest.param("r2", (-2.0, -1.0, -3.0), 1, id="also below nought"),
        pytest.param("roc_auc", (None, 0.6, 0.5), 1, id="one that failed never"),
    ],
)
def test_the_best_trial_wins(
    make_task: MakeTask, store: Volume, people: People, *, metric: str, values: Sequence[float | None], best: int
) -> None:
    task = asked(make_task, people, searching(DEPTHS, metric=metric, trials=3))
    keep(store, task, [Trial(number=number, value=value) for number, value in enumerate(values)])
    assert search.winner(task, store).result.best == best


def test_trials_that_never_ended_are_told_and_the_best_of_the_others_wins(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    task = asked(make_task, people, searching(DEPTHS, trials=20))
    keep(store, task, [Trial(number=number, value=number / 20) for number in range(17)])
    found = search.winner(task, store)
    assert (found.result.trials, found.result.finished, found.result.best) == (20, 17, 16)
    assert search.shortfall(found).startswith("17 of 20 trials of the search ended before the deadline")


def test_trials_that_failed_are_told_with_the_first_reason(make_task: MakeTask, store: Volume, people: People) -> None:
    task = asked(make_task, people, searching(DEPTHS, trials=3))
    keep(store, task, [Trial(number=0, value=0.5), *(Trial(number=n, message=f"reason {n}") for n in (1, 2))])
    found = search.winner(task, store)
    assert (found.result.finished, len(found.trials)) == (1, 3)
    assert search.shortfall(found) == "2 of 3 trials have no figure; trial 1: reason 1"


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        pytest.param([], "no trial ended of the 4 of the search; give it a longer deadline", id="none ended"),
        pytest.param(
            [Trial(number=2, message="bad"), Trial(number=3, message="worse")],
            "none of 2 trials of the search has a figure; trial 2: bad",
            id="all failed",
        ),
    ],
)
def test_a_search_without_any_figure_is_refused(
    make_task: MakeTask, store: Volume, people: People, trials: Sequence[Trial], said: str
) -> None:
    task = asked(make_task, people)
    keep(store, task, trials)
    with pytest.raises(Refused, match=said) as caught:
        search.winner(task, store)
    assert caught.value.reason == "SearchFailed"


def test_a_trial_that_cannot_be_read_is_corrupt(make_task: MakeTask, store: Volume, people: People) -> None:
    task = asked(make_task, people)
    store.create(paths.trial(task.run.key, search.identity(task), 1), b"half of")
    with pytest.raises(Corrupt, match=r"1\.json is no trial"):
        search.winner(task, store)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        pytest.param(
            {"max_depth": Dimension(values=("deep",))},
            "The 'max_depth' parameter of DecisionTreeClassifier must be an int",
            id="a wrong type, in scikit-learn's words",
        ),
        pytest.param(
            {"step1__strategy": Dimension(values=("best",))},
            "The 'strategy' parameter of SimpleImputer must be a str among",
            id="a wrong value of another step",
        ),
    ],
)
def test_parameters_that_cannot_be_are_told_in_the_trial(
    make_task: MakeTask, store: Volume, people: People, space: dict[str, Dimension], said: str
) -> None:
    task = asked(make_task, people, searching(space))
    trial = search.tried(task, divided(task, store), 0, threads=1)
    assert (trial.value, trial.parameters) == (None, {name: one.values[0] for name, one in space.items() if one.values})
    assert said in trial.message


@pytest.mark.parametrize(
    ("count", "said"),
    [
        pytest.param(50, "50 folds want one each at least", id="fewer rows than folds"),
        pytest.param(25, r"roc_auc is not defined on the \d rows that a fold judges by", id="no row of a class"),
    ],
)
def test_folds_that_say_nothing_are_told_in_the_trial(
    make_task: MakeTask, store: Volume, people: People, count: int, said: str
) -> None:
    columns = {name: values[:40] for name, values in people.items()}
    task = asked(make_task, columns, searching(DEPTHS, folds=count))
    trial = search.tried(task, divided(task, store), 0, threads=1)
    assert trial.value is None
    assert re.search(said, trial.message)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("max_deph", r"max_deph of step 2: .* did you mean max_depth\?", id="a slip of the pen"),
        pytest.param("strategy", "strategy of step 2: .* has no parameter strategy", id="that of another step"),
        pytest.param("dtype", "has no parameter dtype that may be set", id="one that is the same everywhere"),
        pytest.param("step3__C", "search.space names step3__C, and the pipeline has 2 steps", id="a step too far"),
        pytest.param("step2__max_depth", "which are the same parameter", id="the same twice"),
    ],
)
def test_a_name_that_is_no_parameter_is_refused(
    make_task: MakeTask, store: Volume, people: People, name: str, said: str
) -> None:
    task = asked(make_task, people, searching({"max_depth": Dimension(values=(1,)), name: Dimension(values=(2,))}))
    with pytest.raises(Refused, match=said):
        search.checked(task)
    with pytest.raises(Refused, match=said):
        search.winner(task, store)


def test_the_winners_parameters_are_laid_over_those_of_the_pipeline(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    space = {"max_depth": Dimension(values=(7,)), "step1__strategy": Dimension(values=("median",))}
    task = asked(make_task, people, searching(space, trials=1))
    search.checked(task)
    keep(store, task, [search.tried(task, divided(task, store), 0, threads=1)])
    done = search.applied(task, search.winner(task, store))
    assert [step.parameters for step in done.pipeline] == [
        {"strategy": "median"},
        {"min_samples_leaf": 5, "max_depth": 7},
    ]
    assert search.applied(task, None) == task


def test_by_time_a_trial_is_judged_on_later_rows(make_task: MakeTask, store: Volume, people: People) -> None:
    """From the last quarter of the training rows on the opposite holds: who learned from earlier ones is all wrong."""
    day = np.arange(2000) // 10
    sign = np.where(day < 113, 1, -1) * (2 * people["y"] - 1)
    columns = {"id": people["id"], "day": day.astype("datetime64[D]"), "sign": sign, "y": people["y"]}
    task = asked(make_task, columns, split=Split(method="Time"), timestamp="day", pipeline=(TREE,))
    trial = search.tried(task, divided(task, store), 0, threads=1)
    assert [trial.value, trial.deviation] == pytest.approx([2 / 3, np.std([1, 1, 0])])


def test_trials_of_a_run_whose_spec_was_edited_count_no_more(
    make_task: MakeTask, store: Volume, people: People
) -> None:
    task = asked(make_task, people)
    keep(store, task, [Trial(number=0, parameters={"max_depth": 3}, value=0.9)])
    assert search.winner(task.model_copy(update={"author": "gwen"}), store).result.best == 0
    edited = task.model_copy(update={"exclude": ("hours",)})
    with pytest.raises(Refused, match="no trial ended"):
        search.winner(edited, store)
