"""What the collector lets go, what it never touches, and what makes it stop."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.features import Blob, FeaturesManifest, FeaturesVersion
from merkhet.contract.live import KINDS, LiveList, LiveObject, PinnedVersion
from merkhet.contract.runs import Origin, Run, RunReport
from merkhet.store import claims, paths, roots
from merkhet.store.collector import Collection, collect, last_collection
from merkhet.store.volume import Volume

HOUR = 3600.0
KEY = "0123456789abcdef0123"
NAME = "adults"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def run(key: str = KEY, uid: str = "uid-training") -> Run:
    origin = Origin(kind="ModelTraining", namespace="people", name="income", uid=uid)
    return Run(key=key, trigger="spec/x", origin=origin)


@dataclass
class Scene:
    """A store, who lives in its namespace, and passes of the collector as the hours go by."""

    store: Volume
    began: float = field(default_factory=time.time)
    hours: float = 2.0
    keep: dict[str, int] = field(default_factory=lambda: {NAME: 1})
    pins: tuple[PinnedVersion, ...] = ()
    needed: tuple[str, ...] = ()
    objects: tuple[LiveObject, ...] = ()

    def publish(self, number: int, *rows: bytes, name: str = NAME, **more: Any) -> str:
        """A version of features; the digest of its manifest."""
        blobs = tuple(Blob(digest=self.store.add(part), size=len(part)) for part in rows or (b"rows %d" % number,))
        manifest = FeaturesManifest(
            feature_set=name, number=number, data_digest=digest(b"d"), rows=1, columns=(), blobs=blobs, **more
        )
        content = manifest.dump().encode()
        self.store.add(content)
        self.store.create(paths.claimed_number(paths.feature_sets(name), number), b'{"run": "x"}')
        self.store.create(paths.feature_manifest(name, number), content)
        return digest(content)

    def live(self, **more: Any) -> LiveList:
        """The list as the operator would write it now."""
        made = datetime.fromtimestamp(self.now, UTC).isoformat()
        usual: dict[str, Any] = {"complete": True, "made": made, "kinds": KINDS, "objects": self.objects}
        return LiveList(**{**usual, "keep": self.keep, "pins": self.pins, "needed": self.needed, **more})

    @property
    def now(self) -> float:
        """The time of the next pass."""
        return self.began + self.hours * HOUR

    def look(self, live: LiveList | None = None, *, grace: float = HOUR) -> Collection:
        """A pass, and two hours go by."""
        done = collect(self.store, live or self.live(), now=self.now, grace=grace)
        self.hours += 2
        return done

    def clean(self) -> Collection:
        """As many passes as it takes to let go of all that may go."""
        for _ in range(3):
            done = self.look()
            assert done.stopped == ""
        return done

    def has(self, name: str) -> bool:
        """Whether a blob is there."""
        return self.store.exists(paths.blob(name))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(Volume(tmp_path))


def test_a_blob_goes_when_two_passes_a_grace_period_apart_found_nobody_that_names_it(scene: Scene) -> None:
    lost, named = scene.store.add(b"lost"), scene.publish(1)
    first = scene.look()
    assert (first.blobs, list(first.unmarked)) == (0, [lost])
    second = scene.look()
    assert (second.blobs, second.bytes, second.unmarked) == (1, 4, {})
    assert not scene.has(lost)
    assert scene.has(named)


def test_a_blob_that_was_named_in_between_has_its_grace_again(scene: Scene) -> None:
    lost = scene.store.add(b"lost")
    scene.look()
    scene.needed = (lost,)
    scene.look()
    scene.needed = ()
    scene.look()
    assert scene.has(lost)
    scene.look()
    assert not scene.has(lost)


def test_a_blob_that_is_added_again_stays(scene: Scene) -> None:
    lost = scene.store.add(b"lost")
    scene.look()
    os.utime(scene.store.root / paths.blob(lost), (scene.now, scene.now))
    assert scene.look().blobs == 0


def test_the_newest_versions_stay_with_all_their_rows(scene: Scene) -> None:
    versions = {number: scene.publish(number) for number in (1, 2, 9, 10)}
    scene.keep = {NAME: 2}
    assert scene.look().retired == ("featuresets/adults/2.manifest.json", "featuresets/adults/1.manifest.json")
    scene.clean()
    assert {number for number, name in versions.items() if scene.has(name)} == {9, 10}
    assert [scene.has(digest(b"rows %d" % number)) for number in versions] == [False, False, True, True]
    assert claims.claim_number(scene.store, paths.feature_sets(NAME), "new") == 11


def test_rows_that_versions_share_stay_as_long_as_one_of_them(scene: Scene) -> None:
    scene.publish(1, b"common", b"old")
    scene.publish(2, b"common", b"new")
    scene.clean()
    assert [scene.has(digest(part)) for part in (b"common", b"new", b"old")] == [True, True, False]


def test_features_of_nobody_that_lives_are_not_retired(scene: Scene) -> None:
    scene.publish(1), scene.publish(2)
    scene.keep = {}
    assert scene.clean().retired == ()


def test_a_version_is_kept_by_its_own_rows_and_not_by_those_made_of_it(scene: Scene) -> None:
    old = scene.publish(1, name="regions")
    scene.publish(2, name="regions")
    scene.publish(1, inputs=(FeaturesVersion(name="regions", version=1, digest=old),))
    scene.keep = {"regions": 1, NAME: 1}
    scene.clean()
    assert not scene.has(old)


def test_what_came_from_another_namespace_stays_as_long_as_what_was_made_of_it(scene: Scene) -> None:
    rows = Blob(digest=scene.store.add(b"theirs"), size=6)
    theirs = FeaturesManifest(feature_set="regions", number=4, data_digest="", rows=1, columns=(), blobs=(rows,))
    taken = scene.store.add(theirs.dump().encode())
    imported = FeaturesVersion(name="regions", version=4, digest=taken, namespace="sales")
    scene.publish(1, inputs=(imported,))
    scene.clean()
    assert scene.has(rows.digest)
    scene.publish(2)
    scene.clean()
    assert not scene.has(rows.digest)


def pinned(scene: Scene, _: str) -> None:
    scene.pins = (PinnedVersion(feature_set=NAME, version=1),)


def needed(scene: Scene, version: str) -> None:
    scene.needed = (version,)


def run_at_work(scene: Scene, version: str) -> None:
    scene.objects = (LiveObject(kind="ModelTraining", name="income", uid="uid-training", runs=(KEY,)),)
    roots.hold_for_run(scene.store, run(), [version])


def model(scene: Scene, version: str) -> None:
    scene.objects = (LiveObject(kind="ModelVersion", name="income-v3", uid="uid-version"),)
    roots.hold_for_model(scene.store, "income", 3, run(), [version])


@pytest.mark.parametrize("use", [pinned, needed, run_at_work, model], ids=lambda use: use.__name__)
def test_a_version_that_is_used_stays_with_its_rows(scene: Scene, use: Callable[[Scene, str], None]) -> None:
    version = scene.publish(1)
    scene.publish(2)
    use(scene, version)
    scene.clean()
    assert scene.has(version)
    assert scene.has(digest(b"rows 1"))
    assert scene.store.exists(paths.feature_manifest(NAME, 1))


def record(result: dict[str, Any]) -> bytes:
    return RunReport(key=KEY, phase="Succeeded", result=result).dump().encode()


def said(word: str) -> Callable[[str], bytes]:
    return lambda name: json.dumps({"a": [{word: name}]}).encode()


KEEPING: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "a data profile": (paths.feature_profile(NAME, 1), said("histograms")),
    "the pointer of look-ups": (paths.online_pointer(NAME), said("file")),
    "a component": (paths.component("scale", "1"), said("onnx")),
    "a claim with more in it": ("models/income/1.json", said("artifact")),
    "the record of a training": (
        paths.run_record(KEY),
        lambda name: record({"lineage": {"data": []}, "artifact": {"digest": name}}),
    ),
    "the record of a run of a kind to come": (paths.run_record(KEY), lambda name: record({"report": name})),
    "a document in a folder to come": ("forecasts/a/1.json", said("file")),
}


@pytest.mark.parametrize(("path", "written"), KEEPING.values(), ids=KEEPING)
def test_what_a_document_names_stays(scene: Scene, path: str, written: Callable[[str], bytes]) -> None:
    scene.publish(1)
    inner = scene.store.add(b"rows or a model")
    outer = scene.store.add(json.dumps({"inner": inner}).encode())
    scene.store.create(path, written(outer))
    scene.clean()
    assert scene.has(outer)
    assert scene.has(inner)


LETTING_GO = {
    "of features, whose manifest keeps them": {"columns": [], "created": "", "rows": 1, "digest": None},
    "of a training, whose model's root keeps its data": {"lineage": {"data": [{"digest": None}]}},
}


@pytest.mark.parametrize("result", LETTING_GO.values(), ids=LETTING_GO)
def test_the_record_of_a_run_keeps_no_features(scene: Scene, result: dict[str, Any]) -> None:
    version = scene.publish(1)
    scene.publish(2)
    text = json.dumps(result).replace("null", json.dumps(version))
    scene.store.create(paths.run_record(KEY), record(json.loads(text)))
    scene.clean()
    assert not scene.has(version)


def test_what_a_run_added_stays_until_it_is_over(scene: Scene) -> None:
    before = scene.store.add(b"before")
    os.utime(scene.store.root / paths.blob(before), (1000, 1000))
    run_at_work(scene, digest(b"nothing"))
    unnamed = scene.store.add(b"rows that the manifest will name")
    scene.clean()
    assert (scene.has(before), scene.has(unnamed)) == (False, True)
    scene.store.create(paths.run_record(KEY), record({}))
    scene.clean()
    assert not scene.has(unnamed)


def test_peoples_files_and_captures_and_claims_are_never_touched(scene: Scene) -> None:
    files = ("raw/a.csv", "capture/x/1.jsonl", "runs/" + KEY + "/claim.json", "models/income/1.json")
    for path in files:
        scene.store.create(path, b"{}")
    scene.clean()
    assert all(map(scene.store.exists, files))


# What ends a root, and what does not.
ALIVE = LiveObject(kind="ModelTraining", name="income", uid="uid-training", runs=(KEY,))
IDLE = LiveObject(kind="ModelTraining", name="income", uid="uid-training")
OTHER = LiveObject(kind="ModelTraining", name="income", uid="another", runs=(KEY,))
LISTS: dict[str, tuple[dict[str, Any], bool]] = {
    "the run is at work": ({"objects": (ALIVE,)}, True),
    "the run is over": ({"objects": (IDLE,)}, False),
    "the owner is gone": ({"objects": ()}, False),
    "another owner has the same name and run": ({"objects": (OTHER,)}, False),
    "the list is not complete": ({"objects": (), "complete": False}, True),
    "the list is of an operator that knows fewer kinds": ({"objects": (), "kinds": KINDS[1:]}, True),
    "the list is of an operator that knows no kinds": ({"objects": (), "kinds": ()}, True),
    "the list was made in a time to come": ({"objects": (), "made": "2099-01-01T00:00:00Z"}, True),
    "the list is older than the root": ({"objects": (), "made": "2020-01-01T00:00:00Z"}, True),
    "nobody can tell when the list was made": ({"objects": (), "made": "yesterday"}, True),
}


@pytest.mark.parametrize(("said", "stays"), LISTS.values(), ids=LISTS)
def test_a_root_goes_only_when_a_complete_and_newer_list_lacks_its_owner(
    scene: Scene, said: dict[str, Any], stays: bool
) -> None:
    roots.hold_for_run(scene.store, run(), [])
    for _ in range(3):
        scene.look(scene.live(**said))
    assert bool(list(scene.store.list("roots"))) is stays


def test_trials_stay_while_their_run_is_at_work_and_go_a_grace_period_after(scene: Scene) -> None:
    path = paths.trial(KEY, KEY, 0)
    scene.objects = (ALIVE,)
    roots.hold_for_run(scene.store, run(), [])
    scene.store.create(path, b'{"number": 0}')
    scene.clean()
    assert scene.store.exists(path)
    scene.objects = (IDLE,)
    scene.clean()
    assert not scene.store.exists(path)


def test_young_trials_of_a_run_without_a_root_stay(scene: Scene) -> None:
    scene.hours = 0.5
    scene.store.create(paths.trial(KEY, KEY, 0), b"half of")  # nor does it stop the pass that nobody can read it
    assert scene.look().stopped == ""
    assert scene.store.exists(paths.trial(KEY, KEY, 0))


def test_a_root_of_a_kind_that_the_operator_does_not_know_stays(scene: Scene) -> None:
    origin = Origin(kind="Forecast", namespace="people", name="income", uid="uid-forecast")
    roots.hold_for_run(scene.store, Run(key=KEY, trigger="spec/x", origin=origin), [])
    scene.clean()
    assert list(scene.store.list("roots"))


def test_clocks_that_are_apart_end_no_root(scene: Scene) -> None:
    """A list made before the run, by a clock that is ahead, must not count as one that lacks the run."""
    roots.hold_for_run(scene.store, run(), [])
    ahead = datetime.fromtimestamp(scene.began + 300, UTC).isoformat()
    for _ in range(3):
        scene.look(scene.live(objects=(), made=ahead))
    assert list(scene.store.list("roots"))
    scene.store.create(paths.run_record(KEY), record({}))
    scene.look(scene.live(objects=(), made=ahead))
    scene.look(scene.live(objects=(), made=ahead))
    assert not list(scene.store.list("roots"))


def test_a_models_root_stays_while_the_run_that_makes_its_version_is_listed(scene: Scene) -> None:
    version = scene.publish(1)
    scene.publish(2)
    roots.hold_for_model(scene.store, "income", 3, run(), [version])
    scene.objects = (ALIVE,)  # its version could not be made yet: a quota, or nobody may
    scene.clean()
    assert scene.has(digest(b"rows 1"))
    scene.objects = (IDLE,)
    scene.clean()
    scene.clean()
    assert not scene.has(digest(b"rows 1"))


def test_a_root_without_an_owner_has_a_grace_period_too(scene: Scene) -> None:
    roots.hold_for_run(scene.store, run(), [])
    assert scene.look().released == ()
    scene.objects = (ALIVE,)
    assert scene.look().released == ()
    scene.objects = ()
    assert scene.look().released == ()
    assert len(scene.look().released) == 1


def test_a_model_keeps_its_root_whoever_made_it(scene: Scene) -> None:
    roots.hold_for_model(scene.store, "income", 3, run(), [])
    scene.objects = (LiveObject(kind="ModelVersion", name="income-v3", uid="made again"),)
    scene.clean()
    assert list(scene.store.list("roots"))
    scene.objects = (LiveObject(kind="ModelVersion", name="income-v4", uid="another"),)
    scene.clean()
    assert not list(scene.store.list("roots"))


def write(path: str, content: bytes) -> Callable[[Scene], None]:
    return lambda scene: scene.store.replace(path, content)


def rotten_manifest(scene: Scene) -> None:
    version = scene.publish(3)
    (scene.store.root / paths.blob(version)).write_bytes(b'{"rotten": true}')


UNREADABLE: dict[str, tuple[Callable[[Scene], None], str]] = {
    "a root": (write("roots/run-x", b"{"), "roots/run-x"),
    "a root of a version to come": (write("roots/run-x", b'{"version": 2}'), "roots/run-x"),
    "a manifest": (write(paths.feature_manifest(NAME, 2), b""), "2.manifest.json"),
    "an old manifest": (write(paths.feature_manifest("others", 1), b"PAR1"), "others/1.manifest.json"),
    "a profile": (write(paths.feature_profile(NAME, 2), b"[]"), "2.profile.json"),
    "a pointer": (write(paths.online_pointer(NAME), b"\xff"), "online.json"),
    "a component": (write(paths.component("scale", "1"), b"nil"), "components/scale/1.json"),
    "a record": (write(paths.run_record(KEY), b'{"key": '), "record.json"),
    "a claim": (write("models/income/1.json", b""), "models/income/1.json"),
    "a file nobody knows": (write("notes.txt", b"hello"), "notes.txt"),
    "a file among the blobs": (write("blobs/sha256/hello.txt", b"hello"), "blobs/sha256/hello.txt"),
    "a manifest among the blobs": (rotten_manifest, "is corrupt"),
}


@pytest.mark.parametrize(("spoil", "name"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_stops_the_pass_and_is_named(
    scene: Scene, spoil: Callable[[Scene], None], name: str
) -> None:
    lost = scene.store.add(b"lost")
    scene.publish(1)
    scene.look()
    spoil(scene)
    for _ in range(2):
        done = scene.look()
        assert name in done.stopped
        assert done.blobs == 0
    assert scene.has(lost)
    assert last_collection(scene.store) == done


NO_LIST: dict[str, tuple[LiveList | None, str]] = {
    "there is none": (None, "merkhet-live"),
    "it is not complete": (LiveList(complete=False, made="", message="5000 objects are too many"), "are too many"),
}


def test_a_folder_that_cannot_be_listed_stops_the_pass_and_is_no_empty_one(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = scene.store.add(b"a model")
    scene.store.create(paths.component("scale", "1"), json.dumps({"digest": model, "created": "x"}).encode())
    walk = os.walk

    def sick(top: Path, **more: Any) -> Any:
        for folder, folders, names in walk(top, **more):
            if Path(folder).name == "components":
                more["onerror"](PermissionError(13, "Permission denied", str(folder)))
                continue
            yield folder, folders, names

    monkeypatch.setattr(os, "walk", sick)
    for _ in range(3):
        assert "components" in scene.look().stopped
    assert scene.has(model)


@pytest.mark.parametrize(("live", "said"), NO_LIST.values(), ids=NO_LIST)
def test_without_a_list_of_the_living_nothing_goes(scene: Scene, live: LiveList | None, said: str) -> None:
    lost = scene.store.add(b"lost")
    scene.publish(1), scene.publish(2)
    for hours in (2, 4, 6):
        done = collect(scene.store, live, now=scene.began + hours * HOUR, grace=HOUR)
        assert said in done.stopped
    assert scene.has(lost)
    assert scene.store.exists(paths.feature_manifest(NAME, 1))


def test_what_a_killed_pass_set_aside_comes_back_also_without_a_list(scene: Scene) -> None:
    model = scene.store.add(b"a model")
    target = scene.store.root / paths.blob(model)
    target.rename(target.with_name(f".gone-{target.name}"))
    assert not scene.has(model)
    collect(scene.store, None, now=scene.now, grace=HOUR)
    assert scene.has(model)


def test_a_pass_whose_memory_is_lost_begins_all_grace_periods_anew(scene: Scene) -> None:
    lost = scene.store.add(b"lost")
    scene.look()
    scene.store.replace(paths.COLLECTOR, b"{")
    assert scene.look().blobs == 0
    assert scene.look().blobs == 1
    assert not scene.has(lost)


def test_a_root_that_comes_while_a_blob_is_taken_away_keeps_it_and_what_it_names(tmp_path: Path) -> None:
    class Late(Volume):
        def discard(self, digest: str, wanted: Any) -> bool:
            def asked(found: Any) -> bool:
                if digest == version:
                    roots.hold_for_run(self, run(), [digest])
                return bool(wanted(found))

            return Volume.discard(self, digest, asked)

    scene = Scene(Late(tmp_path))
    version = scene.publish(1)
    scene.publish(2)
    scene.objects = (ALIVE,)
    scene.look()
    scene.look()
    assert scene.has(version)
    assert scene.has(digest(b"rows 1"))


def test_who_names_others_goes_before_them(tmp_path: Path) -> None:
    gone: list[str] = []

    class Told(Volume):
        def discard(self, digest: str, wanted: Any) -> bool:
            gone.append(digest)
            return Volume.discard(self, digest, wanted)

    scene = Scene(Told(tmp_path))
    rows = [b"%d" % number for number in range(20)]
    version = scene.publish(1, *rows)
    scene.publish(2)
    scene.clean()
    assert gone[0] == version
    assert sorted(gone[1:]) == sorted(map(digest, rows))


def test_what_a_young_document_names_stays_with_it(scene: Scene) -> None:
    version = scene.publish(1)
    scene.publish(2)
    scene.look()
    os.utime(scene.store.root / paths.blob(version), (scene.now, scene.now))
    scene.look()
    assert scene.has(version)
    assert scene.has(digest(b"rows 1"))
