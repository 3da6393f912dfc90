"""What has a server of look-ups done so far? In Prometheus' text when asked."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial
from itertools import accumulate

from merkhet.workloads.online.table import Current
from merkhet.workloads.server import metrics
from merkhet.workloads.server.metrics import labels, process

BOUNDS = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1)  # seconds

family = partial(metrics.family, prefix="merkhet_online_")


class Metrics:
    """Figures since the process began."""

    def __init__(self, current: Current) -> None:
        self.current = current
        self.requests: dict[tuple[str, int], int] = {}  # by route and status
        self.found = self.missing = self.stale = 0  # entities
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def answered(self, route: str, status: int) -> None:
        """Count a request."""
        key = route, status
        self.requests[key] = self.requests.get(key, 0) + 1

    def looked_up(self, found: int, missing: int, stale: int, seconds: float) -> None:
        """Count the entities of a request, and the time from its parsing to its answer."""
        self.found += found
        self.missing += missing
        self.stale += stale
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1

    def text(self) -> str:
        """All of it."""
        current = self.current
        entities = [("found", self.found), ("missing", self.missing), ("stale", self.stale)]
        counted = sorted(self.requests.items())
        return "".join([
            family("requests_total", "counter", "Requests by route and status.",
                   [(labels({"route": route, "code": str(status)}), count) for (route, status), count in counted]),
            family("entities_total", "counter", "Entities asked for, by what came of it.",
                   [(labels({"result": result}), count) for result, count in entities]),
            family("request_duration_seconds", "histogram", "Time a look-up took.", self._durations()),
            family("version", "gauge", "Version of the FeatureSet that is looked up.",
                   [(labels({"feature_set": current.feature_set}), current.number)]),
            family("swaps_total", "counter", "Versions opened.", [("", current.swaps)]),
            family("failures_total", "counter", "Versions that could not be opened.", [("", current.failures)]),
            process(),
        ])  # fmt: skip

    def _durations(self) -> list[tuple[str, float]]:
        counts = list(accumulate(self.buckets))
        bounds = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
        buckets = [("_bucket" + labels({"le": bound}), count) for bound, count in zip(bounds, counts, strict=True)]
        return [*buckets, ("_sum", self.seconds), ("_count", counts[-1])]
