"""What serves a model: a Deployment for each revision, the Service before them and the budget for disruptions."""

from __future__ import annotations

from merkhet import GROUP
from merkhet.api.meta import Body
from merkhet.contract.serving import HTTP_PORT, ServingTask
from merkhet.manifests import deployments, labels, servers, services
from merkhet.manifests.servers import Means, Program

KIND, ROLE = "ModelDeployment", "server"
VERSION = f"{GROUP}/version"  # a label on the pods: number of the ModelVersion
# Fetching the model, checking its digest, replaying the golden requests and warming up; slow nodes pull images as well.
START_SECONDS = 300


def selector(name: str, revision: str | None = None) -> dict[str, str]:
    """The labels that choose the pods of a ModelDeployment, or of one revision of it."""
    all_of_them = {labels.NAME: name, labels.ROLE: ROLE}
    return all_of_them if revision is None else {**all_of_them, labels.REVISION: revision}


def revision_name(name: str, revision: str) -> str:
    """The Deployment of a revision: ``employment-1f0c22ab``."""
    return f"{name}-{revision[:8]}"


def revision_deployment(task: ServingTask, means: Means) -> Body:
    """The Deployment of a revision. It is written once; later only its replicas change."""
    features = task.features.feature_set if task.features is not None else None
    marks = labels.of_pod(
        KIND, task.deployment, ROLE, revision=task.revision, model=task.registry_model, version=str(task.number)
    )
    return servers.deployment(
        revision_name(task.deployment, task.revision),
        Program("serve", task.dump(), features, started="/ready", start_seconds=START_SECONDS),
        means,
        chosen=selector(task.deployment, task.revision),
        marks=marks,
    )


def service(name: str, revision: str) -> Body:
    """The one address of a model: it leads to the pods of one revision."""
    return services.service(name, selector(name, revision), HTTP_PORT)


def disruption_budget(name: str, revision: str) -> Body:
    """For the revision that serves."""
    return deployments.disruption_budget(name, selector(name, revision))


def url(name: str, namespace: str, domain: str) -> str:
    """Where a ModelDeployment answers inside the cluster, by the Open Inference Protocol."""
    return services.url(name, namespace, domain, f"/v2/models/{name}")
