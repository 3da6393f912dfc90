"""``merkhet features rows NAME``: the first rows of a version, personal columns covered unless asked for."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

import pyarrow.parquet as pq

from merkhet.contract.features import FeaturesManifest
from merkhet.errors import MerkhetError
from merkhet.store.port import Store
from merkhet.store.volume import Volume
from merkhet.workloads.features.versions import manifest_at
from merkhet.workloads.run import Places

COVER = "•••"
LONGEST_CELL = 40  # characters


def main(argv: Sequence[str]) -> int:
    """Print rows; the exit code."""
    asked = _arguments(argv)
    store = Volume(Places.from_environment().store)
    try:
        manifest = manifest_at(store, asked.name, asked.version)
        rows = list(islice(_rows(manifest, store), asked.limit))
    except MerkhetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    covered = set() if asked.personal else {column.name for column in manifest.columns if column.personal}
    shown = [{name: COVER if name in covered else _json(value) for name, value in row.items()} for row in rows]
    sys.stdout.write(_as_json(manifest, shown) if asked.output == "json" else _as_table(manifest, shown))
    return 0


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="merkhet features", description=__doc__)
    rows = parser.add_subparsers(required=True).add_parser("rows", help="the first rows of a version")
    rows.add_argument("name", help="of the FeatureSet")
    rows.add_argument("--version", type=int, help="default: the latest")
    rows.add_argument("--limit", type=int, default=20)
    rows.add_argument("--personal", action="store_true", help="show personal columns too")
    rows.add_argument("-o", "--output", choices=("table", "json"), default="table")
    return parser.parse_args(argv)


def _rows(manifest: FeaturesManifest, store: Store) -> Iterator[dict[str, Any]]:
    for blob in manifest.blobs:
        with store.open(blob.digest) as content, pq.ParquetFile(content) as file:
            for batch in file.iter_batches(batch_size=1_000):
                yield from batch.to_pylist()


def _json(value: Any) -> Any:
    """A value that JSON has; NaN has no word there."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    return None if value != value else value  # noqa: PLR0124 - NaN alone differs from itself


def _as_json(manifest: FeaturesManifest, rows: list[dict[str, Any]]) -> str:
    columns = [column.body() for column in manifest.columns]
    body = {"name": manifest.feature_set, "version": manifest.number, "rows": manifest.rows, "columns": columns}
    return json.dumps({**body, "items": rows}, ensure_ascii=False) + "\n"


def _as_table(manifest: FeaturesManifest, rows: list[dict[str, Any]]) -> str:
    names = [column.name for column in manifest.columns]
    cells = [names, *([_cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[position]) for line in cells) for position in range(len(names))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    total = f"{len(rows)} of {manifest.rows:,} rows of version {manifest.number}"
    return "\n".join([*lines, "", total, ""])


def _cell(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
