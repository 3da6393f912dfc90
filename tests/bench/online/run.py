"""Look-ups of one among a million entities, and of fifty: `python -m tests.bench.online.run`.

One core for the server, one for the load.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.bench.online.load import Figures, load
from tests.unit.workloads.features.making import Workshop, workshop
from tests.unit.workloads.online.making import answering

SERVER_CORE, LOAD_CORE = 0, 1
PINNED = ("taskset", "-c", str(SERVER_CORE))
COLUMNS = 20
MANY = 50


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=1000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shop = workshop(Path(folder))
        seconds = made(shop, arguments.entities)
        start = time.monotonic()
        with answering(shop.places.store, prefix=PINNED) as server:
            ready = time.monotonic() - start
            figures = {
                entities: load(
                    server.port, rate=arguments.rate, seconds=arguments.seconds, entities=entities,
                    of=arguments.entities, core=LOAD_CORE,
                )
                for entities in (1, MANY)
            }  # fmt: skip
            text = server.get("/metrics", admin=True)[1]
    resident = next(line for line in text.splitlines() if line.startswith("process_resident")).split()[1]
    print(table(figures))
    print(
        f"\n{arguments.entities:,} entities of {COLUMNS} columns: made in {seconds:.0f} s; ready after {ready:.2f} s; "
    )
    print(f"resident {int(resident) / 1e6:.0f} MB after the load, most of it the file's own pages")


def made(shop: Workshop, entities: int) -> float:
    """Publish a version and make it ready; how long that took."""
    rng = np.random.default_rng(0)
    numbers = {f"c{at}": rng.normal(size=entities).astype(np.float32) for at in range(COLUMNS - 1)}
    shop.put("t.parquet", pa.table({"id": rng.permutation(entities), **numbers}))
    start = time.monotonic()
    shop.make({"t": "store://raw/t.parquet"}, entity=["id"], online=True)
    return time.monotonic() - start


def table(figures: dict[int, Figures]) -> str:
    """Markdown."""
    lines = ["| entities a request | req/s | p50 ms | p99 ms | p99.9 ms |", "|---|---|---|---|---|"]
    for entities, found in figures.items():
        cells = " | ".join(f"{quantile:.2f}" for quantile in found.quantiles)
        lines.append(f"| {entities} | {found.rate:,.0f} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
