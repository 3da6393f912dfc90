"""How many requests a second does a server answer? Asked by wrk, or by ourselves where there is no wrk."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECTIONS = 16
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SCRIPT = """
local file = io.open("{body}", "rb"); wrk.body = file:read("*a"); file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
{header}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Units: requests a second, milliseconds."""

    rate: float
    p50: float
    p99: float


def load(url: str, body: bytes, header: int | None, *, seconds: int, folder: Path, core: int) -> Figures:
    """Ask for so long from one core; ``header`` is the length of the JSON before binary tensors."""
    file = folder / "body"
    file.write_bytes(body)
    if shutil.which("wrk") is None:
        command = [sys.executable, "-m", "tests.bench.serving.load", url, str(file), str(header or 0), str(seconds)]
    else:
        line = "" if header is None else f'wrk.headers["Inference-Header-Content-Length"] = "{header}"'
        script = folder / "post.lua"
        script.write_text(SCRIPT.format(body=file, header=line))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    told = subprocess.run(["taskset", "-c", str(core), *command], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in told, told
    return Figures(float(found(r"Requests/sec: +([\d.]+)", told)[1]), quantile("50%", told), quantile("99%", told))


def quantile(name: str, told: str) -> float:
    """Units: milliseconds."""
    match = found(rf"{name} +([\d.]+)(us|ms|s)", told)
    return float(match[1]) * UNITS[match[2]]


def found(pattern: str, told: str) -> re.Match[str]:
    """A figure in what was printed."""
    match = re.search(pattern, told)
    assert match, told
    return match


class Client(asyncio.Protocol):
    """Asks again as soon as it is answered."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self.request = request
        self.times = times
        self.seen = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.asked = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        head, blank, body = self.seen.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if blank and length and len(body) >= int(length[1]):
            assert head.startswith(b"HTTP/1.1 200"), head
            self.seen = b""
            self.times.append(time.perf_counter() - self.asked)
            self.ask()


async def ask(url: str, body: bytes, header: int, seconds: float) -> None:
    """What wrk would print."""
    host, port, path = found(r"http://([^:/]+):(\d+)(/.*)", url).groups()
    line = f"Inference-Header-Content-Length: {header}\r\n" if header else ""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{line}Content-Length: {len(body)}\r\n\r\n"
    times: list[float] = []
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: Client(head.encode() + body, times), host, int(port))
    await asyncio.sleep(seconds)
    times.sort()
    for name, share in (("50%", 0.5), ("99%", 0.99)):
        print(f"{name} {times[int(len(times) * share)] * 1e3:.3f}ms")
    print(f"Requests/sec: {len(times) / seconds:.1f}")


if __name__ == "__main__":
    asyncio.run(ask(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]), float(sys.argv[4])))
