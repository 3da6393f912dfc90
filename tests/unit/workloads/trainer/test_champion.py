"""Champion and candidate are compared on rows that neither has learned from, whatever either was split by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from merkhet.contract.evaluation import ChampionComparison
from merkhet.contract.runs import RunReport
from merkhet.contract.training import (
    Champion,
    Gates,
    Lineage,
    MetricLimit,
    Signature,
    Split,
    Step,
    TrainingResult,
    TrainingTask,
)
from merkhet.store import claims
from merkhet.store.volume import Volume
from merkhet.workloads.trainer import champion, data, evaluation, export, parity, pipeline, signature, split
from merkhet.workloads.trainer.acceptance import Acceptance
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.fit import fit
from merkhet.workloads.trainer.importance import answers
from merkhet.workloads.trainer.parts import Parts, divide

MakeTask = Callable[..., TrainingTask]
People = Mapping[str, Any]
RUN = "fedcba9876543210fedc"
ROWS = 6000
CLAIM = Champion(number=3, digest="", run=RUN)
LIMIT = Gates(metrics=(MetricLimit(name="roc_auc", max_drop_from_champion=0.01),))
BOOSTED = Step(
    estimator="sklearn.ensemble.HistGradientBoostingClassifier",
    parameters={"max_iter": 30, "early_stopping": False, "learning_rate": 0.2},
)
WEAK = Step(estimator="sklearn.tree.DecisionTreeClassifier", parameters={"max_depth": 1})


@pytest.fixture(scope="module")
def everybody() -> People:
    """Rows of several years; the class depends on two numbers and much chance, so that a model learns it by heart."""
    random = np.random.default_rng(2)
    numbers = {name: random.normal(size=ROWS).astype(np.float32) for name in ("a", "b", "c", "d")}
    leaning = 1.5 * numbers["a"] - numbers["b"] * numbers["a"]
    return {
        "id": np.arange(ROWS) * 7,
        "day": (np.datetime64("2020-01-01") + np.arange(ROWS) // 3).astype("datetime64[us]"),
        "home": np.arange(ROWS) // 2 % 1500,
        **numbers,
        "y": (leaning + random.logistic(size=ROWS) > 0).astype(np.int64),
    }


def some(people: People, rows: Any) -> People:
    return {name: values[rows] for name, values in people.items()}


@dataclass(frozen=True)
class Trained:
    task: TrainingTask
    parts: Parts
    tested: Answered
    graph: bytes


def trained(task: TrainingTask, store: Volume) -> Trained:
    parts = divide(task, data.read(task, store))
    built = pipeline.build(task.pipeline, task.task, parts.train, threads=1)
    fit(built, parts.train, parts.train_truth)
    graph = export.convert(built, parts.train)
    session = parity.session(graph)
    outputs = [output.name for output in session.get_outputs()]
    accepted = Acceptance(missing=parts.train.names)
    described = signature.describe(task.task, parts.train, parts.rows.target, accepted, outputs)
    scores = answers(session, parts.test)
    tested = Answered(parts.test, parts.test_truth, scores, described, parts.test_weights, parts.clusters)
    return Trained(task, parts, tested, graph)


def crowned(model: Trained, store: Volume, **changes: Any) -> Champion:
    """The record of a model's run, as the champion's."""
    task = model.task
    result = TrainingResult(
        model=task.model,
        number=3,
        signature=model.tested.signature,
        lineage=Lineage(training={"run": RUN}, data=(task.data,)),
        parameters={"split": task.split.body(), "target": task.target},
    ).model_copy(update=changes)
    claims.record(store, RunReport(key=RUN, phase="Succeeded", result=result.body()))
    return Champion(number=3, digest=store.add(model.graph), run=RUN)


def compared(candidate: Trained, store: Volume, by: Champion = CLAIM) -> ChampionComparison:
    task = candidate.task.model_copy(update={"champion": by, "gates": LIMIT})
    found = champion.compared(task, candidate.parts, candidate.tested, store)
    assert found is not None
    return found


def judgement(candidate: Trained, found: ChampionComparison) -> str:
    (gate,) = evaluation.evaluated(candidate.tested, LIMIT, target="y", train_rows=1, champion=found).gates
    return gate.result


def asking(make_task: MakeTask, people: People, *, step: Step = BOOSTED, **more: Any) -> TrainingTask:
    usual: dict[str, Any] = {"timestamp": "day", "exclude": ("home",), "pipeline": (step,)}
    return make_task(people, **{**usual, **more})


OLD = slice(0, ROWS * 5 // 6)


def test_a_good_retrain_on_a_fifth_more_rows_is_not_refused_and_a_bad_one_is(
    make_task: MakeTask, store: Volume, everybody: People
) -> None:
    before = trained(asking(make_task, some(everybody, OLD)), store)
    by = crowned(before, store)
    good = trained(asking(make_task, everybody), store)
    found = compared(good, store, by)
    (drop,) = [one for one in found.differences if one.name == "roc_auc"]
    assert found.rows == good.tested.rows, "the same split keeps the same rows for its test, and all that is new there"
    assert judgement(good, found) == "Passed"
    bad = trained(asking(make_task, everybody, step=WEAK), store)
    assert judgement(bad, compared(bad, store, by)) == "Failed"

    # The trap: on a new split of its own, the champion has learned from most of the candidate's test rows.
    other = trained(asking(make_task, everybody, split=Split(seed=9)), store)
    seen = roc_auc_score(other.tested.truth, answers(parity.session(before.graph), other.tested.features)[:, 1])
    mine = roc_auc_score(other.tested.truth, other.tested.scores[:, 1])
    assert seen - mine > 0.02 > abs(drop.value), "by the naive comparison the good one would be refused"
    fair = compared(other, store, by)
    assert 200 < fair.rows < 0.4 * other.tested.rows
    assert judgement(other, fair) != "Failed"


SPLITS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "random and random": ({}, {}),
    "another seed": ({}, {"split": Split(seed=9)}),
    "by content": ({"entity": ()}, {"entity": ()}),
    "groups after random": ({}, {"split": Split(method="Group", column="home", seed=4)}),
    "random after groups": ({"split": Split(method="Group", column="home")}, {}),
    "time after time": ({"split": Split(method="Time")}, {"split": Split(method="Time", test_fraction=0.3)}),
    "random after time": ({"split": Split(method="Time")}, {}),
    "time after random": ({}, {"split": Split(method="Time")}),
}


@pytest.mark.parametrize(("former", "now"), SPLITS.values(), ids=SPLITS)
def test_neither_has_learned_from_a_row_that_is_compared(
    make_task: MakeTask, store: Volume, everybody: People, former: dict[str, Any], now: dict[str, Any]
) -> None:
    before = trained(asking(make_task, some(everybody, OLD), step=WEAK, **former), store)
    by = crowned(before, store)
    candidate = trained(asking(make_task, everybody, step=WEAK, **now), store)
    made = champion._former(by, store)
    kept = champion._kept(made, candidate.parts, store)
    learned = set(before.parts.rows.table.column("id").to_numpy()[~before.parts.testing].tolist())
    ids = candidate.parts.rows.table.column("id").to_numpy()
    assert not learned & set(ids[kept].tolist())
    if made.split.method != "Time":
        again = split.test_rows(made.split, candidate.parts.rows.table, made.manifest)
        assert np.array_equal(kept, again), "made as the split is made"
    assert compared(candidate, store, by).rows == (kept & candidate.parts.testing).sum() > 100


def test_the_same_model_differs_in_nothing(make_task: MakeTask, store: Volume, everybody: People) -> None:
    model = trained(asking(make_task, everybody), store)
    found = compared(model, store, crowned(model, store))
    assert [one.value for one in found.differences] == pytest.approx([0.0] * 7, abs=1e-6)
    assert [one.high for one in found.differences] == pytest.approx([0.0] * 7, abs=1e-6)
    assert found.champion == pytest.approx(found.candidate)


def test_pairing_makes_the_interval_far_narrower_than_the_two(
    make_task: MakeTask, store: Volume, everybody: People
) -> None:
    before = trained(asking(make_task, some(everybody, OLD)), store)
    found = compared(trained(asking(make_task, everybody), store), store, crowned(before, store))
    width = {
        name: (metrics[0].high or 0) - (metrics[0].low or 0)
        for name, metrics in (("own", found.candidate), ("difference", found.differences))
    }
    assert found.candidate[0].name == found.differences[0].name == "roc_auc"
    assert width["difference"] < 0.7 * width["own"]


def test_rows_that_the_champion_refuses_are_not_compared(make_task: MakeTask, store: Volume, everybody: People) -> None:
    before = trained(asking(make_task, some(everybody, OLD), step=WEAK), store)
    strict = before.tested.signature.inputs[0].model_copy(update={"missing": False, "missing_columns": ()})
    by = crowned(before, store, signature=before.tested.signature.model_copy(update={"inputs": (strict,)}))
    holes = {**everybody, "c": np.where(np.arange(ROWS) % 2, np.nan, everybody["c"])}
    candidate = trained(asking(make_task, holes, step=WEAK), store)
    present = ~np.isnan(candidate.tested.features.column("c"))
    assert compared(candidate, store, by).rows == present.sum()


def without(people: People, *names: str) -> People:
    return {name: values for name, values in people.items() if name not in names}


Change = Callable[[TrainingResult], dict[str, Any]]


def of_signature(**changes: Any) -> Change:
    def changed(result: TrainingResult) -> dict[str, Any]:
        assert result.signature is not None
        return {"signature": result.signature.model_copy(update=changes)}

    return changed


def of_parameters(**changes: Any) -> Change:
    return lambda result: {"parameters": {**result.parameters, **changes}}


UNLIKE: dict[str, tuple[Change, str]] = {
    "brought, with a record of its judgement": (lambda _: {"parameters": {}}, "it was brought, and which rows it has"),
    "another target": (of_parameters(target="z"), "it predicts target z, and this one y"),
    "other classes": (of_signature(classes=(0, 2)), "its target has 2 classes, and this one's are not the same"),
    "another positive class": (of_signature(positive=0), "another class is positive for it"),
    "a column that is gone": (
        lambda result: of_signature(
            inputs=(
                result.signature.inputs[0].model_copy(update={"columns": ("a", "gone")}),  # type: ignore[union-attr] # it has one
            )
        )(result),
        "it needs column gone, which is not there any more",
    ),
    "no row is left": (
        of_parameters(split=Split(test_fraction=1e-9).body()),
        "there is no row that neither has learned from",
    ),
    "a record of another form": (of_parameters(split={"method": "Dice"}), "the record of its run"),
    "a group that is gone": (
        of_parameters(split=Split(method="Group", column="gone").body()),
        "it needs column gone, which is not there any more",
    ),
}


@pytest.mark.parametrize(("change", "said"), UNLIKE.values(), ids=UNLIKE)
def test_what_cannot_be_compared_says_why(
    make_task: MakeTask, store: Volume, everybody: People, change: Change, said: str
) -> None:
    model = trained(asking(make_task, some(everybody, slice(0, 600)), step=WEAK), store)
    usual = TrainingResult(
        model="m",
        lineage=Lineage(training={}, data=()),
        signature=model.tested.signature,
        parameters={"split": model.task.split.body(), "target": "y"},
    )
    found = compared(model, store, crowned(model, store, **change(usual)))
    assert said in found.message
    assert (found.number, found.rows, found.differences) == (3, 0, ())
    assert judgement(model, found) == "Inconclusive"


def test_a_champion_that_nobody_trained_or_whose_record_is_lost(
    make_task: MakeTask, store: Volume, everybody: People
) -> None:
    model = trained(asking(make_task, some(everybody, slice(0, 600)), step=WEAK), store)
    assert champion.compared(model.task, model.parts, model.tested, store) is None
    assert "it was brought" in compared(model, store, Champion(number=3, digest="")).message
    assert "the record of its run" in compared(model, store).message
    by = crowned(model, store)
    store.delete(f"blobs/sha256/{by.digest[7:]}")
    assert "sha256" in compared(model, store, by).message


def test_a_column_that_is_personal_now_is_not_asked_about(
    make_task: MakeTask, store: Volume, everybody: People
) -> None:
    people = some(everybody, slice(0, 600))
    by = crowned(trained(asking(make_task, people, step=WEAK), store), store)
    now = trained(asking(make_task, people, step=WEAK, personal=("c",)), store)
    assert compared(now, store, by).message == "it takes column c, which is personal now"


def test_other_featuresets_and_types_are_not_compared(make_task: MakeTask, store: Volume, everybody: People) -> None:
    people = some(everybody, slice(0, 600))
    model = trained(asking(make_task, people, step=WEAK), store)
    by = crowned(model, store)
    other = model.task.model_copy(update={"data": model.task.data.model_copy(update={"feature_set": "else"})})
    told = compared(Trained(other, model.parts, model.tested, model.graph), store, by).message
    assert told == "it was trained on FeatureSet census, and this one else"
    words = {**without(people, "c"), "c": np.array(["x", "y"])[people["a"].astype(int) % 2]}
    parts = divide(model.task, data.read(asking(make_task, words, exclude=("home", "c")), store))
    task = model.task.model_copy(update={"champion": by})
    found = champion.compared(task, parts, model.tested, store)
    assert found is not None
    assert found.message == "it takes c as a number, which it is not any more"


def test_the_signature_that_is_recorded_is_read_back(make_task: MakeTask, store: Volume, everybody: People) -> None:
    model = trained(asking(make_task, some(everybody, slice(0, 600)), step=WEAK), store)
    read = champion._former(crowned(model, store), store)
    assert isinstance(read.signature, Signature)
    assert read.signature == model.tested.signature
