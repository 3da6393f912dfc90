"""What kinds whose pods answer requests have in common: what servers run with, their Service and their budget."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.kinds.apis import DISRUPTION, SERVICE
from merkhet.kinds.common import PodTemplate, beside_store
from merkhet.kinds.kind import Child, Setup
from merkhet.manifests.servers import Means


def servers_of(setup: Setup, template: PodTemplate, resources: Body, replicas: int) -> Means:
    """What so many servers run with; ``resources`` names requests and limits for both cpu and memory."""
    return Means(
        image=setup.server_image,
        pull_policy=setup.pull_policy,
        pull_secrets=setup.pull_secrets,
        replicas=replicas,
        resources=resources,
        template=template.body(),
        beside_store=beside_store(setup),
    )


def service(body: Body) -> Child:
    """The one address, whole: a selector or port that somebody added would lead requests elsewhere."""
    return Child(SERVICE, body, exact=(("spec", "selector"), ("spec", "ports")))


def disruption_budget(body: Body) -> Child:
    """The budget; a selector that somebody added to would count other pods."""
    return Child(DISRUPTION, body, exact=(("spec", "selector"),))
