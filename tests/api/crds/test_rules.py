"""Each rule of the CRDs refuses what it is for, in its own words."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.registry import KINDS
from tests import make
from tests.api.crds.people import Person, fresh


def features(**spec: Any) -> Body:
    return make.featureset(spec=spec)


def checked(*rules: Body, **spec: Any) -> Body:
    return features(quality={"rules": list(rules)}, **spec)


def training(**spec: Any) -> Body:
    return make.modeltraining(spec=spec)


def learning_from(**data: Any) -> Body:
    return training(data={"featureSet": {"name": "employment"}, "target": "employed", **data})


def deployment(**spec: Any) -> Body:
    return make.modeldeployment(spec=spec)


def file(name: str, uri: str = "store://raw/a.parquet") -> Body:
    return {"name": name, "uri": uri}


OURS = {"merkhet.dev/model": "other"}

# What is refused, and a part of what is said about it.
REFUSED = [
    pytest.param(features(sources=[file("a"), file("b")]), "several sources need a query", id="two tables, no query"),
    pytest.param(
        features(sources=[file("a"), file("a")], query="select 1"),
        "two sources have the same name",
        id="a name twice",
    ),
    pytest.param(features(sources=[file("a", "store://raw/../b")]), "write it without '..'", id="a way out"),
    pytest.param(checked({"minRows": 1, "maxAge": "1h"}), "a quality rule is about one thing", id="two rules in one"),
    pytest.param(checked({}), "a quality rule is about one thing", id="a rule about nothing"),
    pytest.param(checked({"column": "a"}), "a rule on a column says what must hold", id="a column alone"),
    pytest.param(checked({"column": "a", "unique": False}), "a rule on a column says what", id="a rule switched off"),
    pytest.param(
        checked({"expression": "a > 1", "in": [1]}), "notNull, min, max, unique and in are about", id="a list of what"
    ),
    pytest.param(checked({"column": "a", "unique": True, "in": ["1"]}), "unique stands alone", id="unique and listed"),
    pytest.param(checked({"column": "a", "min": 2, "max": 1}), "min is more than max", id="an empty range"),
    pytest.param(checked({"minRows": 1, "maxFailingFraction": 0.1}), "is a share of rows", id="a share of a number"),
    pytest.param(checked({"maxAge": "10ms"}, timestamp="t"), "maxAge is shorter than a second", id="no age"),
    pytest.param(checked({"maxAge": "1h"}), "maxAge is measured from the newest", id="an age without a time"),
    pytest.param(features(deadline="10ms"), "deadline is shorter than a second", id="features in no time"),
    pytest.param(training(deadline="10ms"), "deadline is shorter than a second", id="training in no time"),
    *(
        pytest.param(
            make_with(podTemplate={field: OURS}), f"{field} of pods under merkhet.dev/", id=f"our {field}: {name}"
        )
        for name, make_with in (("features", features), ("training", training), ("deployment", deployment))
        for field in ("labels", "annotations")
    ),
    pytest.param(training(task="Regression"), "positive names the class", id="a regression's class"),
    pytest.param(
        training(gates={"metrics": [{"name": "rmse", "max": 1}]}),
        "a figure that the task does not have",
        id="wrong gate",
    ),
    pytest.param(training(gates={"metrics": [{"name": "roc_auc"}]}), "a gate without min and max", id="an open gate"),
    pytest.param(learning_from(exclude=["employed"]), "the target is excluded", id="no target left"),
    pytest.param(learning_from(split={"method": "Group"}), "needs the column that the groups", id="groups of nothing"),
    pytest.param(learning_from(split={"column": "x"}), "split.column is for the method Group", id="needless groups"),
    pytest.param(make.modelversion(by=""), "a decision names who made it", id="an anonymous decision"),
    pytest.param(deployment(model={"name": "a", "version": 0}), "or the number of a ModelVersion", id="version nought"),
    pytest.param(deployment(model={"name": "a", "version": "v3"}), "spec.model.version", id="a version's name"),
    # What the schema itself refuses.
    pytest.param(training(pipeline=[]), "spec.pipeline", id="an empty pipeline"),
    pytest.param(training(task="Clustering"), "Unsupported value", id="an unknown task"),
    pytest.param(features(sources=[file("a", "ftp://a/b")]), "spec.sources[0].uri", id="an unknown scheme"),
    pytest.param(
        features(columns=[{"name": "AGEP"}, {"name": "AGEP"}]), "Duplicate value", id="a column with two contracts"
    ),
    pytest.param(deployment(replicas=-1), "spec.replicas", id="less than nothing"),
    pytest.param(deployment(resources={"limits": {"memory": "much"}}), "memory", id="no quantity"),
]


@pytest.mark.parametrize(("body", "said"), REFUSED)
def test_what_cannot_be_meant_is_refused_at_apply(admin: Person, namespace: str, body: Body, said: str) -> None:
    assert said in admin.is_refused("apply", "-f", "-", body=fresh(body, namespace))


def test_each_form_of_a_quality_rule_is_taken(admin: Person, namespace: str) -> None:
    rules: list[Body] = [
        {"column": "AGEP", "notNull": True, "min": 0, "max": 120, "maxFailingFraction": 0.01},
        {"column": "person_id", "unique": True, "notNull": True},
        {"column": "SCHL", "in": [1, 2, "x"], "min": 0.5},
        {"expression": "AGEP >= 16 or employed = 0", "maxFailingFraction": 0},
        {"minRows": 1000},
        {"maxAge": "48h"},
    ]
    admin.does("apply", "-f", "-", body=fresh(checked(*rules, timestamp="surveyed_at"), namespace))


def test_a_record_is_never_rewritten(admin: Person, namespace: str) -> None:
    admin.does("apply", "-f", "-", body=fresh(make.modelversion(), namespace))
    changed = fresh(make.modelversion(record={"model": "income"}), namespace)
    assert "record is written once and never changed" in admin.is_refused("apply", "-f", "-", body=changed)


def test_each_rule_is_broken_by_some_test() -> None:
    tried = {str(parameters.values[1]) for parameters in REFUSED} | {"record is written once and never changed"}
    messages = {rule.message for kind in KINDS for rule in kind.rules}
    assert {message for message in messages if not any(part in message for part in tried)} == set()
