"""Do many objects cost each as little as one?"""

from __future__ import annotations

from merkhet.kinds.apis import CONFIGMAP
from tests.bench.operator import thing
from tests.bench.operator.thing import THING
from tests.unit.engine.rig import Rig, run

MANY = 10_000


def test_ten_thousand_objects_are_made_each_with_two_writes_and_two_passes() -> None:
    rig = Rig(kinds=[thing.kind()])
    for number in range(MANY):
        meta = {"name": f"t{number}", "namespace": f"n{number % 100}"}
        rig.cluster.put(THING, {"metadata": meta, "spec": {"x": number}})
    run(rig.settle())
    assert len(rig.cluster.all(CONFIGMAP)) == MANY
    assert len(rig.cluster.writes()) == 2 * MANY
    assert rig.passes <= 2 * MANY
    assert all(body["status"]["phase"] == "Ready" for body in rig.cluster.all(THING))
    # Another change of one of them concerns that one only.
    before, passes = len(rig.cluster.requests), rig.passes
    rig.cluster.edit(CONFIGMAP, "n7", "t7", {"data": {"a": "other"}})
    run(rig.settle())
    assert {request.name for request in rig.cluster.requests[before:]} == {"t7"}
    assert rig.passes - passes <= 3
