"""Does one pass after the other lead to what was asked for, whatever happens meanwhile?"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from merkhet.api.meta import Api, Body, Key
from merkhet.engine.cluster import Conflict, Forbidden, TooManyRequests, Unprocessable
from merkhet.engine.interest import Named
from merkhet.errors import Unavailable
from merkhet.kinds.apis import CLAIM, CONFIGMAP, DEPLOYMENT, JOB, POLICY, SERVICE
from tests.fake_cluster import Crash, FakeCluster, Fault, Request
from tests.unit.engine.gadget import GADGET, gadget
from tests.unit.engine.gadget import kind as gadget_kind
from tests.unit.engine.rig import Rig, run

SHOP = "shop"
SHARED = "shared-by-all"


def condition(body: Body, type_: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in body["status"]["conditions"] if one["type"] == type_)
    return found


def status(rig: Rig, name: str = "one") -> Body:
    found: Body = rig.cluster.at(GADGET, SHOP, name)["status"]
    return found


def settled(*bodies: Body, **changes: Any) -> Rig:
    rig = Rig(**changes)
    for body in bodies or (gadget(),):
        rig.cluster.put(GADGET, body)
    run(rig.settle())
    return rig


def test_every_sort_of_child_is_made_with_our_labels_and_its_owner() -> None:
    rig = settled(gadget(keeps=True))
    for api, name in ((CONFIGMAP, "one"), (SERVICE, "one"), (JOB, "one-1"), (DEPLOYMENT, "one")):
        meta = rig.cluster.at(api, SHOP, name)["metadata"]
        assert meta["ownerReferences"][0]["name"] == "one"
        assert meta["ownerReferences"][0]["controller"] is True
        assert meta["labels"]["app.kubernetes.io/managed-by"] == "merkhet"
    claim = rig.cluster.at(CLAIM, SHOP, "one")["metadata"]
    assert "ownerReferences" not in claim
    assert claim["labels"]["merkhet.dev/name"] == "one"
    shared = rig.cluster.at(CONFIGMAP, SHOP, "shared-by-all")["metadata"]
    assert "ownerReferences" not in shared
    assert shared["labels"] == {"app.kubernetes.io/managed-by": "merkhet"}
    assert status(rig)["phase"] == "Ready"
    assert status(rig)["observedGeneration"] == 1
    assert condition(rig.cluster.at(GADGET, SHOP, "one"), "Ready")["status"] == "True"


def test_a_second_pass_writes_nothing() -> None:
    rig = settled()
    before = len(rig.cluster.requests)
    for key in rig.engine.cache.keys(GADGET.kind):
        rig.engine.queue.add(key)
    run(rig.settle())
    assert rig.cluster.requests[before:] == []


def test_a_restart_writes_nothing() -> None:
    rig = settled(gadget(), gadget("two", keeps=True))
    before = len(rig.cluster.requests)
    rig.restart()
    run(rig.settle())
    assert rig.cluster.writes(since=before) == []


def test_a_field_that_is_planned_no_more_goes_away() -> None:
    rig = settled(gadget(extra={"old": "1"}))
    rig.cluster.put(GADGET, gadget(text="new"))
    run(rig.settle())
    assert rig.cluster.at(CONFIGMAP, SHOP, "one")["data"] == {"text": "new"}
    rig.cluster.put(GADGET, gadget(text="new", extra={"more": "2"}))
    run(rig.settle())
    rig.cluster.put(GADGET, gadget(text="new"))
    run(rig.settle())
    assert rig.cluster.at(CONFIGMAP, SHOP, "one")["data"] == {"text": "new"}


def test_a_job_of_another_run_is_another_job_and_the_former_is_pruned() -> None:
    rig = settled()
    rig.cluster.put(GADGET, gadget(run="2"))
    run(rig.settle())
    assert [job["metadata"]["name"] for job in rig.cluster.all(JOB)] == ["one-2"]


def test_only_replicas_of_a_scaled_child_are_written() -> None:
    rig = settled()
    before = len(rig.cluster.requests)
    rig.cluster.put(GADGET, gadget(replicas=3))
    run(rig.settle())
    assert rig.cluster.at(DEPLOYMENT, SHOP, "one")["spec"]["replicas"] == 3
    written = [request for request in rig.cluster.writes(since=before) if request.kind == "Deployment"]
    assert [(request.verb, request.part) for request in written] == [("patch", "")]


def test_claims_are_never_pruned() -> None:
    rig = settled(gadget(keeps=True))
    claim = rig.cluster.at(CLAIM, SHOP, "one")
    reference = rig.cluster.at(JOB, SHOP, "one-1")["metadata"]["ownerReferences"][0]
    rig.cluster.edit(CLAIM, SHOP, "one", {"metadata": {"ownerReferences": [reference]}})
    rig.cluster.put(GADGET, gadget(keeps=False))
    run(rig.settle())
    assert rig.cluster.at(CLAIM, SHOP, "one")["metadata"]["uid"] == claim["metadata"]["uid"]


def test_what_people_hang_onto_our_object_is_not_pruned() -> None:
    rig = settled()
    reference = rig.cluster.at(JOB, SHOP, "one-1")["metadata"]["ownerReferences"][0]
    theirs = {"metadata": {"name": "theirs", "namespace": SHOP, "ownerReferences": [reference]}, "data": {}}
    rig.cluster.put(CONFIGMAP, theirs)
    rig.cluster.put(GADGET, gadget(text="new"))
    run(rig.settle())
    assert rig.cluster.find(CONFIGMAP, SHOP, "theirs") is not None


EDITS: dict[str, tuple[Api, str, dict[str, Any]]] = {
    "data changed": (CONFIGMAP, "one", {"data": {"text": "other"}}),
    "a label of ours changed": (CONFIGMAP, "one", {"metadata": {"labels": {"merkhet.dev/name": "two"}}}),
    "our label taken away": (CONFIGMAP, "one", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    "the owner taken away": (CONFIGMAP, "one", {"metadata": {"ownerReferences": None}}),
    "a selector added to": (SERVICE, "one", {"spec": {"selector": {"added": "yes"}}}),
    "a port added": (SERVICE, "one", {"spec": {"ports": [
        {"name": "p80", "port": 80, "targetPort": 8080, "protocol": "TCP"},
        {"name": "more", "port": 81, "protocol": "TCP"},
    ]}}),
    "a port taken away": (SERVICE, "one", {"spec": {"ports": []}}),
    "a target changed": (SERVICE, "one", {"spec": {"ports": [
        {"name": "p80", "port": 80, "targetPort": 9, "protocol": "TCP"},
    ]}}),
    "scaled by hand": (DEPLOYMENT, "one", {"spec": {"replicas": 7}}),
}  # fmt: skip


@pytest.mark.parametrize(("api", "name", "edit"), EDITS.values(), ids=EDITS.keys())
def test_what_somebody_changes_on_a_child_is_put_right(api: Api, name: str, edit: dict[str, Any]) -> None:
    rig = settled()
    reference = rig.cluster.state()
    rig.cluster.edit(api, SHOP, name, edit)
    assert rig.cluster.state() != reference
    run(rig.settle())
    assert rig.cluster.state() == reference
    before = len(rig.cluster.requests)
    run(rig.settle(3600))
    assert rig.cluster.writes(since=before) == []


@pytest.mark.parametrize(
    ("api", "name"),
    [(CONFIGMAP, "one"), (SERVICE, "one"), (JOB, "one-1"), (DEPLOYMENT, "one"), (CONFIGMAP, "shared-by-all")],
    ids=["a ConfigMap", "a Service", "a Job", "a Deployment", "what several share"],
)
def test_a_child_that_somebody_deletes_is_made_again(api: Api, name: str) -> None:
    rig = settled()
    reference = rig.cluster.state()
    rig.cluster.remove(api, SHOP, name)
    run(rig.settle())
    assert rig.cluster.state() == reference


def test_a_list_that_the_api_server_keeps_otherwise_is_applied_once_and_then_left() -> None:
    rig = settled()
    odd = {"spec": {"ports": [{"name": "p80", "port": 80, "targetPort": 8080, "protocol": "TCP", "nodePort": 30000}]}}
    rig.cluster.edit(SERVICE, SHOP, "one", odd)
    before = len(rig.cluster.requests)
    run(rig.settle(3600))
    assert rig.cluster.writes(since=before) == []


def test_a_foreign_namesake_is_left_alone_and_said() -> None:
    rig = Rig()
    theirs = rig.cluster.put(CONFIGMAP, {"metadata": {"name": "one", "namespace": SHOP}, "data": {"theirs": "yes"}})
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    assert rig.cluster.at(CONFIGMAP, SHOP, "one") == theirs
    stalled = condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "NameTaken")
    assert "ConfigMap shop/one" in stalled["message"]
    before = len(rig.cluster.requests)
    run(rig.settle(300))
    assert rig.cluster.writes(since=before) == []


def test_a_name_that_is_free_again_is_used() -> None:
    rig = Rig()
    rig.cluster.put(CONFIGMAP, {"metadata": {"name": "one", "namespace": SHOP}, "data": {"theirs": "yes"}})
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    rig.cluster.remove(CONFIGMAP, SHOP, "one")
    run(rig.settle(300))
    assert status(rig)["phase"] == "Ready"


def test_a_child_of_another_owner_is_never_taken_over() -> None:
    rig = Rig()
    boss = {"apiVersion": "v1", "kind": "Boss", "name": "big", "uid": "uid-of-boss", "controller": True}
    carried = {"app.kubernetes.io/managed-by": "merkhet", "merkhet.dev/kind": "gadget", "merkhet.dev/name": "one"}
    meta = {"name": "one", "namespace": SHOP, "labels": carried, "ownerReferences": [boss]}
    theirs = rig.cluster.put(SERVICE, {"metadata": meta, "spec": {"ports": []}})
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    stalled = condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")
    assert (stalled["reason"], "Boss big" in stalled["message"]) == ("NameTaken", True)
    assert rig.cluster.at(SERVICE, SHOP, "one") == theirs


def test_an_object_made_anew_waits_for_the_children_of_its_namesake_to_go() -> None:
    rig = settled()
    old = {body["metadata"]["uid"] for body in rig.cluster.all(JOB)}
    rig.cluster.remove(GADGET, SHOP, "one")
    rig.cluster.put(GADGET, gadget())
    run(rig.settle(10))
    assert {body["metadata"]["uid"] for body in rig.cluster.all(JOB)} == old
    rig.cluster.collect()
    run(rig.settle(60))
    assert {body["metadata"]["uid"] for body in rig.cluster.all(JOB)}.isdisjoint(old)
    assert status(rig)["phase"] == "Ready"


def test_orphans_that_carry_our_labels_are_taken_back() -> None:
    rig = settled()
    uids = {body["metadata"]["uid"] for body in rig.cluster.all(JOB)}
    for api, name in ((CONFIGMAP, "one"), (SERVICE, "one"), (JOB, "one-1"), (DEPLOYMENT, "one")):
        rig.cluster.edit(api, SHOP, name, {"metadata": {"ownerReferences": None}})
    rig.cluster.remove(GADGET, SHOP, "one")
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    assert {body["metadata"]["uid"] for body in rig.cluster.all(JOB)} == uids
    assert rig.cluster.collect() == 0
    assert status(rig)["phase"] == "Ready"


def test_an_object_that_is_being_deleted_is_left_alone() -> None:
    rig = settled()
    rig.cluster.edit(GADGET, SHOP, "one", {"metadata": {"finalizers": ["somebody/else"]}})
    run(rig.settle())
    rig.cluster.remove(GADGET, SHOP, "one")
    rig.cluster.remove(CONFIGMAP, SHOP, "one")
    before = len(rig.cluster.requests)
    run(rig.settle())
    assert rig.cluster.writes(since=before) == []


REFUSALS: dict[str, tuple[type[Exception], str]] = {
    "not valid": (Unprocessable, "Refused"),
    "not allowed": (Forbidden, "Forbidden"),
}


@pytest.mark.parametrize(("error", "reason"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_child_that_the_api_server_refuses_is_a_problem_that_is_said(error: type[Exception], reason: str) -> None:
    rig = Rig()
    rig.cluster.refuses = lambda request, _: error("no such image") if request.kind == "Job" else None
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    stalled = condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")
    assert (stalled["reason"], stalled["message"]) == (reason, "no such image")
    assert rig.cluster.find(DEPLOYMENT, SHOP, "one") is not None
    rig.cluster.refuses = lambda _request, _body: None
    run(rig.settle(120))
    assert status(rig)["phase"] == "Ready"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a spec that cannot be meant": ({"fails": "at its spec"}, "InvalidSpec"),
    "a field of the wrong type": ({"replicas": "many"}, "InvalidSpec"),
    "an unknown field": ({"colour": "red"}, "InvalidSpec"),
    "a fault in the kind": ({"fails": "unexpectedly"}, "InternalError"),
}


@pytest.mark.parametrize(("spec", "reason"), BAD.values(), ids=BAD.keys())
def test_one_bad_object_is_said_to_be_bad_and_stops_no_other(spec: dict[str, Any], reason: str) -> None:
    rig = settled(gadget("bad", **spec), gadget("good"))
    stalled = condition(rig.cluster.at(GADGET, SHOP, "bad"), "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", reason)
    assert status(rig, "bad")["observedGeneration"] == 1
    assert status(rig, "good")["phase"] == "Ready"
    rig.cluster.put(GADGET, gadget("bad"))
    run(rig.settle())
    assert status(rig, "bad")["phase"] == "Ready"
    assert condition(rig.cluster.at(GADGET, SHOP, "bad"), "Stalled")["status"] == "False"


def test_a_bad_change_to_a_good_object_leaves_its_children() -> None:
    rig = settled()
    reference = {name: body for name, body in rig.cluster.state().items() if not name.startswith("Gadget")}
    rig.cluster.put(GADGET, gadget(fails="at its spec", text="new"))
    run(rig.settle())
    assert {name: body for name, body in rig.cluster.state().items() if not name.startswith("Gadget")} == reference
    assert status(rig)["phase"] == "Ready"


def test_who_asked_for_something_that_does_not_exist_is_looked_at_when_it_does() -> None:
    rig = settled(gadget("needy", needs="needed"))
    assert status(rig, "needy")["phase"] == "Waiting"
    rig.cluster.put(GADGET, gadget("needed"))
    run(rig.settle())
    assert status(rig, "needy")["phase"] == "Ready"


def test_what_changes_in_the_midst_of_the_first_pass_that_asks_for_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = settled(gadget("needy", needs="needed", text="asks"))
    rig.restart()
    needy, get = Key("Gadget", SHOP, "needy"), rig.cluster.get

    async def meanwhile(api: Api, namespace: str | None, name: str) -> Body:
        if api == POLICY and rig.cluster.find(GADGET, SHOP, "needed") is None:
            rig.cluster.put(GADGET, gadget("needed"))
            rig.deliver()
        return await get(api, namespace, name)

    async def one_pass() -> None:
        await rig.start()
        assert rig.engine.queue.next() == needy
        await rig.engine.loop.once(needy)

    monkeypatch.setattr(rig.cluster, "get", meanwhile)
    run(one_pass())
    assert needy in iter(rig.engine.queue.next, None)


def test_who_read_something_unwatched_is_looked_at_when_it_changes() -> None:
    rig = settled(gadget("guarded", needs="policy"))
    before = rig.passes
    run(rig.engine.unwatched.refresh())
    run(rig.settle())
    assert rig.passes == before
    rig.cluster.put(POLICY, {"metadata": {"name": "guard"}, "spec": {}})
    run(rig.engine.unwatched.refresh())
    run(rig.settle())
    assert rig.passes > before


def test_conditions_keep_the_time_of_their_last_change() -> None:
    rig = settled()
    since = condition(rig.cluster.at(GADGET, SHOP, "one"), "Ready")["lastTransitionTime"]
    rig.clock.seconds += 500
    rig.cluster.put(GADGET, gadget(replicas=2))
    run(rig.settle())
    assert condition(rig.cluster.at(GADGET, SHOP, "one"), "Ready")["lastTransitionTime"] == since
    assert condition(rig.cluster.at(GADGET, SHOP, "one"), "Ready")["observedGeneration"] == 2


# Whatever is lost, late or refused, the end is the same.


def scenario(rig: Rig) -> None:
    """Two objects, of which one needs the other; what `reference` is made from."""
    rig.cluster.put(GADGET, gadget("needy", needs="needed", keeps=True))
    rig.cluster.put(GADGET, gadget("needed"))


async def change(rig: Rig) -> None:
    """An edit that applies, scales, makes and prunes."""
    rig.cluster.put(GADGET, gadget("needed", text="new", replicas=2, run="2", listens=[80, 81]))


async def both(rig: Rig, settle: Callable[[], Any]) -> None:
    """The scenario from beginning to end."""
    scenario(rig)
    await settle()
    await change(rig)
    await settle()


def undisturbed() -> tuple[dict[str, Any], list[Request]]:
    rig = Rig()
    run(both(rig, rig.settle))
    return rig.cluster.state(), rig.cluster.writes()


def made(cluster: FakeCluster) -> list[tuple[str, str]]:
    """Each Job and Deployment that was ever made: twice the same is a training run too many."""
    done = [
        request for request in cluster.requests if request.verb == "create" and request.kind in {"Job", "Deployment"}
    ]
    return sorted((request.kind, request.name) for request in done)


REFERENCE, WRITES = undisturbed()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(len(WRITES)), ids=lambda number: f"{number} {WRITES[number]}")
def test_a_crash_at_any_write_ends_in_the_same_state(number: int, when: Any) -> None:
    rig = Rig()
    rig.cluster.faults = [Fault(Crash, when=when, skip=number)]
    crashes = run(_through_crashes(rig))
    assert crashes == 1
    assert rig.cluster.state() == REFERENCE
    uids = [body["metadata"]["uid"] for body in rig.cluster.all(JOB)]
    assert len(uids) == len(set(uids)) == 2


async def _through_crashes(rig: Rig) -> int:
    scenario(rig)
    crashes = await rig.settle_through_crashes()
    await change(rig)
    return crashes + await rig.settle_through_crashes()


ERRORS: dict[str, Callable[[], Exception]] = {
    "a conflict": lambda: Conflict("changed meanwhile"),
    "too many requests": lambda: TooManyRequests("slow down", retry_after=3),
    "an internal error": lambda: Unavailable("500"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize("number", range(len(WRITES)))
def test_an_error_at_any_write_ends_in_the_same_state(number: int, error: Callable[[], Exception]) -> None:
    rig = Rig()
    rig.cluster.faults = [Fault(error, skip=number)]
    run(both(rig, rig.settle))
    assert rig.cluster.state() == REFERENCE


@pytest.mark.parametrize("number", range(len(WRITES)))
def test_a_lost_answer_at_any_write_ends_in_the_same_state_and_makes_nothing_twice(number: int) -> None:
    rig = Rig()
    rig.cluster.faults = [Fault(lambda: Unavailable("connection reset"), when="after", skip=number)]
    run(both(rig, rig.settle))
    assert rig.cluster.state() == REFERENCE


def test_an_error_at_any_read_ends_in_the_same_state() -> None:
    rig = Rig()
    rig.cluster.faults = [Fault(lambda: Unavailable("500"), matches=lambda request: request.verb == "get", times=3)]
    run(both(rig, rig.settle))
    assert rig.cluster.state() == REFERENCE


def count_of_events() -> int:
    rig = Rig()
    run(both(rig, rig.settle))
    assert rig._watch is not None
    return rig._watch.count


@pytest.mark.parametrize("number", range(count_of_events()))
def test_any_single_lost_event_is_repaired_by_a_full_list(number: int) -> None:
    rig = Rig()
    rig.drops = lambda event: event == number
    run(both(rig, rig.settle))
    run(rig.engine.resync.once())
    run(rig.settle())
    assert rig.cluster.state() == REFERENCE
    known = {(key.kind, key.namespace, key.name) for api in (JOB, CONFIGMAP) for key in rig.engine.cache.keys(api.kind)}
    there = {(api.kind, SHOP, body["metadata"]["name"]) for api in (JOB, CONFIGMAP) for body in rig.cluster.all(api)}
    assert known == there


def test_a_lost_deletion_of_a_child_is_repaired_by_a_full_list() -> None:
    rig = settled()
    reference = rig.cluster.state()
    assert rig._watch is not None
    rig._watch.drops = lambda _: True
    rig.cluster.remove(CONFIGMAP, SHOP, "one")
    rig.cluster.edit(SERVICE, SHOP, "one", {"spec": {"selector": {"added": "yes"}}})
    run(rig.settle())
    assert rig.cluster.state() != reference
    run(rig.engine.resync.once())
    run(rig.settle())
    assert rig.cluster.state() == reference


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_events_end_in_the_same_state(seed: int) -> None:
    rig = Rig()
    rig.order = random.Random(seed)
    run(both(rig, rig.settle))
    assert rig.cluster.state() == REFERENCE


def test_a_watch_that_lags_behind_our_own_writes_makes_nothing_twice() -> None:
    async def lagging() -> Rig:
        rig = Rig()
        await rig.start()
        scenario(rig)
        rig.deliver()
        for _ in range(5):
            await rig.settle(deliver=False)
            for key in rig.engine.cache.keys(GADGET.kind):
                rig.engine.queue.add(key)
        before = len(rig.cluster.requests)
        await rig.settle()
        assert rig.cluster.writes(since=before) == []
        await change(rig)
        await rig.settle()
        return rig

    rig = run(lagging())
    assert rig.cluster.state() == REFERENCE
    assert len(made(rig.cluster)) == len(set(made(rig.cluster)))


def test_an_old_state_that_comes_late_changes_nothing() -> None:
    rig = settled()
    old = rig.cluster.at(CONFIGMAP, SHOP, "one")
    rig.cluster.put(GADGET, gadget(text="new"))
    run(rig.settle())
    before = len(rig.cluster.requests)
    rig.engine.seen(CONFIGMAP, "MODIFIED", old)
    run(rig.settle())
    assert rig.cluster.requests[before:] == []
    rig.cluster.remove(GADGET, SHOP, "one")
    rig.cluster.collect()
    run(rig.settle())
    rig.engine.seen(CONFIGMAP, "MODIFIED", old)
    assert rig.engine.cache.keys("ConfigMap") == [
        key for key in rig.engine.cache.keys("ConfigMap") if key.name != "one"
    ]


def test_events_tell_of_changes_of_conditions_once() -> None:
    rig = Rig()
    rig.cluster.put(GADGET, gadget("needy", needs="needed"))
    run(rig.settle())
    rig.cluster.put(GADGET, gadget("needed"))
    run(rig.settle())
    event = Api("events.k8s.io", "v1", "Event", "events")
    told = [(one["regarding"]["name"], one["reason"], one["type"]) for one in rig.cluster.all(event)]
    assert sorted(told) == [("needed", "Made", "Normal"), ("needy", "Made", "Normal"), ("needy", "Waiting", "Normal")]


def test_of_an_object_without_a_status_of_ours_events_tell_what_is_wrong_once() -> None:
    ours = gadget_kind(api=CONFIGMAP, custom=False, selects=lambda body: body["metadata"]["name"] == "chosen")
    rig = Rig(kinds=[ours])
    label = {"app.kubernetes.io/managed-by": "merkhet"}
    for name in ("chosen", "other"):
        rig.cluster.put(CONFIGMAP, {"metadata": {"name": name, "namespace": SHOP, "labels": label}, "data": {}})
    rig.cluster.put(SERVICE, {"metadata": {"name": "chosen", "namespace": SHOP}, "spec": {}})
    run(rig.settle(600))
    event = Api("events.k8s.io", "v1", "Event", "events")
    told = [(one["regarding"]["name"], one["reason"], one.get("series")) for one in rig.cluster.all(event)]
    assert told == [("chosen", "NameTaken", None)]
    assert "status" not in rig.cluster.at(CONFIGMAP, SHOP, "chosen")
    assert [one["metadata"]["name"] for one in rig.cluster.all(DEPLOYMENT)] == ["chosen"]


def test_an_event_that_is_refused_stops_nothing() -> None:
    rig = Rig()
    rig.cluster.refuses = lambda request, _: Forbidden("no events") if request.kind == "Event" else None
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    assert status(rig)["phase"] == "Ready"


def test_who_does_not_lead_writes_nothing() -> None:
    rig = Rig()
    rig.cluster.put(GADGET, gadget())
    rig.engine.loop._may_write = lambda: False
    run(rig.settle())
    assert rig.cluster.writes() == []


def test_who_waits_for_an_api_server_that_cannot_answer_says_so_once() -> None:
    rig = Rig()
    rig.cluster.put(GADGET, gadget())
    refused = iter(range(1000))
    fault = Fault(
        lambda: Unavailable(f"webhook failed, request {next(refused)}"),
        matches=lambda request: request.writes and request.kind == "Job",
        times=1000,
    )
    rig.cluster.faults = [fault]
    run(rig.settle(600))
    said = condition(rig.cluster.at(GADGET, SHOP, "one"), "Reconciling")
    assert (said["status"], said["reason"]) == ("True", "Unavailable")
    assert "webhook failed" in said["message"]
    assert len([one for one in rig.cluster.writes() if one.part == "status"]) == 1
    rig.cluster.faults = []
    run(rig.settle(600))
    assert condition(rig.cluster.at(GADGET, SHOP, "one"), "Reconciling")["status"] == "False"
    assert status(rig)["phase"] == "Ready"


def test_a_change_that_one_pass_finds_by_itself_is_told_to_all_who_asked() -> None:
    rig = settled(gadget("one", needs="policy"), gadget("two", needs="policy"))
    rig.cluster.put(POLICY, {"metadata": {"name": "guard"}, "spec": {}})
    rig.clock.seconds += 61
    run(rig.engine.unwatched.read(POLICY, None, "guard"))
    queued = {rig.engine.queue.next(), rig.engine.queue.next()}
    assert queued == {Key("Gadget", SHOP, "one"), Key("Gadget", SHOP, "two")}


def test_what_a_pass_reads_while_all_is_read_anew_stays_known() -> None:
    rig = Rig()
    run(rig.engine.unwatched.read(POLICY, None, "guard"))
    run(rig.engine.unwatched.refresh())
    asker = Key("Gadget", SHOP, "one")
    rig.engine.interest.asked(asker, frozenset({Named(Key(POLICY.kind, "", "guard"))}))
    rig.cluster.put(POLICY, {"metadata": {"name": "guard"}, "spec": {}})
    run(rig.engine.unwatched.refresh())
    assert rig.engine.queue.next() == asker


def test_a_foreign_namesake_of_what_is_shared_is_said() -> None:
    rig = Rig()
    rig.cluster.put(CONFIGMAP, {"metadata": {"name": SHARED, "namespace": SHOP}, "data": {"theirs": "1"}})
    rig.cluster.put(GADGET, gadget())
    run(rig.settle())
    said = condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")
    assert (said["status"], said["reason"]) == ("True", "NameTaken")
    rig.cluster.remove(CONFIGMAP, SHOP, SHARED)
    run(rig.settle(120))
    assert condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")["status"] == "False"


def test_what_to_do_is_said_even_of_a_very_long_wrong_value() -> None:
    rig = settled(gadget(replicas="x" * 5000))
    said = condition(rig.cluster.at(GADGET, SHOP, "one"), "Stalled")
    assert said["reason"] == "InvalidSpec"
    assert said["message"].endswith("correct it and apply again")


def test_the_stalled_are_counted_by_kind_and_reason_until_they_are_no_more() -> None:
    rig = settled(gadget("good"), gadget("bad", fails="at its spec"), gadget("worse", fails="at its spec"))
    rig.engine.measure()
    counted = 'merkhet_stalled_objects{kind="Gadget",reason="InvalidSpec"} 2.0'
    assert [line for line in measured(rig) if line.startswith("merkhet_stalled_objects{")] == [counted]
    for name in ("bad", "worse"):
        rig.cluster.edit(GADGET, SHOP, name, {"spec": {"fails": None}})
    run(rig.settle())
    rig.engine.measure()
    assert [line for line in measured(rig) if line.startswith("merkhet_stalled_objects{")] == []


def test_an_object_is_forgotten_also_where_only_its_namesake_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    rig, gone = Rig(), list[str]()
    monkeypatch.setattr(rig.engine.loop, "gone", gone.append)
    for version, uid in enumerate(("former", "new"), 1):
        meta = {"name": "one", "namespace": SHOP, "uid": uid, "resourceVersion": str(version)}
        rig.engine.cache.saw(JOB, {"metadata": meta})
    assert gone == ["former"]


def measured(rig: Rig) -> list[str]:
    return rig.engine.metrics.text().decode().splitlines()
