"""Real processes that publish, train and collect at the same time, and are killed while they do."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from merkhet.store.collector import Collection, last_collection
from merkhet.store.volume import Volume
from tests.unit.store.processes import eventually, first_line, running

TRAININGS = 40

# What all of them share: versions of a FeatureSet whose rows have a part in common, and how one reads them whole.
COMMON = """
import hashlib, json, random, sys, time
from datetime import UTC, datetime
from pathlib import Path
from merkhet.contract.features import Blob, FeaturesManifest
from merkhet.contract.live import KINDS, LiveList, LiveObject
from merkhet.contract.runs import Origin, Run, RunReport, digest_of
from merkhet.errors import Missing
from merkhet.store import claims, paths, roots
from merkhet.store.collector import collect
from merkhet.store.volume import Volume

store, seed = Volume(Path(sys.argv[1])), sys.argv[2]
chance = random.Random(seed)

def run_of(word, uid):
    origin = Origin(kind="ModelTraining", namespace="people", name="income", uid=uid)
    return Run(key=digest_of([seed, word]), trigger="spec/x", origin=origin)

def read_whole(manifest):
    for blob in manifest.blobs:
        assert store.fetch(blob.digest).read_bytes()

def finish(run):
    claims.record(store, RunReport(key=run.key, phase="Succeeded"))
"""

PUBLISHER = (
    COMMON
    + """
print("ready", flush=True)
word = 0
while True:
    word += 1
    run = run_of(word, "uid")
    roots.hold_for_run(store, run, [])
    parts = [b"common", b"of %d" % (word % 3), f"{seed} {word}".encode()]
    blobs = tuple(Blob(digest=store.add(part), size=len(part)) for part in parts)
    number = claims.claim_number(store, paths.feature_sets("adults"), run.key)
    manifest = FeaturesManifest(
        feature_set="adults", number=number, data_digest="", rows=1, columns=(), blobs=blobs
    )
    store.add(manifest.dump().encode())
    store.create(paths.feature_manifest("adults", number), manifest.dump().encode())
    read_whole(manifest)
    finish(run)
"""
)

# Chooses a version as the operator would, may be slow to start, and says whether it was there.
TRAINER = (
    COMMON
    + """
print("ready", flush=True)
for word in range(int(sys.argv[3])):
    names = [path for path in store.list(paths.feature_sets("adults")) if path.endswith(".manifest.json")]
    try:
        name = "sha256:" + hashlib.sha256(store.read(chance.choice(names[:3] + names[-1:]))).hexdigest()
    except (Missing, IndexError):
        print("unknown", flush=True)
        continue
    time.sleep(chance.choice((0, 0.001, 0.02, 0.1)))
    run = run_of(word, "uid")
    roots.hold_for_run(store, run, [name])
    try:
        with store.open(name) as stream:
            manifest = FeaturesManifest.load(stream.read())
    except Missing:
        print("gone", flush=True)
        finish(run)
        continue
    time.sleep(chance.choice((0, 0.001, 0.02, 0.1)))
    try:
        read_whole(manifest)
        print("whole", flush=True)
    except Exception as error:
        print(f"half: {error!r}", flush=True)
    finish(run)
"""
)

# Knows who lives as the operator does: the runs that are not over, from a moment before.
COLLECTOR = (
    COMMON
    + """
print("ready", flush=True)
while True:
    made = datetime.now(UTC).isoformat()
    held = [roots.root_at(store, path) for path in store.list("roots")]
    runs = tuple(root.run for root in held if not store.exists(paths.run_record(root.run)))
    owner = LiveObject(kind="ModelTraining", name="income", uid="uid", runs=runs)
    live = LiveList(complete=True, made=made, kinds=KINDS, objects=(owner,), keep={"adults": 2})
    done = collect(store, live, now=time.time(), grace=0.0)
    assert not done.stopped, done.stopped
"""
)


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def retired(store: Volume) -> bool:
    """Whether a version has lost its name and its bytes."""
    claimed = {int(path.rpartition("/")[2].partition(".")[0]) for path in store.list("featuresets")}
    return len(list(store.list("featuresets"))) < 2 * len(claimed)


def last(store: Volume) -> Collection:
    """What the last pass did."""
    return last_collection(store) or Collection(at=0.0)


def test_a_training_has_all_its_rows_or_finds_its_version_gone_before_it_begins(store: Volume) -> None:
    with running(PUBLISHER, store.root, "p") as publisher, running(COLLECTOR, store.root, "c") as collector:
        eventually(lambda: retired(store), "a version is retired")
        with (
            running(TRAINER, store.root, "t1", str(TRAININGS)) as one,
            running(TRAINER, store.root, "t2", str(TRAININGS)) as other,
        ):
            assert [first_line(process) for process in (one, other)] == ["ready", "ready"]
            told = [first_line(process) for _ in range(TRAININGS) for process in (one, other)]
        assert publisher.poll() is None, "a version was not whole right after it was published"
        assert collector.poll() is None, "the collector stopped"
    assert {word for word in told if word not in {"whole", "gone", "unknown"}} == set()
    assert told.count("whole") > TRAININGS // 2


def test_a_collector_killed_at_any_moment_leaves_everything_that_is_named(store: Volume) -> None:
    chance = random.Random(7)
    with running(PUBLISHER, store.root, "p") as publisher:
        assert first_line(publisher) == "ready"
        for _ in range(12):
            with running(COLLECTOR, store.root, "c") as collector:
                assert first_line(collector) == "ready"
                time.sleep(chance.uniform(0.0, 0.15))  # the moment of death, not something waited for
        assert publisher.poll() is None
    with running(COLLECTOR, store.root, "c") as collector:
        assert first_line(collector) == "ready"
        began = time.time()
        eventually(lambda: last(store).at > began, "a whole pass")
    with running(TRAINER, store.root, "t", "6") as trainer:
        assert first_line(trainer) == "ready"
        assert [first_line(trainer) for _ in range(6)] == ["whole"] * 6
