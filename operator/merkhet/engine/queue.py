"""Which object is looked at next, and when."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from merkhet.api.meta import Key


class Priority(IntEnum):
    """What goes first: what somebody changed, before what is merely looked at again."""

    CHANGE = 0
    RESYNC = 1


# Of so many objects taken, one comes from the lower priority though higher ones wait: it is slow then, never starved.
FAIR_SHARE = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the queue lets go.

    Units: ``rate`` is objects a second over time (0: no limit), ``burst`` objects at once, the others seconds.
    """

    rate: float = 0.0
    burst: int = 100
    first_retry: float = 0.2
    last_retry: float = 300.0


class Queue:
    """Keys waiting for a pass: each at most once, none while it is being worked on, failed ones later and later."""

    def __init__(self, clock: Callable[[], float], pace: Pace | None = None) -> None:
        self._clock = clock
        self._pace = pace or Pace()
        self._lanes: tuple[deque[Key], deque[Key]] = (deque(), deque())
        self._waiting: dict[Key, tuple[Priority, float]] = {}  # lane, and since when
        self._working: set[Key] = set()
        self._changed_meanwhile: dict[Key, Priority] = {}
        self._later: list[tuple[float, Key, Priority]] = []
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._tokens = float(self._pace.burst)
        self._filled = clock()
        self._taken = 0
        self._sleepers: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self.waited = 0.0  # seconds that the key last taken stood in line

    def add(self, key: Key, priority: Priority = Priority.CHANGE) -> None:
        """Look at this soon."""
        if key in self._working:
            self._changed_meanwhile[key] = min(priority, self._changed_meanwhile.get(key, priority))
            return
        known = self._waiting.get(key)
        if known is not None and known[0] <= priority:
            return
        self._waiting[key] = (priority, known[1] if known else self._clock())
        self._lanes[priority].append(key)
        self._wake()

    def add_after(self, key: Key, seconds: float, priority: Priority = Priority.RESYNC) -> None:
        """Look at this after a while; of several such wishes the earliest counts."""
        due = self._clock() + max(0.0, seconds)
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, key, priority))
        self._wake()

    def retry(self, key: Key, at_least: float = 0.0) -> None:
        """Look at this again after a failure: each time twice as late as the time before."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._pace.last_retry, self._pace.first_retry * 2.0 ** min(failures, 32))
        self.add_after(key, max(delay, at_least), Priority.CHANGE)

    def failures(self, key: Key) -> int:
        """How often in a row this has failed."""
        return self._failures.get(key, 0)

    def succeeded(self, key: Key) -> None:
        """Forget the failures of this."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """Keep no failures and no wishes for later: the object is gone."""
        self._failures.pop(key, None)
        self._due.pop(key, None)

    def done(self, key: Key) -> None:
        """The pass is over; a change that came meanwhile queues it again."""
        self._working.discard(key)
        priority = self._changed_meanwhile.pop(key, None)
        if priority is not None:
            self.add(key, priority)

    async def take(self) -> Key:
        """The next key, as soon as there is one and the pace allows it."""
        while (key := self.next()) is None:
            await self._sleep()
        if any(self._lanes):
            self._wake()
        return key

    def next(self) -> Key | None:
        """The next key, if there is one now and the pace allows it."""
        now = self._clock()
        self._release(now)
        self._refill(now)
        if self._pace.rate and self._tokens < 1:
            return None
        key = self._pop()
        if key is None:
            return None
        self._tokens -= 1
        self._taken += 1
        self._working.add(key)
        return key

    def wakes_at(self) -> float | None:
        """When there may be something to take next; None while nothing waits.

        Units: seconds of the clock that was given.
        """
        moments = [self._later[0][0]] if self._later else []
        if self._waiting:
            missing = max(0.0, 1 - self._tokens) / self._pace.rate if self._pace.rate else 0.0
            moments.append(self._filled + missing)
        return min(moments, default=None)

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def working(self) -> int:
        """How many are being worked on."""
        return len(self._working)

    def _pop(self) -> Key | None:
        first, second = Priority.CHANGE, Priority.RESYNC
        if self._taken % FAIR_SHARE == FAIR_SHARE - 1:
            first, second = second, first
        for priority in (first, second):
            lane = self._lanes[priority]
            while lane:
                key = lane.popleft()
                # A key that was raised to the other lane, or taken from it, left its old place behind.
                if self._waiting.get(key, (None,))[0] == priority:
                    self.waited = self._clock() - self._waiting.pop(key)[1]
                    return key
        return None

    def _release(self, now: float) -> None:
        while self._later and self._later[0][0] <= now:
            due, key, priority = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key, priority)

    def _refill(self, now: float) -> None:
        if self._pace.rate:
            self._tokens = min(float(self._pace.burst), self._tokens + (now - self._filled) * self._pace.rate)
        else:
            self._tokens = float(self._pace.burst)
        self._filled = now

    async def _sleep(self) -> None:
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.append(sleeper)
        moment = self.wakes_at()
        if moment is not None:
            if self._alarm is not None:
                self._alarm.cancel()
            # The token that is missing may be a rounding error away: never wait zero seconds in a circle.
            self._alarm = loop.call_later(max(0.001, moment - self._clock()), self._wake)
        try:
            await sleeper
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def _wake(self) -> None:
        while self._sleepers:
            sleeper = self._sleepers.popleft()
            if not sleeper.done():
                sleeper.set_result(None)
                return
