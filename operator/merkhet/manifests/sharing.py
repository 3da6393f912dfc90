"""What gives a namespace's shared FeatureSets to others: a small server that sees blobs alone, and its Service."""

from __future__ import annotations

from collections.abc import Iterable

from merkhet.api.meta import Body
from merkhet.contract.runs import SCRATCH_PATH
from merkhet.contract.sharing import GRANTS_FILE, PORT, Grants
from merkhet.manifests import deployments, labels, names, services, volumes
from merkhet.manifests.pods import amounts, container, http, pod, probe

ROLE = "share"
# Bytes are copied piece by piece; an estimate with room to spare, not a measurement.
AMOUNTS = amounts("10m", "64Mi", cpu_limit="1", memory_limit="256Mi")


def url(namespace: str, domain: str) -> str:
    """Where a namespace gives what it shares."""
    return services.url(names.SHARE, namespace, domain)


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
    return services.service(names.SHARE, _chosen(), PORT)


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
        readinessProbe=probe(http("/ready", PORT), period=3),
        livenessProbe=probe(http("/ready", PORT), period=30),
    )
    template = pod(
        labels=labels.of_pod("configmap", names.STORE, ROLE),
        containers=[server],
        volumes=[volumes.store(), volumes.scratch(), volumes.grants()],
        beside_store=beside_store,
        grace_seconds=10,
        pull_secrets=pull_secrets,
    )
    return deployments.deployment(names.SHARE, _chosen(), template)


def _chosen() -> dict[str, str]:
    return {labels.NAME: names.STORE, labels.ROLE: ROLE}
