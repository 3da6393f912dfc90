"""What gives a namespace's shared FeatureSets to others: a small server that sees blobs alone, and its Service."""

from __future__ import annotations

from collections.abc import Iterable

from merkhet.api.meta import Body
from merkhet.contract.runs import SCRATCH_PATH
from merkhet.contract.sharing import GRANTS_FILE, PORT, Grants
from merkhet.manifests import labels, names, volumes
from merkhet.manifests.pods import amounts, container, pod

ROLE = "share"
SERVICE_PORT = 80
# Bytes are copied piece by piece; an estimate with room to spare, not a measurement.
AMOUNTS = amounts("10m", "64Mi", cpu_limit="1", memory_limit="256Mi")


def url(namespace: str, domain: str) -> str:
    """Where a namespace gives what it shares."""
    return f"http://{names.SHARE}.{namespace}.svc.{domain}:{SERVICE_PORT}"


def grants(given: Grants) -> Body:
    """The ConfigMap that says who may have what, by digests of tokens."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": names.GRANTS},
        "data": {GRANTS_FILE: given.dump()},
    }


def service() -> Body:
    """The one address of what a namespace shares."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": names.SHARE},
        "spec": {
            "type": "ClusterIP",
            "selector": _chosen(),
            "ports": [{"name": "http", "port": SERVICE_PORT, "protocol": "TCP", "targetPort": PORT}],
        },
    }


def deployment(*, image: str, pull_policy: str, pull_secrets: Iterable[str], beside_store: bool) -> Body:
    """One server: who asks has patience while it is made anew."""
    server = container(
        ROLE,
        image,
        ["share"],
        resources=AMOUNTS,
        pull_policy=pull_policy,
        variables={"HOME": SCRATCH_PATH},
        mounts=[volumes.blobs_mount(), volumes.scratch_mount(), volumes.grants_mount()],
        ports=[{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        readinessProbe=_ready(period=3),
        livenessProbe=_ready(period=30),
    )
    template = pod(
        labels={**labels.of_pod("configmap", names.STORE, ROLE)},
        containers=[server],
        volumes=[volumes.store(), volumes.scratch(), volumes.grants()],
        beside_store=beside_store,
        grace_seconds=10,
        pull_secrets=pull_secrets,
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": names.SHARE},
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": _chosen()},
            "template": template,
        },
    }


def _chosen() -> dict[str, str]:
    return {labels.NAME: names.STORE, labels.ROLE: ROLE}


def _ready(*, period: int) -> Body:
    return {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": period, "timeoutSeconds": 5}
