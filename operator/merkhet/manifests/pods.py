"""Pods as the restricted Pod Security Standard wants them, with the little that people may say about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merkhet.api.meta import Body
from merkhet.manifests.labels import STORE

USER = 65532  # nobody's number in distroless images
HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
# Where the process writes nothing, the end of its log says why it ended.
TERMINATION = "FallbackToLogsOnError"
# What computes at the limit of its share answers late, and is none the worse for it.
PROBE_SECONDS = 5


def pod(
    *,
    labels: Mapping[str, str],
    containers: Iterable[Body],
    volumes: Iterable[Body] = (),
    sidecars: Iterable[Body] = (),
    template: Mapping[str, Any] | None = None,
    beside_store: bool = False,
    account: str | None = None,
    restart: str = "Always",
    grace_seconds: int = 30,
    pull_secrets: Iterable[str] = (),
) -> Body:
    """A pod template.

    ``template`` is a spec's ``podTemplate`` as it stands in YAML; our labels win over its labels. ``sidecars`` start
    before the containers and end after them. ``beside_store`` keeps the pod on the node that the store's volume is
    attached to, as ReadWriteOnce demands.
    """
    wishes = template or {}
    spec: Body = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [{**sidecar, "restartPolicy": "Always"} for sidecar in sidecars],
        "containers": list(containers),
        "volumes": list(volumes),
        "serviceAccountName": account,
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "affinity": _affinity(wishes.get("affinity"), beside_store=beside_store),
        **{word: wishes.get(word) for word in ("nodeSelector", "tolerations", "priorityClassName")},
    }
    metadata: Body = {
        "labels": {**(wishes.get("labels") or {}), **labels},
        "annotations": dict(wishes.get("annotations") or {}),
    }
    return {"metadata": said(metadata), "spec": said(spec)}


def container(
    name: str,
    image: str,
    arguments: Iterable[str],
    *,
    resources: Body,
    pull_policy: str,
    variables: Mapping[str, str] | None = None,
    mounts: Iterable[Body] = (),
    **more: Any,
) -> Body:
    """A container that may do nothing beyond its work; keywords (``ports``, ``readinessProbe`` …) go in as they are.

    ``resources`` names requests and limits for both cpu and memory.
    """
    body: Body = {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": list(arguments),
        "env": [{"name": variable, "value": value} for variable, value in sorted((variables or {}).items())],
        "resources": resources,
        "volumeMounts": list(mounts),
        "terminationMessagePolicy": TERMINATION,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        },
        **more,
    }
    return said(body)


def probe(question: Body, *, period: int, failures: int | None = None) -> Body:
    """A question of the kubelet: how often it is asked, and after how many failures in a row it counts.

    Units: ``period`` is in seconds.
    """
    return said({**question, "periodSeconds": period, "timeoutSeconds": PROBE_SECONDS, "failureThreshold": failures})


def http(path: str, port: int) -> Body:
    """A question over HTTP."""
    return {"httpGet": {"path": path, "port": port}}


def amounts(cpu: str, memory: str, *, cpu_limit: str | None = None, memory_limit: str | None = None) -> Body:
    """Requests and limits of a container whose needs we know; what is not named has its request as limit."""
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"cpu": cpu_limit or cpu, "memory": memory_limit or memory},
    }


def _affinity(wished: Mapping[str, Any] | None, *, beside_store: bool) -> Body:
    """The affinity people asked for, and the one a volume for a single node needs on top."""
    affinity = dict(wished or {})
    if not beside_store:
        return affinity
    near = dict(affinity.get("podAffinity") or {})
    store = {"labelSelector": {"matchLabels": {STORE: "true"}}, "topologyKey": HOST}
    near[REQUIRED] = [*(near.get(REQUIRED) or ()), store]
    return {**affinity, "podAffinity": near}


def said(body: Body) -> Body:
    """Without what nobody said: an empty list applied and a missing one read back would look like a difference."""
    return {word: value for word, value in body.items() if value not in (None, [], {})}
