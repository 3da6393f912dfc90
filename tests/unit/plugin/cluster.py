"""A cluster for the plugin: objects as kubectl answers them, and a real store behind the real gateway's commands."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from merkhet.api.meta import Body
from merkhet.plugin.kubectl import Kubectl, KubectlFailed
from merkhet.workloads.gateway import store
from tests import make


@dataclass
class Cluster:
    """What is in the namespace, and what was created in it."""

    root: Path
    objects: list[Body] = field(default_factory=list)
    created: list[Body] = field(default_factory=list)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    broken: bytes = b""  # what comes after each file on its way

    def put(self, content: bytes, path: str = "") -> str:
        """Store a blob, or a file under a path; its digest."""
        digest = hashlib.sha256(content).hexdigest()
        file = self.root / (path or f"blobs/sha256/{digest}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return f"sha256:{digest}"

    def find(self, kind: str, name: str) -> Body | None:
        kind = kind.partition(".")[0].rstrip("s")
        named = (body for body in self.objects if body["metadata"]["name"] == name)
        return next((body for body in named if body["kind"].lower() == kind), None)

    def json(self, verb: str, kinds: str) -> Any:
        wanted = {kind.partition(".")[0].rstrip("s") for kind in kinds.split(",")}
        return {"items": [body for body in self.objects if body["kind"].lower() in wanted]}

    def run(self, *words: str, stdin: bytes | None = None) -> bytes:
        assert words == ("create", "-f", "-")
        self.created.append(json.loads(stdin or b""))
        return b"created\n"

    def inside(self, *words: str, stdin: bytes | None = None) -> bytes:
        """``merkhet store …`` as the gateway runs it."""
        self.asked.append(words)
        assert words[0] == "store"
        with self._streams(stdin or b"") as (printed, complaints):
            code = store.main(words[1:])
        if code:
            raise KubectlFailed(complaints.getvalue())
        return printed.getvalue()

    def stream(self, source: IO[bytes] | None, target: IO[bytes], *words: str) -> None:
        target.write(self.inside(*words) + self.broken)

    @contextlib.contextmanager
    def _streams(self, stdin: bytes) -> Iterator[tuple[io.BytesIO, io.StringIO]]:
        printed, complaints = io.BytesIO(), io.StringIO()
        stdout = io.TextIOWrapper(printed, write_through=True)
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as sent:
            sent.write(stdin)
            sent.seek(0)
            patch.setenv("MERKHET_STORE", str(self.root))
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=sent))
            patch.setattr(sys, "stdout", stdout)
            patch.setattr(sys, "stderr", complaints)
            yield printed, complaints
        stdout.detach()


def installed(monkeypatch: pytest.MonkeyPatch, root: Path) -> Cluster:
    """The cluster that the plugin talks to until the end of the test."""
    cluster = Cluster(root)
    for name in ("find", "json", "run", "inside", "stream"):
        monkeypatch.setattr(Kubectl, name, _bound(getattr(cluster, name)))
    monkeypatch.setattr(Kubectl, "gateway", lambda self: None)
    monkeypatch.setattr(Kubectl, "current_namespace", lambda self: make.NAMESPACE)
    return cluster


def _bound(method: Any) -> Any:
    return lambda _kubectl, *words, **more: method(*words, **more)


CARD = b'{"intendedUse":"a test"}'
CARD_TEXT = "# A card ✓\n".encode()
MANIFEST = b'{"columns":[{"name":"person_id","personal":true}],"number":1}'


def exported(cluster: Cluster, model: bytes, number: int = 3, **record: Any) -> Body:
    """A ModelVersion whose model, card and data manifest are in the store."""
    digest = cluster.put(model)
    data = [{"featureSet": "employment", "version": 1, "digest": cluster.put(MANIFEST)}]
    usual = {
        "artifact": {"digest": digest, "size": len(model), "format": "onnx", "uri": f"blobs/sha256/{digest[7:]}"},
        "lineage": {"training": {"name": "employment"}, "data": data, "author": "dana@example.com", "revision": "r1"},
        "reports": {"golden": "sha256:" + "b" * 64, "card": cluster.put(CARD), "cardText": cluster.put(CARD_TEXT)},
    }
    body = make.modelversion(number, record={**usual, **record})
    cluster.objects.append(body)
    return body
