"""Sources in a bucket, read from a real S3 server: which objects, with whose credentials, and what goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.features import Source
from merkhet.errors import MerkhetError
from merkhet.workloads.features.bucket import fetch
from merkhet.workloads.features.sources import locate
from tests.buckets.server import ACCESS, SECRET, Server, free_port

OBJECTS = {
    "census/2017.csv": b"a\n1\n",
    "census/2018.csv": b"a\n2\n",
    "census/old/1999.csv": b"a\n3\n",
    "census/notes.txt": b"hello",
}


@pytest.fixture(scope="module", autouse=True)
def objects(server: Server) -> None:
    """A bucket with a few objects."""
    for key, content in OBJECTS.items():
        server.put(f"people/{key}", content)


@pytest.fixture
def secrets(server: Server, tmp_path: Path) -> Path:
    """The mounted Secret of the source `census`."""
    return mounted(tmp_path, endpoint=server.endpoint)


def mounted(folder: Path, **said: str | None) -> Path:
    """A Secret as a pod sees it; None takes a key away."""
    values = {"accessKeyId": ACCESS, "secretAccessKey": SECRET, **said}
    (folder / "secrets" / "census").mkdir(parents=True)
    for name, value in values.items():
        if value is not None:
            (folder / "secrets" / "census" / name).write_text(f"{value}\n", encoding="utf-8")
    return folder / "secrets"


def source(key: str, **more: Any) -> Source:
    return Source(**{"name": "census", "uri": f"s3://people/{key}", "secret": True, **more})


def contents(found: list[Path]) -> list[bytes]:
    return [file.read_bytes() for file in found]


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        pytest.param("census/2018.csv", ["census/2018.csv"], id="one object by its key"),
        pytest.param("census/*.csv", ["census/2017.csv", "census/2018.csv"], id="a star stays within its folder"),
        pytest.param(
            "census/**/*.csv", ["census/2017.csv", "census/2018.csv", "census/old/1999.csv"], id="two stars do not"
        ),
        pytest.param("c*s/201?.csv", ["census/2017.csv", "census/2018.csv"], id="patterns in folders"),
    ],
)
def test_objects_come_in_the_order_of_their_keys(pattern: str, keys: list[str], secrets: Path, tmp_path: Path) -> None:
    found = fetch(source(pattern), tmp_path, lambda _: None, secrets=secrets)
    assert contents(found) == [OBJECTS[key] for key in keys]


def test_the_format_is_told_by_the_ending(secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("merkhet.workloads.features.bucket.fetch.__kwdefaults__", {"secrets": secrets})
    located = locate(source("census/*.csv"), tmp_path, tmp_path, lambda _: None)
    assert (located.format, len(located.files)) == ("csv", 2)


def complaint(asked: Source, tmp_path: Path, secrets: Path) -> tuple[str, str]:
    with pytest.raises(MerkhetError) as raised:
        fetch(asked, tmp_path, lambda _: None, secrets=secrets)
    return raised.value.reason, str(raised.value)


@pytest.mark.parametrize(
    ("asked", "reason", "words"),
    [
        pytest.param(
            source("census/2020.csv"), "Missing", "no object matches s3://people/census/2020.csv", id="no key"
        ),
        pytest.param(source("nowhere/*.csv"), "Missing", "s3://people/nowhere/*.csv", id="no folder"),
        pytest.param(source("", uri="s3://nobody/x.csv"), "Missing", "s3://nobody/x.csv", id="no bucket"),
        pytest.param(source("", uri="s3://people"), "Refused", "names no bucket and key", id="a bucket alone"),
        pytest.param(source("", uri="s3://a_b/x"), "Refused", "names no bucket and key", id="no name of a bucket"),
        pytest.param(source("[12].csv"), "Refused", "has [", id="brackets"),
    ],
)
def test_an_address_that_leads_nowhere_is_named(
    asked: Source, reason: str, words: str, tmp_path: Path, secrets: Path
) -> None:
    found, message = complaint(asked, tmp_path, secrets)
    assert (found, words in message) == (reason, True), message


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        pytest.param({"secretAccessKey": None}, "CredentialsMissing", "has no secretAccessKey", id="half a Secret"),
        pytest.param({"accessKeyId": None, "secretAccessKey": None}, "CredentialsMissing", "is not there", id="none"),
        pytest.param({"accessKeyId": "nobody"}, "SourceForbidden", "correct the Secret", id="unknown account"),
        pytest.param({"secretAccessKey": "wrong"}, "SourceForbidden", "correct the Secret", id="wrong key"),
        pytest.param({"endpoint": "ftp://x"}, "CredentialsInvalid", "'ftp://x'", id="no endpoint"),
    ],
)
def test_credentials_that_do_not_open_are_named_and_not_told(
    said: dict[str, str | None], reason: str, words: str, tmp_path: Path, server: Server
) -> None:
    secrets = mounted(tmp_path, **{"endpoint": server.endpoint, **said})
    found, message = complaint(source("census/2018.csv"), tmp_path, secrets)
    assert (found, words in message) == (reason, True), message
    assert SECRET not in message


def test_a_server_that_is_not_there_is_asked_again_later(tmp_path: Path) -> None:
    secrets = mounted(tmp_path, endpoint=f"http://127.0.0.1:{free_port()}")
    found, message = complaint(source("census/2018.csv"), tmp_path, secrets)
    assert (found, "does not answer" in message) == ("SourceUnavailable", True), message
