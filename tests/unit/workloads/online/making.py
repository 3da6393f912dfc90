"""Makes stores whose rows are looked up, and the process that answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from merkhet.contract.online import LookupTask, OnlinePointer
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.online.file import FORMAT, File, FileColumn
from merkhet.workloads.online.writer import Writer
from tests.unit.workloads.server.served import Process, eventually

TYPES = {int: "int64", float: "float64", str: "string", bool: "boolean", type(None): "string"}


def write(target: Path, rows: Sequence[dict[str, Any]], *entity: str, number: int = 1, times: Any = None) -> File:
    """A file of these rows; ``times`` are in microseconds since 1970."""
    texts = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in rows]
    keys = [
        json.dumps({name: row[name] for name in entity}, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
        for row in rows
    ]
    with target.open("wb") as content:
        writer = Writer(content, target.with_suffix(".entries"))
        sizes = np.array([len(text) for text in texts], np.uint32)
        writer.add(keys, b"".join(texts), sizes, None if times is None else np.array(times, np.int64))
        columns = tuple(FileColumn(name=name, type=TYPES[type(value)]) for name, value in rows[0].items())
        described = {"feature_set": "adults", "number": number, "manifest": f"sha256:{number:064x}"}
        writer.finish(entity=entity, timestamp=None, columns=columns, **described)  # type: ignore[arg-type]
    with target.open("rb") as content:
        return File.open(content, target.name)


def publish(
    store: Path, scratch: Path, rows: Sequence[dict[str, Any]], *entity: str, number: int, times: Any = None
) -> None:
    """A version that can be looked up."""
    target = scratch / "made"
    write(target, rows, *entity, number=number, times=times)
    point(store, Volume(store).add(target), number)


def point(store: Path, digest: str, number: int) -> None:
    """Lead look-ups to a blob."""
    manifest = f"sha256:{number:064x}"
    pointer = OnlinePointer(
        feature_set="adults", number=number, manifest=manifest, digest=digest, size=1, format=FORMAT
    )
    Volume(store).replace(paths.online_pointer("adults"), pointer.dump().encode())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Answering(Process):
    """A server of look-ups in its own process, as a pod runs it."""

    module = "merkhet.workloads.online.main"

    def version(self) -> int | None:
        """The version that is looked up."""
        text = self.get("/metrics", admin=True)[1]
        line = next(line for line in text.splitlines() if line.startswith("merkhet_online_version"))
        return int(line.split()[-1]) or None


@contextmanager
def answering(store: Path, *, prefix: tuple[str, ...] = (), ready: bool = True, **task: Any) -> Iterator[Answering]:
    """A server of the FeatureSet ``adults``."""
    asked = LookupTask(namespace="people", feature_set="adults", drain_seconds=1.0, **task)
    process = Answering(asked, store, prefix=prefix)
    try:
        process.ports()
        if ready:
            eventually(lambda: process.get("/ready", admin=True)[0] == 200, process)
        yield process
    finally:
        process.process.kill()
        process.wait()
        assert process.process.stderr is not None
        process.process.stderr.close()
