"""What people do with files from inside the store's pod, by real processes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.gateway.main import FOLDERS, prepare
from merkhet.workloads.gateway.parts import PARTS

ROOT = Path(__file__).parents[4]
CONTENT = random.Random(1).randbytes(3_000_000)
DEADLINE_SECONDS = 120.0


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(slots=True)
class Shell:
    """``merkhet …`` in the store's pod."""

    root: Path

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator"), "MERKHET_STORE": str(self.root)}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "merkhet", *words], env=environment, stdin=pipe, stdout=pipe, stderr=pipe
        )

    def run(self, *words: str, content: bytes = b"") -> tuple[int, bytes, str]:
        with self.start(*words) as process:
            out, error = process.communicate(content)
            return process.returncode, out, error.decode()

    def does(self, *words: str, content: bytes = b"") -> bytes:
        code, out, error = self.run(*words, content=content)
        assert code == 0, error
        return out

    def fails(self, *words: str, content: bytes = b"") -> str:
        code, _, error = self.run(*words, content=content)
        assert code == 1, error
        return error

    def put(self, path: str, whole: bytes, *more: str) -> tuple[str, ...]:
        return ("store", "put", path, "--size", str(len(whole)), "--digest", digest(whole), *more)

    def stat(self, path: str, *more: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.does("store", "stat", path, *more))
        return found


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    prepare(tmp_path, now=time.time())
    return Shell(tmp_path)


def test_a_file_is_put_whole_and_comes_back(shell: Shell) -> None:
    said = json.loads(shell.does(*shell.put("store://raw/a/b.parquet", CONTENT), content=CONTENT))
    assert said == {"path": "raw/a/b.parquet", "size": 3_000_000, "wanted": 3_000_000, "digest": digest(CONTENT)}
    assert shell.does("store", "get", "raw/a/b.parquet") == CONTENT
    assert shell.stat("raw/a/b.parquet") == {
        "path": "raw/a/b.parquet",
        "size": 3_000_000,
        "digest": digest(CONTENT),
        "partial": 0,
    }
    assert stat.S_IMODE((shell.root / "raw/a/b.parquet").stat().st_mode) == 0o644
    assert list((shell.root / PARTS).iterdir()) == []


def test_an_empty_file_is_a_file(shell: Shell) -> None:
    shell.does(*shell.put("raw/empty", b""))
    assert shell.stat("raw/empty")["size"] == 0


def test_a_file_in_parts_appears_with_the_last_one(shell: Shell) -> None:
    for start in range(0, 3_000_000, 1_000_000):
        assert shell.stat("raw/x", "--for", digest(CONTENT)) == {
            "path": "raw/x",
            "size": None,
            "digest": None,
            "partial": start,
        }
        part = CONTENT[start : start + 1_000_000]
        shell.does(*shell.put("raw/x", CONTENT, "--offset", str(start)), content=part)
    assert shell.does("store", "get", "raw/x") == CONTENT


def test_a_part_at_the_wrong_place_is_refused_and_the_right_place_said(shell: Shell) -> None:
    shell.does(*shell.put("raw/x", CONTENT), content=CONTENT[:1000])
    for offset in ("999", "1001"):
        error = shell.fails(*shell.put("raw/x", CONTENT, "--offset", offset), content=b"x")
        assert "begin at 1000" in error
    assert shell.stat("raw/x")["partial"] == 1000


def test_a_put_killed_in_the_middle_goes_on_where_it_stopped(shell: Shell) -> None:
    with shell.start(*shell.put("raw/x", CONTENT)) as process:
        assert process.stdin is not None
        process.stdin.write(CONTENT[:1_234_567])
        process.stdin.flush()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not any(part.stat().st_size for part in (shell.root / PARTS).glob("*")):
            assert time.monotonic() < deadline, "nothing was written"
            time.sleep(0.02)
        process.kill()
    offset = shell.stat("raw/x", "--for", digest(CONTENT))["partial"]
    assert 0 < offset <= 1_234_567
    assert not (shell.root / "raw/x").exists()
    shell.does(*shell.put("raw/x", CONTENT, "--offset", str(offset)), content=CONTENT[offset:])
    assert shell.does("store", "get", "raw/x") == CONTENT


def test_other_bytes_than_promised_are_thrown_away_and_the_old_file_stays(shell: Shell) -> None:
    shell.does(*shell.put("raw/x", b"old"), content=b"old")
    error = shell.fails(*shell.put("raw/x", b"new"), content=b"nex")
    assert digest(b"nex") in error
    assert digest(b"new") in error
    assert shell.does("store", "get", "raw/x") == b"old"
    assert shell.stat("raw/x")["partial"] == 0


def test_more_bytes_than_promised_are_refused(shell: Shell) -> None:
    assert "more came" in shell.fails(*shell.put("raw/x", b"four"), content=b"fourteen")
    assert shell.stat("raw/x") == {"path": "raw/x", "size": None, "digest": None, "partial": 0}


def test_a_new_content_replaces_the_file_and_forgets_an_older_part(shell: Shell) -> None:
    shell.does(*shell.put("raw/x", CONTENT), content=CONTENT[:1000])
    shell.does(*shell.put("raw/x", b"first"), content=b"first")
    shell.does(*shell.put("raw/x", b"second"), content=b"second")
    assert shell.does("store", "get", "raw/x") == b"second"
    assert list((shell.root / PARTS).iterdir()) == []


def test_two_who_put_the_same_file_do_not_mix_their_bytes(shell: Shell) -> None:
    halves = [shell.start(*shell.put("raw/x", CONTENT)) for _ in range(2)]
    for process in halves:
        process.communicate(CONTENT)
    assert [process.returncode for process in halves] == [0, 0]
    assert shell.does("store", "get", "raw/x") == CONTENT


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("raw/../runs/x", "no path in the store", id="upwards"),
        pytest.param("store:///etc/passwd", "no path in the store", id="absolute"),
        pytest.param("blobs/sha256/x", "not below store://raw/", id="a blob"),
        pytest.param("raw/.parts/x", "no path in the store", id="hidden"),
    ],
)
def test_users_write_and_delete_their_own_files_only(shell: Shell, path: str, found: str) -> None:
    assert found in shell.fails(*shell.put(path, b"x"), content=b"x")
    assert found in shell.fails("store", "rm", path)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(["--size", "-1", "--digest", digest(b"")], id="a negative size"),
        pytest.param(["--size", "1", "--digest", "sha256:../../x"], id="a digest that is a path"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused(shell: Shell, more: list[str]) -> None:
    shell.fails("store", "put", "raw/x", *more, content=b"x")
    assert not (shell.root / PARTS).exists()


def test_files_are_listed_as_lines_of_json_without_what_is_hidden(shell: Shell) -> None:
    for path in ("raw/b.csv", "raw/a/é x.csv", "raw/a/c.csv"):
        shell.does(*shell.put(path, b"x"), content=b"x")
    shell.does(*shell.put("raw/d.csv", b"xx"), content=b"x")
    lines = [json.loads(line) for line in shell.does("store", "ls", "store://raw/").splitlines()]
    assert [line["path"] for line in lines] == ["raw/a/c.csv", "raw/a/é x.csv", "raw/b.csv"]
    assert {line["size"] for line in lines} == {1}
    assert [json.loads(line)["path"] for line in shell.does("store", "ls", "raw/a").splitlines()] == [
        "raw/a/c.csv",
        "raw/a/é x.csv",
    ]


def test_a_file_is_taken_away_once(shell: Shell) -> None:
    shell.does(*shell.put("raw/x", b"x"), content=b"x")
    shell.does("store", "rm", "raw/x")
    assert "raw/x is not in the store" in shell.fails("store", "rm", "raw/x")
    assert "raw/x is not a file" in shell.fails("store", "get", "raw/x")


def test_a_blob_is_verified_before_its_first_byte(shell: Shell) -> None:
    name = Volume(shell.root).add(b"page")
    path = paths.blob(name)
    assert shell.does("store", "get", path) == b"page"
    (shell.root / path).write_bytes(b"pagX")
    code, out, error = shell.run("store", "get", path)
    assert (code, out) == (1, b"")
    assert "corrupt" in error


def test_a_link_out_of_the_store_is_not_read(shell: Shell) -> None:
    (shell.root / "raw/link").symlink_to("/etc/passwd")
    assert "link out of the store" in shell.fails("store", "get", "raw/link")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_gateway_makes_the_folders_and_ends_at_once_when_told(tmp_path: Path, number: int) -> None:
    with Shell(tmp_path).start("gateway") as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (tmp_path / FOLDERS[-1]).is_dir():
            assert time.monotonic() < deadline, "the folders never came"
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(timeout=DEADLINE_SECONDS) == 0
    for folder in FOLDERS:
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o2775


def test_the_gateway_sweeps_what_nobody_will_finish(tmp_path: Path) -> None:
    prepare(tmp_path, now=time.time())
    (tmp_path / PARTS).mkdir()
    old, young = tmp_path / PARTS / "a.b.1", tmp_path / PARTS / "c.d.1"
    for part in (old, young):
        part.write_bytes(b"x")
    temporary = tmp_path / "models" / ".tmp-1"
    temporary.write_bytes(b"x")
    month = time.time() - 30 * 24 * 3600
    for file in (old, temporary):
        os.utime(file, (month, month))
    prepare(tmp_path, now=time.time())
    assert not old.exists()
    assert not temporary.exists()
    assert young.exists()


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "a[1].csv"])
def test_a_name_that_stands_for_others_cannot_be_put(shell: Shell, name: str) -> None:
    said = shell.fails("store", "put", f"raw/{name}", "--size", "0", "--digest", digest(b""))
    assert "stand for other names" in said
