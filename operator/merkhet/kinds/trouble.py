"""What keeps the pods of a Deployment from answering, in words a person can act on?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.runs import REFUSED
from merkhet.kinds.common import parsed_time
from merkhet.kinds.jobs import CONFIGURATION_FAULTS, PULL_FAULTS, SAID_LENGTH, UNSCHEDULABLE_AFTER

# Crashes in a row before we say so; a single one may be a node's hiccup.
CRASHES = 2
KILLED = 137
# What somebody has to do first comes first.
ORDER = ("ImagePullFailed", "PodRefused", "MemoryExceeded", "ModelRefused", "CrashLoop", "Unschedulable")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why pods do not become ready, and what to do."""

    reason: str
    message: str


def trouble(
    deployment: Body | None, pods: Iterable[Body], now: datetime, resources: str = "spec.resources"
) -> Trouble | None:
    """The most telling thing that is wrong with a Deployment; None while it may still be on its way.

    ``resources`` is where the object says what its pods ask for.
    """
    found = [one for pod in _unready(pods) for one in _of_pod(pod, now, resources)]
    if found:
        return min(found, key=lambda one: (ORDER.index(one.reason), one.message))
    return _of_deployment(deployment) if deployment else None


def patience_left(pods: Iterable[Body], now: datetime) -> timedelta | None:
    """When a pod that no node takes becomes trouble; None where there is no such pod."""
    waits = (_unscheduled(pod) for pod in _unready(pods))
    left = [UNSCHEDULABLE_AFTER - (now - since) for condition in waits if condition and (since := _since(condition))]
    return min((wait for wait in left if wait > timedelta()), default=None)


def _unready(pods: Iterable[Body]) -> Iterator[Body]:
    """Pods that are to serve and do not; evicted ones are replaced, deleted ones end."""
    for pod in pods:
        status = pod.get("status") or {}
        ended = pod["metadata"].get("deletionTimestamp") or status.get("phase") in ("Failed", "Succeeded")
        if not ended and (_condition(status, "Ready") or {}).get("status") != "True":
            yield pod


def _of_pod(pod: Body, now: datetime, resources: str) -> Iterator[Trouble]:
    unscheduled = _unscheduled(pod)
    if unscheduled and (since := _since(unscheduled)) and now - since >= UNSCHEDULABLE_AFTER:
        yield Trouble(
            "Unschedulable",
            f"no node takes a server pod: {unscheduled.get('message', '')}; ask for less in {resources} or give the "
            "cluster a node that fits",
        )
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        yield from _of_waiting(container)
        yield from _of_ended(container, resources)


def _of_waiting(container: Mapping[str, Any]) -> Iterator[Trouble]:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason, said = waiting.get("reason", ""), waiting.get("message", "")
    if reason in PULL_FAULTS:
        # The kubelet alternates between the error and "Back-off …: error"; one text is enough of a change.
        detail = said.rpartition("ErrImagePull: ")[2]
        yield Trouble(
            "ImagePullFailed",
            f"image {container.get('image', '')} cannot be pulled: {_last_words(detail)}; make it available to the "
            "nodes, or correct the server image (and pull secrets) that the operator was installed with",
        )
    if reason in CONFIGURATION_FAULTS:
        yield Trouble("PodRefused", f"the node cannot start a server: {reason}: {_last_words(said)}")


def _of_ended(container: Mapping[str, Any], resources: str) -> Iterator[Trouble]:
    now, before = container.get("state") or {}, container.get("lastState") or {}
    ended = now.get("terminated") or before.get("terminated") or {}
    code, words = ended.get("exitCode", 0), _last_words(ended.get("message", ""))
    backing_off = (now.get("waiting") or {}).get("reason") == "CrashLoopBackOff"
    if ended.get("reason") == "OOMKilled":
        yield Trouble(
            "MemoryExceeded",
            f"a server used more memory than its limit and was killed: raise {resources}.limits.memory",
        )
    elif code == REFUSED:
        yield Trouble("ModelRefused", f"a server refuses to serve this version: {words}")
    elif code and (backing_off or container.get("restartCount", 0) >= CRASHES):
        yield Trouble("CrashLoop", f"a server ends again and again with {_exit(code, resources)}: {words}")


def _exit(code: int, resources: str) -> str:
    """An exit code, and what the number alone does not tell a person."""
    if code == KILLED:
        killed = f"for its memory, see {resources}.limits.memory, or because it no longer answered"
        return f"exit code {code} (killed: {killed})"
    return f"exit code {code}"


def _of_deployment(deployment: Body) -> Trouble | None:
    """What only the Deployment knows: pods that were not even made, and time that has run out."""
    status = deployment.get("status") or {}
    failed = _condition(status, "ReplicaFailure")
    if failed and failed.get("status") == "True":
        return Trouble("PodRefused", f"server pods cannot be made: {_last_words(failed.get('message', ''))}")
    progress = _condition(status, "Progressing") or {}
    if progress.get("status") == "False" and progress.get("reason") == "ProgressDeadlineExceeded":
        seconds = deployment["spec"].get("progressDeadlineSeconds")
        return Trouble(
            "ProgressDeadlineExceeded",
            f"server pods of Deployment {deployment['metadata']['name']} were not ready within {seconds} s; "
            "look at their logs",
        )
    return None


def _unscheduled(pod: Body) -> Mapping[str, Any] | None:
    condition = _condition(pod.get("status") or {}, "PodScheduled")
    return condition if condition and condition.get("reason") == "Unschedulable" else None


def _since(condition: Mapping[str, Any]) -> datetime | None:
    return parsed_time(condition.get("lastTransitionTime"))


def _condition(status: Mapping[str, Any], type_: str) -> Mapping[str, Any] | None:
    return next((found for found in status.get("conditions") or () if found.get("type") == type_), None)


def _last_words(text: str) -> str:
    """The end of what was said: an error stands last."""
    text = " ".join(text.split())
    return text if len(text) <= SAID_LENGTH else f"…{text[-SAID_LENGTH:]}"
