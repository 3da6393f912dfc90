"""What is read before anything is decided about a FeatureSet."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.kinds import runs
from merkhet.kinds.apis import FEATURESET
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


async def observe(features: FeatureSet, world: World) -> Seen:
    """Read what is known of its runs."""
    return Seen(world.setup, await runs.observe(features.meta, world, FEATURESET.kind, SHORT))
