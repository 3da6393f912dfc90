"""What answers look-ups of a FeatureSet by entity: a Deployment, its Service and the budget for disruptions."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.contract.online import PREFIX, LookupTask
from merkhet.contract.serving import HTTP_PORT
from merkhet.manifests import deployments, labels, names, servers, services
from merkhet.manifests.servers import Means, Program

KIND, ROLE = "FeatureSet", "lookup"
# Until the ports are open; the file itself is waited for by readiness.
START_SECONDS = 60


def selector(name: str) -> dict[str, str]:
    """The labels that choose the pods which answer look-ups of a FeatureSet."""
    return {labels.NAME: name, labels.KIND: KIND.lower(), labels.ROLE: ROLE}


def deployment(task: LookupTask, means: Means) -> Body:
    """The Deployment. Versions come and go without it: pods follow the pointer in the store."""
    name = task.feature_set
    return servers.deployment(
        names.online(name),
        Program("lookup", task.dump(), name, started="/live", start_seconds=START_SECONDS),
        means,
        chosen=selector(name),
        marks=labels.of_pod(KIND, name, ROLE),
    )


def service(name: str) -> Body:
    """The one address of the look-ups."""
    return services.service(names.online(name), selector(name), HTTP_PORT)


def disruption_budget(name: str) -> Body:
    """For all of them."""
    return deployments.disruption_budget(names.online(name), selector(name))


def url(name: str, namespace: str, domain: str) -> str:
    """Where entities are looked up inside the cluster."""
    return services.url(names.online(name), namespace, domain, f"{PREFIX}/{name}")
