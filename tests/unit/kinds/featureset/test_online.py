"""When look-ups get their servers, what these may see, and what is said of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from merkhet.kinds.apis import SERVICE
from merkhet.kinds.featureset.plan import trigger_of
from merkhet.kinds.featureset.types import FeatureSetSpec
from merkhet.kinds.kind import Problem
from merkhet.manifests import names
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import features, result

NAME = "employment-online"
ONLINE: dict[str, Any] = {"entity": ["person_id"], "timestamp": "surveyed_at", "online": {"ttl": "24h"}}
KINDS = ("Deployment", "Service", "PodDisruptionBudget")


def begun(**online: Any) -> Scene:
    """A FeatureSet with look-ups whose first run is under way."""
    return features(spec={**ONLINE, "online": {**ONLINE["online"], **online}}).look().begin()


def published(**online: Any) -> Scene:
    """One whose first version can be looked up."""
    return begun(**online).succeed(result(online=True))


def serving(scene: Scene, ready: int = 1) -> Scene:
    """The Deployment's controller says how many servers are ready."""
    scene.bodies["Deployment", NAME]["status"] = {"readyReplicas": ready}
    return scene.look()


def there(scene: Scene) -> list[str]:
    return [kind for kind in KINDS if (kind, NAME) in scene.bodies]


def online(scene: Scene) -> tuple[str, str]:
    fact = scene.fact("OnlineReady")
    return fact.status, fact.reason


def server(scene: Scene) -> dict[str, Any]:
    spec: dict[str, Any] = scene.bodies["Deployment", NAME]["spec"]["template"]["spec"]
    return spec


def test_without_online_nobody_knows_of_it() -> None:
    scene = features().look().begin().succeed(result())
    assert there(scene) == []
    assert "online" not in scene.status
    assert scene.task["online"] is False
    assert "OnlineReady" not in [condition["type"] for condition in scene.status["conditions"]]
    spec = FeatureSetSpec.model_validate(make.featureset()["spec"])
    assert trigger_of(spec) == "spec/e5fab621ba7acfd98547", "as it was before there were look-ups"


def test_no_server_starts_before_there_is_something_to_look_up() -> None:
    scene = begun()
    assert scene.task["online"] is True
    assert there(scene) == []
    assert online(scene) == ("False", "NotPublished")


def test_once_a_version_can_be_looked_up_servers_start() -> None:
    scene = published()
    assert there(scene) == ["Deployment", "Service"]
    assert online(scene) == ("False", "Starting")
    url = "http://employment-online.people.svc.cluster.local:80/v1/features/employment"
    assert scene.status["online"] == {"url": url, "version": 1, "readyReplicas": 0}
    assert scene.ready.status == "True"


def test_a_ready_server_makes_it_ready() -> None:
    scene = serving(published())
    assert online(scene) == ("True", "Serving")
    assert "version 1 is looked up at http://employment-online" in scene.fact("OnlineReady").message
    assert scene.status["online"]["readyReplicas"] == 1


def test_a_second_pass_changes_nothing() -> None:
    scene = serving(published())
    before = scene.status
    assert scene.look(3).status == before
    assert scene.look_again is None


def test_several_servers_have_a_budget() -> None:
    scene = published(replicas=2)
    assert there(scene) == list(KINDS)
    assert scene.bodies["Deployment", NAME]["spec"]["replicas"] == 2


@pytest.mark.parametrize("change", [{"online": None}, {"online": {"enabled": False}}], ids=["gone", "disabled"])
def test_without_online_the_servers_go(change: dict[str, Any]) -> None:
    scene = serving(published(replicas=2)).edit(**change).look()
    assert there(scene) == []
    assert "online" not in scene.status


def test_look_ups_asked_for_again_get_a_run_that_makes_their_file() -> None:
    scene = serving(published()).edit(online=None).look().look()
    first = scene.status
    assert first["onlineEnded"] == 1
    scene.annotate("monday").look().begin().succeed(result(2)).edit(online=ONLINE["online"]).look()
    assert online(scene) == ("False", "NotPublished")
    scene.begin()
    assert scene.task["online"] is True
    assert online(scene.succeed(result(2, online=True))) == ("False", "Starting")
    assert scene.status["online"]["version"] == 2
    before = scene.status
    assert scene.look(3).status == before


def test_look_ups_asked_for_again_after_the_status_was_lost_are_told_of_by_the_record() -> None:
    scene = serving(published()).edit(online=None).look().annotate("monday").look().begin().succeed(result(2))
    scene.forget_status().edit(online=ONLINE["online"]).look().begin()
    assert scene.task["online"] is True


def test_a_former_version_is_looked_up_while_the_next_is_made() -> None:
    scene = serving(published()).annotate("monday").look().begin()
    assert online(scene) == ("True", "Serving")
    scene.succeed(result(2, online=True))
    assert scene.status["online"]["version"] == 2


def test_an_older_report_takes_nothing_back() -> None:
    scene = published()
    scene.owner["status"]["online"]["version"] = 7
    assert scene.look().status["online"]["version"] == 7


def test_servers_stay_when_the_status_is_lost() -> None:
    scene = serving(published()).forget_status()
    scene.look()
    assert (there(scene), online(scene)) == (["Deployment", "Service"], ("True", "Serving"))


def test_a_suspended_one_starts_no_server_and_keeps_those_it_has() -> None:
    assert there(begun().edit(suspend=True).succeed(result(online=True))) == []
    assert there(serving(published()).edit(suspend=True).look()) == ["Deployment", "Service"]


DECIDES_NOTHING: dict[str, Any] = {
    "how long rows are given": {"ttl": "1h"},
    "how many answer": {"replicas": 3},
    "what they use": {"resources": {"limits": {"memory": "1Gi"}}},
    "what is so anyhow": {"enabled": True},
}


@pytest.mark.parametrize("change", DECIDES_NOTHING.values(), ids=DECIDES_NOTHING)
def test_how_rows_are_looked_up_starts_no_run(change: dict[str, Any]) -> None:
    scene = published().edit(online={**ONLINE["online"], **change}).look()
    assert len(scene.created) == 1


def test_online_itself_starts_a_run() -> None:
    before = {word: value for word, value in ONLINE.items() if word != "online"}
    scene = features(spec=before).look().begin().succeed(result())
    scene.edit(online={}).look()
    assert len(scene.created) == 2
    assert online(scene) == ("False", "NotPublished")
    assert there(scene) == []


def test_the_pod_sees_blobs_and_its_own_folder_and_only_reads() -> None:
    pod = server(published())
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"] if mount["name"] == "store"}
    assert {path: (mount.get("subPath"), mount.get("readOnly")) for path, mount in mounts.items()} == {
        "/store/blobs": ("blobs", True),
        "/store/featuresets/employment": ("featuresets/employment", True),
    }
    assert container["image"] == "merkhet/server:1"
    assert container["args"] == ["lookup"]
    assert pod["automountServiceAccountToken"] is False
    (task,) = (variable["value"] for variable in container["env"] if variable["name"] == "MERKHET_TASK")
    usual = {"version": 1, "namespace": "people", "featureSet": "employment", "drainSeconds": 10.0}
    assert json.loads(task) == {**usual, "ttlSeconds": 86400.0}


def test_the_service_leads_to_these_pods_alone() -> None:
    scene = published()
    chosen = scene.bodies["Service", NAME]["spec"]["selector"]
    marks = scene.bodies["Deployment", NAME]["spec"]["template"]["metadata"]["labels"]
    assert chosen.items() <= marks.items()
    job = scene.job["spec"]["template"]["metadata"]["labels"]
    assert not chosen.items() <= job.items()


def test_what_keeps_servers_from_answering_is_said() -> None:
    scene = published()
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    marks = scene.bodies["Deployment", NAME]["spec"]["template"]["metadata"]["labels"]
    status = {"containerStatuses": [{"name": "server", "image": "merkhet/server:1", "state": state}]}
    pod = make.pod("employment-online-x", labels=marks, status=status)
    scene.bodies["Pod", "employment-online-x"] = pod
    assert online(scene.look()) == ("False", "ImagePullFailed")
    pod["status"] = {
        "containerStatuses": [{"name": "server", "state": {}, "lastState": {"terminated": {"reason": "OOMKilled"}}}]
    }
    assert online(scene.look()) == ("False", "MemoryExceeded")
    assert "raise spec.online.resources.limits.memory" in scene.fact("OnlineReady").message
    since = make.condition("PodScheduled", "Unschedulable", "0/1 nodes", scene.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    pod["status"] = {"conditions": [{**since, "status": "False"}]}
    assert online(scene.look(1)) == ("False", "Starting")
    assert scene.look_again is not None
    scene.now += timedelta(minutes=10)
    assert online(scene.look(1)) == ("False", "Unschedulable")


def test_a_name_that_is_taken_is_said() -> None:
    scene = begun()
    scene.problems = (Problem(SERVICE, NAME, "NameTaken", "exists and belongs to somebody else; delete it"),)
    scene.succeed(result(online=True))
    assert online(scene) == ("False", "NameTaken")


def test_names_are_bounded() -> None:
    assert names.online("a" * 40) == "a" * 40 + "-online"
    assert len(names.online("a" * 80)) == names.LABEL_LENGTH
