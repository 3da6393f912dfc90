"""What is read before anything is decided about a namespace's store."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body
from merkhet.kinds import policy
from merkhet.kinds.apis import CLAIM, CONFIGMAP, DEPLOYMENT, MODELDEPLOYMENT
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.namespacestore.living import KINDS, Objects
from merkhet.kinds.namespacestore.types import StoreSpec, StoreStatus
from merkhet.kinds.policy import UNGOVERNED, SeenPolicy
from merkhet.manifests import labels, names

NamespaceStore = Resource[StoreSpec, StoreStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    claim: Body | None
    objects: Objects  # all that keeps something in the store
    living: Body | None  # the list of them as it was written last
    serving: tuple[Body, ...] = ()  # the Deployments that serve models
    policy: SeenPolicy = UNGOVERNED


async def observe(store: NamespaceStore, world: World) -> Seen:
    """Read the claim: it has no owner, so that this alone lets a deleted one be made again; and who lives here."""
    namespace = store.meta.namespace
    return Seen(
        world.setup,
        world.get(CLAIM, namespace, names.STORE),
        {api: tuple(world.select(api, namespace, {})) for api in KINDS},
        world.get(CONFIGMAP, namespace, names.LIVE),
        tuple(world.select(DEPLOYMENT, namespace, {labels.KIND: MODELDEPLOYMENT.kind.lower()})),
        await policy.observe(namespace, world),
    )
