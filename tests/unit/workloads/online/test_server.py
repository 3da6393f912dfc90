"""The server of look-ups, asked over sockets: answers, refusals, and a new version in the midst of requests."""

from __future__ import annotations

import asyncio
import os
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from merkhet.store.volume import Volume
from merkhet.workloads.online.table import Current, FileTable
from tests.unit.workloads.online.making import Answering, answering, point, publish
from tests.unit.workloads.server.served import eventually

PEOPLE: list[dict[str, Any]] = [{"person_id": 1, "age": 30, "job": "baker"}, {"person_id": 2, "age": 41, "job": None}]
PATH = "/v1/features/adults"
LOOKUP = f"{PATH}:lookup"
PLACES: list[dict[str, Any]] = [{"name": 'zoë "z" & co', "region": 7, "x": 1.5}, {"name": "", "region": -1, "x": 2.5}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """Two people, one of them of an hour ago."""
    store = tmp_path_factory.mktemp("store")
    publish(store, tmp_path_factory.mktemp("scratch"), PEOPLE, "person_id", number=3, times=[2**62, 0])
    with answering(store, ttl_seconds=3600.0) as process:
        yield process


@pytest.fixture(scope="module")
def composite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answering]:
    """Entities of two columns."""
    store = tmp_path_factory.mktemp("store")
    publish(store, tmp_path_factory.mktemp("scratch"), PLACES, "name", "region", number=1)
    with answering(store) as process:
        yield process


def answer(*rows: Any, stale: int = 0, version: int = 3) -> dict[str, Any]:
    return {"featureSet": "adults", "version": version, "rows": list(rows), "stale": stale}


def test_one_entity(server: Answering) -> None:
    for query in ("entity=1", "person_id=1", "entity=%31", "entity=01"):
        assert server.get(f"{PATH}?{query}") == (200, answer(PEOPLE[0]))


def test_many_entities_in_their_order(server: Answering) -> None:
    wanted = 200, answer(None, PEOPLE[0], None, PEOPLE[0], stale=1)
    assert server.get(f"{PATH}?entity=9&entity=1&entity=2&entity=1") == wanted
    asked = [{"person_id": number} for number in (9, 1, 2, 1)]
    assert server.post(LOOKUP, {"entities": asked}) == wanted


def test_one_that_is_missing_or_too_old_is_not_found(server: Answering) -> None:
    assert server.get(f"{PATH}?entity=9") == (404, {"error": "version 3 of adults has no such entity"})
    status, told = server.get(f"{PATH}?entity=2")
    assert (status, "older than 3600 s" in told["error"]) == (404, True)
    assert server.post(LOOKUP, {"entities": [{"person_id": 9}]}) == (200, answer(None))


def test_several_columns(composite: Answering) -> None:
    for place in PLACES:
        query = urllib.parse.urlencode({"region": place["region"], "name": place["name"]})
        assert composite.get(f"{PATH}?{query}") == (200, answer(place, version=1))
    asked = [{"region": place["region"], "name": place["name"]} for place in PLACES]
    assert composite.post(LOOKUP, {"entities": asked}) == (200, answer(*PLACES, version=1))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("", "no entity is asked for", id="nobody"),
        pytest.param("entity=abc", 'entity 0: "person_id" is text that is no int64', id="text for a number"),
        pytest.param("entity=1&entity=1.5", 'entity 1: "person_id"', id="a fraction"),
        pytest.param("entity=" + "9" * 5000, 'entity 0: "person_id"', id="a number without end"),
        pytest.param("entity=%D9%A1", 'entity 0: "person_id"', id="digits of another script"),
        pytest.param("entity=%ff", "no UTF-8", id="bytes that are no text"),
        pytest.param("age=1", '"age", which is no entity column', id="another column"),
        pytest.param("&".join(["entity=1"] * 1001), "send at most 1000", id="too many"),
    ],
)
def test_a_bad_query_is_told_what_is_wrong(server: Answering, query: str, words: str) -> None:
    status, told = server.get(f"{PATH}?{query}")
    assert (status, words in told["error"]) == (400, True), told


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"{", "no JSON", id="no JSON"),
        pytest.param([], 'no "entities"', id="a list"),
        pytest.param({}, 'no "entities"', id="nothing in it"),
        pytest.param({"entities": {}}, '"entities" is dict', id="entities that are no list"),
        pytest.param({"entities": []}, "no entity is asked for", id="nobody"),
        pytest.param({"entities": [7]}, "entity 0 is int", id="an entity that is no object"),
        pytest.param({"entities": [{}]}, 'entity 0 has no "person_id"', id="an entity without its column"),
        pytest.param({"entities": [{"person_id": 1, "age": 2}]}, '"age", which is no entity column', id="one too many"),
        pytest.param({"entities": [{"person_id": None}]}, "is NoneType", id="null"),
        pytest.param({"entities": [{"person_id": True}]}, "is bool", id="true"),
        pytest.param({"entities": [{"person_id": 1.0}]}, "is float", id="a float"),
        pytest.param({"entities": [{"person_id": [1]}]}, "is list", id="a list for a number"),
        pytest.param({"entities": [{"person_id": 1}] * 1001}, "send at most 1000", id="too many"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(server: Answering, body: Any, words: str) -> None:
    status, told = server.post(LOOKUP, body)
    assert (status, words in told["error"]) == (400, True), told


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param("name=a", 'no "region"', id="a column too few"),
        pytest.param("name=a&region=1&name=b", '"name" twice', id="a column twice"),
        pytest.param("entity=a", '"entity", which is no entity column', id="one value for two columns"),
        pytest.param("name=a&region=x", '"region" is text that is no int64', id="text for a number"),
    ],
)
def test_a_bad_key_of_several_columns_names_the_column(composite: Answering, query: str, words: str) -> None:
    status, told = composite.get(f"{PATH}?{query}")
    assert (status, words in told["error"]) == (400, True), told


def test_what_is_elsewhere_is_not_found(server: Answering) -> None:
    assert server.get("/v1/features/others?entity=1")[0] == 404
    assert server.post(PATH, {})[0] == 405
    assert server.get(LOOKUP)[0] == 405


def test_no_value_of_a_key_is_told_again(server: Answering) -> None:
    assert "ada@example" not in str(server.get(f"{PATH}?entity=ada@example.com"))
    assert "ada@example" not in str(server.post(LOOKUP, {"entities": [{"person_id": "ada@example.com"}]}))
    assert "ada@example" not in "".join(server.lines)


def test_metrics_count_entities(server: Answering) -> None:
    def counted(result: str) -> float:
        text = server.get("/metrics", admin=True)[1]
        start = f'merkhet_online_entities_total{{result="{result}"}}'
        return float(next(line for line in text.splitlines() if line.startswith(start)).split()[-1])

    before = {result: counted(result) for result in ("found", "missing", "stale")}
    server.get(f"{PATH}?entity=9&entity=1&entity=2&entity=1")
    grown = {result: counted(result) - before[result] for result in before}
    assert grown == {"found": 2, "missing": 1, "stale": 1}


def test_until_there_is_a_version_it_lives_and_is_not_ready(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "blobs").mkdir(parents=True)
    with answering(store, ready=False) as server:
        assert server.get("/live", admin=True)[0] == 200
        assert server.get("/ready", admin=True)[0] == 503
        assert server.get(f"{PATH}?entity=1")[0] == 503
        publish(store, tmp_path, PEOPLE, "person_id", number=1)
        eventually(lambda: server.get("/ready", admin=True)[0] == 200, server)
        assert server.get(f"{PATH}?entity=1") == (200, answer(PEOPLE[0], version=1))


def test_a_new_version_comes_in_the_midst_of_requests_and_none_fails(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()

    def rows(number: int) -> list[dict[str, Any]]:
        return [{"person_id": at, "of": number} for at in range(50)]

    publish(store, tmp_path, rows(1), "person_id", number=1)
    asked = {"entities": [{"person_id": at} for at in range(50)]}
    answers: list[tuple[int, Any]] = []
    ended = threading.Event()
    with answering(store) as server:

        def ask() -> None:
            while not ended.is_set():
                answers.append(server.post(LOOKUP, asked))

        callers = [threading.Thread(target=ask) for _ in range(3)]
        for caller in callers:
            caller.start()
        try:
            for number in (1, 2, 3):
                publish(store, tmp_path, rows(number), "person_id", number=number)
                # Until a caller has seen it; asked within the round.
                eventually(lambda: any(told.get("version") == number for _, told in list(answers)), server)  # noqa: B023
        finally:
            ended.set()
            for caller in callers:
                caller.join()
    assert {status for status, _ in answers} == {200}
    for _, told in answers:  # each answer is of one version, whole
        assert {row["of"] for row in told["rows"]} == {told["version"]}
    assert {told["version"] for _, told in answers} == {1, 2, 3}


def blobs(store: Path) -> Iterator[Path]:
    return (store / "blobs" / "sha256").iterdir()


def spoilt(store: Path) -> None:
    content = bytearray(next(blobs(store)).read_bytes())
    digest = Volume(store).add(bytes(content) + b"more")
    content[len(content) // 2] ^= 1
    (store / "blobs" / "sha256" / digest[7:]).write_bytes(content)
    point(store, digest, 2)


BAD: dict[str, Callable[[Path], Any]] = {
    "a blob that is not there": lambda store: point(store, f"sha256:{0:064x}", 2),
    "a blob that is no file for look-ups": lambda store: point(store, Volume(store).add(b"no such thing" * 9), 2),
    "a blob with other bytes than its digest says": spoilt,
    "a file of another version": lambda store: point(store, Volume(store).add(next(blobs(store))), 2),
    "a pointer that is no JSON": lambda store: Volume(store).replace("featuresets/adults/online.json", b"{"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_never_takes_the_place_of_a_good_one(tmp_path: Path, name: str) -> None:
    store = tmp_path / "store"
    store.mkdir()
    publish(store, tmp_path, PEOPLE, "person_id", number=1)
    with answering(store) as server:
        BAD[name](store)
        server.line("cannot be opened, version 1 goes on")
        assert server.get(f"{PATH}?entity=1") == (200, answer(PEOPLE[0], version=1))
        assert "merkhet_online_failures_total 0" not in server.get("/metrics", admin=True)[1]
        publish(store, tmp_path, PEOPLE[:1], "person_id", number=3)
        eventually(lambda: server.version() == 3, server)


class Unforeseen(Current):
    """Meets what nobody thought of, once."""

    def load(self) -> FileTable:
        if self.failures == 0:
            raise ZeroDivisionError("nobody thought of this")
        return super().load()


def test_what_nobody_thought_of_is_counted_and_later_versions_are_followed(tmp_path: Path) -> None:
    current = Unforeseen(tmp_path, "adults")
    for number in (1, 2):
        publish(tmp_path, tmp_path, PEOPLE, "person_id", number=number)
        asyncio.run(current.look(0.0))
    assert (current.failures, current.number) == (1, 2)


def test_a_store_that_is_away_is_tried_now_and_then_and_what_is_known_goes_on(tmp_path: Path) -> None:
    current = Current(tmp_path, "adults")
    folder, away = tmp_path / "featuresets" / "adults", tmp_path / "away"
    publish(tmp_path, tmp_path, PEOPLE, "person_id", number=1)
    asyncio.run(current.look(0.0))
    folder.rename(away)
    folder.touch()  # what stands there is no folder: an error of the system's
    for second in range(20):
        asyncio.run(current.look(float(second)))
    assert (current.failures, current.number) == (2, 1)
    folder.unlink()
    away.rename(folder)
    publish(tmp_path, tmp_path, PEOPLE, "person_id", number=2)
    asyncio.run(current.look(20.0))
    assert (current.failures, current.number) == (2, 2)


def test_a_version_that_is_left_leaves_no_file_open(tmp_path: Path) -> None:
    current = Current(tmp_path, "adults")
    for number in range(1, 6):
        publish(tmp_path, tmp_path, [{"person_id": number}], "person_id", number=number)
        asyncio.run(current.look(0.0))
    mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if str(tmp_path) in line}
    opened = {os.path.realpath(link) for link in Path("/proc/self/fd").iterdir()}
    assert mapped == {str(file) for file in blobs(tmp_path)} & opened
    assert (len(mapped), current.number) == (1, 5)


def test_it_drains_and_ends(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    publish(store, tmp_path, PEOPLE, "person_id", number=1)
    with answering(store) as server:
        assert server.end() == 0


def test_a_task_it_does_not_understand_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from merkhet.workloads.online.main import main

    monkeypatch.setitem(os.environ, "MERKHET_TASK", "{}")
    log = tmp_path / "log"
    log.touch()
    assert main(["--termination-log", str(log)]) == 3
    assert "use one version for all images" in log.read_text()
