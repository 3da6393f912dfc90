"""Whom a change concerns that asked for all objects of a namespace."""

from __future__ import annotations

import pytest

from merkhet.api.meta import Body, Key
from merkhet.engine.interest import Interest, Labelled
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.registry import KINDS
from tests import make

STORE = Key("ConfigMap", make.NAMESPACE, "merkhet-store")
CHANGES: dict[str, tuple[Body | None, Body | None, bool]] = {
    "one came": (None, make.featureset(), True),
    "one went": (make.featureset(), None, True),
    "one changed that carries labels": (
        make.featureset(),
        make.featureset(metadata={"labels": {"team": "census"}}),
        True,
    ),
    "one came elsewhere": (None, make.featureset(metadata={"namespace": "sales"}), False),
}


@pytest.mark.parametrize(("former", "body", "concerned"), CHANGES.values(), ids=CHANGES)
def test_who_asked_for_all_of_a_kind_is_looked_at_again_when(
    former: Body | None, body: Body | None, concerned: bool
) -> None:
    interest = Interest(KINDS)
    interest.asked(STORE, frozenset({Labelled(FEATURESET.kind, make.NAMESPACE, frozenset())}))
    meta = (body or former or {})["metadata"]
    key = Key(FEATURESET.kind, meta["namespace"], meta["name"])
    assert (STORE in interest.concerned(key, former, body)) is concerned
