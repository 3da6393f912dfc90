"""The small parts: comparing, field managers, the cache's indexes, events, settings, logs."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from merkhet.api.conditions import Condition
from merkhet.api.meta import Body, Key, Meta
from merkhet.engine.attach import watched
from merkhet.engine.cache import Cache, slim
from merkhet.engine.compare import covers, digest, pointer, projected, same_members
from merkhet.engine.events import Events, changes
from merkhet.engine.logs import JsonLines
from merkhet.engine.managers import adopted
from merkhet.engine.status import conditions_of
from merkhet.errors import InvalidSpec
from merkhet.kinds.apis import CONFIGMAP, JOB, POLICY
from merkhet.settings import Settings, from_environment
from tests.fake_cluster import FakeCluster
from tests.unit.engine import gadget
from tests.unit.engine.gadget import GADGET
from tests.unit.engine.rig import FakeClock

COVERED: dict[str, tuple[Any, Any, bool]] = {
    "the same": ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}, True),
    "more in a mapping": ({"a": 1, "b": 2}, {"a": 1}, True),
    "more in an item of a list": ({"a": [{"b": 1, "default": 2}]}, {"a": [{"b": 1}]}, True),
    "more items in a list": ({"a": [1, 2]}, {"a": [1]}, False),
    "fewer items in a list": ({"a": [1]}, {"a": [1, 2]}, False),
    "another value": ({"a": 1}, {"a": 2}, False),
    "nothing there": ({}, {"a": 1}, False),
    "nothing wanted": ({}, {"a": None, "b": [], "c": {}}, True),
    "another type": ({"a": "1"}, {"a": 1}, False),
    "a mapping for a list": ({"a": {}}, {"a": [1]}, False),
}


@pytest.mark.parametrize(("live", "wanted", "expected"), COVERED.values(), ids=COVERED.keys())
def test_what_is_wanted_is_there_or_is_not(live: Any, wanted: Any, expected: bool) -> None:
    assert covers(live, wanted) is expected


def test_an_addition_to_a_mapping_shows_where_it_must_be_exact() -> None:
    assert covers({"a": "1", "b": "2"}, {"a": "1"})
    assert not same_members({"a": "1", "b": "2"}, {"a": "1"})
    assert same_members({"a": "1"}, {"a": "1"})


def test_a_projection_keeps_what_stands_where_something_is_wanted() -> None:
    live = {"a": "1", "more": 2, "list": [{"b": 1, "more": 2}], "long": [1, 2]}
    assert projected(live, {"a": "x", "list": [{"b": 0}], "long": [1]}) == {
        "a": "1",
        "list": [{"b": 1}],
        "long": [1, 2],
    }


def test_a_digest_is_of_the_value_and_not_of_its_order() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_a_pointer_escapes_what_json_patches_escape() -> None:
    assert pointer(("metadata", "annotations", "a/b~c")) == "/metadata/annotations/a~1b~0c"


def test_what_a_manager_created_counts_as_applied_once_adopted() -> None:
    update = {"manager": "m", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}, "time": "t"}
    apply = {"manager": "m", "operation": "Apply", "fieldsV1": {"f:data": {"f:b": {}}}, "time": "t"}
    status = {"manager": "m", "operation": "Update", "subresource": "status", "fieldsV1": {}}
    other = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": {"f:c": {}}}}
    assert adopted([update, other], "m") == [{**update, "operation": "Apply"}, other]
    both = {**apply, "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}}}
    assert adopted([update, apply, status], "m") == [both, status]
    assert adopted([apply, status, other], "m") is None


def body(name: str, version: int = 1, **meta: Any) -> Body:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": str(version), **meta}
    }


def cache() -> Cache:
    return Cache(lambda *_: None)


def names(found: list[Body]) -> list[str]:
    return [one["metadata"]["name"] for one in found]


def test_objects_are_found_by_label_and_by_owner_also_after_they_change() -> None:
    known = cache()
    owner = [{"kind": "Gadget", "name": "g", "uid": "uid-g", "controller": True}]
    known.saw(JOB, body("one", labels={"merkhet.dev/model": "m", "other": "x"}, ownerReferences=owner))
    known.saw(JOB, body("two", labels={"merkhet.dev/model": "m", "other": "y"}))
    assert names(known.select(JOB, "shop", {"merkhet.dev/model": "m"})) == ["one", "two"]
    assert names(known.select(JOB, "shop", {"merkhet.dev/model": "m", "other": "y"})) == ["two"]
    assert names(known.select(JOB, "shop", {"other": "x"})) == ["one"]
    assert names(known.select(JOB, "elsewhere", {"merkhet.dev/model": "m"})) == []
    assert names(known.owned("uid-g")) == ["one"]
    known.saw(JOB, body("one", 2, labels={"merkhet.dev/model": "n"}))
    assert names(known.select(JOB, "shop", {"merkhet.dev/model": "m"})) == ["two"]
    assert names(known.owned("uid-g", JOB)) == []


def test_an_older_state_never_replaces_a_newer_one_and_the_gone_stay_gone() -> None:
    known = cache()
    assert known.saw(JOB, body("one", 5))
    assert not known.saw(JOB, body("one", 4))
    assert not known.saw(JOB, body("one", 5))
    assert known.lost(JOB, body("one", 6))
    assert not known.saw(JOB, body("one", 5))
    assert known.get(Key("Job", "shop", "one")) is None
    assert known.saw(JOB, body("one", 7, uid="uid-another"))


def test_a_list_removes_what_it_lacks_but_not_what_is_newer_than_the_list() -> None:
    known = cache()
    for name, version in (("old", 1), ("listed", 2), ("new", 9)):
        known.saw(JOB, body(name, version))
    assert known.listed(JOB, None, {("shop", "listed")}, 5) == [Key("Job", "shop", "old")]
    assert {key.name for key in known.keys("Job")} == {"listed", "new"}


def test_what_nobody_reads_is_not_kept() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    kept = slim({**body("one", annotations=annotations, managedFields=[{}]), "data": {"managedFields": "theirs"}})
    assert kept["metadata"]["annotations"] == {"mine": "1"}
    assert "managedFields" not in kept["metadata"]
    assert kept["data"] == {"managedFields": "theirs"}


def condition(type_: str, status: Any, reason: str) -> Condition:
    return Condition(type=type_, status=status, reason=reason)


CHANGES: dict[str, tuple[list[Condition], list[Condition], list[tuple[str, str]]]] = {
    "the same": ([condition("Ready", "True", "Made")], [condition("Ready", "True", "Made")], []),
    "the first": (
        [],
        [condition("Ready", "True", "Made"), condition("Stalled", "False", "NotStalled")],
        [("Ready", "Made")],
    ),
    "stalled": (
        [condition("Ready", "True", "Made")],
        [condition("Ready", "False", "Bad"), condition("Stalled", "True", "Bad")],
        [("Stalled", "Bad")],
    ),
    "one of the kind's own": (
        [condition("GatesPassed", "True", "AllPassed")],
        [condition("GatesPassed", "False", "TooLow")],
        [("GatesPassed", "TooLow")],
    ),
}


@pytest.mark.parametrize(("former", "new", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_changes_are_told_and_nothing_is_told_twice(
    former: list[Condition], new: list[Condition], told: list[tuple[str, str]]
) -> None:
    assert [(one.type, one.reason) for one in changes(former, new)] == told


def test_own_kinds_are_watched_whole_and_others_by_our_label() -> None:
    watch = {one.api: one.labels for one in watched([gadget.kind()])}
    assert watch[GADGET] == ""
    assert watch[CONFIGMAP] == "app.kubernetes.io/managed-by=merkhet"
    assert POLICY not in watch


def test_without_an_environment_the_settings_are_the_defaults() -> None:
    assert from_environment({"MERKHET_IDENTITY": "merkhet"}) == Settings()


def test_settings_come_from_the_environment() -> None:
    read = from_environment({
        "MERKHET_WATCH_NAMESPACES": "people, sales",
        "MERKHET_NAMESPACE": "ops",
        "MERKHET_RATE": "0",
        "MERKHET_STORE_ACCESS": "ReadWriteMany",
        "MERKHET_CPU_HOUR_PRICE": "0.04",
        "HOSTNAME": "pod-1",
    })  # fmt: skip
    assert (read.scope, read.heartbeat_namespace, read.identity, read.rate) == (
        ("people", "sales"),
        "people",
        "pod-1",
        0,
    )
    assert (read.setup.store_access, read.setup.cpu_hour_price) == ("ReadWriteMany", 0.04)


WRONG = {
    "no number": ("MERKHET_WORKERS", "many"),
    "too small": ("MERKHET_WORKERS", "0"),
    "not finite": ("MERKHET_RATE", "inf"),
    "not one of the choices": ("MERKHET_STORE_ACCESS", "ReadOnlyMany"),
}


@pytest.mark.parametrize(("name", "value"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_setting_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(InvalidSpec, match=f"{name} is .?{value}.*set it to"):
        from_environment({name: value})


def test_a_log_line_names_the_object() -> None:
    record = logging.makeLogRecord({"msg": "größer %s", "args": ("📐",), "object_kind": "Gadget", "object_name": "one"})
    line = json.loads(JsonLines().format(record))
    assert (line["message"], line["kind"], line["name"]) == ("größer 📐", "Gadget", "one")


def test_a_note_keeps_within_the_bytes_that_the_api_server_takes() -> None:
    told = Condition(type="Stalled", status="True", reason="Refused", message="é" * 1000)
    events = Events(FakeCluster(), FakeClock(), "me")
    note = events._event(GADGET, Meta("shop", "one", "uid-one"), told)["note"]
    assert note == "é" * 512


def test_conditions_that_do_not_parse_were_never_said() -> None:
    good = {"type": "Ready", "status": "True", "reason": "Made"}
    bad = [{**good, "status": "Perhaps"}, {"type": "Ready"}, "Ready", {**good, "message": "x" * 5000}]
    assert [one.reason for one in conditions_of({"conditions": [*bad, good]})] == ["Made"]
