"""What a namespace gives: nothing at all until a FeatureSet is shared, and then to the named ones alone."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.contract.sharing import Grants, token
from merkhet.kinds.apis import CLAIM, CONFIGMAP
from merkhet.kinds.namespacestore import sharing
from tests import make
from tests.unit.kinds.runs.scene import Scene

KEY = "the installation's key"
STORE = make.body(CONFIGMAP, "merkhet-store", metadata={"labels": {"app.kubernetes.io/managed-by": "merkhet"}})
GIVING = {("ConfigMap", "merkhet-grants"), ("Deployment", "merkhet-share"), ("Service", "merkhet-share")}


def shared(name: str, *namespaces: str) -> Body:
    return make.featureset(name, spec={"share": {"namespaces": list(namespaces)}})


def grants(scene: Scene) -> Grants:
    return Grants.load(scene.bodies["ConfigMap", "merkhet-grants"]["data"]["grants.json"])


def test_each_namespace_is_granted_what_is_shared_with_it_and_nothing_else() -> None:
    given = grants(Scene(STORE, shared("adults", "sales", "risk"), shared("regions", "sales"), share_key=KEY).look())
    for name, taker, expected in (
        ("adults", "sales", True),
        ("adults", "risk", True),
        ("regions", "sales", True),
        ("regions", "risk", False),
        ("adults", make.NAMESPACE, False),
    ):
        assert given.gives(token(KEY, make.NAMESPACE, name, taker), name) is expected, (name, taker)
    assert not given.gives(token(KEY, make.NAMESPACE, "adults", "sales"), "regions")
    assert not given.gives(token("another key", make.NAMESPACE, "adults", "sales"), "adults")
    assert not given.gives("", "adults")


NOTHING: dict[str, tuple[tuple[Body, ...], dict[str, Any]]] = {
    "nothing is shared": ((make.featureset(),), {"share_key": KEY}),
    "it is shared with its own namespace": ((shared("adults", make.NAMESPACE),), {"share_key": KEY}),
    "the installation has no key": ((shared("adults", "sales"),), {}),
}


@pytest.mark.parametrize(("bodies", "settings"), NOTHING.values(), ids=NOTHING)
def test_nothing_runs_for_it_where(bodies: tuple[Body, ...], settings: dict[str, Any]) -> None:
    assert not GIVING & Scene(STORE, *bodies, **settings).look().bodies.keys()


BOUND = make.body(CLAIM, "merkhet-store", status={"phase": "Bound"})


def test_what_is_shared_and_cannot_be_given_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    two = (shared("adults", "sales"), shared("regions", "sales"))
    assert Scene(STORE, BOUND, *two, share_key=KEY).look().ready.reason == "Provided"
    keyless = Scene(STORE, BOUND, *two).look().fact("Stalled")
    assert (keyless.status, keyless.reason) == ("True", "NoShareKey")
    monkeypatch.setattr(sharing.not_given, "__defaults__", (1,))
    beyond = Scene(STORE, BOUND, *two, share_key=KEY).look().fact("Stalled")
    assert (beyond.status, beyond.reason) == ("True", "TooManyGrants")
    assert "shared 2 times, and 1 fit: the last 1 by name" in beyond.message


def test_the_server_sees_blobs_alone_and_only_to_read() -> None:
    scene = Scene(STORE, shared("adults", "sales"), share_key=KEY).look()
    assert scene.bodies.keys() >= GIVING
    pod = scene.bodies["Deployment", "merkhet-share"]["spec"]["template"]["spec"]
    (server,) = pod["containers"]
    mounts = {mount["name"]: mount for mount in server["volumeMounts"]}
    assert (mounts["store"]["subPath"], mounts["store"]["readOnly"]) == ("blobs", True)
    assert mounts["grants"]["readOnly"]
    assert pod["automountServiceAccountToken"] is False
    assert KEY not in str(scene.bodies)
