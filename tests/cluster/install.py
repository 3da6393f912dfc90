"""Installs the chart with the images of this checkout, and waits until the operator is at work.

`python3 -m tests.cluster.install [--set NAME=VALUE]…`
"""

import json
import sys
import time
from typing import Any

from tests.cluster import binaries
from tests.cluster.machine import CHECKOUT, IMAGES, ClusterProblem, Progress, run
from tests.cluster.run import environment

NAMESPACE = "merkhet-system"
RELEASE = "merkhet"
CHART = CHECKOUT / "charts" / "merkhet"
DEADLINE_SECONDS = 180.0
# Waiting reasons from which a rollout does not recover by itself.
HOPELESS = frozenset({"CreateContainerConfigError", "ErrImageNeverPull", "InvalidImageName", "ErrImagePull"})


def main() -> int:
    progress = Progress()
    try:
        install(progress, sys.argv[1:])
    except ClusterProblem as problem:
        progress.say(str(problem))
        return 1
    return 0


def install(progress: Progress, extra: list[str]) -> None:
    """Bring the release to this checkout's chart and images; nothing happens where it is there already.

    Raises: ClusterProblem with the operator's state and last words when it does not come up.
    """
    binaries.ensure(("kubectl", "helm"), progress)
    if not IMAGES.exists():
        raise ClusterProblem(f"no {IMAGES}: build the images first, `make images`")
    images: dict[str, str] = json.loads(IMAGES.read_text())
    values = [f"--set=images.{role}={name}" for role, name in images.items()]
    progress.say(f"installing {CHART.name} in namespace {NAMESPACE}")
    upgrade = ("upgrade", "--install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace")
    _tool("helm", *upgrade, "--history-max=3", "--set=images.pullPolicy=IfNotPresent", *values, *extra)
    _wait_for_rollout(progress)


def _wait_for_rollout(progress: Progress) -> None:
    deadline, told = time.monotonic() + DEADLINE_SECONDS, ""
    while (state := _rollout()) != "":
        if state != told:
            progress.say(f"operator: {state}")
            told = state
        if time.monotonic() > deadline or any(reason in state for reason in HOPELESS):
            raise ClusterProblem(f"the operator does not come up: {state}\n{_last_words()}")
        time.sleep(0.5)
    progress.say("the operator is ready")


def _rollout() -> str:
    """What the rollout still waits for; nothing when it is done."""
    deployment = _one("deployment")
    spec, status = deployment["spec"], deployment.get("status", {})
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return "the Deployment is not yet seen"
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    ready = status.get("availableReplicas", 0)
    if updated == wanted == ready == status.get("replicas", 0):
        return ""
    return "; ".join([f"{ready} of {wanted} pods available, {updated} new", *_waiting_reasons()])


def _waiting_reasons() -> list[str]:
    reasons = []
    for pod in _list("pods"):
        for container in pod.get("status", {}).get("containerStatuses", []):
            waiting = container["state"].get("waiting")
            if waiting:
                reasons.append(f"{pod['metadata']['name']}: {waiting.get('reason', 'waiting')}")
    return sorted(reasons)


def _last_words() -> str:
    selector = ("-l", f"app.kubernetes.io/instance={RELEASE}")
    return "\n".join(
        [
            _said("get", "pods", "-o", "wide", *selector),
            _said("logs", *selector, "--tail=25", "--previous"),
            _said("logs", *selector, "--tail=25"),
            *_said("get", "events", "--sort-by=.lastTimestamp", "--field-selector=type=Warning").splitlines()[-8:],
        ]
    )


def _one(kind: str) -> dict[str, Any]:
    found = _list(kind)
    if len(found) != 1:
        raise ClusterProblem(f"release {RELEASE} has {len(found)} objects of kind {kind}; expected one")
    return found[0]


def _list(kind: str) -> list[dict[str, Any]]:
    answer = json.loads(_kubectl("get", kind, "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "json"))
    items: list[dict[str, Any]] = answer["items"]
    return items


def _kubectl(*arguments: str) -> str:
    return _tool("kubectl", "--namespace", NAMESPACE, "--request-timeout=15s", *arguments)


def _tool(name: str, *arguments: str) -> str:
    return run(binaries.folder() / name, *arguments, env=environment())


def _said(*arguments: str) -> str:
    """What kubectl answers, or why it cannot: the last words are for a reader, not to fail once more."""
    try:
        return _kubectl(*arguments)
    except ClusterProblem as problem:
        return str(problem)


if __name__ == "__main__":
    sys.exit(main())
