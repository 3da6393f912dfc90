"""Rows of a version as people see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from merkhet.store import paths
from merkhet.workloads.features.main import main
from tests.unit.workloads.features.making import Workshop, workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    found = workshop(tmp_path)
    monkeypatch.setenv("MERKHET_STORE", str(found.places.store))
    found.put("t.csv", "id,name,age,day\n1,Dana,30,2024-01-02\n2,Eli,,2024-01-03\n3,Fay,50,2024-01-04\n")
    found.make({"t": "store://raw/t.csv"}, entity=["id"], columns=[{"name": "name", "personal": True}])
    return found


@pytest.mark.usefixtures("shop")
def test_a_table_shows_rows_and_covers_what_is_personal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows", "adults", "--limit", "2"]) == 0
    assert capsys.readouterr().out == (
        "id  name  age  day\n1   •••   30   2024-01-02\n2   •••   -    2024-01-03\n\n2 of 3 rows of version 1\n"
    )


@pytest.mark.usefixtures("shop")
def test_json_has_columns_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows", "adults", "-o", "json", "--personal"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["version"], body["rows"], len(body["columns"])) == (1, 3, 4)
    assert body["items"][1] == {"id": 2, "name": "Eli", "age": None, "day": "2024-01-03"}


def test_an_older_version_can_be_asked_for(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.make({"t": "store://raw/t.csv"}, query="select id from t")
    assert main(["rows", "adults", "--version", "1", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(["nobody"], "FeatureSet nobody has no version yet", id="no version"),
        pytest.param(["adults", "--version", "7"], "has no version 7; it has 1", id="another version"),
        pytest.param(["../x"], "is no name", id="a path"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_is_not_there_is_said(words: list[str], found: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rows", *words]) == 1
    assert found in capsys.readouterr().err


def test_a_corrupt_blob_shows_no_row(shop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    blob = shop.manifest().blobs[0].digest
    with (shop.places.store / paths.blob(blob)).open("r+b") as content:
        content.write(b"XXXX")
    assert main(["rows", "adults"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "corrupt" in captured.err
