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


def compared(**bias: Any) -> Body:
    return features(bias={"sensitive": [{"column": "SEX"}], **bias})


def component(**spec: Any) -> Body:
    return make.component(spec=spec)


def function(**python: Any) -> Body:
    example = {"input": {"a": [1]}, "output": {"a": [1]}}
    return component(sklearn=None, python={"entrypoint": "clean", **python}, examples=[example])


def training(**spec: Any) -> Body:
    return make.modeltraining(spec=spec)


def learning_from(**data: Any) -> Body:
    return training(data={"featureSet": {"name": "employment"}, "target": "employed", **data})


def gated(sensitive: tuple[str, ...] = ("SEX",), **gates: Any) -> Body:
    data = {"featureSet": {"name": "employment"}, "target": "employed", "sensitive": list(sensitive)}
    return training(data=data, gates={name: [gate] for name, gate in gates.items()})


def searching(space: Body, **search: Any) -> Body:
    return training(search={"space": {"max_iter": space}, **search})


def brought(number: int = 7, **evaluation: Any) -> Body:
    body = make.modelversion(number, decision="Pending", record={"lineage": {}})
    judging = {"featureSet": {"name": "employment"}, "target": "employed", **evaluation}
    return {**body, "spec": {**body["spec"], "evaluation": judging}}


def deployment(**spec: Any) -> Body:
    return make.modeldeployment(spec=spec)


def file(name: str, uri: str = "store://raw/a.parquet") -> Body:
    return {"name": name, "uri": uri}


def imported(name: str, **more: Any) -> Body:
    return {"name": name, "featureSet": {"name": name, **more}}


OPEN_TEST = {"name": "a", "input": {"AGEP": 30}, "expect": {}}
TEST = {**OPEN_TEST, "expect": {"label": 1}}


def joined(name: str) -> Body:
    return {"featureSet": {"name": name}, "by": ["k"]}


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
    pytest.param(features(sources=[{"name": "a"}]), "a source is files or another FeatureSet", id="no source"),
    pytest.param(
        features(sources=[{**file("a"), **imported("b")}]), "a source is files or another FeatureSet", id="two in one"
    ),
    pytest.param(features(sources=[{**imported("b"), "format": "csv"}]), "format says what files are", id="no file"),
    pytest.param(
        features(sources=[{**file("a"), "secretName": "b"}]), "secretName is for a bucket", id="a secret for a file"
    ),
    pytest.param(
        features(sources=[{**imported("b"), "secretName": "b"}]), "secretName is for a bucket", id="a secret, no file"
    ),
    pytest.param(
        features(sources=[file("a"), imported("b")]), "several sources need a query", id="a file and features, no query"
    ),
    pytest.param(features(join=[joined("b")]), "joins look for what was known", id="a join without a time"),
    pytest.param(features(sources=[imported("employment")]), "a FeatureSet is made from itself", id="a circle of one"),
    pytest.param(
        features(join=[joined("employment")], timestamp="t"), "a FeatureSet is made from itself", id="a circle by join"
    ),
    pytest.param(features(join=[{**joined("b"), "by": []}], timestamp="t"), "spec.join[0].by", id="joined by nothing"),
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
    pytest.param(features(entity=None, online={}), "online looks rows up by their entity", id="look-ups of nothing"),
    pytest.param(features(entity=[], online={}), "online looks rows up by their entity", id="look-ups of no column"),
    pytest.param(features(timestamp=None, online={"ttl": "1h"}), "ttl is counted from the timestamp", id="untimed"),
    pytest.param(
        features(entity=["a"], timestamp="t", online={"ttl": "10ms"}), "ttl is shorter than a second", id="a short ttl"
    ),
    pytest.param(
        compared(sensitive=[{"column": "AGEP", "bins": [45, 25]}]), "bins say where one group ends", id="bins descend"
    ),
    pytest.param(
        compared(sensitive=[{"column": "AGEP", "bins": [25, 25]}]), "bins say where one group ends", id="a bin twice"
    ),
    pytest.param(compared(sensitive=[{"column": "SEX"}] * 2), "a column is sensitive twice", id="sensitive twice"),
    pytest.param(compared(label="SEX"), "the label is sensitive, too", id="a sensitive label"),
    pytest.param(compared(positive=1), "positive is a value of the label", id="positive of what"),
    pytest.param(
        compared(limits={"demographic_parity_ratio": 0.8}), "compares the rates of a label", id="rates of nothing"
    ),
    pytest.param(
        compared(limits={"population_difference": 0.1}), "measured from a population", id="a limit on no population"
    ),
    pytest.param(compared(population={"RAC1P": {"1": 1}}), "column that is not sensitive", id="a population of others"),
    pytest.param(compared(population={"SEX": {"1": 0.4, "2": 0.58}}), "add up to 1, within 0.01", id="too few people"),
    pytest.param(compared(population={"SEX": {"1": 1, "2": 0.02}}), "add up to 1, within 0.01", id="too many people"),
    pytest.param(features(deadline="10ms"), "deadline is shorter than a second", id="features in no time"),
    pytest.param(training(deadline="10ms"), "deadline is shorter than a second", id="training in no time"),
    *(
        pytest.param(
            make_with(podTemplate={field: OURS}), f"{field} of pods under merkhet.dev/", id=f"our {field}: {name}"
        )
        for name, make_with in (("features", features), ("training", training), ("deployment", deployment))
        for field in ("labels", "annotations")
    ),
    pytest.param(component(deadline="10ms"), "deadline is shorter than a second", id="components in no time"),
    *(
        pytest.param(component(podTemplate={field: OURS}), f"{field} of pods under merkhet.dev/", id=f"our {field}: it")
        for field in ("labels", "annotations")
    ),
    pytest.param(component(sql={"macros": "x"}), "a component is one thing", id="a component of two things"),
    pytest.param(component(sklearn=None), "a component is one thing", id="a component of nothing"),
    pytest.param(component(examples=None), "a component is proven by an example", id="an unproven component"),
    pytest.param(component(examples=[]), "a component is proven by an example", id="an empty proof"),
    pytest.param(
        component(examples=[{"input": {"a": [1]}, "output": {"a": [1]}, "query": "select 1"}]),
        "query asks the macros of sql",
        id="a query for steps",
    ),
    pytest.param(component(sklearn=None, sql={"macros": "x"}), "query asks the macros", id="macros without query"),
    pytest.param(function(), "the source stands in one place", id="a function without a source"),
    pytest.param(
        function(source="x", configMap={"name": "a", "key": "b"}), "the source stands in one place", id="two sources"
    ),
    pytest.param(function(source="x", timeout="10ms"), "timeout is shorter than a second", id="a function in no time"),
    pytest.param(function(source="x", entrypoint="a.b"), "spec.python.entrypoint", id="an entrypoint that is no name"),
    pytest.param(
        component(sklearn=None, onnx={"uri": "store://raw/../a", "digest": make.DIGEST}),
        "uri leads out of where it begins",
        id="a graph out of the way",
    ),
    pytest.param(
        component(sklearn=None, onnx={"uri": "s3://a/b", "digest": make.DIGEST}), "spec.onnx.uri", id="graph in bucket"
    ),
    pytest.param(component(version="a/b"), "spec.version", id="a component's version that is a path"),
    pytest.param(
        training(pipeline=[{"estimator": "a.b", "component": {"name": "a", "version": "1"}}]),
        "a step is one thing",
        id="a step of two things",
    ),
    pytest.param(training(pipeline=[{"parameters": {}}]), "a step is one thing", id="a step of nothing"),
    pytest.param(
        training(pipeline=[{"component": {"name": "a", "version": "1"}, "parameters": {"x": 1}}]),
        "a component brings its own parameters",
        id="parameters of a component",
    ),
    pytest.param(training(task="Regression"), "positive names the class", id="a regression's class"),
    pytest.param(
        training(gates={"metrics": [{"name": "rmse", "max": 1}]}),
        "a figure that the task does not have",
        id="wrong gate",
    ),
    pytest.param(gated(metrics={"name": "roc_auc"}), "a gate without min, max and maxDrop", id="an open gate"),
    pytest.param(gated(groups={"metric": "recall", "by": "SEX"}), "a gate without min and max", id="open for groups"),
    pytest.param(
        gated(groups={"metric": "rmse", "by": "SEX", "max": 1}),
        "a gate on groups names a figure that the task does not have",
        id="wrong gate on groups",
    ),
    pytest.param(
        gated(("RAC1P",), groups={"metric": "recall", "by": "SEX", "min": 0.5}),
        "a gate on groups names a column that is not in data.sensitive",
        id="groups of a column that is not sensitive",
    ),
    pytest.param(
        gated((), fairness={"metric": "equalized_odds_difference", "by": "SEX", "max": 0.1}),
        "a gate on fairness names a column that is not in data.sensitive",
        id="fairness by a column that is not sensitive",
    ),
    pytest.param(
        gated(fairness={"metric": "equalized_odds_difference", "by": "SEX", "min": 0.1}),
        "a difference has a max and a ratio has a min",
        id="the least difference",
    ),
    pytest.param(
        gated(fairness={"metric": "equalized_odds_ratio", "by": "SEX", "min": 0.8, "max": 1}),
        "a difference has a max and a ratio has a min",
        id="a ratio of at most",
    ),
    pytest.param(
        gated(fairness={"metric": "equal_pay", "by": "SEX", "max": 1}), "Unsupported value", id="unknown fairness"
    ),
    pytest.param(
        make.modeltraining(
            spec={
                **gated(fairness={"metric": "equalized_odds_ratio", "by": "SEX", "min": 0.8})["spec"],
                "task": "Regression",
                "positive": None,
            }
        ),
        "a gate on fairness compares the answers of a Classification",
        id="a regression's fairness",
    ),
    pytest.param(
        training(task="Regression", positive=None, threshold={"value": 0.5}),
        "a threshold parts two classes",
        id="a regression's threshold",
    ),
    pytest.param(training(threshold={}), "a threshold is found in one way", id="a threshold of nothing"),
    pytest.param(
        training(threshold={"value": 0.5, "maximise": "f1"}), "a threshold is found in one way", id="two thresholds"
    ),
    pytest.param(
        searching({"values": [1, 2]}, metric="rmse"), "search.metric is a figure that the task does not", id="wrong aim"
    ),
    pytest.param(searching({"uniform": [1]}), "spec.search.space", id="a space with one end"),
    pytest.param(training(tests=[OPEN_TEST]), "a test expects something", id="a test that expects nothing"),
    pytest.param(training(tests=[TEST, TEST]), "two tests have one name", id="two tests of one name"),
    pytest.param(
        brought(gates={"metrics": [{"name": "roc_auc"}]}), "a gate without min, max and", id="brought: an open gate"
    ),
    pytest.param(
        brought(gates={"groups": [{"metric": "recall", "by": "SEX", "min": 0.5}]}),
        "a gate on groups names a column that is not in evaluation.sensitive",
        id="brought: groups of a column that is not sensitive",
    ),
    pytest.param(
        brought(gates={"fairness": [{"metric": "equalized_odds_ratio", "by": "SEX", "min": 0.8}]}, sensitive=["RAC1P"]),
        "a gate on fairness names a column that is not in evaluation.sensitive",
        id="brought: fairness by a column that is not sensitive",
    ),
    pytest.param(brought(tests=[OPEN_TEST]), "a test expects something", id="brought: a test that expects nothing"),
    pytest.param(brought(target=None), "spec.evaluation.target", id="brought: judged by nothing"),
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
    *(
        pytest.param(make_with(**{field: value}), f"spec.{field}", id=f"{name}: {found}")
        for name, make_with in (("features", features), ("training", training))
        for found, field, value in (
            ("a schedule of four fields", "schedule", "0 3 * *"),
            ("a schedule of six fields", "schedule", "0 0 3 * * *"),
            ("an interval for a schedule", "schedule", "@every 1h"),
            ("a command behind a schedule", "schedule", "0 3 * * * rm"),
            ("a line behind a schedule", "schedule", "0 3 * * *\n"),
            ("a zone with a space", "timeZone", "Europe/Paris CET"),
            ("a zone that is a path", "timeZone", "../../etc/localtime"),
        )
    ),
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


def test_each_kind_of_source_and_a_join_are_taken(admin: Person, namespace: str) -> None:
    sources = [
        {**file("a"), "format": "parquet"},
        {**file("b", "s3://bucket/b.csv"), "secretName": "bucket"},
        imported("c"),
        imported("d", version=3),
        imported("employment", namespace="elsewhere"),
    ]
    spec = {"query": "select 1", "timestamp": "t", "arrival": "a", "join": [{**joined("e"), "maxAge": "720h"}]}
    admin.does("apply", "-f", "-", body=fresh(features(sources=sources, **spec), namespace))


SCHEDULES = {
    "five fields": {"schedule": "*/15 2-4,6 * JAN-MAR MON-FRI", "timeZone": "America/Argentina/Buenos_Aires"},
    "a word": {"schedule": "@hourly", "timeZone": "Etc/GMT+5"},
    "a question mark": {"schedule": "0 3 ? * 1#2"},
}


@pytest.mark.parametrize("spec", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("make_with", [features, training], ids=["features", "training"])
def test_each_form_of_a_schedule_is_taken(admin: Person, namespace: str, make_with: Any, spec: Body) -> None:
    admin.does("apply", "-f", "-", body=fresh(make_with(**spec), namespace))


def test_each_limit_on_bias_is_taken(admin: Person, namespace: str) -> None:
    whole = compared(
        sensitive=[{"column": "SEX"}, {"column": "AGEP", "bins": [25, 45.5, 65]}],
        population={"SEX": {"1": 0.49, "2": 0.5}, "AGEP": {"< 25": 1}},
        label="employed",
        positive=1,
        minGroupSize=50,
        limits={
            "demographic_parity_difference": 0.2,
            "demographic_parity_ratio": 0.8,
            "min_group_share": 0.01,
            "population_difference": 0.1,
            "missingness_gap": 0.1,
            "proxy_auc": 0.95,
        },
        onFailure="Block",
    )
    admin.does("apply", "-f", "-", body=fresh(whole, namespace))


def test_a_record_is_never_rewritten(admin: Person, namespace: str) -> None:
    admin.does("apply", "-f", "-", body=fresh(make.modelversion(), namespace))
    changed = fresh(make.modelversion(record={"model": "income"}), namespace)
    assert "record is written once and never changed" in admin.is_refused("apply", "-f", "-", body=changed)


TAKEN = {
    "each gate": gated(
        metrics={"name": "roc_auc", "min": 0.8, "maxDropFromChampion": 0.01, "confidence": 0.9},
        groups={"metric": "recall", "by": "SEX", "min": 0.5},
        fairness={"metric": "demographic_parity_ratio", "by": "SEX", "min": 0.8},
    ),
    "a drop from the champion alone": gated(metrics={"name": "roc_auc", "maxDropFromChampion": 0.01}),
    "a regression's gates": training(
        task="Regression",
        positive=None,
        gates={"metrics": [{"name": "rmse", "max": 3}], "latency": {"p99Milliseconds": 5}},
    ),
    "a search": training(
        search={
            "trials": 4,
            "metric": "roc_auc",
            "space": {
                "max_iter": {"integers": [10, 50]},
                "learning_rate": {"logUniform": [0.01, 1]},
                "l2_regularization": {"uniform": [0, 1]},
                "max_leaf_nodes": {"values": [15, 31, None]},
            },
        }
    ),
    "a threshold by costs": training(threshold={"costs": {"falsePositive": 1, "falseNegative": 5}}),
    "tests": training(tests=[TEST, {**TEST, "name": "b", "expect": {"probability": {"min": 0.5}}}]),
    "a model that is brought": brought(gates={"metrics": [{"name": "roc_auc", "min": 0.8}]}, tests=[TEST]),
}


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN)
def test_taken_is(admin: Person, namespace: str, body: Body) -> None:
    admin.does("apply", "-f", "-", body=fresh(body, namespace))


def test_how_a_model_is_judged_is_written_once(admin: Person, namespace: str) -> None:
    admin.does("apply", "-f", "-", body=fresh(brought(8), namespace))
    otherwise = fresh(brought(8, target="SCHL"), namespace)
    assert "how a model is judged is written once" in admin.is_refused("apply", "-f", "-", body=otherwise)
    gone = '[{"op": "remove", "path": "/spec/evaluation"}]'
    said = admin.is_refused("patch", "modelversion", "employment-v8", "-n", namespace, "--type=json", "-p", gone)
    assert "how a model was judged stays with it" in said


def test_how_a_model_is_judged_may_be_said_later(admin: Person, namespace: str) -> None:
    whole = fresh(brought(9), namespace)
    alone = {**whole, "spec": {word: value for word, value in whole["spec"].items() if word != "evaluation"}}
    admin.does("apply", "-f", "-", body=alone)
    admin.does("apply", "-f", "-", body=whole)


def test_each_rule_is_broken_by_some_test() -> None:
    tried = {str(parameters.values[1]) for parameters in REFUSED}
    tried |= {"how a model is judged is written once", "how a model was judged stays with it"}
    tried |= {"record is written once and never changed", "this version stands, and what it is never changes"}
    messages = {rule.message for kind in KINDS for rule in kind.rules}
    assert {message for message in messages if not any(part in message for part in tried)} == set()
