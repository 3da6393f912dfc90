"""What answers look-ups of a FeatureSet by entity: a Deployment, its Service and the budget for disruptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.online import PREFIX, LookupTask
from merkhet.contract.runs import TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT
from merkhet.manifests import labels, names, volumes
from merkhet.manifests.pods import container, pod
from merkhet.manifests.serving import (
    GRACE_SECONDS,
    PORT,
    ROLLOUT_SECONDS,
    STILL_SERVING_SECONDS,
    probe,
    spread,
)

KIND, ROLE = "FeatureSet", "lookup"
# Until the ports are open; the file itself is waited for by readiness.
START_SECONDS = 60


def selector(name: str) -> dict[str, str]:
    """The labels that choose the pods which answer look-ups of a FeatureSet."""
    return {labels.NAME: name, labels.KIND: KIND.lower(), labels.ROLE: ROLE}


def deployment(
    task: LookupTask,
    *,
    image: str,
    replicas: int,
    resources: Body,
    template: Mapping[str, Any],
    beside_store: bool,
    pull_policy: str,
    pull_secrets: Iterable[str],
) -> Body:
    """The Deployment. Versions come and go without it: pods follow the pointer in the store."""
    chosen = selector(task.feature_set)
    pods = pod(
        labels=labels.of_pod(KIND, task.feature_set, ROLE),
        containers=[_server(task, image, resources, pull_policy)],
        volumes=[volumes.store(), volumes.scratch()],
        template=template,
        beside_store=beside_store,
        grace_seconds=GRACE_SECONDS,
        pull_secrets=pull_secrets,
    )
    if not beside_store:
        pods["spec"]["topologySpreadConstraints"] = [spread(chosen)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": names.online(task.feature_set)},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": ROLLOUT_SECONDS,
            "selector": {"matchLabels": chosen},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pods,
        },
    }


def service(name: str) -> Body:
    """The one address of the look-ups."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": names.online(name)},
        "spec": {
            "type": "ClusterIP",
            "selector": selector(name),
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": HTTP_PORT}],
        },
    }


def disruption_budget(name: str) -> Body:
    """Nodes are emptied one server at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": names.online(name)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(name)}},
    }


def url(name: str, namespace: str, domain: str) -> str:
    """Where entities are looked up inside the cluster."""
    return f"http://{names.online(name)}.{namespace}.svc.{domain}:{PORT}{PREFIX}/{name}"


def _server(task: LookupTask, image: str, resources: Body, pull_policy: str) -> Body:
    return container(
        "server",
        image,
        ["lookup"],
        resources=resources,
        pull_policy=pull_policy,
        variables={TASK_VARIABLE: task.dump()},
        mounts=[volumes.blobs_mount(), volumes.features_mount(task.feature_set), volumes.scratch_mount()],
        ports=[
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        startupProbe=probe("/live", period=1, failures=START_SECONDS),
        readinessProbe=probe("/ready", period=1, failures=3),
        livenessProbe=probe("/live", period=10, failures=3),
        lifecycle={"preStop": {"sleep": {"seconds": STILL_SERVING_SECONDS}}},
    )
