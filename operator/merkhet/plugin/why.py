"""``why KIND/NAME``: the state of an object in words, down to what its pods say."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from merkhet import GROUP
from merkhet.errors import Missing
from merkhet.plugin.kubectl import Kubectl, KubectlFailed, names

SHORT = {
    "fs": "featuresets",
    "comp": "components",
    "mt": "modeltrainings",
    "mv": "modelversions",
    "md": "modeldeployments",
}
ORDER = {"Ready": 0, "Stalled": 1, "Reconciling": 2}


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("why", parents=[shared], help="the state of an object in words")
    command.add_argument("what", nargs="+", metavar="KIND/NAME")
    command.add_argument("-o", "--output", choices=["text", "json"], default="text")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print what is known, the most telling first; 1 where the object needs somebody."""
    kind, name = names(asked.what)
    plural = SHORT.get(kind.lower(), kind.lower())
    body = kubectl.find(f"{plural}.{GROUP}" if "." not in plural else plural, name)
    if body is None:
        raise Missing(f"{kind}/{name} does not exist in namespace {kubectl.current_namespace()}")
    story = list(told(body, _pods(body, kubectl), _events(body, kubectl)))
    if asked.output == "json":
        print(json.dumps({"object": f"{body['kind']}/{name}", "story": story}, indent=2))
    else:
        print("\n".join(story))
    return 1 if _is(body, "Stalled") else 0


def told(body: dict[str, Any], pods: list[dict[str, Any]], events: list[dict[str, Any]]) -> Iterator[str]:
    """The story of an object, a line a fact."""
    meta, status = body["metadata"], body.get("status") or {}
    yield f"{body['kind']} {meta['namespace']}/{meta['name']}: {headline(body)}"
    if status.get("observedGeneration", -1) < meta.get("generation", 0):
        yield "  the operator has not looked at this version of the spec yet"
    conditions = sorted(status.get("conditions") or [], key=lambda found: ORDER.get(found["type"], 3))
    for condition in conditions:
        if condition["type"] in ("Stalled", "Reconciling") and condition["status"] == "False":
            continue
        since = f" since {condition['lastTransitionTime']}" if condition.get("lastTransitionTime") else ""
        yield f"  {condition['type']} is {condition['status']} ({condition['reason']}){since}"
        if condition.get("message"):
            yield f"    {condition['message']}"
    for run in (status.get("runs") or [])[:3]:
        words = " ".join(filter(None, (run.get("phase"), run.get("reason"), run.get("message") or run.get("progress"))))
        yield f"  run {run['key'][:10]} by {run['trigger']}: {words}"
    for pod in pods:
        yield from _pod(pod)
    for event in events[-5:]:
        yield f"  event {event.get('reason')}: {event.get('note') or event.get('message')}"


def headline(body: dict[str, Any]) -> str:
    """The state in a few words."""
    if body["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    if _is(body, "Stalled"):
        return "is ready, and its last change needs somebody" if _is(body, "Ready") else "needs somebody"
    if _is(body, "Ready"):
        return "is ready"
    return "is on its way" if _is(body, "Reconciling") else "waits for a person"


def _is(body: dict[str, Any], type_: str) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(found["type"] == type_ and found["status"] == "True" for found in conditions)


def _pod(pod: dict[str, Any]) -> Iterator[str]:
    status = pod.get("status") or {}
    yield f"  pod {pod['metadata']['name']} is {status.get('phase', 'Unknown')}"
    unscheduled = (found for found in status.get("conditions") or [] if found.get("reason") == "Unschedulable")
    for condition in unscheduled:
        yield f"    no node takes it: {condition.get('message')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (container.get("state") or {}).get("waiting")
        ended = (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated")
        if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
            yield f"    {container['name']} waits: {waiting.get('reason')} {waiting.get('message', '')}".rstrip()
        if ended and ended.get("exitCode"):
            code, reason = ended["exitCode"], ended.get("reason", "")
            yield f"    {container['name']} ended with {code} ({reason}) {ended.get('message', '')}".rstrip()


def _pods(body: dict[str, Any], kubectl: Kubectl) -> list[dict[str, Any]]:
    selector = f"merkhet.dev/kind={body['kind'].lower()},merkhet.dev/name={body['metadata']['name']}"
    try:
        found: list[dict[str, Any]] = kubectl.json("get", "pods", "-l", selector)["items"]
    except KubectlFailed:
        return []  # a person may read our kinds and no pods
    return [pod for pod in found if pod.get("status", {}).get("phase") != "Succeeded"]


def _events(body: dict[str, Any], kubectl: Kubectl) -> list[dict[str, Any]]:
    selector = f"regarding.uid={body['metadata']['uid']}"
    try:
        found: list[dict[str, Any]] = kubectl.json("get", "events.events.k8s.io", "--field-selector", selector)["items"]
    except KubectlFailed:
        return []
    return sorted(found, key=lambda event: str(event.get("eventTime") or event["metadata"]["creationTimestamp"]))
