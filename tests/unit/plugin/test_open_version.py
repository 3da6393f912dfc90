"""``kubectl merkhet open mv/NAME``: the model card's page, from documents that are what the record says they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from merkhet.plugin.kubectl import Kubectl, KubectlFailed
from merkhet.plugin.main import main
from tests import make
from tests.unit.pages.cards import binary

Cluster = dict[str, Any]
NAMES = ("card", "evaluation", "importance")
PROFILE = "featuresets/patients/1.profile.json"


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster's answers: a version, and the files of its store."""
    made = binary()
    known = made.known
    documents = {name: getattr(known, name).dump() for name in NAMES}
    manifest = made.manifest.dump()
    data = {"featureSet": "patients", "version": 1, "digest": digest(manifest)}
    lineage = {"training": {"name": "visits", "run": "1" * 20}, "data": [data]}
    record = {"reports": {name: digest(content) for name, content in documents.items()}, "lineage": lineage}
    assert known.profile is not None
    files = {f"blobs/sha256/{digest(content)[7:]}": content for content in (*documents.values(), manifest)}
    body = make.modelversion(2, model="visits", record=record, status={"decision": "Approved", "servedBy": ["visits"]})
    there = {"body": body, "files": {**files, PROFILE: known.profile.dump()}}

    def inside(self: Kubectl, *words: str, stdin: bytes | None = None) -> bytes:
        assert words[:2] == ("store", "get")
        if words[2] not in there["files"]:
            raise KubectlFailed(f"{words[2]} is not a file in the store; `merkhet store ls` lists them")
        return str(there["files"][words[2]]).encode()

    monkeypatch.setattr(Kubectl, "find", lambda self, *words: there["body"])
    monkeypatch.setattr(Kubectl, "current_namespace", lambda self: "clinic")
    monkeypatch.setattr(Kubectl, "inside", inside)
    return there


def digest(content: str) -> str:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


def place(there: Cluster, name: str) -> str:
    return f"blobs/sha256/{there['body']['spec']['record']['reports'][name][7:]}"


def opened(capsysbinary: pytest.CaptureFixture[bytes]) -> tuple[str, str]:
    """The page, and what was said beside it."""
    assert main(["open", "mv/visits-v2", "-o", "-"]) == 0
    told = capsysbinary.readouterr()
    return told.out.decode(), told.err.decode()


def test_the_page_has_all_that_is_known(cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    page, said = opened(capsysbinary)
    assert said == ""
    for words in ("✓ Approved", "ROC curve", "Importance of features", "By sex", "Caveats and recommendations",
                  "442 rows, 13 columns", "deployment"):  # fmt: skip
        assert words in page
    assert ">Not known<" not in page


def test_what_was_found_of_a_model_that_was_brought_stands_in_its_status(
    cluster: Cluster, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    record = cluster["body"]["spec"]["record"]
    found = {part: record.pop(part) for part in ("metrics", "gates", "reports")}
    found |= {"data": record["lineage"]["data"], "rows": {"test": 109}}
    record["lineage"] = {"training": {}}
    cluster["body"]["status"]["evaluation"] = found
    page, _ = opened(capsysbinary)
    for words in ("brought here", "judged on", "ROC curve", "442 rows, 13 columns", "Every limit is kept"):
        assert words in page
    assert ">Not known<" not in page


LACKING: dict[str, tuple[Callable[[Cluster], object], str, str]] = {
    "a version without reports": (
        lambda there: there["body"]["spec"]["record"].update(reports={}), "There is no evaluation.", ""),
    "a version without lineage": (
        lambda there: there["body"]["spec"]["record"].pop("lineage"), "It is not known what it learned from.", ""),
    "a version without a decision": (
        lambda there: there["body"].update(status={}), "is written by", ""),
    "data without a profile": (
        lambda there: there["files"].pop(PROFILE), "There is no data profile of this version any more.", ""),
    "a profile of other rows under the same name": (
        lambda there: there["files"].update({PROFILE: there["files"][PROFILE].replace("000000", "111111")}),
        "There is no data profile of this version any more.", ""),
    "data that is gone": (
        lambda there: there["body"]["spec"]["record"]["lineage"]["data"][0].update(digest=digest("gone")),
        "There is no data profile of this version any more.", ""),
    "a document of another program": (
        lambda there: (there["body"]["spec"]["record"]["reports"].update(evaluation=digest("{}")),
                       there["files"].update({f"blobs/sha256/{digest('{}')[7:]}": "{}"})),
        "There is no evaluation.", "the evaluation was written by another version"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "shown", "said"), LACKING.values(), ids=LACKING)
def test_what_is_not_known_stands_on_the_page(
    cluster: Cluster,
    change: Callable[[Cluster], object],
    shown: str,
    said: str,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    change(cluster)
    page, told = opened(capsysbinary)
    assert shown in page
    assert said in told


WRONG: dict[str, tuple[list[str], Callable[[Cluster], object], str]] = {
    "no such version": (["mv/visits-v2"], lambda there: there.update(body=None), "clinic/visits-v2 does not exist"),
    "a lost document": (["mv/visits-v2"], lambda there: there["files"].pop(place(there, "card")),
                        "the card is not in the store any more"),
    "other bytes": (["mv/visits-v2"], lambda there: there["files"].update({place(there, "importance"): "{ }"}),
                    "the importance has another digest"),
    "a version of a version": (["mv/visits-v2", "--version", "2"], lambda there: None, "leave --version out"),
    "a record that is none": (["mv/visits-v2"], lambda there: there["body"]["spec"]["record"].update(metrics=[{}]),
                              "the record of visits-v2 is not as"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(
    cluster: Cluster,
    words: list[str],
    change: Callable[[Cluster], object],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(cluster)
    assert main(["open", *words, "-o", "-"]) == 1
    assert re.search(said, capsys.readouterr().err)
