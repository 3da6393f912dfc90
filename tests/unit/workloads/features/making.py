"""A store with files, and FeatureSets made from them."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from merkhet.contract.features import FeaturesManifest, FeaturesResult, FeaturesTask
from merkhet.contract.runs import run_key
from merkhet.store.volume import Volume
from merkhet.workloads.features.main import make_version
from merkhet.workloads.features.versions import manifest_at
from merkhet.workloads.run import Places


@dataclass(slots=True)
class Workshop:
    """A store, and what was said while versions were made."""

    places: Places
    said: list[str] = field(default_factory=list)
    runs: int = 0
    now: datetime = datetime(2024, 1, 3, tzinfo=UTC)

    @property
    def store(self) -> Volume:
        return Volume(self.places.store)

    def put(self, path: str, content: bytes | str | dict[str, list[Any]] | pa.Table) -> None:
        """A user's file; columns become parquet."""
        if isinstance(content, dict):
            content = pa.table(content)
        if isinstance(content, pa.Table):
            buffer = io.BytesIO()
            pq.write_table(content, buffer)
            content = buffer.getvalue()
        self.store.replace(f"raw/{path}", content.encode() if isinstance(content, str) else content)

    def make(self, sources: dict[str, str], run: str | None = None, **more: Any) -> FeaturesResult:
        """A version of FeatureSet ``adults``; sources are addresses by name."""
        task = self.task(sources, run, **more)
        return make_version(task, self.store, self.said.append, places=self.places, now=self.now)

    def task(self, sources: dict[str, str], run: str | None = None, **more: Any) -> FeaturesTask:
        self.runs += 1
        trigger = run or f"annotation/{self.runs}"
        origin = {"kind": "FeatureSet", "namespace": "people", "name": "adults", "uid": "u"}
        body = {
            "run": {"key": run_key("FeatureSet", "adults", trigger), "trigger": trigger, "origin": origin},
            "feature_set": "adults",
            "sources": [{"name": name, "uri": uri} for name, uri in sources.items()],
            **more,
        }
        return FeaturesTask.model_validate(body)

    def manifest(self, number: int | None = None) -> FeaturesManifest:
        return manifest_at(self.store, "adults", number)

    def table(self, number: int | None = None) -> pa.Table:
        """The rows of a version."""
        return pa.concat_tables(pq.read_table(self.store.fetch(blob.digest)) for blob in self.manifest(number).blobs)


def workshop(folder: Path) -> Workshop:
    places = Places(store=folder / "store", report=folder / "report", scratch=folder / "scratch")
    for place in (places.store, places.report, places.scratch):
        place.mkdir()
    return Workshop(places)
