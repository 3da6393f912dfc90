"""What is said of pods that do not become ready."""

from __future__ import annotations

from datetime import timedelta

import pytest

from merkhet.api.meta import Body
from tests.make import NOW, modelversion
from tests.unit.kinds.modeldeployment.scene import Scene, at


def waits(reason: str, message: str = "") -> Body:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code: int, message: str = "", *, reason: str = "Error", restarts: int = 0) -> Body:
    end = {"exitCode": code, "reason": reason, "message": message}
    return {"state": {"running": {}}, "lastState": {"terminated": end}, "restartCount": restarts}


def container(body: Body) -> Body:
    return {"phase": "Running", "containerStatuses": [{"name": "server", "image": "merkhet/server:1", **body}]}


def unscheduled(since: timedelta) -> Body:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"}
    return {"phase": "Pending", "conditions": [{**condition, "lastTransitionTime": at(NOW - since)}]}


TROUBLES = [
    (container(waits("ErrImagePull", "not found")), "ImagePullFailed", "merkhet/server:1 cannot be pulled: not found"),
    (
        container(waits("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: not found')),
        "ImagePullFailed",
        "merkhet/server:1 cannot be pulled: not found;",
    ),
    (container(waits("CreateContainerConfigError", "no subPath")), "PodRefused", "no subPath"),
    (container(ended(137, reason="OOMKilled")), "MemoryExceeded", "raise spec.resources.limits.memory"),
    (container(ended(3, "digest differs")), "ModelRefused", "refuses to serve this version: digest differs"),
    (container(ended(1, "no such file", restarts=2)), "CrashLoop", "exit code 1: no such file"),
    (container({**ended(1, "x"), **waits("CrashLoopBackOff")}), "CrashLoop", "again and again"),
    (container(ended(137, "x", restarts=2)), "CrashLoop", "killed: for its memory, see spec.resources.limits.memory"),
    (unscheduled(timedelta(minutes=5)), "Unschedulable", "0/1 nodes fit"),
]
TROUBLE_IDS = [
    "an image that cannot be pulled",
    "the same image while the kubelet waits",
    "a container that cannot be set up",
    "too little memory",
    "a model that the server refuses",
    "a server that ended twice",
    "a server that the kubelet holds back",
    "a server that was killed twice",
    "no node for some minutes",
]


@pytest.mark.parametrize(("status", "reason", "words"), TROUBLES, ids=TROUBLE_IDS)
def test_a_first_version_stalls_by(status: Body, reason: str, words: str) -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.pod(1, **status)
    scene.step()
    facts = scene.facts()
    assert (facts["Ready"].status, facts["Stalled"].status, facts["Stalled"].reason) == ("False", "True", reason)
    assert words in facts["Stalled"].message


@pytest.mark.parametrize(("status", "reason", "words"), TROUBLES, ids=TROUBLE_IDS)
def test_the_old_version_goes_on_while_the_new_one_stalls_by(status: Body, reason: str, words: str) -> None:
    scene = Scene(modelversion(1))
    scene.settle()
    scene.put(modelversion(2))
    scene.step()
    scene.pod(2, **status)
    scene.step()
    facts = scene.facts()
    assert (facts["Ready"].status, facts["Ready"].message) == ("True", "version 1 of employment serves with 1 pod")
    assert (facts["Stalled"].status, facts["Stalled"].reason) == ("True", reason)
    assert words in facts["Stalled"].message
    assert scene.leads_to() == 1
    scene.step(seconds=600)
    assert scene.sizes() == {1: 1, 2: 1}


@pytest.mark.parametrize(
    "status",
    [
        container(waits("ContainerCreating")),
        container(ended(1, "once", restarts=1)),
        unscheduled(timedelta(seconds=30)),
        {"phase": "Failed", "reason": "Evicted"},
    ],
    ids=["a container that is being made", "one crash", "no node for half a minute", "an evicted pod"],
)
def test_a_version_is_still_on_its_way_in_spite_of(status: Body) -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.pod(1, **status)
    scene.step()
    assert scene.facts()["Stalled"].status == "False"
    assert scene.facts()["Reconciling"].reason == "Starting"


def test_another_look_is_taken_when_a_pod_has_waited_long_enough_for_a_node() -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.pod(1, **unscheduled(timedelta(seconds=-1)))
    scene.step()
    assert scene.plan.look_again == timedelta(minutes=3) - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("condition", "reason", "words"),
    [
        (
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            "PodRefused",
            "server pods cannot be made: exceeded quota",
        ),
        (
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"},
            "ProgressDeadlineExceeded",
            "were not ready within 600 s",
        ),
    ],
    ids=["pods that a quota forbids", "pods that take too long"],
)
def test_what_only_the_deployment_knows_is_said(condition: Body, reason: str, words: str) -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.revision(1)["status"] = {"conditions": [condition]}
    scene.step()
    assert scene.facts()["Stalled"].reason == reason
    assert words in scene.facts()["Stalled"].message


def test_trouble_that_has_passed_is_not_told_any_more() -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.pod(1, **container(ended(1, restarts=5)))
    scene.step()
    assert scene.facts()["Stalled"].status == "True"
    scene.pod(1, **container({"restartCount": 5}), conditions=[{"type": "Ready", "status": "True"}])
    scene.become_ready(scene.name_of(1))
    scene.step()
    assert scene.facts()["Stalled"].status == "False"
    assert scene.facts()["Ready"].status == "True"


def test_only_the_last_words_of_a_talkative_server_are_told() -> None:
    scene = Scene(modelversion(1))
    scene.step()
    scene.pod(1, **container(ended(3, "noise " * 500 + "the digest differs")))
    scene.step()
    message = scene.facts()["Stalled"].message
    assert message.endswith("the digest differs")
    assert len(message) < 800
