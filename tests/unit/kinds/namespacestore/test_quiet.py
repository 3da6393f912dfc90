"""How often the list of who lives is written: when something changes that is in it, and never else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.live import LiveList
from merkhet.kinds import namespacestore
from merkhet.kinds.apis import CONFIGMAP, FEATURESET, MODELTRAINING, MODELVERSION
from merkhet.kinds.registry import KINDS
from merkhet.settings import Settings
from tests import make
from tests.unit.engine.rig import Rig, run

STORE = make.body(CONFIGMAP, "merkhet-store", metadata={"labels": {"app.kubernetes.io/managed-by": "merkhet"}})
MANY = 30
# All kinds are watched as in the operator, and nothing but the store is passed over.
WATCHED = [replace(kind, selects=lambda _: False) for kind in KINDS if kind.custom]


def entry(phase: str, **more: Any) -> Body:
    return {"key": "0123456789abcdef0123", "phase": phase, **more}


def tell(rig: Rig, number: int, said: Body) -> None:
    """A training's status says this of its run."""
    rig.cluster.edit(MODELTRAINING, make.NAMESPACE, f"t{number}", {"status": {"runs": [said]}})


def settled() -> Rig:
    """An operator that knows the store's ConfigMap and what lives beside it."""
    rig = Rig(kinds=[*WATCHED, namespacestore.KIND], settings=Settings(rate=0))
    rig.cluster.put(CONFIGMAP, STORE)
    rig.cluster.put(FEATURESET, make.featureset())
    rig.cluster.put(MODELVERSION, make.modelversion(3))
    for number in range(MANY):
        rig.cluster.put(MODELTRAINING, make.modeltraining(f"t{number}"))
        tell(rig, number, entry("Starting"))
    run(rig.settle())
    assert f"t{MANY - 1}" in listed(rig)
    return rig


def listed(rig: Rig) -> str:
    return str(rig.cluster.at(CONFIGMAP, make.NAMESPACE, "merkhet-live")["data"]["live.json"])


def test_nothing_is_written_where_nothing_changes() -> None:
    rig = settled()
    before = len(rig.cluster.writes())
    run(rig.settle(seconds=7200))
    run(rig.engine.resync.once())
    run(rig.settle())
    rig.restart()
    run(rig.settle())
    assert rig.cluster.writes()[before:] == []


def test_what_is_not_in_the_list_writes_nothing() -> None:
    rig = settled()
    before = len(rig.cluster.writes())
    for number in range(MANY):
        tell(rig, number, entry("Running", message=f"fitting step {number}"))
        run(rig.settle())
    assert rig.cluster.writes()[before:] == []


def test_many_changes_at_once_are_one_look_and_one_write() -> None:
    rig = settled()
    before, passes = len(rig.cluster.writes()), rig.passes
    for number in range(MANY):
        tell(rig, number, entry("Succeeded", settled=True))
    run(rig.settle())
    applied = [request.name for request in rig.cluster.writes()[before:] if request.verb == "apply"]
    assert applied == ["merkhet-live"]
    assert '"runs":["' not in listed(rig)
    assert rig.passes - passes <= 2


def test_a_list_that_was_edited_by_hand_is_put_right_at_once() -> None:
    rig = settled()
    former = listed(rig)
    rig.cluster.edit(CONFIGMAP, make.NAMESPACE, "merkhet-live", {"data": {"live.json": '{"version": 1}'}})
    run(rig.settle())
    assert LiveList.load(listed(rig)).model_copy(update={"made": ""}) == LiveList.load(former).model_copy(
        update={"made": ""}
    )
