"""A version of another namespace's FeatureSet: given to whom it is shared with, and to nobody else."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from merkhet.contract.features import Blob, FeaturesManifest, FeaturesTask, FeaturesVersion, Source
from merkhet.contract.runs import Origin, Run
from merkhet.contract.sharing import TOKENS_VARIABLE, Grants, Tokens, digest_of_token, manifest_path, rows_path, token
from merkhet.errors import Corrupt, Missing, Unavailable
from merkhet.store import paths
from merkhet.store.roots import root_at
from merkhet.store.volume import Volume
from merkhet.workloads.features import fetch as fetching
from merkhet.workloads.features.fetch import fetch
from merkhet.workloads.features.imports import lineage, take
from merkhet.workloads.gateway import share

ROOT = Path(__file__).parents[4]
DEADLINE_SECONDS = 120.0
TOKEN = token("the key", "people", "adults", "sales")
ROWS = (b"PAR1" * 100_000, b"more rows")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Giver:
    """The store of namespace people, and the server that gives of it."""

    folder: Path
    port: int

    @property
    def store(self) -> Volume:
        return Volume(self.folder / "store")

    def grant(self, **more: str) -> None:
        """The kubelet brings the grants: names of FeatureSets by token."""
        grants = {digest_of_token(shown): (name,) for shown, name in {TOKEN: "adults", **more}.items()}
        temporary = self.folder / "grants" / ".grants"
        temporary.write_text(Grants(grants=grants).dump())
        temporary.replace(self.folder / "grants" / "grants.json")

    def publish(self, name: str, *rows: bytes) -> FeaturesVersion:
        """A version, as a taker's task names it."""
        blobs = tuple(Blob(digest=self.store.add(part), size=len(part)) for part in rows)
        manifest = FeaturesManifest(feature_set=name, number=1, data_digest="", rows=1, columns=(), blobs=blobs)
        address = f"http://localhost:{self.port}"
        name_of = self.store.add(manifest.dump().encode())
        return FeaturesVersion(name=name, version=1, digest=name_of, namespace="people", fetch=address)

    def ask(self, path: str, shown: str | None = TOKEN) -> tuple[int, bytes]:
        """What the server answers."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={} if shown is None else {"Authorization": f"Bearer {shown}"})
            answer = connection.getresponse()
            return answer.status, answer.read()


def _serving(folder: Path, port: int) -> subprocess.Popen[bytes]:
    variables = {
        "PYTHONPATH": str(ROOT / "operator"),
        "MERKHET_STORE": str(folder / "store"),
        "MERKHET_GRANTS": str(folder / "grants"),
        "MERKHET_SHARE_PORT": str(port),
    }
    return subprocess.Popen([sys.executable, "-m", "merkhet", "share"], env={**os.environ, **variables})


@pytest.fixture(scope="module")
def giver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Giver]:
    folder = tmp_path_factory.mktemp("giver")
    for part in ("store", "grants"):
        (folder / part).mkdir()
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    found = Giver(folder, port)
    found.publish("adults", *ROWS)
    found.grant()
    with _serving(folder, port) as process:
        _until_ready(found)
        yield found
        process.kill()


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """The store of namespace sales, whose runs have the token."""
    monkeypatch.setenv(TOKENS_VARIABLE, Tokens(tokens={"people/adults": TOKEN}).dump())
    monkeypatch.setattr(fetching, "AGAIN_SECONDS", 0.05)
    return Volume(tmp_path)


def quiet(_: str) -> None:
    """Nobody listens to the progress."""


def test_what_is_shared_is_ours_after_it_was_fetched_once(giver: Giver, ours: Volume) -> None:
    version = giver.publish("adults", *ROWS)
    said: list[str] = []
    fetch(version, ours, said.append)
    assert said[0] == "fetching version 1 of FeatureSet people/adults"
    assert [ours.fetch(digest(part)).read_bytes() for part in ROWS] == list(ROWS)
    gone = version.model_copy(update={"fetch": "http://localhost:1"})
    fetch(gone, ours, said.append, patience=0)
    assert len(said) == 1 + len(ROWS)


def test_rows_are_held_before_any_is_looked_for(giver: Giver, ours: Volume) -> None:
    """Else the collector might let go, in between, rows that were found here."""
    version = giver.publish("adults", *ROWS)
    found: list[tuple[set[str], list[bool]]] = []
    fetch(
        version,
        ours,
        quiet,
        hold=lambda rows: found.append((set(rows), [ours.exists(paths.blob(digest(part))) for part in ROWS])),
    )
    assert found == [(set(map(digest, ROWS)), [False, False])]


def test_a_run_has_at_hand_what_its_task_names_of_others(giver: Giver, ours: Volume) -> None:
    version = giver.publish("adults", *ROWS)
    origin = Origin(kind="FeatureSet", namespace="sales", name="offers", uid="u")
    source = Source(name="people", features=version)
    task = FeaturesTask(run=Run(key="0" * 20, trigger="spec/x", origin=origin), feature_set="offers", sources=(source,))
    imports = take(task, ours, quiet)
    assert [file.read_bytes() for file in imports.tables["people"].files] == list(ROWS)
    held = {name for path in ours.list(paths.ROOTS) for name in root_at(ours, path).digests}
    assert held == set(map(digest, ROWS))
    (said,) = lineage(task)
    assert (said.namespace, said.fetch) == ("people", None)


def test_a_version_of_this_namespace_is_not_asked_for(ours: Volume) -> None:
    fetch(FeaturesVersion(name="adults", version=1, digest=digest(b"")), ours, quiet)


SHOWN = {"no token": None, "another's token": token("the key", "people", "adults", "marketing"), "nothing": ""}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_whoever_shows(giver: Giver, shown: str | None) -> None:
    version = giver.publish("adults", *ROWS)
    for path in (
        manifest_path("adults", version.digest),
        rows_path("adults", version.digest, digest(ROWS[0])),
        manifest_path("nowhere", version.digest),
    ):
        status, said = giver.ask(path, shown)
        assert status == 403
        assert b"not shared" in said


def test_a_token_is_for_one_feature_set(giver: Giver) -> None:
    other = giver.publish("salaries", b"secret")
    assert giver.ask(manifest_path("salaries", other.digest))[0] == 403
    assert giver.ask(manifest_path("adults", other.digest))[0] == 404
    assert giver.ask(rows_path("adults", other.digest, digest(b"secret")))[0] == 404


def test_blobs_that_no_version_names_are_not_given(giver: Giver) -> None:
    version, model = giver.publish("adults", *ROWS), giver.store.add(b"a model")
    assert giver.ask(rows_path("adults", version.digest, model))[0] == 404
    assert giver.ask(manifest_path("adults", model))[0] == 404
    assert giver.ask(manifest_path("adults", digest(b"never there")))[0] == 404


PATHS = {
    "the root": "/",
    "a way up": "/featuresets/adults/../../etc/passwd",
    "a hidden way up": "/featuresets/adults/%2e%2e%2fetc%2fpasswd",
    "a file": "/featuresets/adults/1.manifest.json",
    "people's files": "/raw/a.csv",
    "a name that cannot be": "/featuresets/Adults/" + "a" * 64,
    "a short digest": "/featuresets/adults/" + "a" * 63,
    "more than is asked for": "/featuresets/adults/" + "a" * 64 + "/" + "b" * 64 + "/" + "c" * 64,
    "a query": "/featuresets/adults/" + "a" * 64 + "?x=1",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_nothing_else_can_be_asked_for(giver: Giver, path: str) -> None:
    assert giver.ask(path)[0] == 404


def connected(giver: Giver, said: bytes = b"") -> socket.socket:
    """Somebody who says this and no more."""
    connection = socket.create_connection(("localhost", giver.port), timeout=DEADLINE_SECONDS)
    with contextlib.suppress(ConnectionError):  # who has heard enough hangs up
        connection.sendall(said)
    return connection


WRONG = {
    "no first line": b"\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
    "a version to come": b"GET / HTTP/9.9\r\n\r\n",
    "another method": b"POST /raw/a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "a line without end": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "too many headers": b"GET /ready HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % at for at in range(300)) + b"\r\n",
    "bytes that are no text": b"\xff\xfe\x00 \x00 \x00\r\n\r\n",
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
def test_what_is_no_question_ends_that_connection_alone(giver: Giver, said: bytes) -> None:
    with connected(giver, said) as connection, contextlib.suppress(ConnectionResetError):
        assert b" 200 " not in connection.recv(65536).split(b"\r\n")[0]
    assert giver.ask("/ready")[0] == 200


def test_who_asks_slowly_keeps_nobody_out_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "QUESTION_SECONDS", 0.2)
    with _giving(tmp_path) as giver, contextlib.ExitStack() as slow:
        for _ in range(share.CONNECTIONS):
            slow.enter_context(connected(giver, b"GET /ready HTTP/1.1\r\n"))
        _until_ready(giver)


def test_the_kubelet_is_answered_while_all_are_being_given_to(tmp_path: Path) -> None:
    with _giving(tmp_path) as giver, contextlib.ExitStack() as busy:
        version = giver.publish("adults", *ROWS)
        for _ in range(share.AT_ONCE):
            assert giver.server.room.acquire(blocking=False)
            busy.callback(giver.server.room.release)
        assert giver.ask("/ready")[0] == 200
        assert giver.ask(manifest_path("adults", version.digest))[0] == 503
    assert (share.AT_ONCE, share.CONNECTIONS) == (16, 24)


def test_who_takes_nothing_of_what_is_given_keeps_nobody_out_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(share, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(share, "SLOWEST", 1 << 30)
    large = b"rows" * (8 << 20)  # more than the system keeps for a connection
    with _giving(tmp_path) as giver, contextlib.ExitStack() as idle:
        version = giver.publish("adults", large)
        path = rows_path("adults", version.digest, digest(large))
        asked = f"GET {path} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
        connection = idle.enter_context(connected(giver, asked))
        assert connection.recv(15) == b"HTTP/1.0 200 OK"
        for _ in range(share.AT_ONCE):
            assert giver.server.room.acquire(timeout=DEADLINE_SECONDS)


@dataclass
class Here(Giver):
    """A giver in this process, whose rooms can be filled."""

    server: share.Giver


@contextlib.contextmanager
def _giving(folder: Path) -> Iterator[Here]:
    for part in ("store", "grants"):
        (folder / part).mkdir()
    with share.Giver(("localhost", 0), folder / "store", folder / "grants" / "grants.json") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        giver = Here(folder, server.server_port, server)
        giver.grant()
        giver.publish("adults", *ROWS)
        yield giver
        server.shutdown()


def _until_ready(giver: Giver) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if giver.ask("/ready")[0] == 200:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_run_waits_until_the_grant_has_come(giver: Giver, ours: Volume) -> None:
    version = giver.publish("adults", b"rows after a while")
    (giver.folder / "grants" / "grants.json").unlink()
    later = threading.Timer(0.5, giver.grant)
    later.start()
    fetch(version, ours, quiet, patience=60)
    later.join()
    assert ours.exists(paths.blob(digest(b"rows after a while")))


def test_what_is_shared_no_more_is_said_in_words(giver: Giver, ours: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    version = giver.publish("adults", b"rows that are not shared")
    monkeypatch.setenv(TOKENS_VARIABLE, "")
    with pytest.raises(Unavailable, match="does not give version 1 of FeatureSet people/adults") as caught:
        fetch(version, ours, quiet, patience=0)
    assert caught.value.reason == "NotShared"
    assert not list(ours.list(""))


def test_what_is_gone_is_said_in_words(giver: Giver, ours: Volume) -> None:
    version = giver.publish("adults", b"x").model_copy(update={"digest": digest(b"never there")})
    with pytest.raises(Missing, match="not in the store of people any more"):
        fetch(version, ours, quiet)


def test_a_store_that_does_not_answer_may_do_so_later(giver: Giver, ours: Volume) -> None:
    version = giver.publish("adults", b"y").model_copy(update={"fetch": "http://localhost:1"})
    with pytest.raises(Unavailable, match="does not answer for version 1 of FeatureSet people/adults"):
        fetch(version, ours, quiet, patience=0)


def test_other_bytes_are_never_taken(ours: Volume, tmp_path_factory: pytest.TempPathFactory) -> None:
    version = FeaturesVersion(name="adults", version=1, digest=digest(b"wanted"), namespace="people")
    with _lying(b'{"version": 1}') as address, pytest.raises(Corrupt, match=version.digest):
        fetch(version.model_copy(update={"fetch": address}), ours, quiet)
    assert not list(ours.list(""))


@contextlib.contextmanager
def _lying(content: bytes) -> Iterator[str]:
    """A server that answers everything with the same bytes."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(content) + content

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    with socket.create_server(("localhost", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://localhost:{listener.getsockname()[1]}"
