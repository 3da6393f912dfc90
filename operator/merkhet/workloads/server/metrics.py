"""What has the server done so far? Counters on the path of a request, in Prometheus' text when asked.

Our own few lines: a counter of the client library takes a lock and a look-up of labels, as long as a small model runs.
"""

from __future__ import annotations

import resource
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path

BOUNDS = (
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
)  # seconds
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Figures since the process began."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts  # of the model
        self.requests: dict[tuple[str, int], int] = {}  # by route and status
        self.rows = 0
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.load_seconds = 0.0
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def answered(self, route: str, status: int) -> None:
        """Count a request."""
        key = route, status
        self.requests[key] = self.requests.get(key, 0) + 1

    def inferred(self, rows: int, seconds: float) -> None:
        """Count an inference: from the whole request to the written answer."""
        self.rows += rows
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1

    def gauge(self, name: str, words: str, read: Callable[[], float]) -> None:
        """Show a figure as it is when asked."""
        self.gauges[name] = (words, read)

    def text(self) -> str:
        """All of it."""
        families = [
            family("info", "gauge", "The model that is served.", [(labels(self.facts), 1)]),
            family("requests_total", "counter", "Requests by route and status.", self._requests()),
            family("rows_total", "counter", "Rows inferred.", [("", self.rows)]),
            family("request_duration_seconds", "histogram", "Time an inference took.", self._durations()),
            family("model_load_seconds", "gauge", "Time from start to ready.", [("", self.load_seconds)]),
            *(family(name, "gauge", words, [("", read())]) for name, (words, read) in self.gauges.items()),
            process(),
        ]
        return "".join(families)

    def _requests(self) -> list[tuple[str, float]]:
        counted = sorted(self.requests.items())
        return [(labels({"route": route, "code": str(status)}), count) for (route, status), count in counted]

    def _durations(self) -> list[tuple[str, float]]:
        counts = list(accumulate(self.buckets))
        bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        buckets = [("_bucket" + labels({"le": bound}), count) for bound, count in zip(bounds, counts, strict=True)]
        return [*buckets, ("_sum", self.seconds), ("_count", counts[-1])]


def family(
    name: str, kind: str, words: str, samples: Iterable[tuple[str, float]], prefix: str = "merkhet_server_"
) -> str:
    """One metric with its samples, in Prometheus' text format."""
    lines = [f"# HELP {prefix}{name} {words}", f"# TYPE {prefix}{name} {kind}"]
    lines += [f"{prefix}{name}{suffix} {value!r}" for suffix, value in samples]
    return "\n".join(lines) + "\n"


def labels(pairs: dict[str, str]) -> str:
    """Labels in braces, escaped."""
    escaped = {
        name: value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n") for name, value in pairs.items()
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"


def process() -> str:
    """What the process uses, under the names that every client library gives."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = family("cpu_seconds_total", "counter", "CPU used.", [("", used.ru_utime + used.ru_stime)], "process_")
    return cpu + family("resident_memory_bytes", "gauge", "Memory held.", [("", resident_memory())], "process_")


def resident_memory() -> int:
    """Units: bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()
