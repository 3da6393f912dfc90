"""What is read before anything is decided about a namespace's store."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body
from merkhet.kinds.apis import CLAIM
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.namespacestore.types import StoreSpec, StoreStatus
from merkhet.manifests import names

NamespaceStore = Resource[StoreSpec, StoreStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    claim: Body | None


async def observe(store: NamespaceStore, world: World) -> Seen:
    """Read the claim: it has no owner, so that this alone lets a deleted one be made again."""
    return Seen(world.setup, world.get(CLAIM, store.meta.namespace, names.STORE))
