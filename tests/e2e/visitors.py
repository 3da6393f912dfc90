"""Callers of a served model: rows of the census, requests made of them, and a crowd that counts its failures."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from merkhet.workloads.trainer.split import canonical_text, hashed_share
from tests.e2e.access import EXAMPLE, Body, Tenant, until

NO_FEATURES = {"person_id", "surveyed_at", "employed", "RAC1P"}


def unseen(count: int) -> pa.Table:
    """People of 2018 whom the example's split keeps out of training."""
    everybody = pq.read_table(EXAMPLE / "data" / "census-2018.parquet")
    shares = hashed_share(canonical_text(everybody, ["person_id"]), seed=7)
    return everybody.filter(pa.array(shares < 0.25)).slice(0, count)


def request(people: pa.Table, **more: Any) -> Body:
    """An inference request for these people, as the signature's one tensor takes them."""
    columns = [name for name in people.column_names if name not in NO_FEATURES]
    rows = people.select(columns).to_pylist()
    data = [row[name] for row in rows for name in columns]
    tensor = {"name": "input", "datatype": "FP32", "shape": [len(rows), len(columns)], "data": data}
    return {"inputs": [tensor], **more}


# Runs in the store's pod. New connections and kept ones take turns, as callers of all sorts do.
CROWD = """
import http.client, json, sys, time
name, body = sys.argv[1], sys.argv[2]
good, bad, versions, kept = 0, [], {}, None
print("begun", flush=True)
import select
while True:
    if select.select([sys.stdin], [], [], 0)[0]:
        break
    try:
        fresh = good % 2 == 0 or kept is None
        line = http.client.HTTPConnection(name, timeout=30) if fresh else kept
        line.request("POST", f"/v2/models/{name}/infer", body, {"Content-Type": "application/json"})
        answer = line.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {text[:200]}")
        version = json.loads(text)["model_version"]
        versions[version] = versions.get(version, 0) + 1
        good += 1
        closes = (answer.getheader("Connection") or "").lower() == "close"
        if fresh and kept is None and not closes:
            kept = line
        elif fresh:
            line.close()
        elif closes:
            kept = None
    except Exception as found:
        bad.append(f"{time.time():.2f} kept={not fresh} {found!r}")
        kept = None
    time.sleep(0.005)
print(json.dumps({"good": good, "bad": bad[:20], "versions": versions}), flush=True)
"""


@dataclass
class Crowd:
    """What the callers met."""

    good: int = 0
    bad: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)


@contextmanager
def crowd(tenant: Tenant, name: str) -> Iterator[Crowd]:
    """Callers in the cluster who ask all the time, until the block ends."""
    body = json.dumps(request(unseen(1)))
    command = [
        "kubectl",
        "-n",
        tenant.name,
        "exec",
        "-i",
        "merkhet-store-0",
        "-c",
        "store",
        "--",
        "python",
        "-c",
        CROWD,
        name,
        body,
    ]
    callers = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(tenant.cluster.environment), text=True
    )
    assert callers.stdout is not None
    assert callers.stdin is not None
    met = Crowd()
    try:
        until(callers.stdout.readline, lambda line: line.strip() == "begun", "the callers began", 60)
        yield met
        callers.stdin.write("enough\n")
        callers.stdin.close()
        told = json.loads(callers.stdout.read())
        met.good, met.bad, met.versions = told["good"], told["bad"], told["versions"]
    finally:
        callers.kill()
        callers.wait()
        callers.stdin.close()
        callers.stdout.close()
