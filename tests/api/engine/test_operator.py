"""Does the whole operator work on a real API server: watch, leadership, probes, restarts?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.engine.conftest import kubectl
from tests.api.engine.replica import Replica, eventually
from tests.cluster.apiserver import ApiServer
from tests.unit.engine.gadget import gadget

Start = Callable[..., Replica]


@pytest.fixture
def start(server: ApiServer, namespace: str, tmp_path: Path) -> Start:
    """Makes a replica that watches the test's namespace."""

    def make(name: str = "first", **settings: str) -> Replica:
        settings = {"WATCH_NAMESPACES": namespace, **settings}
        return Replica(server.kubeconfig(), tmp_path / f"{name}.log", name, namespace, **settings)

    return make


class People:
    """What people do with kubectl."""

    def __init__(self, server: ApiServer, namespace: str, folder: Path) -> None:
        self._server = server
        self.namespace = namespace
        self._folder = folder

    def do(self, *words: str) -> str:
        return kubectl(self._server, "-n", self.namespace, *words)

    def apply(self, name: str = "one", **spec: Any) -> None:
        path = self._folder / f"{name}.json"
        path.write_text(json.dumps(gadget(name, self.namespace, **spec)))
        self.do("apply", "-f", str(path))

    def get(self, what: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.do("get", what, "-o", "json", "--ignore-not-found") or "{}")
        return answer

    def phase(self, name: str = "one") -> str:
        return str((self.get(f"gadget/{name}").get("status") or {}).get("phase"))

    def service(self) -> dict[str, Any]:
        return dict(self.get("service/one")["spec"])

    def ports(self) -> list[int]:
        return [port["port"] for port in self.service()["ports"]]

    def text(self) -> str:
        return str((self.get("configmap/one").get("data") or {}).get("text"))


@pytest.fixture
def people(server: ApiServer, namespace: str, tmp_path: Path) -> People:
    return People(server, namespace, tmp_path)


def test_objects_become_what_they_ask_for_and_stay_so(start: Start, people: People) -> None:
    people.apply()
    with start() as replica:
        eventually("one is Ready", lambda: people.phase() == "Ready", replica.log)
        people.apply(text="new")
        eventually("the text is new", lambda: people.text() == "new", replica.log)
        people.do("patch", "configmap", "one", "--type=merge", "-p", '{"data":{"text":"other"}}')
        eventually("the text is put right", lambda: people.text() == "new", replica.log)
        people.do("delete", "configmap", "one")
        eventually("the ConfigMap is made again", lambda: people.text() == "new", replica.log)
        people.do("patch", "service", "one", "--type=merge", "-p", '{"spec":{"selector":{"added":"yes"}}}')
        eventually("the selector is put right", lambda: people.service()["selector"] == {"gadget": "one"}, replica.log)
        people.do("patch", "service", "one", "--type=merge", "-p", '{"spec":{"ports":[{"port":81}]}}')
        eventually("the ports are put right", lambda: people.ports() == [80], replica.log)
        assert replica.answer("live")[0] == 200
        _writes_nothing(replica)
        assert replica.terminate() == 0


def _writes_nothing(replica: Replica) -> None:
    """Quiet is reached, and then lasts: only the leases go on."""

    def writes() -> float:
        return replica.measured("merkhet_writes_total{") - replica.measured('merkhet_writes_total{kind="Lease"')

    seen: list[float] = []

    def is_quiet() -> bool:
        seen.append(writes())
        time.sleep(0.2)
        return len(seen) > 15 and seen[-1] == seen[-15]

    eventually("nothing more is written", is_quiet, replica.log)


def test_a_killed_operator_goes_on_where_it_was_and_makes_nothing_twice(start: Start, people: People) -> None:
    for number in range(20):
        people.apply(f"g{number}")
    with start() as replica:
        eventually("the first is there", lambda: bool(people.get("job/g0-1")), replica.log)
        replica.kill()
    with start() as replica:
        names = [f"g{number}" for number in range(20)]
        eventually("all are Ready", lambda: all(people.phase(name) == "Ready" for name in names), replica.log)
        jobs = people.get("jobs")["items"]
        assert sorted(job["metadata"]["name"] for job in jobs) == sorted(f"g{number}-1" for number in range(20))


def test_one_replica_leads_and_the_other_takes_over(start: Start, people: People) -> None:
    people.apply()
    with start("first") as first:
        eventually("the first leads", first.leads, first.log)
        with start("second") as second:
            eventually("the second is ready to lead", lambda: second.answer("ready")[0] == 200, second.log)
            assert second.measured("merkhet_leader ") == 0
            assert first.terminate() == 0
            eventually("the second leads", second.leads, second.log)
            people.apply(text="new")
            eventually("the second works", lambda: people.text() == "new", second.log)
            with start("third") as third:
                eventually("the third is ready to lead", lambda: third.answer("ready")[0] == 200, third.log)
                second.kill()
                eventually("the third leads after a crash", third.leads, third.log)


def test_who_loses_the_lease_stops(start: Start, people: People) -> None:
    with start() as replica:
        eventually("it leads", replica.leads, replica.log)
        other = '{"spec":{"holderIdentity":"other","leaseDurationSeconds":3600}}'
        people.do("patch", "lease", "merkhet-operator", "--type=merge", "-p", other)
        assert replica._process is not None
        assert replica._process.wait(timeout=120) == 1
    assert "could not be renewed" in replica.log.read_text()


def test_the_heartbeat_comes_back_through_the_watch(start: Start) -> None:
    with start() as replica:
        eventually("it leads", replica.leads, replica.log)
        eventually("a beat was heard", lambda: replica.measured("merkhet_watch_age_seconds") < 5, replica.log)
        assert replica.answer("live") == (200, "ok\n")


def test_the_whole_cluster_can_be_watched(start: Start, people: People) -> None:
    with start(WATCH_NAMESPACES="") as replica:
        people.apply()
        eventually("one is Ready", lambda: people.phase() == "Ready", replica.log)


def test_a_log_line_is_json_and_names_the_object(start: Start, people: People) -> None:
    people.apply(fails="unexpectedly")
    with start() as replica:
        eventually("it is said", lambda: "InternalError" in json.dumps(people.get("gadget/one")), replica.log)
        assert replica.terminate() == 0
    lines = [json.loads(line) for line in replica.log.read_text().splitlines()]
    failed = next(line for line in lines if line["message"] == "pass failed")
    assert (failed["kind"], failed["namespace"], failed["name"]) == ("Gadget", people.namespace, "one")
    assert "a fault in the kind itself" in failed["exception"]
