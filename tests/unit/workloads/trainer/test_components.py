"""A pipeline with components is the pipeline of their steps, and the version says by content which those were."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.contract.component import ComponentDocument, Flavour
from merkhet.contract.features import ComponentUse
from merkhet.contract.training import Columns, Step
from merkhet.errors import Missing, Refused
from merkhet.store.volume import Volume
from merkhet.workloads.components import document
from merkhet.workloads.trainer.train import train
from tests.unit.workloads.trainer.conftest import MakeTask

IMPUTER = Step(estimator="sklearn.impute.SimpleImputer", parameters={"strategy": "median"})
ENCODER = Step(
    estimator="sklearn.preprocessing.OneHotEncoder",
    parameters={"handle_unknown": "ignore"},
    columns=Columns(names=("school",)),
)
FINAL = Step(estimator="sklearn.linear_model.LogisticRegression", parameters={"max_iter": 300})
NAMED = Step(component=ComponentUse(name="preparation", version="1"))


def kept(store: Volume, *steps: Step, flavour: Flavour = "sklearn", **more: Any) -> str:
    """Version 1 of component ``preparation`` in the store, and its digest."""
    found = ComponentDocument(name="preparation", version="1", flavour=flavour, steps=steps, **more)
    return document.keep(store, found, "2026-11-22T12:00:00Z")


def test_the_model_is_that_of_the_steps_written_out(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    digest = kept(store, ENCODER, IMPUTER)
    by_name = train(make_task(people, pipeline=(NAMED, FINAL), register_model=False), store, lambda _: None)
    written = train(make_task(people, pipeline=(ENCODER, IMPUTER, FINAL), register_model=False), store, lambda _: None)
    assert by_name.metrics == written.metrics
    assert by_name.parameters == written.parameters
    assert by_name.lineage.components == (ComponentUse(name="preparation", version="1", digest=digest),)
    assert written.lineage.components == ()


def test_a_digest_is_enough(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    digest = kept(store, IMPUTER)
    store.delete("components/preparation/1.json")
    pinned = Step(component=ComponentUse(name="preparation", version="1", digest=digest))
    result = train(make_task(people, pipeline=(pinned, FINAL)), store, lambda _: None)
    assert result.lineage.components[0].digest == digest


def test_a_component_twice_is_named_once(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    kept(store, IMPUTER)
    result = train(make_task(people, pipeline=(NAMED, NAMED, FINAL), register_model=False), store, lambda _: None)
    assert [use.version for use in result.lineage.components] == ["1"]


def test_another_flavour_is_refused(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    kept(store, flavour="sql", macros="create macro f(a) as a")
    with pytest.raises(Refused, match="component preparation version 1 is of sql") as refused:
        train(make_task(people, pipeline=(NAMED, FINAL)), store, lambda _: None)
    assert refused.value.reason == "ComponentMisplaced"


def test_one_that_was_never_kept_is_missing(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    with pytest.raises(Missing, match="component preparation has no version 1 in the store") as missing:
        train(make_task(people, pipeline=(NAMED, FINAL)), store, lambda _: None)
    assert missing.value.reason == "ComponentMissing"


def test_steps_are_held_against_the_same_list(store: Volume, make_task: MakeTask, people: dict[str, Any]) -> None:
    kept(store, Step(estimator="os.system", parameters={"command": "true"}))
    with pytest.raises(Refused, match=r"estimator os\.system is not among"):
        train(make_task(people, pipeline=(NAMED, FINAL)), store, lambda _: None)


def test_columns_behind_a_component_that_takes_all_are_refused(
    store: Volume, make_task: MakeTask, people: dict[str, Any]
) -> None:
    kept(store, IMPUTER)
    with pytest.raises(Refused, match="put steps with `columns` first"):
        train(make_task(people, pipeline=(NAMED, ENCODER, FINAL)), store, lambda _: None)
