"""A pod of a search: what it leaves in the store, when it ends at once, and what it tells the Job."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.contract.component import ComponentDocument
from merkhet.contract.evaluation import Trial
from merkhet.contract.features import ComponentUse
from merkhet.contract.runs import DONE, FAILED, REFUSED, TASK_VARIABLE
from merkhet.contract.training import Dimension, Search, Step, TrainingTask
from merkhet.store import paths
from merkhet.store.roots import root_at
from merkhet.store.volume import Volume
from merkhet.workloads.components import document
from merkhet.workloads.trainer import search
from merkhet.workloads.trainer.train import train
from merkhet.workloads.trainer.trial import INDEX_VARIABLE, main
from tests.unit.workloads.trainer.conftest import MakeTask

People = dict[str, Any]
TREE = Step(estimator="sklearn.tree.DecisionTreeClassifier")
LINEAR = Step(estimator="sklearn.linear_model.LogisticRegression")
DEPTHS = Search(metric="roc_auc", trials=3, space={"max_depth": Dimension(integers=(1, 9))})


@pytest.fixture
def run_pod(store: Volume, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What ``merkhet try`` does with a task and an index; its exit code."""

    def run(task: TrainingTask | str, index: str) -> int:
        monkeypatch.setenv("MERKHET_STORE", str(store.root))
        monkeypatch.setenv(TASK_VARIABLE, task if isinstance(task, str) else task.dump())
        monkeypatch.setenv(INDEX_VARIABLE, index)
        return main()

    return run


def left(store: Volume) -> list[Trial]:
    return [Trial.load(store.read(path)) for path in store.list("trials")]


def test_each_index_leaves_its_own_trial_and_holds_what_it_reads(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any
) -> None:
    task = make_task(people, pipeline=(TREE,), search=DEPTHS)
    assert [run_pod(task, index) for index in ("2", "0")] == [DONE, DONE]
    assert sorted(store.list("trials")) == [paths.trial(task.run.key, search.identity(task), at) for at in (0, 2)]
    assert [trial.number for trial in left(store)] == [0, 2]
    assert all(trial.value and trial.value > 0.5 for trial in left(store))
    roots = [root_at(store, path) for path in store.list("roots")]
    assert {root.run for root in roots} == {task.run.key}
    assert all(task.data.digest in root.digests for root in roots)


def test_a_trial_that_is_there_is_not_tried_again(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any
) -> None:
    task = make_task(people, pipeline=(TREE,), search=DEPTHS)
    earlier = Trial(number=1, value=0.25)
    store.create(paths.trial(task.run.key, search.identity(task), 1), earlier.dump().encode())
    assert run_pod(task, "1") == DONE
    assert left(store) == [earlier]
    assert list(store.list("roots")) == []


def test_nothing_is_tried_for_a_run_that_is_over(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any
) -> None:
    task = make_task(people, pipeline=(TREE,), search=DEPTHS)
    store.create(paths.run_record(task.run.key), b"{}")
    assert run_pod(task, "1") == DONE
    assert left(store) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"pipeline": (LINEAR,)}, "Input X contains NaN", id="rows that scikit-learn refuses"),
        pytest.param({"pipeline": (TREE,), "target": "z"}, "has no column z, which is the target", id="a column"),
        pytest.param({"pipeline": (TREE,), "search": None}, "has no search", id="no search"),
        pytest.param(
            {"pipeline": (TREE,), "search": DEPTHS.model_copy(update={"metric": "r2"})},
            "there is no metric r2 for Classification",
            id="a metric of another task",
        ),
    ],
)
def test_a_mistake_of_the_user_is_a_trial_that_says_so(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any, *, fields: dict[str, Any], said: str
) -> None:
    searched = DEPTHS.model_copy(update={"space": {"C": Dimension(values=(1.0,))}})
    task = make_task(people, **{"search": searched if fields["pipeline"] == (LINEAR,) else DEPTHS, **fields})
    assert run_pod(task, "0") == DONE
    (trial,) = left(store)
    assert trial.value is None
    assert said in trial.message


def test_what_another_try_may_mend_leaves_nothing(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any
) -> None:
    task = make_task(people, pipeline=(TREE,), search=DEPTHS)
    store.delete(paths.blob(task.data.digest))
    assert run_pod(task, "0") == FAILED
    assert run_pod(task, "") == FAILED  # no index: this is no pod of an Indexed Job
    assert left(store) == []


def test_a_task_of_another_version_is_refused(run_pod: Any) -> None:
    assert run_pod('{"run": 1}', "0") == REFUSED


def test_a_run_finds_the_trials_of_its_pods_where_a_component_is_in_the_pipeline(
    make_task: MakeTask, store: Volume, people: People, run_pod: Any
) -> None:
    """The pods are given the component's name, and so is the run, which knows its steps when it looks for them."""
    imputer = Step(estimator="sklearn.impute.SimpleImputer")
    made = ComponentDocument(name="preparation", version="1", flavour="sklearn", steps=(imputer,))
    document.keep(store, made, "2026-11-22T12:00:00Z")
    named = Step(component=ComponentUse(name="preparation", version="1"))
    task = make_task(people, pipeline=(named, TREE), search=DEPTHS, register_model=False)
    assert [run_pod(task, str(index)) for index in range(DEPTHS.trials)] == [DONE] * DEPTHS.trials
    result = train(task, store, lambda _: None)
    assert result.search is not None
    assert result.search.finished == DEPTHS.trials
    assert result.parameters["pipeline"][-1]["parameters"].items() >= result.search.parameters.items()
