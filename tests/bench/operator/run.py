"""Is the engine as good as a Go controller on the same work? `python -m tests.bench.operator.run`.

Each Thing needs one ConfigMap and a status. Both operators get an API server of their own, one after the other on the
same machine, so that neither sees what the other left; rounds alternate who comes first.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from merkhet.engine.access import Access
from merkhet.engine.apiserver import HttpCluster
from merkhet.engine.clock import SystemClock
from merkhet.engine.cluster import AlreadyExists
from merkhet.engine.metrics import Metrics
from merkhet.errors import Unavailable
from tests.bench.operator.processes import end, usage
from tests.bench.operator.thing import THING
from tests.cluster import binaries
from tests.cluster.apiserver import ApiServer
from tests.cluster.machine import Progress, cache, run_long

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
NAMESPACE = "bench"
CREATORS = 16
WORKERS = 16
STEADY = 60.0  # seconds
PATIENCE = 900.0  # seconds until all must be ready
# What the engine may take of what Go takes.
BARS = {"wall": 1.0, "cpu": 2.0, "memory": 1.5}
PORT = 18766
MODULE = "tests.bench.operator.thing"


@dataclass(frozen=True, slots=True)
class Result:
    """What one operator took for the work.

    Units: seconds from the first create to the last Ready, seconds of CPU, bytes resident at most.
    """

    wall: float
    cpu: float
    memory: int
    writes: int | None = None  # in the steady time afterwards, but for leases


def main() -> int:
    """Compare and print; exit code 1 where the engine misses a bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steady", type=float, default=STEADY, help="seconds in which nothing may be written")
    parser.add_argument("--only", choices=("go", "merkhet"), help="run one of the two")
    asked = parser.parse_args()
    commands: dict[str, Callable[[Path], subprocess.Popen[bytes]]] = {"go": _go(), "merkhet": _merkhet}
    results: dict[str, list[Result]] = {name: [] for name in commands if asked.only in {None, name}}
    for number in range(asked.rounds):
        for name in sorted(results, reverse=bool(number % 2)):
            steady = asked.steady if name == "merkhet" else 0.0
            results[name].append(_measured(commands[name], asked.objects, steady))
            _say(name, results[name][-1])
    return _judge({name: _middle(some) for name, some in results.items()})


def _measured(start: Callable[[Path], subprocess.Popen[bytes]], objects: int, steady: float) -> Result:
    with tempfile.TemporaryDirectory() as folder, ApiServer(Path(folder)) as server:
        os.environ["KUBECONFIG"] = str(server.kubeconfig())
        _kubectl(server, "create", "namespace", NAMESPACE)
        _kubectl(server, "apply", "-f", str(HERE / "things.yaml"))
        _kubectl(server, "wait", "--for=condition=Established", "--timeout=60s", "crd/things.bench.test")
        with _running(start(server.kubeconfig())) as process:
            wall = asyncio.run(_work(objects))
            used = usage(process)
            writes = _steady_writes(steady) if steady else None
            return Result(wall, used.cpu, used.peak, writes)


@contextmanager
def _running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        end(process)


async def _work(objects: int) -> float:
    access = Access(SystemClock(), connections=CREATORS)
    cluster = HttpCluster(access, Metrics())
    try:
        # The operator watches before the clock starts: it has made the first Thing ready.
        await _create(cluster, ["first"])
        await _all_ready(access, 1)
        started = time.monotonic()
        ready = asyncio.create_task(_all_ready(access, objects + 1))
        await _create(cluster, [f"t{number}" for number in range(objects)])
        await ready
        return time.monotonic() - started
    finally:
        await access.close()


async def _create(cluster: HttpCluster, names: list[str]) -> None:
    async def creator() -> None:
        while names:
            name = names.pop()
            body = {"apiVersion": THING.api_version, "kind": THING.kind, "metadata": {"name": name}, "spec": {"x": 1}}
            try:
                await cluster.create(THING, NAMESPACE, body, manager="people")
            except AlreadyExists:
                pass  # it was made although its answer came too late
            except Unavailable:
                names.append(name)  # a server that is asked for thousands at once may let one wait too long

    await asyncio.gather(*(creator() for _ in range(CREATORS)))


async def _all_ready(access: Access, count: int) -> None:
    """Return when so many Things are Ready; a watch costs the API server less than lists would."""
    ready: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        while len(ready) < count:  # a server with too much to do ends watches; another begins with all that there is
            async for body in _watched(access):
                if (body.get("status") or {}).get("phase") == "Ready":
                    ready.add(body["metadata"]["name"])
                if len(ready) >= count:
                    return


async def _watched(access: Access) -> AsyncIterator[dict[str, Any]]:
    """The Things there are and all their changes, until the server ends it."""
    session = await access.session()
    url = access.server + THING.url(NAMESPACE)
    query = {"watch": "true", "resourceVersion": "0"}
    options = aiohttp.ClientTimeout(total=None)
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(url, params=query, headers=access.headers(), timeout=options) as response:
            async for line in response.content:
                yield json.loads(line)["object"]


def _steady_writes(seconds: float) -> int:
    time.sleep(seconds / 10)  # what the last status brought about
    before = _written()
    time.sleep(seconds)
    return _written() - before


def _written() -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    counted = [line for line in lines if line.startswith("merkhet_writes_total{") and 'kind="Lease"' not in line]
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in counted))


def _merkhet(kubeconfig: Path) -> subprocess.Popen[bytes]:
    environment = {
        **{word: value for word, value in os.environ.items() if word != "PYTHONDONTWRITEBYTECODE"},
        # In the image everything is compiled, as the Go program is.
        "PYTHONPYCACHEPREFIX": str(cache("bench", "bytecode")),
        "KUBECONFIG": str(kubeconfig),
        "PYTHONPATH": f"{HERE / 'absent'}:{ROOT / 'operator'}:{ROOT}",
        "MERKHET_NAMESPACE": NAMESPACE,
        "MERKHET_WORKERS": str(WORKERS),
        "MERKHET_RATE": "0",  # the Go program has no limit, either
        "MERKHET_PORT": str(PORT),
        "MERKHET_LOG_LEVEL": "warning",
    }
    subprocess.run([sys.executable, "-c", f"import {MODULE}"], cwd=ROOT, env=environment, check=True)
    return subprocess.Popen([sys.executable, "-m", MODULE], cwd=ROOT, env=environment)


def _go() -> Callable[[Path], subprocess.Popen[bytes]]:
    sources = b"".join(path.read_bytes() for path in sorted((HERE / "go").iterdir()))
    program = cache("bench", hashlib.sha256(sources).hexdigest()[:12]) / "controller"
    if not program.exists():
        building = program.with_suffix(".new")
        command = ("go", "build", "-o", str(building), ".")
        run_long(Progress(), "building the Go controller", *command, cwd=HERE / "go")
        building.rename(program)

    def start(kubeconfig: Path) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        return subprocess.Popen([str(program)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return start


def _kubectl(server: ApiServer, *words: str) -> None:
    program = binaries.ensure(("kubectl",), Progress()) / "kubectl"
    command = [str(program), f"--kubeconfig={server.kubeconfig()}", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _middle(results: list[Result]) -> Result:
    writes = [result.writes for result in results if result.writes is not None]
    return Result(
        statistics.median(result.wall for result in results),
        statistics.median(result.cpu for result in results),
        int(statistics.median(result.memory for result in results)),
        sum(writes) if writes else None,
    )


def _say(name: str, result: Result) -> None:
    line = f"{name:<8} {result.wall:7.2f} s wall {result.cpu:7.2f} s CPU {result.memory / 2**20:7.0f} MiB"
    print(line, flush=True)


def _judge(middle: dict[str, Result]) -> int:
    if len(middle) < 2:
        return 0
    go, ours = middle["go"], middle["merkhet"]
    ratios = {"wall": ours.wall / go.wall, "cpu": ours.cpu / go.cpu, "memory": ours.memory / go.memory}
    print(f"{'':<8} {'merkhet':>9} {'go':>9} {'ratio':>7} {'bar':>5}")
    for name, unit in (("wall", 1.0), ("cpu", 1.0), ("memory", 2.0**20)):
        mine, theirs = getattr(ours, name) / unit, getattr(go, name) / unit
        print(f"{name:<8} {mine:9.2f} {theirs:9.2f} {ratios[name]:7.2f} {BARS[name]:5.1f}")
    print(f"writes in the steady time: {ours.writes}")
    return int(any(ratios[name] > bar for name, bar in BARS.items()) or bool(ours.writes))


if __name__ == "__main__":
    sys.exit(main())
