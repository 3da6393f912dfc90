"""A FeatureSet that is made from others: which versions its runs use, and what it waits for."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.featureset.plan import trigger_of
from merkhet.kinds.featureset.types import FeatureSetSpec
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import result

QUERY = "select * from census join regions using (region)"
FILE = {"name": "census", "uri": "store://raw/employment/census.parquet"}


def other(name: str, *numbers: int, **status: Any) -> Body:
    """Another FeatureSet with these versions."""
    return make.featureset(name, status=make.featureset_status(*numbers, **status) if numbers else status)


def made_from(*sources: Body, **spec: Any) -> Body:
    """A FeatureSet of these FeatureSets."""
    tables = [{"name": f"t{number}", "featureSet": source} for number, source in enumerate(sources)]
    return make.featureset(spec={"sources": [FILE, *tables], "query": QUERY, **spec})


def joining(*names: str, **more: Any) -> dict[str, Any]:
    """A spec that joins these FeatureSets by region."""
    joins = [{"featureSet": {"name": name}, "by": ["region"], **more} for name in names]
    return {"timestamp": "surveyed_at", "join": joins}


def of(name: str, number: int) -> Body:
    """A version as a task names it."""
    return {"name": name, "version": number, "digest": f"sha256:{number:064x}"}


def published(scene: Scene, name: str, *numbers: int) -> Scene:
    """Other versions of a FeatureSet are there by now."""
    scene.bodies["FeatureSet", name] = other(name, *numbers)
    return scene


def test_a_run_uses_the_latest_versions_when_it_starts() -> None:
    owner = made_from({"name": "regions"}, **joining("weather", maxAge="1h30m"), arrival="told")
    task = Scene(owner, other("regions", 1, 2), other("weather", 7)).look().task
    assert task["sources"][0]["uri"] == FILE["uri"]
    assert task["sources"][1]["features"] == of("regions", 2)
    assert task["joins"] == [{"features": of("weather", 7), "by": ["region"], "maxAgeSeconds": 5400.0}]
    assert task["arrival"] == "told"


def test_a_pinned_version_is_used_beside_the_latest_of_the_same() -> None:
    scene = Scene(made_from({"name": "regions", "version": 1}, {"name": "regions"}), other("regions", 1, 2)).look()
    assert [source["features"]["version"] for source in scene.task["sources"][1:]] == [1, 2]


def test_new_versions_alone_start_no_run() -> None:
    scene = Scene(made_from({"name": "regions"}, **joining("weather")), other("regions", 1), other("weather", 1))
    scene.look().begin().succeed(result())
    published(published(scene, "regions", 1, 2), "weather", 1, 2).look(4)
    assert len(scene.created) == 1
    assert scene.ready.reason == "Published"
    scene.annotate("again").look()
    assert scene.task["sources"][1]["features"] == of("regions", 2)


def test_a_try_again_works_on_the_versions_that_the_run_began_with() -> None:
    scene = Scene(made_from({"name": "regions"}, **joining("weather")), other("regions", 1), other("weather", 5))
    scene.look().begin().fail({"exitCode": 137, "reason": "OOMKilled"})
    assert scene.status["runs"][0]["inputs"] == [of("regions", 1), of("weather", 5)]
    published(published(scene, "regions", 2, 3), "weather", 6)
    scene.edit(resources={"limits": {"memory": "4Gi"}}).look()
    assert len(scene.created) == 2
    assert scene.task["sources"][1]["features"] == of("regions", 1)
    assert scene.task["joins"][0]["features"] == of("weather", 5)


def test_a_lost_job_is_made_again_on_the_same_versions() -> None:
    scene = Scene(made_from({"name": "regions"}), other("regions", 1)).look().begin()
    published(scene, "regions", 1, 2).remove("Job").look()
    assert scene.task["sources"][1]["features"] == of("regions", 1)


def test_a_pin_that_is_changed_meanwhile_holds() -> None:
    scene = Scene(made_from({"name": "regions"}), other("regions", 1, 2)).annotate("a").look().begin()
    scene.fail({"exitCode": 137, "reason": "OOMKilled"})
    sources = [FILE, {"name": "t0", "featureSet": {"name": "regions", "version": 1}}]
    scene.edit(sources=sources, resources={"limits": {"memory": "4Gi"}}).look()
    assert scene.task["sources"][1]["features"] == of("regions", 1)


STALLED = {
    "conditions": [{"type": "Stalled", "status": "True", "reason": "NoRows", "message": "the query gives no row"}]
}
BLOCKED: dict[str, tuple[Body, list[Body], str, bool, str]] = {
    "one that does not exist": (
        made_from({"name": "regions"}),
        [],
        "FeatureSetMissing",
        False,
        "FeatureSet people/regions does not exist; the run starts when it has a version",
    ),
    "one without a version": (
        made_from({"name": "regions"}),
        [other("regions")],
        "NoVersionYet",
        False,
        "FeatureSet people/regions has no version yet",
    ),
    "one that is stalled without a version": (
        made_from({"name": "regions"}),
        [other("regions", **STALLED)],
        "FeatureSetStalled",
        True,
        "is stalled: the query gives no row",
    ),
    "a pinned version that is not there": (
        made_from({"name": "regions", "version": 9}),
        [other("regions", 1, 2)],
        "VersionMissing",
        True,
        "has no version 9 that can be named; there are 2, 1",
    ),
    "one of another namespace": (
        made_from({"name": "regions", "namespace": "sales"}),
        [],
        "NotShared",
        True,
        "not shared with people",
    ),
    "itself, by its namespace": (
        made_from({"name": "employment", "namespace": "people"}),
        [],
        "NamesItself",
        True,
        "FeatureSet people/employment is made from itself",
    ),
    "a join that does not exist": (
        made_from({"name": "regions"}, **joining("weather")),
        [other("regions", 1)],
        "FeatureSetMissing",
        False,
        "FeatureSet people/weather does not exist",
    ),
}


@pytest.mark.parametrize(("owner", "others", "reason", "stalls", "said"), BLOCKED.values(), ids=BLOCKED)
def test_a_run_does_not_start_without(owner: Body, others: list[Body], reason: str, stalls: bool, said: str) -> None:
    scene = Scene(owner, *others).look(4)
    assert scene.created == []
    assert (scene.ready.status, scene.ready.reason) == ("False", reason)
    assert said in scene.ready.message
    assert (scene.fact("Stalled").status == "True") is stalls


def test_a_run_starts_when_what_it_waited_for_is_there() -> None:
    scene = Scene(made_from({"name": "regions"})).look()
    scene.bodies["FeatureSet", "regions"] = other("regions")
    assert scene.look().ready.reason == "NoVersionYet"
    assert len(published(scene, "regions", 1).look().created) == 1


def test_the_last_good_version_stays_while_a_run_waits() -> None:
    scene = Scene(made_from({"name": "regions"}), other("regions", 1)).look().begin().succeed(result())
    scene.edit(sources=[FILE, {"name": "t0", "featureSet": {"name": "weather"}}]).look()
    assert (scene.ready.status, scene.fact("Reconciling").reason) == ("True", "FeatureSetMissing")
    assert scene.status["latest"]["version"] == 1


def test_two_that_name_each_other_use_what_there_is_of_the_other() -> None:
    scene = Scene(made_from({"name": "regions"}), other("regions", 3)).look()
    assert scene.task["sources"][1]["features"] == of("regions", 3)


def test_another_namespace_is_not_looked_into() -> None:
    foreign = other("regions", 1)
    foreign["metadata"]["namespace"] = "sales"
    scene = Scene(made_from({"name": "regions", "namespace": "sales"}), foreign).look(4)
    assert scene.ready.reason == "NotShared"


def spec(**more: Any) -> str:
    return trigger_of(FeatureSetSpec.model_validate({"sources": [FILE], "timestamp": "t", **more}))


def test_the_trigger_is_what_the_spec_says() -> None:
    join = {"featureSet": {"name": "regions"}, "by": ["region"]}
    pinned = {"featureSet": {"name": "regions", "version": 2}, "by": ["region"]}
    triggers = [
        spec(),
        spec(arrival="a"),
        spec(join=[join]),
        spec(join=[pinned]),
        spec(join=[{**join, "maxAge": "1h"}]),
    ]
    assert len(set(triggers)) == len(triggers)
    assert spec() == spec(join=[])


def test_a_spec_without_joins_keeps_the_trigger_that_it_had() -> None:
    whole = FeatureSetSpec.model_validate(make.featureset()["spec"])
    assert trigger_of(whole) == FORMER


# As it was before there were joins and arrival: another one would run every FeatureSet anew.
FORMER = "spec/e5fab621ba7acfd98547"
