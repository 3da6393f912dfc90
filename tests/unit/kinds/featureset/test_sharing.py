"""FeatureSets of other namespaces: named only where they are shared, fetched from where they are, with a token."""

from __future__ import annotations

import json
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.contract.sharing import Tokens, token
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.featureset.sharing import is_shared
from tests import make
from tests.unit.kinds.runs.scene import Scene

KEY = "the installation's key"
TAKER = make.featureset(
    "offers", spec={"sources": [{"name": "adults", "featureSet": {"name": "adults", "namespace": "census"}}]}
)


def given(share: Any, **parts: Any) -> Body:
    """A FeatureSet of another namespace."""
    status = make.featureset_status(1, 2)
    spec = {"sources": [{"name": "a", "uri": "store://raw/a.csv"}], **({"share": share} if share else {})}
    return make.body(FEATURESET, "adults", spec=spec, status=status, metadata={"namespace": "census"}, **parts)


SHARED = given({"namespaces": ["sales", make.NAMESPACE]})


def environment(scene: Scene) -> dict[str, str]:
    """What stands in the environment of the run's pod."""
    work = scene.job["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in work["env"]}


def test_a_run_is_told_version_digest_and_address_and_has_the_token() -> None:
    scene = Scene(TAKER, SHARED, share_key=KEY).look()
    assert scene.task["sources"][0]["features"] == {
        "name": "adults",
        "version": 2,
        "digest": f"sha256:{2:064x}",
        "namespace": "census",
        "fetch": "http://merkhet-share.census.svc.cluster.local:80",
    }
    tokens = Tokens.load(environment(scene)["MERKHET_SHARE_TOKENS"])
    assert tokens.tokens == {"census/adults": token(KEY, "census", "adults", make.NAMESPACE)}
    assert KEY not in json.dumps(scene.job)


def test_a_run_that_uses_nothing_of_others_has_no_token() -> None:
    assert "MERKHET_SHARE_TOKENS" not in environment(Scene(make.featureset(), SHARED, share_key=KEY).look())


NOT_SHARED: dict[str, tuple[tuple[Body, ...], str]] = {
    "it is shared with nobody": ((given(None),), KEY),
    "it is shared with others": ((given({"namespaces": ["sales"]}),), KEY),
    "it does not exist": ((), KEY),
    "the installation has no key": ((SHARED,), ""),
}


@pytest.mark.parametrize(("others", "key"), NOT_SHARED.values(), ids=NOT_SHARED)
def test_nothing_runs_where(others: tuple[Body, ...], key: str) -> None:
    scene = Scene(TAKER, *others, share_key=key).look()
    assert scene.jobs == []
    assert (scene.ready.status, scene.ready.reason) == ("False", "NotShared")
    assert "FeatureSet census/adults is not shared with people" in scene.ready.message


def test_it_runs_as_soon_as_it_is_shared() -> None:
    scene = Scene(TAKER, given(None), share_key=KEY).look()
    scene.bodies = {**scene.bodies, **{key: SHARED for key in scene.bodies if key == ("FeatureSet", "adults")}}
    assert len(scene.look().jobs) == 1


def test_sharing_with_itself_is_no_sharing() -> None:
    assert not is_shared(given({"namespaces": ["census"]}), "census", make.setup(share_key=KEY))
