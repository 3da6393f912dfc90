"""The objects that a ModelDeployment consists of."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Signature
from merkhet.kinds import apis, servers
from merkhet.kinds.common import Amounts, Resources, filled
from merkhet.kinds.kind import Child, Setup
from merkhet.kinds.modeldeployment.observe import ModelDeployment
from merkhet.kinds.modeldeployment.policies import Chosen
from merkhet.kinds.modeldeployment.rollout import Revision
from merkhet.manifests import serving

# What a gradient-boosted model of a few MB needs with room to spare; measured idle: about 90 MiB.
USUAL = Resources(
    requests=Amounts(cpu="250m", memory="192Mi"),
    limits=Amounts(cpu="1", memory="512Mi"),
)


def new_revision(deployment: ModelDeployment, choice: Chosen, revision: str, replicas: int, setup: Setup) -> Child:
    """The Deployment of a revision; where it is there already, only its replicas are written."""
    spec = deployment.spec
    means = servers.servers_of(setup, spec.pod_template, filled(spec.resources, USUAL), replicas)
    body = serving.revision_deployment(_task(deployment, choice, revision), means)
    return Child(apis.DEPLOYMENT, body, rule="scale")


def present_revision(revision: Revision, replicas: int) -> Child:
    """A Deployment as it stands, with other replicas."""
    spec = {**revision.body["spec"], "replicas": replicas}
    body: Body = {
        "apiVersion": apis.DEPLOYMENT.api_version,
        "kind": apis.DEPLOYMENT.kind,
        "metadata": {"name": revision.name},
        "spec": spec,
    }
    return Child(apis.DEPLOYMENT, body, rule="scale")


def service(deployment: ModelDeployment, revision: str) -> Child:
    """The one address."""
    return servers.service(serving.service(deployment.meta.name, revision))


def disruption_budget(deployment: ModelDeployment, revision: str) -> Child:
    """The budget for the revision that serves."""
    return servers.disruption_budget(serving.disruption_budget(deployment.meta.name, revision))


def _task(deployment: ModelDeployment, choice: Chosen, revision: str) -> ServingTask:
    record = choice.version.record
    return ServingTask(
        namespace=deployment.meta.namespace,
        deployment=deployment.meta.name,
        revision=revision,
        model=deployment.meta.name,
        registry_model=record.model,
        number=record.version,
        digest=record.artifact.digest,
        size=record.artifact.size,
        signature=Signature.model_validate(record.signature.body()),
        golden=record.reports.get("golden"),
        features=choice.features,
    )
