"""What a namespace gives to others: nothing runs for it, and nobody is granted anything, until one shares."""

from __future__ import annotations

from collections.abc import Iterable

from merkhet.api.meta import Body
from merkhet.contract.sharing import Grants, digest_of_token, token
from merkhet.kinds.apis import CONFIGMAP, DEPLOYMENT, SERVICE
from merkhet.kinds.common import beside_store
from merkhet.kinds.featureset.sharing import shared_with
from merkhet.kinds.kind import Child, Setup
from merkhet.kinds.servers import service
from merkhet.manifests import sharing as manifests

CHILDREN = (CONFIGMAP, DEPLOYMENT, SERVICE)
# A ConfigMap ends at 1 MiB, and a grant takes less than 128 bytes; those beyond are not granted, and that is said.
MOST_GRANTS = 7000


def children(features: Iterable[Body], setup: Setup) -> tuple[Child, ...]:
    """The grants, and the server that gives by them."""
    given = granted(features, setup.share_key) if setup.share_key else Grants()
    if not given.grants:
        return ()
    server = manifests.deployment(
        image=setup.trainer_image,
        pull_policy=setup.pull_policy,
        pull_secrets=setup.pull_secrets,
        beside_store=beside_store(setup),
    )
    return (
        Child(CONFIGMAP, manifests.grants(given), exact=(("data",),)),
        Child(DEPLOYMENT, server),
        service(manifests.service()),
    )


def not_given(features: Iterable[Body], setup: Setup, most: int = MOST_GRANTS) -> tuple[str, str] | None:
    """Why something that is shared is not given: reason and words; None where all is."""
    count = sum(len(shared_with(body)) for body in features)
    if count and not setup.share_key:
        said = (
            "FeatureSets are shared, and the installation has no key to share by: see sharing.secretName of the chart"
        )
        return "NoShareKey", said
    if count > most:
        said = f"FeatureSets are shared {count} times, and {most} fit: the last {count - most} by name are not given"
        return "TooManyGrants", f"{said}; name fewer namespaces in spec.share"
    return None


def granted(features: Iterable[Body], key: str) -> Grants:
    """Who may have what: each FeatureSet and namespace has a token of its own."""
    pairs = [
        (digest_of_token(token(key, body["metadata"]["namespace"], body["metadata"]["name"], taker)), body)
        for body in features
        for taker in shared_with(body)
    ]
    return Grants(grants={digest: (body["metadata"]["name"],) for digest, body in pairs[:MOST_GRANTS]})
