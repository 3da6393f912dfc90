"""The components that a FeatureSet's rows are made with: macros for its query, and steps after it."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.meta import Body, Meta
from merkhet.contract.component import Flavour
from merkhet.contract.features import FeaturesResult
from merkhet.kinds import components
from merkhet.kinds.common import decisive
from merkhet.kinds.components import SeenComponent
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus, UsedComponent
from merkhet.kinds.run import Block

TAKES: tuple[Flavour, ...] = ("sql", "python", "onnx")


def block(seen: tuple[SeenComponent, ...], meta: Meta, now: datetime) -> Block | None:
    """What keeps a run from using them."""
    return components.block(seen, meta, now, takes=TAKES, where="spec.components of a FeatureSet")


def deciding(spec: FeatureSetSpec) -> list[Body]:
    """What of them decides the result; nothing where there are none, as before they came."""
    return [{"components": [decisive(one) for one in spec.components]}] if spec.components else []


def recorded(status: FeatureSetStatus, result: FeaturesResult | None) -> FeatureSetStatus:
    """The status with the components that the latest version was made with."""
    if result is None or result.number is None or status.latest is None or status.latest.version != result.number:
        return status
    found = ((one.name, one.version, one.digest or "") for one in result.components)
    used = tuple(UsedComponent(name=name, version=version, digest=digest) for name, version, digest in found)
    return status.model_copy(update={"components": used})
