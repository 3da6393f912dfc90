"""A store in which there is one of everything, made by the workloads themselves: what the collector leaves opens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from merkhet.contract.component import ComponentDocument, ComponentPointer, OnnxStep
from merkhet.contract.features import Blob, FeaturesManifest, FeaturesResult, FeaturesVersion
from merkhet.contract.live import KINDS, LiveList, LiveObject
from merkhet.contract.online import OnlinePointer
from merkhet.contract.profile import Profile
from merkhet.contract.runs import Origin, Run, RunReport
from merkhet.contract.training import DataVersion, Golden, Step, TrainingResult, TrainingTask
from merkhet.store import claims, paths, roots
from merkhet.store.collector import Collection, collect
from merkhet.store.references import digests
from merkhet.store.volume import Volume
from merkhet.workloads.components import document as documents
from merkhet.workloads.online.file import File
from merkhet.workloads.trainer.train import train
from tests.unit.workloads.components.test_onnx import same
from tests.unit.workloads.features.making import Workshop, workshop

KEPT = 2  # of five versions
TRAINED, PINNED = 1, 2
CREATED = "2026-11-22T12:00:00Z"
TRAINING = Run(key="0123456789abcdef0123", trigger="spec/x", origin=Origin(**dict.fromkeys(Origin.model_fields, "x")))
HGB = Step(estimator="sklearn.ensemble.HistGradientBoostingClassifier", parameters={"max_iter": 3})


class Everything:
    """The store, and what was said of each thing in it."""

    def __init__(self, shop: Workshop) -> None:
        self.shop, self.store = shop, shop.store
        self.versions = {number: self._published(number) for number in range(1, 6)}
        self.model = self._trained(self.versions[TRAINED])
        self.component = self._component()
        self.theirs = self._fetched()
        self.bytes = {path: self.store.read(path) for path in self._documents()}

    def collected(self) -> Collection:
        """Two passes that wait for nothing."""
        passes = [collect(self.store, self.live(), now=time.time() + 1, grace=0.0) for _ in range(3)]
        assert [done.stopped for done in passes] == ["", "", ""]
        return passes[1]

    def live(self) -> LiveList:
        """Who lives: the model, and who pins a version."""
        model = LiveObject(kind="ModelVersion", name="income-v1", uid="u")
        made = datetime.now(UTC).isoformat()
        pinned = (self.versions[PINNED].digest,)
        return LiveList(complete=True, made=made, kinds=KINDS, objects=(model,), keep={"adults": KEPT}, needed=pinned)

    def _published(self, number: int) -> FeaturesResult:
        random = np.random.default_rng(number)
        age = random.integers(16, 90, 400)
        rows: dict[str, Any] = {
            "id": np.arange(400),
            "age": age,
            "y": (age + random.normal(0, 20, 400) > 50).astype(int),
        }
        self.shop.put("people.parquet", pa.table(rows))
        made = self.shop.make({"people": "store://raw/people.parquet"}, entity=["id"], online=True)
        assert (made.number, made.online) == (number, True)
        return made

    def _trained(self, version: FeaturesResult) -> TrainingResult:
        data = DataVersion(feature_set="adults", version=version.number or 0, digest=version.digest)
        task = TrainingTask(
            run=TRAINING, training="x", model="income", task="Classification", data=data, target="y", pipeline=(HGB,)
        )
        result = train(task, self.store, lambda _: None)
        claims.record(self.store, RunReport(key=TRAINING.key, phase="Succeeded", result=result.body()))
        return result

    def _component(self) -> str:
        graph = self.store.add(same().SerializeToString())
        document = ComponentDocument(name="scale", version="1", flavour="onnx", onnx=OnnxStep(digest=graph))
        return documents.keep(self.store, document, CREATED)

    def _fetched(self) -> str:
        """A version of another namespace, and one of ours that was made of it."""
        rows = self.store.add(b"PAR1 theirs")
        theirs = FeaturesManifest(
            feature_set="regions", number=4, data_digest="", rows=1, columns=(), blobs=(Blob(digest=rows, size=11),)
        )
        taken = self.store.add(theirs.dump().encode())
        used = FeaturesVersion(name="regions", version=4, digest=taken, namespace="sales")
        ours = theirs.model_copy(update={"feature_set": "offers", "number": 1, "blobs": (), "inputs": (used,)})
        self.store.add(ours.dump().encode())
        self.store.create(paths.feature_manifest("offers", 1), ours.dump().encode())
        return taken

    def _documents(self) -> Iterator[str]:
        return (path for path in self.store.list("") if not path.startswith(("blobs/", "raw/", "roots/run-")))

    # Opening what is there.

    def open_version(self, number: int) -> None:
        """Its manifest by number and by digest, its rows, and its profile at both of its places."""
        result = self.versions[number]
        manifest = FeaturesManifest.load(content(self.store, result.digest))
        assert self.store.read(paths.feature_manifest("adults", number)) == content(self.store, result.digest)
        assert sum(pq.read_table(self.store.fetch(blob.digest)).num_rows for blob in manifest.blobs) == 400
        profile = content(self.store, result.profile)
        assert profile == self.store.read(paths.feature_profile("adults", number))
        assert Profile.load(profile).number == number

    def open_online(self) -> None:
        """The file of look-ups by its pointer, and the version that it is of."""
        pointer = OnlinePointer.load(self.store.read(paths.online_pointer("adults")))
        with self.store.open(pointer.digest) as file:
            assert File.open(file, "online").header.number == len(self.versions)
        assert pointer.manifest == self.versions[len(self.versions)].digest

    def open_model(self) -> None:
        """The graph, golden requests and reports, and what it was trained on."""
        assert self.model.artifact is not None
        assert ort.InferenceSession(content(self.store, self.model.artifact.digest)).get_inputs()
        assert Golden.load(content(self.store, self.model.reports["golden"])).inputs
        assert all(content(self.store, report) for report in self.model.reports.values())
        assert claims.recorded(self.store, TRAINING.key)
        for data in self.model.lineage.data:
            assert FeaturesManifest.load(content(self.store, data.digest)).number == TRAINED

    def open_component(self) -> None:
        """The document by name and by its digest, and its graph."""
        pointer = ComponentPointer.load(self.store.read(paths.component("scale", "1")))
        document, digest = documents.resolve(self.store, "scale", "1")
        assert digest == self.component == pointer.digest
        assert document.onnx is not None
        assert pointer.blobs == (document.onnx.digest,)
        assert ort.InferenceSession(content(self.store, document.onnx.digest)).get_inputs()

    def open_fetched(self) -> None:
        """The manifest of another namespace, and its rows."""
        for blob in FeaturesManifest.load(content(self.store, self.theirs)).blobs:
            assert content(self.store, blob.digest) == b"PAR1 theirs"


def content(store: Volume, digest: str) -> bytes:
    with store.open(digest) as opened:
        return opened.read()


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Everything:
    made = Everything(workshop(tmp_path_factory.mktemp("everything")))
    lost = made.store.add(b"what nothing names")
    done = made.collected()
    assert not made.store.exists(paths.blob(lost))
    assert done.blobs > 0
    return made


@pytest.mark.parametrize("number", [TRAINED, PINNED, 4, 5], ids=["trained on", "pinned", "kept", "the latest"])
def test_a_version_that_is_used_or_new_opens_with_its_rows_and_profile(everything: Everything, number: int) -> None:
    everything.open_version(number)


@pytest.mark.parametrize("what", ["online", "model", "component", "fetched"])
def test_everything_else_opens(everything: Everything, what: str) -> None:
    getattr(everything, f"open_{what}")()


def test_the_version_that_nobody_uses_is_gone_with_its_profile_and_rows(everything: Everything) -> None:
    gone = everything.versions[3]
    assert not everything.store.exists(paths.feature_manifest("adults", 3))
    assert not everything.store.exists(paths.feature_profile("adults", 3))
    assert not everything.store.exists(paths.blob(gone.digest))
    assert not everything.store.exists(paths.blob(gone.profile))


def test_no_document_that_is_left_names_what_is_not_there(everything: Everything) -> None:
    # Digests that name no bytes of the store: of rows, not of a file.
    content_only = {"dataDigest"}
    for path, body in everything.bytes.items():
        if not everything.store.exists(path):
            assert path.startswith("featuresets/adults/3.")
            continue
        document = {word: value for word, value in json.loads(body).items() if word not in content_only}
        for digest in digests(document):
            assert everything.store.exists(paths.blob(digest)), (path, digest)


def test_a_third_pass_finds_nothing_more(everything: Everything) -> None:
    done = collect(everything.store, everything.live(), now=time.time() + 2, grace=0.0)
    assert (done.blobs, done.retired, done.released, done.unmarked) == (0, (), (), {})
    (root,) = (roots.root_at(everything.store, path) for path in everything.store.list(paths.ROOTS))
    assert root.owner.name == "income-v1"
