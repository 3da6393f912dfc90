"""FeatureSets of other namespaces: who shares, where a run fetches what is shared, and what it shows for it."""

from __future__ import annotations

from collections.abc import Iterable

from merkhet.api.meta import Body
from merkhet.contract.features import FeaturesVersion
from merkhet.contract.sharing import TOKENS_VARIABLE, Tokens, token
from merkhet.kinds.kind import Setup
from merkhet.manifests import sharing as manifests


def shared_with(features: Body) -> tuple[str, ...]:
    """The other namespaces that may use a FeatureSet."""
    share = (features.get("spec") or {}).get("share") or {}
    return tuple(sorted({str(name) for name in share.get("namespaces") or ()} - {features["metadata"]["namespace"]}))


def is_shared(features: Body, taker: str, setup: Setup) -> bool:
    """Whether a namespace may use another one's FeatureSet."""
    return bool(setup.share_key) and taker in shared_with(features)


def addressed(used: Iterable[FeaturesVersion], setup: Setup) -> tuple[FeaturesVersion, ...]:
    """The versions, those of other namespaces with where they are fetched from."""
    return tuple(
        one
        if one.namespace is None
        else one.model_copy(update={"fetch": manifests.url(one.namespace, setup.cluster_domain)})
        for one in used
    )


def variables(used: Iterable[FeaturesVersion], home: str, setup: Setup) -> dict[str, str]:
    """What a run's pod has in its environment to be given what is shared; nothing where it uses no such thing."""
    tokens = {
        f"{one.namespace}/{one.name}": token(setup.share_key, one.namespace, one.name, home)
        for one in used
        if one.namespace is not None
    }
    return {TOKENS_VARIABLE: Tokens(tokens=tokens).dump()} if tokens else {}
