"""Whether callers may send an entity: what the FeatureSet must have before any pod starts, and what pods then see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.apis import FEATURESET
from tests import make
from tests.unit.kinds.modeldeployment.scene import Scene

FEATURES = {"features": {"featureSet": {"name": "people"}}}
ONLINE = {"entity": ["person_id"], "timestamp": "surveyed_at", "online": {"ttl": "24h"}}


def columns() -> list[str]:
    """What the model of the scene is given."""
    inputs = make.record()["signature"]["inputs"]
    return [column for tensor in inputs for column in tensor.get("columns") or [tensor["name"]]]


def featureset(*, without: str = "", personal: str = "", online: Body | None = None, version: int | None = 3) -> Body:
    """The FeatureSet ``people`` with all columns of the model."""
    found = [{"name": name, "type": "float32", "personal": name == personal} for name in columns() if name != without]
    known = {} if version is None else {"online": {"version": version}}
    status = make.featureset_status(
        1, columns=[{"name": "person_id", "type": "int64", "personal": True}, *found], **known
    )
    return make.featureset("people", spec=ONLINE if online is None else {**ONLINE, **online}, status=status)


def scene(*bodies: Body) -> Scene:
    return Scene(make.modelversion(), *bodies, spec=FEATURES)


def pod_of(scene: Scene) -> Body:
    (deployment,) = scene.deployments()
    spec: Body = deployment["spec"]["template"]["spec"]
    return spec


def task_of(scene: Scene) -> Body:
    (container,) = pod_of(scene)["containers"]
    (text,) = (variable["value"] for variable in container["env"] if variable["name"] == "MERKHET_TASK")
    task: Body = json.loads(text)
    return task


def mounts_of(scene: Scene) -> dict[str, tuple[str, bool]]:
    (container,) = pod_of(scene)["containers"]
    store = [mount for mount in container["volumeMounts"] if mount["name"] == "store"]
    return {mount["mountPath"]: (mount["subPath"], mount["readOnly"]) for mount in store}


def test_pods_see_the_featuresets_folder_and_only_read() -> None:
    found = scene(featureset())
    found.settle()
    assert found.facts()["Ready"].status == "True"
    assert task_of(found)["features"] == {"featureSet": "people", "ttlSeconds": 86400.0}
    assert mounts_of(found) == {
        "/store/blobs": ("blobs", True),
        "/store/featuresets/people": ("featuresets/people", True),
    }


def test_without_features_pods_see_blobs_alone_and_revisions_keep_their_names() -> None:
    plain, with_features = Scene(make.modelversion()), scene(featureset())
    plain.step()
    with_features.step()
    assert "features" not in task_of(plain)
    assert mounts_of(plain) == {"/store/blobs": ("blobs", True)}
    (name,) = (body["metadata"]["name"] for body in plain.deployments())
    (other,) = (body["metadata"]["name"] for body in with_features.deployments())
    assert name == "employment-2916dea0", "as it was before there were features"
    assert other != name


@pytest.mark.parametrize(
    ("bodies", "reason", "stalled", "words"),
    [
        pytest.param([], "FeatureSetMissing", "False", "FeatureSet people", id="no FeatureSet"),
        pytest.param(
            [featureset(online={"online": None})], "FeaturesNotOnline", "True", "spec.online", id="no look-ups"
        ),
        pytest.param(
            [featureset(online={"online": {"enabled": False}})],
            "FeaturesNotOnline",
            "True",
            "spec.online",
            id="disabled",
        ),
        pytest.param([featureset(version=None)], "FeaturesNotPublished", "False", "looked up yet", id="no version yet"),
        pytest.param([featureset(without=columns()[0])], "ColumnsMissing", "True", columns()[0], id="a column too few"),
        pytest.param(
            [featureset(personal=columns()[0])], "ColumnsMissing", "True", columns()[0], id="a personal column"
        ),
    ],
)
def test_no_pod_starts_while_something_is_missing(bodies: list[Any], reason: str, stalled: str, words: str) -> None:
    found = scene(*bodies)
    found.step()
    facts = found.facts()
    assert (facts["Ready"].status, facts["Ready"].reason, facts["Stalled"].status) == ("False", reason, stalled)
    assert words in facts["Ready"].message
    assert list(found.deployments()) == []


def test_what_serves_goes_on_when_the_featureset_goes() -> None:
    found = scene(featureset())
    found.settle()
    found.remove(FEATURESET, "people")
    found.step()
    assert found.facts()["Ready"].status == "True"
    assert found.leads_to() == 3


@pytest.mark.parametrize(
    ("ttl", "revisions"), [("1h", 2), ("1440m", 1)], ids=["another limit", "the same, otherwise said"]
)
def test_how_old_rows_may_be_makes_a_revision(ttl: str, revisions: int) -> None:
    found = scene(featureset())
    found.settle()
    found.put(featureset(online={"online": {"ttl": ttl}}))
    found.step()
    assert len(list(found.deployments())) == revisions


def test_a_new_version_of_the_features_restarts_nothing() -> None:
    found = scene(featureset())
    found.settle()
    found.put(featureset(version=4))
    found.settle()
    assert len(list(found.deployments())) == 1
