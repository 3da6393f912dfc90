"""What is read before anything is decided about a FeatureSet."""

from __future__ import annotations

from dataclasses import dataclass, field

from merkhet.kinds import components, runs
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.components import SeenComponent
from merkhet.kinds.featureset import online
from merkhet.kinds.featureset.inputs import Known, read, uses_of
from merkhet.kinds.featureset.online import Servers
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.run import Evidence

SHORT = "fs"
FeatureSet = Resource[FeatureSetSpec, FeatureSetStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    runs: Evidence
    others: Known = field(default_factory=dict)  # the FeatureSets that it is made from
    servers: Servers = field(default_factory=Servers)  # of look-ups
    components: tuple[SeenComponent, ...] = ()  # that it names, in order


async def observe(features: FeatureSet, world: World) -> Seen:
    """Read what is known of its runs, and the FeatureSets that it is made from."""
    home = features.meta.namespace
    others = read(uses_of(features.spec, home), home, world)
    servers = online.observe(features.meta, features.spec, world)
    named = components.observe(features.spec.components, features.meta, world)
    evidence = await runs.observe(features.meta, world, FEATURESET.kind, SHORT)
    return Seen(world.setup, evidence, others, servers=servers, components=named)
