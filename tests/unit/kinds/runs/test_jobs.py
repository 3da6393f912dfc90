"""What has become of a Job, in words that say what was found and what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from merkhet.kinds import jobs
from tests import make
from tests.unit.kinds.runs.scene import Scene

OWNER = make.modeltraining()
JOB = make.job(OWNER, "employment-aaaa", key="a" * 20, spec={"backoffLimit": 2, "activeDeadlineSeconds": 5400})
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/1 nodes are available: 1 Insufficient memory.",
}


def course(*conditions: dict[str, Any], pods: tuple[dict[str, Any], ...] = (), **status: Any) -> jobs.Course:
    """The course of a Job with these conditions."""
    job = {**JOB, "status": {"conditions": list(conditions), **status}}
    return jobs.course(job, pods, make.NOW)


def pod(state: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A pod whose work is in this state."""
    return make.run_pod(JOB, status=make.work(state, **status))


FAILED = make.condition("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
FAILURES: dict[str, tuple[dict[str, Any], str, tuple[str, ...]]] = {
    "killed for its memory": (
        pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
        "MemoryExceeded",
        ("3Gi", "spec.resources.limits.memory"),
    ),
    "evicted from a full node": (
        pod({}, phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        "Evicted",
        ("low on resource: memory", "spec.resources.requests"),
    ),
    "its scratch filled": (
        pod(
            {}, phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "scratch" exceeds the limit "2Gi".'
        ),
        "ScratchFull",
        ("2Gi", "disk"),
    ),
    "ended with a code and words": (
        pod({"terminated": {"exitCode": 1, "message": "ZeroDivisionError: division by zero"}}),
        "PodFailed",
        ("exit code 1", "division by zero"),
    ),
    "ended with a code and no words": (
        pod({"terminated": {"exitCode": 139, "reason": "Error"}}),
        "PodFailed",
        ("exit code 139", "no message"),
    ),
    "refused, and the report is lost": (
        pod({"terminated": {"exitCode": 3, "message": "no parquet"}}),
        jobs.UNTOLD,
        ("no parquet",),
    ),
}


@pytest.mark.parametrize(("pod", "reason", "words"), FAILURES.values(), ids=FAILURES)
def test_a_failed_job_says_why(pod: dict[str, Any], reason: str, words: tuple[str, ...]) -> None:
    found = course(FAILED, pods=(pod,))
    assert (found.phase, found.reason) == ("Failed", reason)
    assert [word for word in words if word not in found.message] == []


def test_a_job_past_its_deadline_says_which_one() -> None:
    found = course(make.condition("Failed", "DeadlineExceeded"))
    assert found.reason == "DeadlineExceeded"
    assert "1h30m" in found.message
    assert "spec.deadline" in found.message


def test_a_failed_job_without_pods_says_so() -> None:
    assert course(FAILED).reason == jobs.POD_LOST


def test_a_failure_that_is_known_is_kept_when_its_pod_is_collected() -> None:
    scene = Scene(make.featureset()).look().begin().fail({"exitCode": 137, "reason": "OOMKilled"})
    scene.remove("Pod").look(4)
    assert scene.fact("Stalled").reason == "MemoryExceeded"
    assert len(scene.created) == 1


def test_the_reason_is_told_as_soon_as_the_pod_is_seen() -> None:
    scene = Scene(make.featureset()).look().fail()
    assert scene.fact("Stalled").reason == jobs.POD_LOST
    scene.pend({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    assert scene.fact("Stalled").reason == "MemoryExceeded"


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_pulled_stalls_and_names_it(reason: str) -> None:
    found = course(pods=(pod({"waiting": {"reason": reason, "message": "not found"}}),))
    assert (found.phase, found.reason, found.stuck) == ("Starting", "ImagePullFailed", True)
    assert "merkhet/trainer:1" in found.message


def test_an_image_that_is_tried_again_says_the_same_each_time() -> None:
    error = 'failed to pull and unpack image "merkhet/trainer:1": not found'
    tries = (
        {"reason": "ErrImagePull", "message": error},
        {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "merkhet/trainer:1": ErrImagePull: {error}'},
    )
    assert len({course(pods=(pod({"waiting": one}),)).message for one in tries}) == 1


def test_an_image_that_appears_lets_the_same_job_go_on() -> None:
    scene = Scene(make.featureset()).look().pend({"waiting": {"reason": "ImagePullBackOff"}})
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "ImagePullFailed")
    scene.begin("reading census")
    assert (scene.fact("Stalled").status, scene.ready.message) == ("False", "reading census")
    assert len(scene.created) == 1


def test_a_sidecar_whose_image_cannot_be_pulled_counts_too() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull"}}
    held = make.run_pod(JOB, status={"initContainerStatuses": [{"name": "reporter", "image": "x:1", "state": waiting}]})
    assert "x:1" in course(pods=(held,)).message


def test_a_pod_without_a_node_is_given_time_before_it_stalls() -> None:
    since = {**UNSCHEDULABLE, "lastTransitionTime": "2026-11-22T11:59:00Z"}
    found = course(pods=(pod({}, conditions=[since]),))
    assert (found.stuck, found.look_again) == (False, timedelta(seconds=121))
    assert "Insufficient memory" in found.message


def test_a_pod_that_no_node_takes_stalls_in_the_end() -> None:
    since = {**UNSCHEDULABLE, "lastTransitionTime": "2026-11-22T11:50:00Z"}
    found = course(pods=(pod({}, conditions=[since]),))
    assert (found.stuck, found.reason, found.look_again) == (True, "Unschedulable", None)
    assert "spec.resources.requests" in found.message


def test_a_second_try_says_how_the_first_one_failed() -> None:
    first = pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    second = make.run_pod(
        JOB,
        name="employment-aaaa-y",
        status=make.work({"running": {}}),
        metadata={"creationTimestamp": "2026-11-22T11:50:00Z"},
    )
    job = {**JOB, "status": {"failed": 1}}
    found = jobs.course(job, jobs.pods_of(job, [second, first]), make.NOW)
    assert found.phase == "Running"
    assert "1 of 3 tries failed" in found.message
    assert "3Gi" in found.message


def test_a_long_log_is_cut_to_its_end() -> None:
    long = pod({"terminated": {"exitCode": 1, "message": "x" * 4000 + " the cause"}})
    found = course(FAILED, pods=(long,))
    assert found.message.endswith("the cause")
    assert len(found.message) < 1000


WAITING = {"conditions": [{**UNSCHEDULABLE, "lastTransitionTime": "2026-11-22T11:00:00Z"}]}
OF_MANY: dict[str, tuple[tuple[dict[str, Any], ...], str, bool]] = {
    "no pod": ((), "Starting", False),
    "one at work": ((pod({"running": {}}),), "Running", False),
    "one at work, another that no node takes": ((pod({"running": {}}), pod({}, **WAITING)), "Running", False),
    "one that has ended, another that no node takes": (
        (pod({"terminated": {"exitCode": 0}}), pod({}, **WAITING)),
        "Starting",
        True,
    ),
    "all that there are have ended": ((pod({"terminated": {"exitCode": 1}}),), "Starting", False),
}


@pytest.mark.parametrize(("pods", "phase", "stuck"), OF_MANY.values(), ids=OF_MANY)
def test_a_job_of_many_is_held_up_where_none_of_its_pods_is_at_work(
    pods: tuple[dict[str, Any], ...], phase: str, stuck: bool
) -> None:
    found = jobs.course_of_many({**JOB, "status": {}}, pods, make.NOW)
    assert (found.phase, found.stuck) == (phase, stuck)


def test_a_refusal_is_told_from_other_failures() -> None:
    for reason, refused in (("PodFailurePolicy", True), ("FailedIndexes", False)):
        job = {**JOB, "status": {"conditions": [make.condition("Failed", reason)]}}
        assert jobs.refused(job) is refused
