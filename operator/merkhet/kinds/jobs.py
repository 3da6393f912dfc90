"""What has become of a run's Job, as it and its pods say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from merkhet.api.meta import Body
from merkhet.api.quantities import print_duration
from merkhet.contract.runs import REFUSED
from merkhet.kinds.common import parsed_time
from merkhet.manifests.labels import MEANS, RUN, SPEC, TRIGGER, TRY
from merkhet.manifests.runs import WORK

# How long a pod may look for a node before that is called a fault: an autoscaler needs some minutes for a new one.
UNSCHEDULABLE_AFTER = timedelta(minutes=3)
# The registry may answer badly once; the kubelet's second try comes after ten seconds.
PULL_FAULTS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
CONFIGURATION_FAULTS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
JOB_NAME = "batch.kubernetes.io/job-name"  # on pods, by the Job controller
SAID_LENGTH = 600  # of a log's end in a message

POD_LOST = "PodLost"  # the Job failed, and no pod is left to say why
UNTOLD = "RefusedWithoutReport"  # the work refused its task, and its report is not there

JobPhase = Literal["Starting", "Running", "Complete", "Failed"]


@dataclass(frozen=True, slots=True)
class Course:
    """How far a Job has come. ``stuck``: it waits for something that somebody has to put right."""

    phase: JobPhase
    reason: str = ""
    message: str = ""
    stuck: bool = False
    finished: str = ""
    look_again: timedelta | None = None


def key_of(job: Body) -> str:
    """The run that a Job is for."""
    return str((job["metadata"].get("labels") or {}).get(RUN, ""))


def trigger_of(job: Body) -> str:
    """What started the run."""
    return _said_on(job, TRIGGER)


def spec_of(job: Body) -> str:
    """The trigger of the spec when the Job was made."""
    return _said_on(job, SPEC)


def means_of(job: Body) -> str:
    """The digest of the means that the Job was made with."""
    return _said_on(job, MEANS)


def attempt_of(job: Body) -> int:
    """How often the run was started, as the Job says."""
    text = _said_on(job, TRY)
    return int(text) if text.isdigit() else 1


def name_of(job: Body) -> str:
    """The Job's name."""
    return str(job["metadata"]["name"])


def ended(job: Body) -> bool:
    """Whether the Job does nothing any more."""
    return _condition(job, "Complete") is not None or _condition(job, "Failed") is not None


def complete(job: Body) -> bool:
    """Whether the Job's pod ended well."""
    return _condition(job, "Complete") is not None


def refused(job: Body) -> bool:
    """Whether a pod ended the Job for all by refusing its task."""
    failed = _condition(job, "Failed")
    return failed is not None and failed.get("reason") == "PodFailurePolicy"


def begun(job: Body, pods: Iterable[Body]) -> bool:
    """Whether the work has run at all; a Job that has not begun may be replaced without any loss."""
    status = job.get("status") or {}
    if status.get("failed") or status.get("succeeded") or ended(job):
        return True
    states = (state for pod in pods for state in [_work(pod).get("state") or {}])
    return any("running" in state or "terminated" in state for state in states)


def pods_of(job: Body, pods: Iterable[Body]) -> list[Body]:
    """The pods of a Job, newest last."""
    mine = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(JOB_NAME) == name_of(job)]
    return sorted(mine, key=lambda pod: (str(pod["metadata"].get("creationTimestamp", "")), pod["metadata"]["name"]))


def course(job: Body, pods: Sequence[Body], now: datetime) -> Course:
    """How far the Job has come; ``pods`` are its own, newest last."""
    if done := _condition(job, "Complete"):
        return Course("Complete", finished=(job.get("status") or {}).get("completionTime") or _since(done))
    if failed := _condition(job, "Failed"):
        return _failed(job, failed, pods)
    if not pods:
        return Course("Starting", "Starting", f"Job {name_of(job)} has no pod yet")
    return _going(job, pods, now)


def course_of_many(job: Body, pods: Sequence[Body], now: datetime) -> Course:
    """How far a Job has come whose pods do a part of the work each: it is held up where none of them is at work."""
    if ended(job):
        return course(job, pods, now)
    left = [pod for pod in pods if not _is_over(pod)]
    at_work = any("running" in (_work(pod).get("state") or {}) for pod in left)
    return Course("Running", "Running") if at_work else course(job, left, now)


def _going(job: Body, pods: Sequence[Body], now: datetime) -> Course:
    pod = pods[-1]
    fault = _held_up(pod, now)
    if fault is not None:
        return fault
    if _is_over(pod):
        return Course("Running", "Ending", _tried(job, pods) or "the work has ended; its report is awaited")
    if "running" in (_work(pod).get("state") or {}):
        return Course("Running", "Running", _tried(job, pods))
    return Course("Starting", "Starting", f"pod {pod['metadata']['name']} is starting")


def _tried(job: Body, pods: Sequence[Body]) -> str:
    """That an earlier try failed, and how."""
    failed = (job.get("status") or {}).get("failed") or 0
    if not failed:
        return ""
    tries = (job.get("spec") or {}).get("backoffLimit", failed) + 1
    reasons = [end for end in (_end_of(pod) for pod in reversed(pods)) if end is not None]
    because = f", the last one: {reasons[0][1]}" if reasons else ""
    return f"{failed} of {tries} tries failed{because}"


def _held_up(pod: Body, now: datetime) -> Course | None:
    """What keeps a pod from beginning, if it is something that does not pass by itself."""
    for container in _containers(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason, said = waiting.get("reason", ""), _bounded(waiting.get("message", ""))
        if reason in PULL_FAULTS:
            image = container.get("image") or "of the pod"
            # The kubelet alternates between the error and "Back-off …: error"; one text is enough of a change.
            said = said.rpartition("ErrImagePull: ")[2] or reason
            return Course(
                "Starting",
                "ImagePullFailed",
                f"image {image} cannot be pulled ({said}); "
                "push it or correct the image in the chart's values: the run begins as soon as it is there",
                stuck=True,
            )
        if reason in CONFIGURATION_FAULTS:
            name = pod["metadata"]["name"]
            return Course("Starting", "PodRefused", f"pod {name} cannot be started ({reason}): {said}", stuck=True)
    return _unscheduled(pod, now)


def _unscheduled(pod: Body, now: datetime) -> Course | None:
    """That no node takes the pod; for the first minutes that may pass."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    found = next((one for one in conditions if one["type"] == "PodScheduled" and one["status"] == "False"), None)
    if found is None:
        return None
    since = parsed_time(found.get("lastTransitionTime")) or parsed_time(pod["metadata"].get("creationTimestamp")) or now
    left = since + UNSCHEDULABLE_AFTER - now
    message = f"no node takes pod {pod['metadata']['name']}: {_bounded(found.get('message', 'no reason is given'))}"
    if left > timedelta(0):
        return Course("Starting", "Unschedulable", message, look_again=left + timedelta(seconds=1))
    advice = "; lower spec.resources.requests, change spec.podTemplate, or add a node"
    return Course("Starting", "Unschedulable", message + advice, stuck=True)


def _failed(job: Body, condition: Body, pods: Sequence[Body]) -> Course:
    finished = _since(condition)
    if condition.get("reason") == "DeadlineExceeded":
        allowed = print_duration(timedelta(seconds=(job.get("spec") or {}).get("activeDeadlineSeconds") or 0))
        message = f"the run did not end within its deadline of {allowed}; raise spec.deadline or give it less to do"
        return Course("Failed", "DeadlineExceeded", message, finished=finished)
    for pod in reversed(pods):
        if end := _end_of(pod):
            return Course("Failed", *end, finished=finished)
    said = _bounded(condition.get("message", ""))
    message = f"Job {name_of(job)} failed and left no pod to ask: {condition.get('reason', '')}: {said}"
    return Course("Failed", POD_LOST, message, finished=finished)


def _end_of(pod: Body) -> tuple[str, str] | None:
    """Reason and words for a pod that did not end well; None for one that has not."""
    status = pod.get("status") or {}
    if status.get("reason") == "Evicted":
        return _evicted(status)
    terminated = (_work(pod).get("state") or {}).get("terminated") or {}
    if terminated.get("reason") == "OOMKilled":
        limit = _memory_limit(pod)
        message = f"the work needed more than its memory limit of {limit}; raise spec.resources.limits.memory"
        return ("MemoryExceeded", message)
    if not terminated.get("exitCode"):
        return None
    code, said = terminated["exitCode"], _bounded(terminated.get("message", ""))
    word = UNTOLD if code == REFUSED else "PodFailed"
    said = f"its last words: {said}" if said else "it left no message"
    return (word, f"pod {pod['metadata']['name']} ended with exit code {code}; {said}")


def _evicted(status: Body) -> tuple[str, str]:
    said = _bounded(status.get("message", ""))
    if "emptydir" in said.lower() or "ephemeral" in said:
        return ("ScratchFull", f"the work filled the pod's own disk space: {said}; give it less to hold at once")
    return ("Evicted", f"the node had to give up the pod: {said}; raise spec.resources.requests to what the work needs")


def _memory_limit(pod: Body) -> str:
    containers = (pod.get("spec") or {}).get("containers") or ()
    work: Body = next((container for container in containers if container["name"] == WORK), {})
    return str(((work.get("resources") or {}).get("limits") or {}).get("memory", "its node"))


def _work(pod: Body) -> Body:
    """What is said of the container that does the work."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((status for status in statuses if status["name"] == WORK), {})


def _is_over(pod: Body) -> bool:
    """Whether the pod does nothing any more."""
    terminated = (_work(pod).get("state") or {}).get("terminated")
    return bool(terminated) or (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def _containers(pod: Body) -> Iterator[Body]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _condition(job: Body, type_: str) -> Body | None:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one["type"] == type_ and one["status"] == "True"), None)


def _since(condition: Body) -> str:
    return str(condition.get("lastTransitionTime") or "")


def _said_on(job: Body, annotation: str) -> str:
    return str((job["metadata"].get("annotations") or {}).get(annotation, ""))


def _bounded(text: Any) -> str:
    """The end of a text: what a program says last is why it ended."""
    words = " ".join(str(text).split())
    return words if len(words) <= SAID_LENGTH else f"…{words[-SAID_LENGTH:]}"
