"""Bad input is refused at apply, or said with the object, what was found, what was wanted and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.access import Body, Tenant, changed, example, example_features, example_training
from tests.e2e.conftest import furnish

FEATURES, TRAINING, SERVING = example_features(), example_training(), example("serving.yaml")
PIPELINE = "spec.pipeline"


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant], tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """A tenant with a good FeatureSet, and a file in its store that is not what its name says."""
    tenant = furnish(tenants("bad"))
    poem = tmp_path_factory.mktemp("poem") / "poem.parquet"
    poem.write_text("No parquet, but a poem.\n")
    tenant.merkhet("put", str(poem), "store://raw/poem.parquet")
    tenant.apply(FEATURES)
    tenant.settled("featuresets", "employment")
    return tenant


def named(body: Body, name: str, changes: dict[str, Any]) -> Body:
    """The object under another name, with changes."""
    return changed(body, {"metadata.name": name, **changes})


REFUSED = {
    "a field that does not exist": (changed(FEATURES, {"spec.sauces": []}), "sauces"),
    "a source of an unknown scheme": (
        changed(FEATURES, {"spec.sources": [{"name": "a", "uri": "file:///etc/passwd"}]}),
        "spec.sources[0].uri",
    ),
    "a way out of the store": (
        changed(FEATURES, {"spec.sources": [{"name": "a", "uri": "store://raw/../blobs/x"}]}),
        "spec.sources[0].uri",
    ),
    "a split by group without the group": (
        changed(TRAINING, {"spec.data.split": {"method": "Group", "testFraction": 0.25}}),
        "column",
    ),
    "everything for testing": (
        changed(TRAINING, {"spec.data.split": {"method": "Random", "testFraction": 1.0}}),
        "testFraction",
    ),
    "no pipeline": (changed(TRAINING, {"spec.pipeline": []}), "pipeline"),
    "fewer than no replicas": (changed(SERVING, {"spec.replicas": -1}), "replicas"),
    "a version that is a word": (changed(SERVING, {"spec.model.version": "newest"}), "version"),
    "a name that is too long": (changed(SERVING, {"metadata.name": "a" * 41}), "40"),
}


@pytest.mark.parametrize(("body", "names"), REFUSED.values(), ids=REFUSED)
def test_the_api_server_refuses(tenant: Tenant, body: Body, names: str) -> None:
    assert names in tenant.refused(body)


STALLED_TRAININGS = {
    "unknown-estimator": (
        {PIPELINE: [{"estimator": "sklearn.ensemble.HistGradientBostingClassifier"}]},
        "UnknownEstimator",
        "HistGradientBoostingClassifier",
    ),
    "unknown-parameter": (
        {PIPELINE: [{"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"CC": 1}}]},
        "UnknownParameter",
        "CC",
    ),
    "wrong-parameter-value": (
        {PIPELINE: [{"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"solver": "best"}}]},
        None,
        "solver",
    ),
    "missing-target": ({"spec.data.target": "emploied"}, "TargetMissing", "emploied"),
    "no-such-data-version": ({"spec.data.featureSet": {"name": "employment", "version": 9}}, "VersionMissing", "9"),
    "too-little-memory": (
        {
            "spec.resources": {
                "requests": {"cpu": "100m", "memory": "100Mi"},
                "limits": {"cpu": "1", "memory": "100Mi"},
            },
            "spec.retries": 0,
        },
        "MemoryExceeded",
        "100Mi",
    ),
    "too-little-time": ({"spec.deadline": "1s", "spec.retries": 0}, "DeadlineExceeded", "1s"),
}


@pytest.mark.parametrize(
    ("name", "changes", "reason", "names"),
    [(name, *rest) for name, rest in STALLED_TRAININGS.items()],
    ids=STALLED_TRAININGS,
)
def test_a_training_says_what_is_wrong(
    furnished: Tenant, name: str, changes: dict[str, Any], reason: str | None, names: str
) -> None:
    furnished.apply(named(TRAINING, name, {"spec.model": name, **changes}))
    if reason is None:
        body = furnished.until("modeltrainings", name, lambda body: _stalled(body) != "", "is Stalled")
        reason = _stalled(body)
    assert names in furnished.stalls("modeltrainings", name, reason)
    assert furnished.find("modelversions", f"merkhet.dev/model={name}") == []


def _stalled(body: Body) -> str:
    found = [c for c in (body.get("status") or {}).get("conditions") or [] if c["type"] == "Stalled"]
    return str(found[0]["reason"]) if found and found[0]["status"] == "True" else ""


def test_a_raised_limit_lets_the_same_run_go_on(furnished: Tenant) -> None:
    small = {"requests": {"cpu": "100m", "memory": "100Mi"}, "limits": {"cpu": "1", "memory": "100Mi"}}
    body = named(TRAINING, "grows", {"spec.model": "grows", "spec.resources": small, "spec.retries": 0})
    furnished.apply(body)
    furnished.stalls("modeltrainings", "grows", "MemoryExceeded")
    furnished.apply(changed(body, {"spec.resources": {"limits": {"cpu": "1", "memory": "2Gi"}}}))
    assert furnished.settled("modeltrainings", "grows")["status"]["latestVersion"] == 1


STALLED_FEATURES = {
    "a-poem": ({"spec.sources": [{"name": "census", "uri": "store://raw/poem.parquet"}]}, "poem.parquet"),
    "nothing-there": ({"spec.sources": [{"name": "census", "uri": "store://raw/nothing/*.parquet"}]}, "raw/nothing"),
    "no-sql": ({"spec.query": "select from where"}, "query"),
    "two-statements": ({"spec.query": "select 1 as a; drop table census"}, "one"),
    "no-such-column": ({"spec.columns": [{"name": "AGE", "type": "float32"}]}, "AGE"),
    "no-rows": ({"spec.query": "select * from census where AGEP > 900"}, "row"),
}


@pytest.mark.parametrize(
    ("name", "changes", "names"), [(name, *rest) for name, rest in STALLED_FEATURES.items()], ids=STALLED_FEATURES
)
def test_a_feature_set_says_what_is_wrong(furnished: Tenant, name: str, changes: dict[str, Any], names: str) -> None:
    furnished.apply(named(FEATURES, name, changes))
    body = furnished.until("featuresets", name, lambda body: _stalled(body) != "", "is Stalled")
    assert names in furnished.stalls("featuresets", name, _stalled(body))


def test_a_training_waits_for_a_feature_set_that_comes_later(furnished: Tenant) -> None:
    furnished.apply(named(TRAINING, "early", {"spec.model": "early", "spec.data.featureSet": {"name": "late"}}))
    assert "late" in furnished.waits("modeltrainings", "early", "FeatureSetMissing")
    furnished.apply(named(FEATURES, "late", {}))
    furnished.settled("modeltrainings", "early")


def test_one_bad_object_stops_no_other(furnished: Tenant) -> None:
    furnished.apply(named(TRAINING, "hopeless", {PIPELINE: [{"estimator": "os.system"}], "spec.model": "hopeless"}))
    furnished.apply(named(FEATURES, "unharmed", {"spec.query": "select * from census limit 100"}))
    furnished.stalls("modeltrainings", "hopeless", "UnknownEstimator")
    furnished.settled("featuresets", "unharmed")


def test_a_foreign_object_of_a_childs_name_is_never_taken_over(furnished: Tenant) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "taken-fs-report"},
        "data": {"whose": "mine"},
    }
    furnished.apply(foreign)
    furnished.apply(named(FEATURES, "taken", {"spec.query": "select * from census limit 100"}))
    assert "taken-fs-report" in furnished.stalls("featuresets", "taken", "NameTaken")
    assert (furnished.get("configmaps", "taken-fs-report") or {})["data"] == {"whose": "mine"}
    furnished.kubectl("delete", "configmap", "taken-fs-report")
    furnished.settled("featuresets", "taken")


def test_a_person_is_told_before_the_cluster_is_asked(tmp_path: Path, tenant: Tenant) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "apiVersion: merkhet.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {name: a}\nspec: {replicas: many}\n"
    )
    said = tenant.merkhet("validate", str(file), fails=True)
    assert "spec.replicas" in said
