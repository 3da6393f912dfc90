"""Is there never more than one that leads?"""

from __future__ import annotations

import asyncio

import pytest

from merkhet.api.meta import Api, Body
from merkhet.engine.clock import SystemClock
from merkhet.engine.heartbeat import DEAF_AFTER, Heartbeat
from merkhet.engine.lease import LEASE, Leadership, LeadershipLost, Terms
from merkhet.engine.main import _Process
from merkhet.errors import Unavailable
from merkhet.settings import Settings
from tests.fake_cluster import FakeCluster, Fault
from tests.unit.engine.rig import FakeClock, run


def replica(cluster: FakeCluster, clock: FakeClock, identity: str) -> Leadership:
    return Leadership(cluster, clock, namespace="merkhet", name="merkhet-operator", identity=identity)


def holder(cluster: FakeCluster) -> str:
    return str(cluster.at(LEASE, "merkhet", "merkhet-operator")["spec"]["holderIdentity"])


def test_the_first_leads_and_the_second_waits_until_the_first_lets_go() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        first, second = replica(cluster, clock, "first"), replica(cluster, clock, "second")
        await first.wait()
        keeping = asyncio.create_task(first.keep())
        waiting = asyncio.create_task(second.wait())
        await clock.pass_(300)
        assert first.holds()
        assert not second.holds()
        assert not waiting.done()
        keeping.cancel()
        await first.release()
        assert not first.holds()
        await clock.pass_(5)
        assert waiting.done()
        assert (holder(cluster), second.holds()) == ("second", True)
        assert cluster.at(LEASE, "merkhet", "merkhet-operator")["spec"]["leaseTransitions"] == 1

    run(work())


def test_after_a_crash_another_takes_over_when_the_time_is_up_and_not_before() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        first, second = replica(cluster, clock, "first"), replica(cluster, clock, "second")
        await first.wait()
        waiting = asyncio.create_task(second.wait())
        await clock.pass_(14)
        assert not waiting.done()
        assert not first.holds()
        await clock.pass_(5)
        assert waiting.done()

    run(work())


def test_the_holder_stops_before_another_may_begin_when_it_cannot_renew() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        first, second = replica(cluster, clock, "first"), replica(cluster, clock, "second")
        await first.wait()
        keeping = asyncio.create_task(first.keep())
        waiting = asyncio.create_task(second.wait())
        await clock.pass_(10)
        first._cluster = FakeCluster()
        first._cluster.faults = [Fault(lambda: Unavailable("no network"), matches=lambda _: True, times=1000)]
        led_at_once = 0
        for _ in range(40):
            await clock.pass_(1)
            led_at_once += first.holds() and second.holds()
        assert led_at_once == 0
        assert waiting.done()
        with pytest.raises(LeadershipLost, match="first"):
            await keeping

    run(work())


def test_of_several_that_try_at_once_one_leads() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        replicas = [replica(cluster, clock, str(number)) for number in range(5)]
        tasks = [asyncio.create_task(one.wait()) for one in replicas]
        await clock.pass_(60)
        assert sum(one.holds() or task.done() for one, task in zip(replicas, tasks, strict=True)) >= 1
        assert sum(one.holds() for one in replicas) <= 1
        for task in tasks:
            task.cancel()

    run(work())


def test_a_restarted_holder_of_the_same_name_leads_at_once() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        await replica(cluster, clock, "first").wait()
        again = replica(cluster, clock, "first")
        await again.wait()
        assert again.holds()

    run(work())


def test_a_watch_is_deaf_when_a_beat_does_not_come_back_and_hears_again_when_one_does() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        heartbeat = Heartbeat(cluster, clock, "merkhet")
        await heartbeat.beat()
        heartbeat.heard(cluster.at(LEASE, "merkhet", "merkhet-heartbeat"))
        clock.seconds += 1000
        assert not heartbeat.is_deaf()
        await heartbeat.beat()
        clock.seconds += DEAF_AFTER + 1
        await heartbeat.beat()
        assert heartbeat.is_deaf()
        heartbeat.heard(cluster.at(LEASE, "merkhet", "merkhet-heartbeat"))
        assert not heartbeat.is_deaf()
        assert heartbeat.age() == 0

    run(work())


def test_an_api_server_that_does_not_answer_makes_no_watch_deaf() -> None:
    async def work() -> None:
        cluster, clock = FakeCluster(), FakeClock()
        cluster.faults = [Fault(lambda: Unavailable("down"), times=1000)]
        heartbeat = Heartbeat(cluster, clock, "merkhet")
        for _ in range(10):
            await heartbeat.beat()
            clock.seconds += DEAF_AFTER
        assert not heartbeat.is_deaf()

    run(work())


class Silent(FakeCluster):
    """An API server that takes requests and never answers."""

    async def get(self, api: Api, namespace: str | None, name: str) -> Body:
        """Nothing, for ever."""
        await asyncio.Event().wait()
        return await super().get(api, namespace, name)


def test_the_holder_waits_for_no_answer_beyond_its_term() -> None:
    async def work() -> None:
        terms = Terms(duration=15, give_up=0.05, period=0.001)
        first = Leadership(
            FakeCluster(), SystemClock(), namespace="merkhet", name="merkhet-operator", identity="first", terms=terms
        )
        await first.wait()
        first._cluster = Silent()
        async with asyncio.timeout(60):
            with pytest.raises(LeadershipLost, match="first"):
                await first.keep()

    run(work())


def test_a_replica_that_fails_while_it_waits_does_not_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise ValueError("an answer that is no JSON")

    async def work() -> None:
        process = _Process([], Settings(), SystemClock())
        monkeypatch.setattr(process._leadership, "wait", fail)
        with pytest.raises(ValueError, match="no JSON"):
            await process._leads()

    run(work())
