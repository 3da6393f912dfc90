"""What serves a model: a Deployment for each revision, the Service before them and the budget for disruptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from merkhet import GROUP
from merkhet.api.meta import Body
from merkhet.contract.runs import TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT, ServingTask
from merkhet.manifests import labels, volumes
from merkhet.manifests.pods import HOST, container, pod

KIND, ROLE = "ModelDeployment", "server"
VERSION = f"{GROUP}/version"  # a label on the pods: number of the ModelVersion
PORT = 80  # of the Service
# Seconds a pod goes on serving after it was told to end, until nobody sends it new requests: endpoints and the rules
# of kube-proxy follow within a second or two on a healthy cluster.
STILL_SERVING_SECONDS = 5
GRACE_SECONDS = 30
# Fetching the model, checking its digest, replaying the golden requests and warming up; slow nodes pull images as well.
START_SECONDS = 300
ROLLOUT_SECONDS = 600
# A server that computes at the limit of its share answers late, and is none the worse for it.
PROBE_SECONDS = 5


def selector(name: str, revision: str | None = None) -> dict[str, str]:
    """The labels that choose the pods of a ModelDeployment, or of one revision of it."""
    all_of_them = {labels.NAME: name, labels.ROLE: ROLE}
    return all_of_them if revision is None else {**all_of_them, labels.REVISION: revision}


def revision_name(name: str, revision: str) -> str:
    """The Deployment of a revision: ``employment-1f0c22ab``."""
    return f"{name}-{revision[:8]}"


def revision_deployment(
    task: ServingTask,
    *,
    image: str,
    replicas: int,
    resources: Body,
    template: Mapping[str, Any],
    beside_store: bool,
    pull_policy: str,
    pull_secrets: Iterable[str],
) -> Body:
    """The Deployment of a revision. It is written once; later only its replicas change."""
    chosen = selector(task.deployment, task.revision)
    marks = labels.of_pod(
        KIND, task.deployment, ROLE, revision=task.revision, model=task.registry_model, version=str(task.number)
    )
    pods = pod(
        labels=marks,
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
        "metadata": {"name": revision_name(task.deployment, task.revision)},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,  # the template never changes
            "progressDeadlineSeconds": ROLLOUT_SECONDS,
            "selector": {"matchLabels": chosen},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": pods,
        },
    }


def service(name: str, revision: str) -> Body:
    """The one address of a model: it leads to the pods of one revision."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "ClusterIP",
            "selector": selector(name, revision),
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": HTTP_PORT}],
        },
    }


def disruption_budget(name: str, revision: str) -> Body:
    """Nodes are emptied one server at a time, of the revision that serves."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(name, revision)}},
    }


def url(name: str, namespace: str, domain: str) -> str:
    """Where a ModelDeployment answers inside the cluster, by the Open Inference Protocol."""
    return f"http://{name}.{namespace}.svc.{domain}:{PORT}/v2/models/{name}"


def _server(task: ServingTask, image: str, resources: Body, pull_policy: str) -> Body:
    features = [volumes.features_mount(task.features.feature_set)] if task.features is not None else []
    return container(
        "server",
        image,
        ["serve"],
        resources=resources,
        pull_policy=pull_policy,
        variables={TASK_VARIABLE: task.dump()},
        mounts=[volumes.blobs_mount(), *features, volumes.scratch_mount()],
        ports=[
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        startupProbe=probe("/ready", period=1, failures=START_SECONDS),
        # Every second, so that a change of version takes no longer than the model needs.
        readinessProbe=probe("/ready", period=1, failures=3),
        livenessProbe=probe("/live", period=10, failures=3),
        lifecycle={"preStop": {"sleep": {"seconds": STILL_SERVING_SECONDS}}},
    )


def probe(path: str, *, period: int, failures: int) -> Body:
    """A question of the kubelet at the admin port."""
    return {
        "httpGet": {"path": path, "port": ADMIN_PORT},
        "periodSeconds": period,
        "timeoutSeconds": PROBE_SECONDS,
        "failureThreshold": failures,
    }


def spread(chosen: Mapping[str, str]) -> Body:
    """One node's end is not the model's, wherever there are several nodes."""
    return {
        "maxSkew": 1,
        "topologyKey": HOST,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(chosen)},
    }
