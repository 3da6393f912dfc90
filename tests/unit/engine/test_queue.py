"""Does the queue let go of the right object at the right time?"""

from __future__ import annotations

import asyncio
import random

import pytest

from merkhet.api.meta import Key
from merkhet.engine.queue import FAIR_SHARE, Pace, Priority, Queue
from tests.unit.engine.rig import FakeClock, run

A, B, C = (Key("Gadget", "shop", name) for name in "abc")


def queue(pace: Pace | None = None) -> tuple[Queue, FakeClock]:
    clock = FakeClock()
    return Queue(clock.monotonic, pace), clock


def drained(waiting: Queue) -> list[Key]:
    taken = []
    while (key := waiting.next()) is not None:
        taken.append(key)
        waiting.done(key)
    return taken


def test_what_is_added_often_is_taken_once() -> None:
    waiting, _ = queue()
    for key in (A, B, A, A):
        waiting.add(key)
    assert drained(waiting) == [A, B]


def test_what_changes_while_it_is_worked_on_is_taken_again_and_never_twice_at_once() -> None:
    waiting, _ = queue()
    waiting.add(A)
    assert waiting.next() == A
    waiting.add(A)
    assert waiting.next() is None
    waiting.done(A)
    assert drained(waiting) == [A]


def test_a_change_goes_before_what_is_merely_looked_at_again() -> None:
    waiting, _ = queue()
    waiting.add(A, Priority.RESYNC)
    waiting.add(B, Priority.RESYNC)
    waiting.add(C)
    waiting.add(B)
    assert drained(waiting) == [C, B, A]


def test_a_stream_of_changes_starves_nothing() -> None:
    waiting, _ = queue()
    waiting.add(A, Priority.RESYNC)
    for number in range(FAIR_SHARE):
        waiting.add(Key("Gadget", "shop", f"busy{number}"))
    assert A in drained(waiting)[:FAIR_SHARE]


def test_what_is_wanted_later_comes_at_the_earliest_of_the_moments_wanted() -> None:
    waiting, clock = queue()
    waiting.add_after(A, 60)
    waiting.add_after(A, 10)
    waiting.add_after(A, 30)
    assert waiting.next() is None
    assert waiting.wakes_at() == clock.seconds + 10
    clock.seconds += 10
    assert drained(waiting) == [A]
    clock.seconds += 100
    assert drained(waiting) == []


def test_failures_wait_twice_as_long_each_time_up_to_a_bound_and_success_forgets_them() -> None:
    waiting, clock = queue(Pace(first_retry=1, last_retry=10))
    waits = []
    for _ in range(6):
        waiting.retry(A)
        wakes = waiting.wakes_at()
        assert wakes is not None
        waits.append(wakes - clock.seconds)
        clock.seconds = wakes
        assert drained(waiting) == [A]
    assert waits == [1, 2, 4, 8, 10, 10]
    waiting.succeeded(A)
    waiting.retry(A, at_least=3)
    assert waiting.wakes_at() == clock.seconds + 3


def test_the_pace_lets_a_burst_go_and_then_so_many_a_second() -> None:
    waiting, clock = queue(Pace(rate=2, burst=3))
    for number in range(10):
        waiting.add(Key("Gadget", "shop", str(number)))
    assert len(drained(waiting)) == 3
    clock.seconds += 1
    assert len(drained(waiting)) == 2
    wakes = waiting.wakes_at()
    assert wakes is not None
    clock.seconds = wakes
    assert len(drained(waiting)) == 1


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_change_is_followed_by_a_look(seed: int) -> None:
    order = random.Random(seed)
    waiting, clock = queue(Pace(rate=order.choice([0, 50]), burst=5))
    keys = [Key("Gadget", "shop", str(number)) for number in range(5)]
    changed, looked, working = dict.fromkeys(keys, 0), dict.fromkeys(keys, 0), dict[Key, int]()
    for _ in range(500):
        act = order.random()
        if act < 0.4:
            key = order.choice(keys)
            changed[key] += 1
            waiting.add(key, order.choice(list(Priority)))
        elif act < 0.5:
            waiting.add_after(order.choice(keys), order.random() * 3)
        elif act < 0.8 and (taken := waiting.next()) is not None:
            assert taken not in working
            working[taken] = changed[taken]
        elif working:
            key = order.choice(list(working))
            looked[key] = working.pop(key)
            waiting.done(key)
        clock.seconds += order.random() / 10
    for key in list(working):
        looked[key] = working.pop(key)
        waiting.done(key)
    clock.seconds += 1000
    for _ in range(100):
        for key in drained(waiting):
            looked[key] = changed[key]
        clock.seconds += 1
    assert looked == changed
    assert (len(waiting), waiting.working) == (0, 0)


def test_workers_that_sleep_are_woken_by_what_comes_and_by_what_is_due() -> None:
    async def work() -> list[Key]:
        waiting = Queue(asyncio.get_running_loop().time, Pace(rate=0))
        taken: list[Key] = []
        all_taken = asyncio.Event()

        async def worker() -> None:
            while True:
                key = await waiting.take()
                taken.append(key)
                waiting.done(key)
                if len(taken) == 3:
                    all_taken.set()

        async with asyncio.timeout(60):
            workers = [asyncio.create_task(worker()) for _ in range(4)]
            await asyncio.sleep(0)
            waiting.add(A)
            waiting.add_after(B, 0.01)
            waiting.add_after(C, 0.02)
            await all_taken.wait()
            for one in workers:
                one.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return taken

    assert run(work()) == [A, B, C]
