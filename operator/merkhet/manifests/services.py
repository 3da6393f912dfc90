"""The one address of some pods inside the cluster, over HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from merkhet.api.meta import Body

PORT = 80


def service(name: str, chosen: Mapping[str, str], port: int) -> Body:
    """The Service before the pods that carry the labels ``chosen`` and listen on ``port``."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {
            "type": "ClusterIP",
            "selector": dict(chosen),
            "ports": [{"name": "http", "port": PORT, "protocol": "TCP", "targetPort": port}],
        },
    }


def url(name: str, namespace: str, domain: str, path: str = "") -> str:
    """Where the Service is asked; ``domain`` is the cluster's.

    Example:
        >>> url("employment", "people", "cluster.local")
        'http://employment.people.svc.cluster.local:80'

    """
    return f"http://{name}.{namespace}.svc.{domain}:{PORT}{path}"
