"""What the engine relies on, of the real API server and of the fake one alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from merkhet.api.meta import Api, Body
from merkhet.engine.access import Access
from merkhet.engine.apiserver import HttpCluster
from merkhet.engine.clock import SystemClock
from merkhet.engine.cluster import (
    AlreadyExists,
    ApiError,
    Cluster,
    Conflict,
    NotFound,
    Patch,
    Unprocessable,
)
from merkhet.engine.lease import LEASE
from merkhet.engine.managers import adopted
from merkhet.engine.metrics import Metrics
from merkhet.engine.status import written
from merkhet.kinds.apis import CONFIGMAP, SERVICE
from tests.fake_cluster import FakeCluster
from tests.unit.engine.gadget import GADGET, gadget
from tests.unit.engine.rig import run

Work = Callable[[Cluster], Awaitable[None]]
Runs = Callable[[Work], None]
OTHER_UID = "00000000-0000-0000-0000-000000000000"
MINE = "merkhet-gadget"


@pytest.fixture(params=["fake", "real"])
def runs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs a test's work on one or the other."""
    if request.param == "fake":
        return lambda work: run(_on_fake(work))
    monkeypatch.setenv("KUBECONFIG", str(request.getfixturevalue("server").kubeconfig()))
    return lambda work: run(_on_real(work))


@pytest.fixture
def where(request: pytest.FixtureRequest, runs: Runs) -> str:
    """A namespace, on both."""
    return str(request.getfixturevalue("namespace")) if "real" in request.node.name else "shop"


async def _on_fake(work: Work) -> None:
    await work(FakeCluster())


async def _on_real(work: Work) -> None:
    access = Access(SystemClock())
    try:
        await work(HttpCluster(access, Metrics()))
    finally:
        await access.close()


def configmap(name: str = "one", **data: str) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service() -> Body:
    ports = [{"name": "a", "port": 80, "targetPort": 8080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "one"},
        "spec": {"selector": {"app": "one"}, "ports": ports},
    }


def test_what_is_not_there_is_not_found(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        with pytest.raises(NotFound):
            await cluster.get(CONFIGMAP, where, "none")
        with pytest.raises(NotFound):
            await cluster.patch(CONFIGMAP, where, "none", {"data": {"a": "b"}}, manager=MINE)
        with pytest.raises(NotFound):
            await cluster.delete(CONFIGMAP, where, "none", uid=OTHER_UID, propagation="Background")

    runs(work)


def test_a_create_gives_identity_and_owns_its_fields_as_an_update(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        asked = {**gadget(namespace=where), "status": {"phase": "Mine"}}
        body = await cluster.create(GADGET, where, asked, manager=MINE)
        meta = body["metadata"]
        assert meta["uid"]
        assert int(meta["resourceVersion"]) > 0
        assert meta["generation"] == 1
        assert "status" not in body
        assert [(entry["manager"], entry["operation"]) for entry in meta["managedFields"]] == [(MINE, "Update")]
        assert await cluster.get(GADGET, where, "one") == body

    runs(work)


def test_a_name_that_is_taken_is_refused(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(CONFIGMAP, where, configmap(a="1"), manager=MINE)
        with pytest.raises(AlreadyExists):
            await cluster.create(CONFIGMAP, where, configmap(a="2"), manager=MINE)
        assert await cluster.get(CONFIGMAP, where, "one") == made

    runs(work)


def test_resource_versions_grow_and_what_changes_nothing_leaves_them(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(CONFIGMAP, where, configmap(a="1"), manager=MINE)
        same = await cluster.patch(CONFIGMAP, where, "one", {"data": {"a": "1"}}, manager=MINE)
        assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        other = await cluster.patch(CONFIGMAP, where, "one", {"data": {"a": "2"}}, manager=MINE)
        assert int(other["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
        applied = await cluster.apply(CONFIGMAP, where, configmap(a="2"), manager=MINE)
        again = await cluster.apply(CONFIGMAP, where, configmap(a="2"), manager=MINE)
        assert again["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]

    runs(work)


CONTENT = {"spec": {"text": "new"}, "status": {"phase": "New"}}
STATUS = [{"op": "add", "path": "/status", "value": {"phase": "New"}}]
ANOTHER = {"op": "test", "path": "/metadata/uid", "value": OTHER_UID}
UNMET: Mapping[str, tuple[Patch, str | None]] = {
    "another uid": ({"metadata": {"uid": OTHER_UID}, **CONTENT}, None),
    "an older resource version": ({"metadata": {"resourceVersion": "1"}, **CONTENT}, None),
    "an older resource version of a status": ({"metadata": {"resourceVersion": "1"}, **CONTENT}, "status"),
    "a test that fails": ([ANOTHER], None),
    "a test that fails for a status": ([ANOTHER, *STATUS], "status"),
}


@pytest.mark.parametrize(("patch", "part"), UNMET.values(), ids=UNMET.keys())
def test_a_patch_meant_for_another_state_is_a_conflict(runs: Runs, where: str, patch: Patch, part: str | None) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(GADGET, where, gadget(namespace=where), manager=MINE)
        with pytest.raises(Conflict):
            await cluster.patch(GADGET, where, "one", patch, manager=MINE, part=part)
        assert await cluster.get(GADGET, where, "one") == made

    runs(work)


def test_spec_and_status_are_written_apart(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(GADGET, where, gadget(namespace=where, text="old"), manager=MINE)
        patch = {
            "metadata": {"uid": made["metadata"]["uid"], "labels": {"not": "written"}},
            "spec": {"text": "new"},
            "status": {"phase": "New", "list": [1, 2]},
        }
        said = await cluster.patch(GADGET, where, "one", patch, manager=MINE, part="status")
        assert (said["spec"], said["status"]["phase"]) == ({"text": "old"}, "New")
        assert said["metadata"]["generation"] == 1
        assert "labels" not in said["metadata"]
        done = await cluster.patch(GADGET, where, "one", {"spec": {"text": "new"}, "status": None}, manager=MINE)
        assert (done["spec"], done["status"]["phase"]) == ({"text": "new"}, "New")
        assert done["metadata"]["generation"] == 2
        less = {"status": {"phase": None, "list": [3]}}
        assert (await cluster.patch(GADGET, where, "one", less, manager=MINE, part="status"))["status"] == {"list": [3]}

    runs(work)


def test_an_apply_with_a_uid_never_makes_an_object_and_never_changes_another(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        body = configmap(a="1")
        body["metadata"]["uid"] = OTHER_UID
        with pytest.raises(Conflict):
            await cluster.apply(CONFIGMAP, where, body, manager=MINE)
        with pytest.raises(NotFound):
            await cluster.get(CONFIGMAP, where, "one")
        made = await cluster.create(CONFIGMAP, where, configmap(a="2"), manager=MINE)
        with pytest.raises(Conflict):
            await cluster.apply(CONFIGMAP, where, body, manager=MINE)
        assert await cluster.get(CONFIGMAP, where, "one") == made

    runs(work)


def test_a_field_applied_no_more_goes_only_if_the_create_was_adopted(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(CONFIGMAP, where, configmap(a="1", b="2"), manager=MINE)
        kept = await cluster.apply(CONFIGMAP, where, configmap(a="1"), manager=MINE)
        assert kept["data"] == {"a": "1", "b": "2"}
        await _adopt(cluster, where, kept)
        assert (await cluster.apply(CONFIGMAP, where, configmap(a="1"), manager=MINE))["data"] == {"a": "1"}
        assert made["metadata"]["uid"] == kept["metadata"]["uid"]

    runs(work)


async def _adopt(cluster: Cluster, where: str, body: Body, api: Api = CONFIGMAP) -> Body:
    fields = adopted(body["metadata"]["managedFields"], MINE)
    assert fields is not None
    patch = [
        {"op": "replace", "path": "/metadata/managedFields", "value": fields},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": body["metadata"]["resourceVersion"]},
    ]
    done = await cluster.patch(api, where, "one", patch, manager=MINE)
    assert adopted(done["metadata"]["managedFields"], MINE) is None
    return done


def test_an_adoption_of_an_older_state_is_a_conflict(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(CONFIGMAP, where, configmap(a="1"), manager=MINE)
        await cluster.patch(CONFIGMAP, where, "one", {"data": {"a": "2"}}, manager="other")
        with pytest.raises(Conflict):
            await _adopt(cluster, where, made)

    runs(work)


def test_an_apply_merges_what_others_added_and_a_json_patch_takes_it_away(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(SERVICE, where, service(), manager=MINE)
        ports = [*made["spec"]["ports"], {"name": "b", "port": 81, "targetPort": 81, "protocol": "TCP"}]
        added = {"spec": {"ports": ports}}
        await cluster.patch(SERVICE, where, "one", added, manager="other")
        applied = await cluster.apply(SERVICE, where, service(), manager=MINE)
        assert len(applied["spec"]["ports"]) == 2
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
            {"op": "replace", "path": "/spec/ports", "value": service()["spec"]["ports"]},
        ]
        await cluster.patch(SERVICE, where, "one", patch, manager=MINE)
        done = await cluster.apply(SERVICE, where, service(), manager=MINE)
        assert done["spec"]["ports"] == [{"name": "a", "port": 80, "targetPort": 8080, "protocol": "TCP"}]

    runs(work)


def test_a_status_is_replaced_whole_on_the_object_that_was_meant(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(GADGET, where, gadget(namespace=where), manager=MINE)
        for status in ({"phase": "New", "list": [1, 2]}, {"list": [3], "more": {}}, {}):
            said = await cluster.patch(
                GADGET, where, "one", written(made["metadata"]["uid"], status), manager=MINE, part="status"
            )
            assert said.get("status") == status
            assert said["metadata"]["generation"] == 1

    runs(work)


def test_a_deletion_is_meant_for_one_uid(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        made = await cluster.create(CONFIGMAP, where, configmap(), manager=MINE)
        with pytest.raises(Conflict):
            await cluster.delete(CONFIGMAP, where, "one", uid=OTHER_UID, propagation="Background")
        uid = made["metadata"]["uid"]
        assert await cluster.delete(CONFIGMAP, where, "one", uid=uid, propagation="Background") is None
        with pytest.raises(NotFound):
            await cluster.get(CONFIGMAP, where, "one")

    runs(work)


def test_what_finalizers_keep_is_answered_with_the_time_of_its_deletion(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        body = configmap()
        body["metadata"]["finalizers"] = ["bench.test/kept"]
        made = await cluster.create(CONFIGMAP, where, body, manager=MINE)
        uid = made["metadata"]["uid"]
        rest = await cluster.delete(CONFIGMAP, where, "one", uid=uid, propagation="Background")
        assert rest is not None
        assert rest["metadata"]["deletionTimestamp"]
        assert int(rest["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])

    runs(work)


def test_a_list_shows_what_carries_the_label_in_one_state_of_the_cluster(runs: Runs, where: str) -> None:
    async def work(cluster: Cluster) -> None:
        for name in ("one", "two", "three"):
            body = configmap(name)
            body["metadata"]["labels"] = {"colour": "red" if name != "two" else "blue"}
            await cluster.create(CONFIGMAP, where, body, manager=MINE)
        pages = [page async for page in cluster.pages(CONFIGMAP, where, labels="colour=red")]
        assert sorted(body["metadata"]["name"] for page in pages for body in page.items) == ["one", "three"]
        newest = await cluster.get(CONFIGMAP, where, "three")
        assert int(pages[-1].resource_version) >= int(newest["metadata"]["resourceVersion"])
        assert [page.items async for page in cluster.pages(LEASE, where)] == [[]]

    runs(work)


def test_texts_in_any_script_come_back_as_they_were(runs: Runs, where: str) -> None:
    text = 'größer als 𓂀, 📐 und \u2028 \x85 \x7f \ufeff\t\n\\ "'

    async def work(cluster: Cluster) -> None:
        await cluster.create(CONFIGMAP, where, configmap(a="1"), manager=MINE)
        applied = await cluster.apply(CONFIGMAP, where, configmap(a=text), manager=MINE)
        assert applied["data"]["a"] == text

    runs(work)


def test_what_is_not_valid_is_refused_in_words(server: Any, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig()))

    async def work(cluster: Cluster) -> None:
        body = service()
        body["spec"]["ports"] = [{"port": 0}]
        with pytest.raises(Unprocessable, match=r"spec\.ports\[0\]\.port"):
            await cluster.create(SERVICE, namespace, body, manager=MINE)
        unknown = Api("bench.test", "v1", "Nothing", "nothings")
        with pytest.raises(NotFound):
            await cluster.get(unknown, namespace, "one")
        with pytest.raises(ApiError, match=namespace):
            await cluster.get(CONFIGMAP, namespace, "none")

    run(_on_real(work))
