"""A hundred trainings at once on the local cluster: `python -m tests.bench.training.queue`.

Ten models have ten trainings each, so that numbers are claimed while others claim them. All are applied in one list;
each has to end with one run, one Job and one version of its own, and the API server may refuse no write of the operator
but those that lost a race and were made again.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterator

from tests.e2e.access import (
    EXAMPLE,
    OPERATOR_NAMESPACE,
    Body,
    Cluster,
    Failed,
    Tenant,
    changed,
    example_training,
    says,
    until,
)
from tests.e2e.conftest import furnish

MODELS = 10
# Reasons of the API server that lose nothing: the next pass reads what is there and writes again.
HARMLESS = frozenset({"Conflict", "AlreadyExists", "NotFound"})
PREPARED = (
    {"estimator": "sklearn.impute.SimpleImputer", "parameters": {"strategy": "median"}},
    {"estimator": "sklearn.preprocessing.StandardScaler"},
)
ERRORS = re.compile(r'^merkhet_api_errors_total\{reason="(?P<reason>[^"]*)"\} (?P<count>\S+)$', re.MULTILINE)
METRICS = "import urllib.request as r; print(r.urlopen('http://localhost:{port}/metrics').read().decode())"


def main() -> None:
    """Print what was found; ends badly where anything failed or came twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=60)
    asked = parser.parse_args()
    cluster = Cluster()
    tenant = Tenant.make(cluster, f"bench-queue-{secrets.token_hex(3)}")
    try:
        furnish(tenant)
        tenant.apply(EXAMPLE / "features.yaml")
        tenant.settled("featuresets", "employment")
        before = errors(cluster)
        began = time.monotonic()
        tenant.apply({"apiVersion": "v1", "kind": "List", "items": list(trainings(asked.count))})
        queued = time.monotonic() - began
        until(lambda: waiting(tenant), lambda names: not names, "all trainings have ended", asked.minutes * 60)
        seconds = time.monotonic() - began
        faults = [*wrong(tenant, asked.count), *refused(before, errors(cluster))]
    finally:
        tenant.remove()
    print(f"{asked.count} trainings, applied in {queued:.1f} s, ended after {seconds:.0f} s")
    if faults:
        raise SystemExit("\n".join(faults))
    print("no write failed, nothing came twice")


def trainings(count: int) -> Iterator[Body]:
    """Small ones, each of its own parameters, so that none finds another's result."""
    for number in range(count):
        step = {"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"C": 1.0 + number}}
        yield changed(
            example_training(),
            {
                "metadata.name": f"queued-{number:03}",
                "spec.model": f"model-{number % MODELS}",
                "spec.pipeline": [*PREPARED, step],
                "spec.gates": {"metrics": [{"name": "roc_auc", "min": 0.5}]},
                "spec.importance": {"rows": 200},
                # Some at a time find room on a small node, and the others wait for it: that is the queue.
                "spec.resources": {"requests": {"cpu": "100m", "memory": "512Mi"}},
                "spec.schedule": None,
            },
        )


def waiting(tenant: Tenant) -> list[str]:
    """Those that have not ended; raises Failed for one that is at fault. To wait for room on the node is none."""
    found = tenant.find("modeltrainings")
    for body in found:
        if says(body, "Stalled", "True") and not says(body, "Stalled", "True", "Unschedulable"):
            raise Failed(f"{body['metadata']['name']} is at fault: {json.dumps(body['status'])[:2000]}")
    return [body["metadata"]["name"] for body in found if not says(body, "Ready", "True")]


def wrong(tenant: Tenant, count: int) -> Iterator[str]:
    """What is missing, or there twice."""
    runs: list[str] = []
    for body in tenant.find("modeltrainings"):
        name, entries = body["metadata"]["name"], body["status"].get("runs") or []
        runs += [entry["key"] for entry in entries]
        if [entry["phase"] for entry in entries] != ["Succeeded"]:
            yield f"{name} has the runs {entries}, wanted one that succeeded"
    records = [body["spec"]["record"] for body in tenant.find("modelversions")]
    made_by = Counter(record["lineage"]["training"]["run"] for record in records)
    yield from (f"run {run} made {made_by[run]} versions, wanted one" for run in runs if made_by[run] != 1)
    for model in range(MODELS):
        numbers = sorted(record["version"] for record in records if record["model"] == f"model-{model}")
        wanted = list(range(1, len(range(model, count, MODELS)) + 1))
        if numbers != wanted:
            yield f"model-{model} has the versions {numbers}, wanted {wanted}"
    jobs = Counter(job["metadata"]["labels"]["merkhet.dev/run"] for job in tenant.find("jobs") if _trains(job))
    yield from (f"run {run} has {jobs[run]} Jobs, wanted one" for run in runs if jobs[run] != 1)


def _trains(job: Body) -> bool:
    return bool(job["metadata"]["labels"].get("merkhet.dev/kind") == "modeltraining")


def refused(before: Counter[str], after: Counter[str]) -> Iterator[str]:
    """Writes that the API server refused meanwhile."""
    for reason, count in (after - before).items():
        if reason not in HARMLESS:
            yield f"the API server refused {count} requests of the operator with {reason}"
        else:
            print(f"{count} requests met {reason} and were made again")


def errors(cluster: Cluster, port: int = 8081) -> Counter[str]:
    """What the operator has counted of refusals, by reason."""
    words = ("exec", "deployment/merkhet", "--", "python3", "-c", METRICS.format(port=port))
    text = cluster.kubectl("--namespace", OPERATOR_NAMESPACE, *words)
    return Counter({one["reason"]: int(float(one["count"])) for one in ERRORS.finditer(text)})


if __name__ == "__main__":
    main()
