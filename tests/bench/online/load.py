"""How long do answers take when requests come at their own pace? An open loop: nobody waits for the answer before.

The time of a request counts from the moment at which it was due, so that a server which stands still is seen.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import uvloop

CONNECTIONS = 32
SHARES = (0.5, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Figures:
    """Units: requests a second that were answered, milliseconds."""

    rate: float
    quantiles: tuple[float, ...]  # of SHARES


def load(port: int, *, rate: int, seconds: float, entities: int, of: int, core: int) -> Figures:
    """Ask for so many entities at once, out of ``of``, from one core."""
    words = [str(word) for word in (port, rate, seconds, entities, of)]
    command = ["taskset", "-c", str(core), sys.executable, "-m", "tests.bench.online.load", *words]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Figures(float(told[0]), tuple(map(float, told[1:])))


class Client(asyncio.Protocol):
    """One connection; requests may wait behind one another in it."""

    def __init__(self, times: list[float]) -> None:
        self.times = times
        self.due: deque[float] = deque()
        self.seen = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, request: bytes, due: float) -> None:
        self.due.append(due)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        while (end := self.seen.find(b"\r\n\r\n")) >= 0:
            start = self.seen.index(b"content-length: ") + 16
            whole = end + 4 + int(self.seen[start : self.seen.index(b"\r", start)])
            if len(self.seen) < whole:
                return
            assert self.seen.startswith(b"HTTP/1.1 200"), self.seen[:300]
            self.seen = self.seen[whole:]
            self.times.append(time.perf_counter() - self.due.popleft())


def requests(entities: int, of: int, count: int) -> list[bytes]:
    """Some requests for entities by chance, made beforehand."""
    chance = random.Random(0)
    made = []
    for _ in range(count):
        query = "&".join(f"entity={chance.randrange(of)}" for _ in range(entities))
        made.append(f"GET /v1/features/adults?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return made


async def ask(port: int, rate: int, seconds: float, entities: int, of: int) -> None:
    """Print the rate and the quantiles."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    clients = []
    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: Client(times), "127.0.0.1", port)
        clients.append(client)
    made = requests(entities, of, 5000)
    chance = random.Random(1)
    start = due = time.perf_counter()
    asked = 0
    while due < start + seconds:
        now = time.perf_counter()
        while due <= now:
            clients[asked % CONNECTIONS].ask(made[asked % len(made)], due)
            asked += 1
            due += chance.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    while len(times) < asked:  # noqa: ASYNC110 - a look now and then costs less than an event per answer
        await asyncio.sleep(0.01)
    times.sort()
    print(asked / seconds, *(times[int(len(times) * share)] * 1e3 for share in SHARES))


if __name__ == "__main__":
    port, rate, seconds, entities, of = sys.argv[1:]
    uvloop.run(ask(int(port), int(rate), float(seconds), int(entities), int(of)))
