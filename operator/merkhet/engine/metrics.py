"""What can be measured of the operator from outside, in Prometheus' format."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0)


class Metrics:
    """The operator's own measurements."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.queue_depth = self._gauge("queue_depth", "Objects that wait for a pass")
        self.leader = self._gauge("leader", "1 while this replica leads")
        self.watch_age = self._gauge("watch_age_seconds", "Seconds since the watch last showed the heartbeat")
        self.objects = self._gauge("cached_objects", "Objects known, by kind", "kind")
        self._stalled = self._gauge(
            "stalled_objects", "Objects that wait for somebody to act, by the reason of their condition Stalled",
            "kind", "reason",
        )  # fmt: skip
        self._wait = Histogram(
            "merkhet_queue_wait_seconds", "Time an object waited for its pass", ["kind"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._pass = Histogram(
            "merkhet_pass_seconds", "Duration of a pass", ["kind", "result"],
            buckets=SECONDS, registry=self._registry,
        )  # fmt: skip
        self._writes = self._counter("writes", "Writes to the API server, by verb and kind", "verb", "kind")
        self._refusals = self._counter("api_errors", "Refusals and failures of the API server, by reason", "reason")
        self._repairs = self._counter(
            "resync_repairs", "What a full list showed and the watch had lost", "kind", "found"
        )
        self._waits: dict[str, Histogram] = {}
        self._passes: dict[tuple[str, str], Histogram] = {}
        self._written: dict[tuple[str, str], Counter] = {}

    # The children of a labelled metric are kept: finding them again costs more than counting does.

    def waited(self, kind: str, seconds: float) -> None:
        """An object left the queue."""
        child = self._waits.get(kind)
        if child is None:
            child = self._waits[kind] = self._wait.labels(kind)
        child.observe(seconds)

    def passed(self, kind: str, result: str, seconds: float) -> None:
        """A pass ended; ``result`` is Done or the reason why not."""
        child = self._passes.get((kind, result))
        if child is None:
            child = self._passes[kind, result] = self._pass.labels(kind, result)
        child.observe(seconds)

    def wrote(self, verb: str, kind: str) -> None:
        """A write was answered."""
        child = self._written.get((verb, kind))
        if child is None:
            child = self._written[verb, kind] = self._writes.labels(verb, kind)
        child.inc()

    def failed(self, reason: str) -> None:
        """The API server refused, or did not answer."""
        self._refusals.labels(reason).inc()

    def repaired(self, kind: str, found: str, count: int = 1) -> None:
        """A full list found what the watch had lost; ``found`` is deleted or changed."""
        self._repairs.labels(kind, found).inc(count)

    def stall(self, counts: Mapping[tuple[str, str], int]) -> None:
        """So many objects are stalled, by kind and reason; there are no others."""
        self._stalled.clear()
        for (kind, reason), count in counts.items():
            self._stalled.labels(kind, reason).set(count)

    def text(self) -> bytes:
        """All measurements as Prometheus reads them."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, purpose: str, *labels: str) -> Gauge:
        return Gauge(f"merkhet_{name}", purpose, labels, registry=self._registry)

    def _counter(self, name: str, purpose: str, *labels: str) -> Counter:
        return Counter(f"merkhet_{name}", purpose, labels, registry=self._registry)
