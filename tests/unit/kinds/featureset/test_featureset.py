"""What a FeatureSet publishes and remembers."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from merkhet.kinds.featureset.types import FeatureSetSpec
from merkhet.manifests.volumes import CREDENTIALS
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import done, features, result


def test_a_version_is_published_with_its_columns() -> None:
    status = done().status
    assert status["latest"]["version"] == 1
    assert status["columns"] == [
        {"name": "person_id", "type": "int64", "personal": True},
        {"name": "AGEP", "type": "float32", "personal": False},
    ]


def test_the_task_says_all_that_the_pod_must_know() -> None:
    spec = {"query": "select 1", "timestamp": "surveyed_at", "entity": ["person_id"]}
    task = features(spec=spec).look().task
    source = {"name": "census", "uri": "store://raw/employment/census.parquet", "secret": False}
    assert task["sources"] == [source]
    assert (task["query"], task["timestamp"], task["entity"]) == ("select 1", "surveyed_at", ["person_id"])
    assert task["columns"] == [{"name": "person_id", "personal": True, "description": ""}]
    assert task["run"]["origin"] == {
        "kind": "FeatureSet", "namespace": "people", "name": "employment", "uid": "uid-employment",
    }  # fmt: skip


def test_credentials_of_a_bucket_are_seen_by_the_run_alone_and_by_name() -> None:
    source = {"name": "Census", "uri": "s3://people/*.csv", "secretName": "reader"}
    scene = features(spec={"sources": [source]}).look()
    assert scene.task["sources"] == [{"name": "Census", "uri": "s3://people/*.csv", "secret": True}]
    pod = scene.job["spec"]["template"]["spec"]
    volume = next(one for one in pod["volumes"] if "secret" in one)
    assert volume["secret"]["secretName"] == "reader"
    assert {item["key"] for item in volume["secret"]["items"]} == set(CREDENTIALS)
    [work], [reporter] = pod["containers"], pod["initContainers"]
    mounts = {one["name"]: one["mountPath"] for one in work["volumeMounts"]}
    assert mounts[volume["name"]] == "/var/run/secrets/sources/Census"
    assert volume["name"] not in {one["name"] for one in reporter["volumeMounts"]}


def test_a_version_names_its_data_profile() -> None:
    scene = done()
    scene.annotate("again").look().begin().succeed(result(2) | {"profile": make.DIGEST})
    assert [version["profile"] for version in scene.status["versions"]] == [make.DIGEST, ""]


def test_the_ten_newest_versions_are_listed() -> None:
    scene = done()
    for number in range(2, 14):
        scene.annotate(str(number)).look().begin().succeed(result(number))
    assert [version["version"] for version in scene.status["versions"]] == list(range(13, 3, -1))


def test_the_same_input_gives_the_version_that_there_is() -> None:
    scene = done().annotate("again").look().begin().succeed(result(1, unchanged=True))
    assert [version["version"] for version in scene.status["versions"]] == [1]
    assert [run["version"] for run in scene.status["runs"]] == [1, 1]


def test_a_run_that_finds_the_same_rows_leaves_the_time_at_which_they_were_published() -> None:
    scene = done().annotate("monday").look().begin()
    scene.succeed(result(unchanged=True, created="2026-11-29T11:41:00Z"))
    assert scene.status["runs"][0]["version"] == 1
    assert scene.status["latest"]["createdAt"] == "2026-11-22T11:41:00Z"


def test_an_older_version_that_is_told_late_does_not_become_the_latest() -> None:
    scene = done().annotate("again").look().begin().succeed(result(2))
    scene.annotate("late").look().begin().succeed(result(1, columns=[]))
    assert scene.status["latest"]["version"] == 2
    assert scene.status["columns"] != []


def test_a_long_annotation_starts_one_run() -> None:
    scene = done().annotate("x" * 5000).look().begin().succeed(result(2)).look(5)
    assert len(scene.created) == 2
    assert len(scene.edit(query="select 2").look().created) == 3


def test_the_store_is_asked_for_once_and_never_owned() -> None:
    scene = features().look()
    assert "ownerReferences" not in scene.bodies["ConfigMap", "merkhet-store"]["metadata"]


RESOURCES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing said": (
        {},
        {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
    ),
    "a small limit lowers the request": (
        {"limits": {"memory": "100Mi"}},
        {"requests": {"cpu": "250m", "memory": "100Mi"}, "limits": {"cpu": "2", "memory": "100Mi"}},
    ),
    "a large limit leaves the request": (
        {"limits": {"memory": "64Gi"}},
        {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "64Gi"}},
    ),
    "a large request raises the limit": (
        {"requests": {"memory": "8Gi"}},
        {"requests": {"cpu": "250m", "memory": "8Gi"}, "limits": {"cpu": "2", "memory": "8Gi"}},
    ),
    "both": (
        {"requests": {"cpu": "1"}, "limits": {"cpu": "4"}},
        {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "4", "memory": "2Gi"}},
    ),
}


@pytest.mark.parametrize(("said", "given"), RESOURCES.values(), ids=RESOURCES)
def test_a_pod_always_has_requests_and_limits(said: dict[str, Any], given: dict[str, Any]) -> None:
    scene = Scene(make.featureset(spec={"resources": said})).look()
    assert scene.job["spec"]["template"]["spec"]["containers"][0]["resources"] == given


REFUSED: dict[str, dict[str, Any]] = {
    "quality without a rule": {"quality": {"rules": []}},
    "more rules than fifty": {"quality": {"rules": [{"minRows": 1}] * 51}},
    "a share above one": {"quality": {"rules": [{"expression": "true", "maxFailingFraction": 1.1}]}},
    "an unknown way to fail": {"quality": {"rules": [{"minRows": 1}], "onFailure": "Ignore"}},
    "a list of nothing": {"quality": {"rules": [{"column": "a", "in": []}]}},
    "no number as a limit": {"quality": {"rules": [{"column": "a", "min": float("nan")}]}},
    "no source": {"sources": []},
    "a file of the node": {"sources": [{"name": "census", "uri": "file:///etc/passwd"}]},
    "a table that is no name": {"sources": [{"name": "the census", "uri": "store://raw/a.csv"}]},
    "an unknown type": {"columns": [{"name": "AGEP", "type": "number"}]},
    "a deadline that is none": {"deadline": "soon"},
    "an unknown field": {"sauces": []},
}


@pytest.mark.parametrize("more", REFUSED.values(), ids=REFUSED)
def test_a_spec_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeatureSetSpec.model_validate(make.featureset(spec=more)["spec"])
