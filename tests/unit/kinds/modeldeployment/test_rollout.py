"""A change of version, from the first pod to the last, without a request that nobody answers."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from merkhet.api.meta import Body
from merkhet.kinds import apis
from merkhet.manifests.labels import REVISION
from tests import make
from tests.unit.kinds.modeldeployment.scene import Scene


def serving(*versions: int, **spec: object) -> Scene:
    """A world in which the newest of these versions serves with two pods."""
    scene = Scene(*map(make.modelversion, versions), spec={"replicas": 2, **spec})
    scene.settle()
    return scene


def test_the_first_version_is_served_as_soon_as_its_pods_are_ready() -> None:
    scene = Scene(make.modelversion(1), spec={"replicas": 2})
    scene.step()
    assert scene.facts()["Ready"].status == "False"
    assert scene.facts()["Reconciling"].reason == "Starting"
    scene.become_ready(scene.name_of(1))
    status = scene.step().status.body()
    assert scene.facts()["Ready"].status == "True"
    assert (status["version"], status["readyReplicas"]) == (1, 2)
    assert status["url"] == "http://employment.people.svc.cluster.local:80/v2/models/employment"


def test_a_version_that_never_answered_is_not_called_the_one_that_serves() -> None:
    scene = Scene(make.modelversion(1))
    status = scene.step().status.body()
    assert "version" not in status
    assert status["candidate"]["version"] == 1


def test_a_new_version_comes_up_beside_the_old_one_which_keeps_the_service() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    assert scene.sizes() == {1: 2, 2: 2}
    assert scene.leads_to() == 1
    assert scene.facts()["Ready"].status == "True"
    assert scene.facts()["Reconciling"].reason == "RollingOut"
    assert scene.owner["status"]["version"] == 1
    assert scene.owner["status"]["candidate"]["version"] == 2


def test_the_service_moves_only_when_every_wanted_pod_of_the_new_version_is_ready() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    scene.become_ready(scene.name_of(2), count=1)
    scene.step()
    assert scene.leads_to() == 1
    scene.become_ready(scene.name_of(2))
    scene.step()
    assert scene.leads_to() == 2
    assert scene.owner["status"]["version"] == 2
    assert "candidate" not in scene.owner["status"]


def test_a_status_that_speaks_of_an_older_size_moves_no_service() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    scene.become_ready(scene.name_of(2))
    scene.revision(2)["metadata"]["generation"] += 1
    scene.step()
    assert scene.leads_to() == 1


def test_former_pods_stay_until_nobody_can_be_sending_them_requests() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    scene.become_ready(scene.name_of(2))
    scene.step()
    assert scene.sizes() == {1: 2, 2: 2}
    assert scene.plan.look_again == timedelta(seconds=15)
    scene.step(seconds=10)
    assert scene.sizes() == {1: 2, 2: 2}
    assert scene.plan.look_again == timedelta(seconds=5)
    scene.step(seconds=5)
    assert scene.sizes() == {1: 0, 2: 2}
    assert scene.plan.look_again is None


def test_a_switch_that_no_status_recorded_takes_no_pods_away() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    scene.become_ready(scene.name_of(2))
    before = scene.owner["status"]
    scene.step()
    scene.owner["status"] = before  # killed between the Service and the status
    scene.step(seconds=60)
    assert scene.sizes() == {1: 2, 2: 2}
    assert scene.leads_to() == 2
    scene.step(seconds=15)
    assert scene.sizes() == {1: 0, 2: 2}


def test_a_lost_status_is_rebuilt_from_what_is_there() -> None:
    scene = serving(1)
    before = scene.owner["status"]
    del scene.owner["status"]
    after = scene.step().status.body()
    assert {**after, "switchedAt": ""} == {**before, "switchedAt": ""}


def test_a_lost_service_leads_to_what_served_before_it_was_lost() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step()
    scene.remove(apis.SERVICE, "employment")
    scene.step()
    assert scene.leads_to() == 1


def test_a_service_that_somebody_led_elsewhere_is_put_right() -> None:
    scene = serving(1, 2)
    chosen = scene.bodies["Service", "employment"]["spec"]["selector"]
    chosen[REVISION] = "nobody"
    scene.step()
    assert scene.leads_to() == 2


def test_going_back_to_a_former_version_takes_the_deployment_that_is_there() -> None:
    scene = serving(1)
    first = scene.name_of(1)
    scene.put(make.modelversion(2))
    scene.settle()
    scene.put(make.modelversion(2, decision="Rejected"))
    scene.step()
    assert scene.leads_to() == 2
    assert scene.sizes() == {1: 2, 2: 2}
    assert scene.name_of(1) == first
    scene.become_ready(first)
    scene.step()
    assert scene.leads_to() == 1


def test_two_former_revisions_are_kept_and_older_ones_are_not() -> None:
    scene = serving(1)
    for number in (2, 3, 4):
        scene.put(make.modelversion(number))
        scene.settle()
    assert scene.sizes() == {2: 0, 3: 0, 4: 2}


def test_a_candidate_that_was_given_up_gets_no_pods_and_the_one_that_serves_keeps_its_own() -> None:
    scene = serving(1)
    scene.put(make.modelversion(2))
    scene.step(seconds=60)
    scene.put(make.modelversion(3))
    scene.step()
    assert scene.sizes() == {1: 2, 2: 0, 3: 2}
    assert scene.leads_to() == 1


def test_other_replicas_make_no_new_revision() -> None:
    scene = serving(1)
    scene.edit({"replicas": 5})
    scene.step()
    assert scene.sizes() == {1: 5}
    assert len(list(scene.deployments())) == 1
    assert scene.facts()["Ready"].status == "True"
    assert scene.facts()["Reconciling"].reason == "Scaling"


def test_no_pods_at_all_is_what_was_asked_for() -> None:
    scene = serving(1)
    scene.edit({"replicas": 0})
    scene.settle()
    assert scene.facts()["Ready"].reason == "ScaledToZero"
    assert scene.sizes() == {1: 0}


@pytest.mark.parametrize(
    "change",
    [
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"podTemplate": {"nodeSelector": {"disk": "fast"}}},
    ],
    ids=["resources", "the pod template"],
)
def test_other_settings_of_the_pods_make_a_new_revision(change: dict[str, object]) -> None:
    scene = serving(1)
    scene.edit(change)
    scene.step()
    assert len(list(scene.deployments())) == 2


def test_the_restart_annotation_makes_a_new_revision_of_the_same_version() -> None:
    scene = serving(1)
    scene.edit(restart="today")
    report = scene.settle()
    assert len(list(scene.deployments())) == 2
    assert report.status.body()["version"] == 1


def test_another_server_image_restarts_nothing_and_serves_the_next_revision() -> None:
    scene = serving(1)
    scene.settings = {"server_image": "merkhet/server:2"}
    scene.settle()
    assert [image_of(body) for body in scene.deployments()] == ["merkhet/server:1"]
    scene.put(make.modelversion(2))
    scene.settle()
    assert image_of(scene.revision(2)) == "merkhet/server:2"
    assert image_of(scene.revision(1)) == "merkhet/server:1"


def test_a_revision_that_somebody_deleted_comes_back_under_its_name() -> None:
    scene = serving(1)
    name = scene.name_of(1)
    scene.remove(apis.DEPLOYMENT, name)
    scene.step()
    assert scene.name_of(1) == name
    assert scene.leads_to() == 1


def test_a_new_version_takes_over_at_its_first_pod_where_nothing_answers() -> None:
    scene = serving(1)
    scene.become_ready(scene.name_of(1), count=0)
    scene.put(make.modelversion(2))
    scene.step()
    scene.become_ready(scene.name_of(2), count=1)
    scene.step()
    assert scene.leads_to() == 2


@pytest.mark.parametrize("seed", range(10))
def test_whatever_happens_in_whatever_order_requests_always_find_a_pod(seed: int) -> None:
    chance = random.Random(seed)
    scene = serving(1)
    next_version = 2
    led = {scene.leads_to_body()["metadata"]["name"]: scene.now}
    for _ in range(60):
        match chance.choice(["version", "back", "size", "up", "up", "up", "restart", "wait", "forget"]):
            case "version":
                scene.put(make.modelversion(next_version))
                next_version += 1
            case "back":
                scene.edit({"model": {"name": "employment", "version": chance.randrange(1, next_version)}})
            case "size":
                scene.edit({"replicas": chance.choice([1, 2, 3])})
            case "restart":
                scene.edit(restart=str(chance.random()))
            case "wait":
                scene.now += timedelta(seconds=chance.choice([1, 5, 30]))
            case "forget":
                scene.owner.pop("status", None)
            case _:
                for body in list(scene.deployments()):
                    scene.become_ready(body["metadata"]["name"], chance.choice([None, body["spec"]["replicas"]]))
        scene.step()
        led[scene.leads_to_body()["metadata"]["name"]] = scene.now
        assert ready(scene.leads_to_body()) > 0
        # Endpoints and kube-proxy follow a switch late: who was sent requests until just now still needs pods.
        for name in (name for name, last in led.items() if scene.now - last < timedelta(seconds=15)):
            assert scene.named(name)["spec"]["replicas"] > 0


def ready(deployment: Body) -> int:
    """Pods of a revision that answer and are to go on."""
    status = deployment.get("status") or {}
    return min(int(status.get("readyReplicas", 0)), int(deployment["spec"]["replicas"]))


def image_of(deployment: Body) -> str:
    """The image a revision runs."""
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
