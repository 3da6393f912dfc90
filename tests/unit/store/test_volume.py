"""The store on a folder: whole or not there, once, and never wrong bytes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from merkhet.errors import Corrupt, InvalidSpec, Missing, Unavailable
from merkhet.store import paths
from merkhet.store.port import Stat
from merkhet.store.volume import Volume
from tests.unit.store.processes import eventually, first_line, running


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def temporaries(root: Path) -> list[Path]:
    return list(root.rglob(".tmp-*"))


def test_an_object_is_created_once_and_the_first_content_stays(store: Volume) -> None:
    assert store.create("runs/a/claim.json", b"first")
    assert not store.create("runs/a/claim.json", b"second")
    assert store.read("runs/a/claim.json") == b"first"
    assert not temporaries(store.root)


def test_an_object_is_replaced_whole(store: Volume) -> None:
    store.replace("pointer", b"a long first content")
    store.replace("pointer", b"second")
    assert store.read("pointer") == b"second"
    assert not temporaries(store.root)


@pytest.mark.parametrize("path", ["nothing", "nothing/below", "file/below", "folder"])
def test_what_is_not_there_is_missing(store: Volume, path: str) -> None:
    store.create("file", b"")
    store.create("folder/file", b"")
    with pytest.raises(Missing, match=path):
        store.read(path)
    assert not store.exists(path)


def test_paths_are_listed_sorted_and_without_temporary_files(store: Volume) -> None:
    for path in ("models/b/1.json", "models/a/2.json", "models/a/10.json", "modelsx/1.json", "models/a-b/1.json"):
        store.create(path, b"{}")
    (store.root / "models/a/.tmp-1").write_bytes(b"half")
    (store.root / "models/.parts").mkdir()
    (store.root / "models/.parts/x").write_bytes(b"half")
    assert list(store.list("models")) == ["models/a-b/1.json", "models/a/10.json", "models/a/2.json", "models/b/1.json"]
    assert len(list(store.list(""))) == 5
    assert list(store.list("nothing")) == []


def unlistable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Make a folder one that we may not look into; root, as whom tests may run, could."""
    scan = os.scandir

    def refused(folder: str | Path) -> Any:
        if Path(folder).name == name:
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refused)


def test_a_folder_that_cannot_be_listed_is_no_empty_one(store: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create("models/income/1.json", b"{}")
    (store.root / "lost+found").mkdir()
    unlistable(monkeypatch, "lost+found")
    assert list(store.list("")) == ["models/income/1.json"]
    assert list(store.list("models/never")) == []
    monkeypatch.undo()
    unlistable(monkeypatch, "income")
    with pytest.raises(PermissionError, match="models/income"):
        store.list("")


def test_a_folder_behind_a_link_is_not_passed_over(store: Volume, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (store.root / "raw").mkdir()
    (store.root / "raw" / "mine").symlink_to(elsewhere)
    assert list(store.list("")) == []
    (store.root / "models").symlink_to(elsewhere)
    with pytest.raises(Corrupt, match="models is a link"):
        store.list("")


def test_deleting_twice_does_nothing(store: Volume) -> None:
    store.create("x", b"")
    store.delete("x")
    store.delete("x")
    assert not store.exists("x")


@pytest.mark.parametrize("act", ["create", "replace"])
def test_nothing_is_written_outside_the_root(store: Volume, act: str) -> None:
    with pytest.raises(InvalidSpec):
        getattr(store, act)("../outside", b"")
    assert not (store.root.parent / "outside").exists()


def test_a_store_that_is_not_mounted_is_unavailable_rather_than_made(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no store is mounted"):
        Volume(tmp_path / "nowhere").create("runs/a", b"")
    assert not (tmp_path / "nowhere").exists()


def test_files_can_be_read_and_folders_written_by_the_group_whatever_the_umask(store: Volume) -> None:
    before = os.umask(0o077)
    try:
        name = store.add(b"model")
        store.create("runs/a/claim.json", b"{}")
        store.replace("pointer", b"{}")
    finally:
        os.umask(before)
    for path in (paths.blob(name), "runs/a/claim.json", "pointer"):
        assert stat.S_IMODE((store.root / path).stat().st_mode) == 0o644, path
    for folder in ("blobs", "blobs/sha256", "runs", "runs/a"):
        assert stat.S_IMODE((store.root / folder).stat().st_mode) == 0o2775, folder


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 21) + 7])
def test_a_blob_comes_back_as_it_went_in(store: Volume, tmp_path: Path, size: int) -> None:
    content = random.Random(7).randbytes(size)
    file = tmp_path / "content"
    file.write_bytes(content)
    assert store.add(content) == store.add(file) == digest(content)
    with store.open(digest(content)) as blob:
        assert blob.read() == content
    assert store.fetch(digest(content)).read_bytes() == content
    assert not temporaries(store.root)


def test_a_blob_that_is_there_is_dated_anew_and_not_written_again(store: Volume) -> None:
    name = store.add(b"model")
    blob = store.fetch(name)
    before = blob.stat().st_ino
    os.utime(blob, (1000, 1000))
    store.add(b"model")
    assert blob.stat().st_ino == before
    assert store.stat(paths.blob(name)).written > 1000


@pytest.mark.parametrize(
    "rotten",
    [
        pytest.param(b"modex", id="a flipped bit"),
        pytest.param(b"mod", id="cut short"),
        pytest.param(b"", id="empty"),
        pytest.param(b"models", id="too long"),
    ],
)
def test_a_corrupt_blob_is_never_handed_out_and_the_message_names_both_digests(store: Volume, rotten: bytes) -> None:
    name = store.add(b"model")
    (store.root / paths.blob(name)).write_bytes(rotten)
    for read in (store.open, store.fetch):
        with pytest.raises(Corrupt) as caught:
            read(name)
        assert name in str(caught.value)
        assert digest(rotten) in str(caught.value)


def test_adding_the_good_bytes_again_heals_a_corrupt_blob(store: Volume) -> None:
    name = store.add(b"model")
    (store.root / paths.blob(name)).write_bytes(b"rotten")
    assert store.add(b"model") == name
    with store.open(name) as blob:
        assert blob.read() == b"model"


def test_a_missing_blob_is_missing(store: Volume) -> None:
    with pytest.raises(Missing, match=digest(b"nothing")):
        store.open(digest(b"nothing"))


def test_sweeping_takes_old_temporary_files_and_nothing_else(store: Volume) -> None:
    store.create("raw/kept", b"")
    for name, age in (("old", 7200), ("young", 0)):
        file = store.root / "raw" / f".tmp-{name}"
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age,) * 2)
    assert store.sweep(before=time.time() - 3600) == 1
    assert [file.name for file in temporaries(store.root)] == [".tmp-young"]
    assert store.exists("raw/kept")


CREATOR = """
import sys
from pathlib import Path
from merkhet.store.volume import Volume
store, mark = Volume(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
won = [n for n in range(200) if store.create(f"numbers/{n}", (mark * 5000).encode())]
print(*won, flush=True)
"""


def test_of_many_processes_that_create_the_same_object_exactly_one_wins(store: Volume) -> None:
    with (
        running(CREATOR, store.root, "a") as a,
        running(CREATOR, store.root, "b") as b,
        running(CREATOR, store.root, "c") as c,
    ):
        processes = {"a": a, "b": b, "c": c}
        for process in processes.values():
            assert first_line(process) == "ready"
        for process in processes.values():
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        winners = {n: mark for mark, process in processes.items() for n in first_line(process).split()}
    assert len(winners) == 200
    for n, mark in winners.items():
        assert store.read(f"numbers/{n}") == (mark * 5000).encode()


WRITER = """
import sys
from pathlib import Path
from merkhet.store.volume import Volume
store, seed = Volume(Path(sys.argv[1])), int(sys.argv[2])
print("ready", flush=True)
n = 0
while True:
    content = bytes([(seed + n) % 251]) * 300_000
    store.create(f"objects/{seed}-{n}", content)
    store.replace("pointer", content)
    store.add(content)
    n += 1
"""


def test_a_writer_killed_at_any_moment_leaves_only_whole_objects(store: Volume) -> None:
    clock = random.Random(3)
    for seed in range(12):
        with running(WRITER, store.root, str(seed)) as process:
            assert first_line(process) == "ready"
            if seed == 0:
                eventually(lambda: store.exists("objects/0-0"), "a first object")
            time.sleep(clock.uniform(0.0, 0.06))  # the moment of death, not something waited for
            process.kill()
            process.wait()
    written = list(store.list("objects"))
    for path in [*written, "pointer"]:
        content = store.read(path)
        assert len(content) == 300_000
        assert len(set(content)) == 1
    for path in store.list(paths.BLOBS):
        store.open(f"sha256:{path.rpartition('/')[2]}").close()


def test_a_discarded_blob_is_gone_unless_it_is_wanted_after_all(store: Volume) -> None:
    name = store.add(b"model")
    assert not store.discard(name, lambda found: found.size == 5)
    assert store.fetch(name).read_bytes() == b"model"
    assert store.discard(name, lambda _: False)
    assert not store.discard(name, lambda _: False)
    with pytest.raises(Missing, match=name):
        store.fetch(name)
    assert list(store.list("")) == []


def test_a_blob_about_which_nobody_can_say_stays(store: Volume) -> None:
    name = store.add(b"model")

    def wanted(_: Stat) -> bool:
        raise Corrupt("a root cannot be read")

    with pytest.raises(Corrupt, match="root"):
        store.discard(name, wanted)
    assert store.fetch(name).read_bytes() == b"model"


def test_who_reads_a_blob_that_is_set_aside_brings_it_back(store: Volume) -> None:
    name = store.add(b"model")

    def wanted(_: Stat) -> bool:
        assert not store.exists(paths.blob(name))
        with store.open(name) as blob:
            return blob.read() != b"model"

    store.discard(name, wanted)
    assert store.fetch(name).read_bytes() == b"model"


def test_what_a_killed_collector_set_aside_is_brought_back(store: Volume) -> None:
    name = store.add(b"model")
    blob = store.root / paths.blob(name)
    blob.rename(blob.with_name(f".gone-{blob.name}"))
    store.recover()
    store.recover()
    assert list(store.list("")) == [paths.blob(name)]
    assert not list(store.root.rglob(".gone-*"))


def test_a_blob_is_there_after_it_is_added_whenever_another_process_discards_it(store: Volume) -> None:
    content = random.Random(3).randbytes(20_000)
    name = digest(content)
    gone = 0
    with running(DISCARDER, store.root, name) as process:
        assert first_line(process) == "ready"
        for _ in range(300):
            with contextlib.suppress(FileNotFoundError):
                os.utime(store.root / paths.blob(name), (1000, 1000))  # from now on it may go at any moment
            gone += not store.exists(paths.blob(name))
            assert store.add(content) == name
            with store.open(name) as blob:
                assert blob.read() == content
    assert gone


DISCARDER = """
import sys, time
from pathlib import Path
from merkhet.store.volume import Volume
store, name = Volume(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
while True:
    store.discard(name, lambda found: found.written > 1000)
    time.sleep(0.001)  # a collector asks once for a blob, not in the next moment again
"""


def test_a_blob_that_is_written_piece_by_piece_is_found_when_it_is_kept_and_not_before(store: Volume) -> None:
    with store.draft() as draft:
        for piece in (b"mo", memoryview(b"de"), b"l"):
            draft.write(piece)
        assert list(store.list("")) == []
        name = draft.keep()
    assert name == digest(b"model") == store.add(b"model")
    assert store.fetch(name).read_bytes() == b"model"
    assert stat.S_IMODE((store.root / paths.blob(name)).stat().st_mode) == 0o644
    assert not temporaries(store.root)


def test_a_draft_that_is_let_go_leaves_nothing(store: Volume) -> None:
    def write_half() -> None:
        with store.draft() as draft:
            draft.write(b"half a mod")
            assert temporaries(store.root)
            raise RuntimeError("the query fails")

    with pytest.raises(RuntimeError, match="the query fails"):
        write_half()
    store.draft().close()
    assert list(store.list("")) == []
    assert not temporaries(store.root)


def test_a_draft_of_what_is_there_dates_it_anew_and_one_of_what_has_rotted_heals_it(store: Volume) -> None:
    def write_again() -> int:
        with store.draft() as draft:
            draft.write(b"model")
            assert draft.keep() == name
        assert not temporaries(store.root)
        return blob.stat().st_ino

    name = store.add(b"model")
    blob = store.fetch(name)
    before = blob.stat().st_ino
    os.utime(blob, (1000, 1000))
    assert write_again() == before
    assert store.stat(paths.blob(name)).written > 1000
    blob.write_bytes(b"rotten")
    assert write_again() != before
    assert store.fetch(name).read_bytes() == b"model"


@pytest.mark.parametrize("act", ["write", "keep"])
def test_a_draft_on_a_full_disk_says_so_and_leaves_nothing(store: Volume, act: str) -> None:
    """The kernel refuses to let files grow; what a draft holds back before it writes is kept from it at the end."""
    with running(FULL, store.root, act) as process:
        assert first_line(process) == "File too large, nothing left"


FULL = """
import os, resource, signal, sys
from pathlib import Path
from merkhet.store.volume import Volume
store, act = Volume(Path(sys.argv[1])), sys.argv[2]
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    with store.draft() as draft:
        draft.write(b"m" * (100 if act == "keep" else 1_000_000))
        assert act == "keep", "there was room"
        draft.keep()
except OSError as error:
    left = [*store.root.rglob(".tmp-*"), *store.list("")]
    print(f"{error.strerror}, {left or 'nothing'} left", flush=True)
"""


def test_a_draft_that_a_killed_process_left_is_listed_by_nobody_and_swept(store: Volume) -> None:
    with running(DRAFTING, store.root) as process:
        assert first_line(process) == "written"
        process.kill()
        process.wait()
    assert len(temporaries(store.root)) == 1
    assert list(store.list("")) == []
    assert store.sweep(before=time.time() - 3600) == 0  # another process may be writing it
    assert store.sweep(before=time.time() + 3600) == 1
    assert not temporaries(store.root)


DRAFTING = """
import sys
from pathlib import Path
from merkhet.store.volume import Volume
draft = Volume(Path(sys.argv[1])).draft()
draft.write(b"half" * 300_000)
print("written", flush=True)
sys.stdin.readline()
"""


def test_drafts_of_one_content_in_several_processes_become_one_whole_blob(store: Volume) -> None:
    with running(TWIN, store.root) as a, running(TWIN, store.root) as b, running(TWIN, store.root) as c:
        processes = (a, b, c)
        for process in processes:
            assert first_line(process) == "ready"
        for process in processes:
            process.stdin.write("\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        names = {first_line(process) for process in processes}
    (said,) = names
    assert list(store.list("")) == sorted(map(paths.blob, said.split()))
    for name in said.split():
        store.open(name).close()
    assert not temporaries(store.root)


TWIN = """
import sys
from pathlib import Path
from merkhet.store.volume import Volume
store, names = Volume(Path(sys.argv[1])), []
print("ready", flush=True)
sys.stdin.readline()
for n in range(50):
    with store.draft() as draft:
        for _ in range(3):
            draft.write(bytes([n]) * 100_000)
        names.append(draft.keep())
print(*names, flush=True)
"""


def test_whoever_has_seen_the_bytes_of_a_blob_need_not_have_them_verified_again(store: Volume) -> None:
    name = store.add(b"model")
    (store.root / paths.blob(name)).write_bytes(b"rotten")
    assert store.fetch(name, verify=False).read_bytes() == b"rotten"
    with pytest.raises(Missing, match=digest(b"nothing")):
        store.fetch(digest(b"nothing"), verify=False)
