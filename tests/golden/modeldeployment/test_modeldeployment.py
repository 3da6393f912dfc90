"""What a ModelDeployment plans and says, from the first pass to the last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from merkhet.kinds import apis
from merkhet.kinds.modeldeployment import KIND
from tests.make import modelversion
from tests.unit.kinds.modeldeployment.scene import Scene, at


def first_pass() -> Scene:
    return Scene(modelversion(3), spec={"replicas": 2})


def serving() -> Scene:
    scene = first_pass()
    scene.settle()
    return scene


def rolling_out() -> Scene:
    scene = serving()
    scene.put(modelversion(4))
    scene.step()
    return scene


def switching() -> Scene:
    scene = rolling_out()
    scene.become_ready(scene.name_of(4))
    return scene


def draining() -> Scene:
    scene = switching()
    scene.step()
    return scene


def drained() -> Scene:
    scene = draining()
    scene.step(seconds=15)
    return scene


def crashing_candidate() -> Scene:
    scene = rolling_out()
    ended = {"exitCode": 3, "reason": "Error", "message": "golden request 7: label is 0, wanted 1"}
    container = {"name": "server", "state": {"running": {}}, "lastState": {"terminated": ended}, "restartCount": 1}
    scene.pod(4, phase="Running", containerStatuses=[container])
    return scene


def unschedulable() -> Scene:
    scene = first_pass()
    scene.step()
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes fit"}
    since = at(scene.now - timedelta(minutes=4))
    scene.pod(3, phase="Pending", conditions=[{**condition, "lastTransitionTime": since}])
    return scene


def awaiting_approval() -> Scene:
    return Scene(modelversion(3, decision="Pending"))


def policy_missing() -> Scene:
    return Scene(modelversion(3), guarded=False)


def no_version_yet() -> Scene:
    return Scene()


def version_missing() -> Scene:
    scene = serving()
    scene.edit({"model": {"name": "employment", "version": 9}})
    return scene


def version_rejected() -> Scene:
    return Scene(modelversion(3, decision="Rejected"), spec={"model": {"name": "employment", "version": 3}})


def version_deleted() -> Scene:
    scene = serving()
    scene.remove(apis.MODELVERSION, "employment-v3")
    return scene


SCENES = (
    serving,
    rolling_out,
    switching,
    draining,
    drained,
    crashing_candidate,
    unschedulable,
    awaiting_approval,
    policy_missing,
    no_version_yet,
    version_missing,
    version_rejected,
    version_deleted,
)


def test_a_first_pass_in_full(golden: Callable[..., None]) -> None:
    check(golden, first_pass(), "first-pass", full=True)


@pytest.mark.parametrize("play", SCENES, ids=lambda play: play.__name__.replace("_", "-"))
def test_a_pass_while(golden: Callable[..., None], play: Callable[[], Scene]) -> None:
    check(golden, play(), play.__name__.replace("_", "-"))


def check(golden: Callable[..., None], scene: Scene, name: str, *, full: bool = False) -> None:
    golden(KIND, name, scene.owner, *scene.bodies.values(), full=full, now=scene.now + timedelta(seconds=1))
