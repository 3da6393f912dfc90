"""``kubectl merkhet open``: the page, and what is said where there is none."""

from __future__ import annotations

import argparse
import json
import re
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from merkhet.errors import InvalidSpec, MerkhetError
from merkhet.plugin import open as opening
from merkhet.plugin.kubectl import Kubectl, KubectlFailed
from merkhet.plugin.main import main
from tests.unit.pages.profiles import profile

PATH = "featuresets/adults/3.profile.json"
BODY: dict[str, Any] = {"status": {"latest": {"version": 3}}}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cluster's answers: the FeatureSet, and the files of its store."""
    there: dict[str, Any] = {
        "body": BODY,
        "files": {PATH: profile().dump(), "featuresets/adults/3.manifest.json": "{}"},
    }

    def inside(self: Kubectl, *words: str, stdin: bytes | None = None) -> bytes:
        if words[:2] == ("store", "ls"):
            return "".join(json.dumps({"path": path}) + "\n" for path in there["files"]).encode()
        assert words[:2] == ("store", "get")
        if words[2] not in there["files"]:
            raise KubectlFailed(f"{words[2]} is not a file in the store; `merkhet store ls` lists them")
        return str(there["files"][words[2]]).encode()

    monkeypatch.setattr(Kubectl, "find", lambda self, *words: there["body"])
    monkeypatch.setattr(Kubectl, "current_namespace", lambda self: "people")
    monkeypatch.setattr(Kubectl, "inside", inside)
    monkeypatch.setattr(opening, "has_display", lambda *_: False)
    return there


def test_the_page_is_printed(cluster: dict[str, Any], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["open", "fs/adults", "-o", "-"]) == 0
    printed = capsysbinary.readouterr().out.decode()
    assert printed.startswith("<!doctype html>")
    assert "adults" in printed


def test_the_page_is_written_and_its_place_told(
    cluster: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.html"
    assert main(["open", "fs/adults", "-o", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    told = capsys.readouterr()
    assert told.out.strip() == str(file)
    assert "open the file" in told.err


def test_a_browser_is_asked_where_there_is_a_display(
    cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def show(address: str) -> bool:
        asked.append(address)
        return True

    monkeypatch.setattr(opening, "has_display", lambda *_: True)
    monkeypatch.setattr(webbrowser, "open", show)
    assert main(["open", "fs/adults", "--version", "3"]) == 0
    told = capsys.readouterr()
    assert asked == [Path(told.out.strip()).as_uri()]
    assert asked[0].endswith("/adults-3.html")
    assert told.err == ""


DISPLAYS = {
    "a terminal alone": ({}, "linux", False),
    "X": ({"DISPLAY": ":0"}, "linux", True),
    "Wayland": ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
    "an empty name": ({"DISPLAY": ""}, "linux", False),
    "a Mac": ({}, "darwin", True),
}


@pytest.mark.parametrize(("environment", "platform", "found"), DISPLAYS.values(), ids=DISPLAYS)
def test_a_display_is_known(environment: dict[str, str], platform: str, found: bool) -> None:
    assert opening.has_display(environment, platform) is found


WRONG: dict[str, tuple[list[str], Callable[[dict[str, Any]], object], str]] = {
    "no such FeatureSet": (["fs/adults"], lambda there: there.update(body=None), "people/adults does not exist"),
    "no version yet": (["fs/adults"], lambda there: there.update(body={}), "has no version yet"),
    "no such version": (["fs/adults", "--version", "9"], lambda there: None, "has no version 9; it has 3"),
    "a version that cannot be": (["fs/adults", "--version", "0"], lambda there: None, "version 0 cannot be"),
    "a version without a profile": (["fs/adults"], lambda there: there["files"].pop(PATH), "version 3 .* no profile"),
    "another kind": (["md/adults"], lambda there: None, "a FeatureSet .* or ModelVersion"),
    "no kind": (["adults"], lambda there: None, "KIND/NAME"),
    "a name that leaves the store": (["fs/../raw"], lambda there: None, "no name"),
    "another program's file": (["fs/adults"], lambda there: there["files"].update({PATH: "{}"}), "operator's version"),
    "a folder that is not there": (["fs/adults", "-o", "/nowhere/a.html"], lambda there: None, "cannot be written"),
}


@pytest.mark.parametrize(("words", "change", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_there_is_said(
    cluster: dict[str, Any],
    words: list[str],
    change: Callable[[dict[str, Any]], object],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster["files"] = dict(cluster["files"])
    change(cluster)
    assert main(["open", *words]) == 1
    assert re.search(said, capsys.readouterr().err)


def test_other_failures_are_told_as_they_are(cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Kubectl, *words: str) -> bytes:
        raise KubectlFailed("the connection was refused")

    monkeypatch.setattr(Kubectl, "inside", fail)
    asked = argparse.Namespace(what="fs/adults", version=None, output="-")
    with pytest.raises(MerkhetError, match="the connection was refused"):
        opening.run(asked, Kubectl())


def test_a_name_is_checked_before_anything_is_asked_of_the_store(cluster: dict[str, Any]) -> None:
    asked = argparse.Namespace(what="fs/A b;c", version=None, output="-")
    with pytest.raises(InvalidSpec):
        opening.run(asked, Kubectl())
