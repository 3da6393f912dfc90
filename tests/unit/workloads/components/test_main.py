"""A component is kept when all its examples come out, and under its version for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from merkhet.contract.runs import RunReport
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store import paths
from merkhet.workloads.components import document, onnx
from merkhet.workloads.components.main import main
from tests.unit.workloads.components.test_onnx import with_loop
from tests.unit.workloads.components.trying import ENCODER, MEDIAN, PREPARED, Bench, bench, doubling

BAND = "create macro age_band(a) as case when a < 25 then 0 else 1 end"
CLEAN = """
import pyarrow.compute as pc

def clean(table):
    return table.set_column(0, "AGEP", pc.max_element_wise(table["AGEP"], 0))
"""


@pytest.fixture
def place(tmp_path: Path) -> Bench:
    return bench(tmp_path)


def banded(*wanted: int) -> dict[str, Any]:
    query = "select age_band(AGEP) as band from input"
    return {"input": {"AGEP": [20, 30]}, "output": {"band": list(wanted)}, "query": query}


def cleaned(*wanted: int) -> dict[str, Any]:
    return {"input": {"AGEP": [-1, 30]}, "output": {"AGEP": list(wanted)}}


def test_steps_of_scikit_learn_are_kept_by_content(place: Bench) -> None:
    result = place.sklearn()
    assert [one.passed for one in result.examples] == [True]
    found, digest = document.resolve(place.store, "preparation", "1")
    assert digest == result.digest
    assert [step.estimator.rpartition(".")[2] for step in found.steps] == ["SimpleImputer", "OneHotEncoder"]
    assert [(one.version, one.digest, one.flavour) for one in result.versions] == [("1", digest, "sklearn")]


def test_macros_are_tried_by_a_query(place: Bench) -> None:
    assert place.sql(BAND, banded(0, 1)).digest


def test_a_function_is_tried(place: Bench) -> None:
    assert place.python(CLEAN, cleaned(0, 30)).digest


def test_a_graph_is_fetched_and_tried(place: Bench) -> None:
    content = doubling()
    digest = place.put("doubling.onnx", content)
    example = {"input": {"AGEP": [1.5, 30.0]}, "output": {"doubled": [3, 60]}}
    result = place.onnx("store://raw/doubling.onnx", digest, example)
    assert [one.message for one in result.examples] == [""]
    assert place.store.fetch(digest).read_bytes() == content


def test_a_graph_that_stands_is_tried_again_though_its_file_has_gone(place: Bench) -> None:
    digest = place.put("doubling.onnx", doubling())
    first = place.onnx("store://raw/doubling.onnx", digest)
    place.store.delete("raw/doubling.onnx")
    example = {"input": {"AGEP": [1.5]}, "output": {"doubled": [3]}}
    assert place.onnx("store://raw/doubling.onnx", digest, example).digest == first.digest
    place.store.fetch(digest).write_bytes(b"rot")
    with pytest.raises(Missing, match=r"there is no store://raw/doubling\.onnx"):
        place.onnx("store://raw/doubling.onnx", digest)


@pytest.mark.parametrize("kept", [pytest.param(False, id="fetched"), pytest.param(True, id="in the store already")])
def test_no_session_sees_a_file_that_was_not_looked_at(
    place: Bench, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx, "session", lambda *_: pytest.fail("it was loaded"))
    content = with_loop().SerializeToString()
    digest = place.put("a.onnx", content)
    if kept:
        place.store.add(content)
    with pytest.raises(Refused, match="branches or loops"):
        place.onnx("store://raw/a.onnx", digest)


def test_a_graph_needs_no_example(place: Bench) -> None:
    digest = place.put("doubling.onnx", doubling())
    assert place.onnx("store://raw/doubling.onnx", digest).digest


SAID: dict[str, tuple[dict[str, Any], str]] = {
    "another value": (
        {**PREPARED, "output": {"AGEP": [30, 35, 41]}},
        "example 1: column AGEP row 3 is 40, wanted 41",
    ),
    "a column that does not come out": (
        {**PREPARED, "output": {"SCHL_3": [0, 0, 0]}},
        "example 1: no column SCHL_3 comes out; there are AGEP, SCHL_1, SCHL_2",
    ),
    "too few rows": ({**PREPARED, "output": {"AGEP": [30]}}, "example 1: 3 rows come out, wanted 1"),
    "a value that should be missing": (
        {**PREPARED, "output": {"AGEP": [30, None, 40]}},
        "example 1: column AGEP row 2 is 35, wanted nothing",
    ),
    "text for a number": (
        {**PREPARED, "output": {"AGEP": ["30", 35, 40]}},
        "example 1: column AGEP row 1 is 30, wanted '30'",
    ),
    "many values": (
        {**PREPARED, "output": {"AGEP": [0, 0, 0], "SCHL_2": [1, 1, 1]}},
        "column AGEP row 3 is 40, wanted 0 …",
    ),
    "almost": (
        {**PREPARED, "output": {"AGEP": [30.00001, 35, 40]}},
        "wanted 30.00001 (`tolerance` says how far it may be)",
    ),
    "mixed values": (
        {"input": {"AGEP": [1, "x"]}, "output": {"AGEP": [1, 2]}},
        "example 1: input AGEP is no column",
    ),
    "rows that scikit-learn refuses": (
        {"input": {"AGEP": [1, 2], "SCHL": [None, None]}, "output": {"AGEP": [1, 2]}},
        "example 1: feature SCHL has no value in any row",
    ),
    "a column that is not there": (
        {"input": {"AGEP": [1, 2]}, "output": {"AGEP": [1, 2]}},
        "step 2 names the columns SCHL, which are not features",
    ),
}


@pytest.mark.parametrize(("example", "said"), SAID.values(), ids=SAID)
def test_what_does_not_come_out_is_said_and_nothing_is_kept(place: Bench, example: dict[str, Any], said: str) -> None:
    result = place.sklearn(example)
    assert not result.digest
    assert said in result.examples[0].message
    with pytest.raises(Missing, match="there is none of that name"):
        document.resolve(place.store, "preparation", "1")


def test_each_example_is_tried(place: Bench) -> None:
    result = place.sql(BAND, banded(0, 1), banded(1, 1), banded(0, 0))
    assert [one.passed for one in result.examples] == [True, False, False]
    assert result.examples[1].message == "example 2: column band row 1 is 0, wanted 1"


def test_within_the_tolerance_is_right(place: Bench) -> None:
    assert place.sklearn({**PREPARED, "output": {"AGEP": [30.2, 35, 39.9]}, "tolerance": 0.25}).digest


def test_a_fraction_is_compared_as_float32(place: Bench) -> None:
    example = {"input": {"AGEP": [0.1, None, 0.1], "SCHL": [1, 1, 1]}, "output": {"AGEP": [0.1, 0.1, 0.1]}}
    assert place.sklearn(example).digest


def test_a_query_that_cannot_be_meant_is_an_examples_fault(place: Bench) -> None:
    result = place.sql(BAND, {**banded(0, 1), "query": "select age_bnd(AGEP) as band from input"})
    assert "age_bnd" in result.examples[0].message


def test_a_function_that_raises_is_an_examples_fault(place: Bench) -> None:
    result = place.python("def clean(table):\n    raise ValueError('too old')\n", cleaned(0, 30))
    assert "line 2: ValueError: too old" in result.examples[0].message


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown estimator": ({"steps": [{"estimator": "sklearn.svm.SVC"}]}, "estimator sklearn.svm.SVC is not among"),
    "an unknown parameter": ({"steps": [{**MEDIAN, "parameters": {"way": 1}}]}, "has no parameter way"),
    "a parameter's value": ({"steps": [{**MEDIAN, "parameters": {"strategy": "best"}}]}, "'strategy' parameter"),
    "a predictor": (
        {"steps": [MEDIAN, {"estimator": "sklearn.linear_model.LogisticRegression"}]},
        "a transformer is wanted there",
    ),
    "columns too late": ({"steps": [{**MEDIAN, "columns": None}, ENCODER]}, "put steps with `columns` first"),
}


@pytest.mark.parametrize(("more", "said"), REFUSED.values(), ids=REFUSED)
def test_steps_that_cannot_be_meant_are_refused(place: Bench, more: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        place.sklearn(**more)


def test_macros_that_cannot_be_meant_are_refused(place: Bench) -> None:
    with pytest.raises(Refused):
        place.sql("drop table input", banded(0, 1))


FILES: dict[str, tuple[bytes, str, str]] = {
    "a page of HTML": (b"<html>not found</html>", "InvalidModel", "is no ONNX file"),
    "nothing": (b"", "InvalidModel", "cannot be loaded"),
    "a foreign operator": (doubling(domain="evil.example"), "ForeignOperators", "the foreign domain 'evil.example'"),
    "values beside the file": (doubling(beside=True), "ExternalData", "in another file"),
}


@pytest.mark.parametrize(("content", "reason", "said"), FILES.values(), ids=FILES)
def test_a_file_that_may_not_be_run_is_refused(place: Bench, content: bytes, reason: str, said: str) -> None:
    digest = place.put("a.onnx", content)
    with pytest.raises(Refused, match=said) as refused:
        place.onnx("store://raw/a.onnx", digest)
    assert refused.value.reason == reason


def test_another_file_than_the_digest_says_is_refused(place: Bench) -> None:
    place.put("a.onnx", doubling())
    with pytest.raises(Refused, match="wanted sha256:0000") as refused:
        place.onnx("store://raw/a.onnx", f"sha256:{0:064x}")
    assert refused.value.reason == "DigestMismatch"


def test_a_file_that_is_not_there_is_missing(place: Bench) -> None:
    with pytest.raises(Missing, match=r"kubectl merkhet put FILE store://raw/a.onnx"):
        place.onnx("store://raw/a.onnx", f"sha256:{0:064x}")


@pytest.mark.parametrize("uri", ["store://blobs/a.onnx", "store://raw/../runs/a", "store://raw/*.onnx"])
def test_a_way_out_of_the_users_files_is_refused(place: Bench, uri: str) -> None:
    with pytest.raises(Refused):
        place.onnx(uri, f"sha256:{0:064x}")


def test_a_link_out_of_the_users_files_is_refused(place: Bench) -> None:
    digest = place.put("real.onnx", doubling())
    outside = place.places.scratch / "secret.onnx"
    outside.write_bytes(doubling())
    (place.places.store / "raw" / "a.onnx").symlink_to(outside)
    with pytest.raises(Refused, match="is a link out of the store"):
        place.onnx("store://raw/a.onnx", digest)


def test_the_same_content_again_is_fine(place: Bench) -> None:
    first = place.sklearn()
    assert place.sklearn({**PREPARED, "output": {"AGEP": [30, 35, 40]}}) == first


def test_other_content_under_the_same_version_is_refused_with_both_digests(place: Bench) -> None:
    first = place.sklearn()
    with pytest.raises(Refused, match=f"it stands for {first.digest} and this is sha256:") as refused:
        place.sql(BAND, banded(0, 1))
    assert refused.value.reason == "VersionTaken"
    assert document.resolve(place.store, "preparation", "1")[1] == first.digest


def test_an_old_version_comes_back_only_as_it_was_left(place: Bench) -> None:
    first = place.sklearn()
    place.sql(BAND, banded(0, 1), version="2")
    with pytest.raises(Refused, match=f"it stands for {first.digest} and this is sha256:"):
        place.sql(BAND, banded(0, 1), version="1")
    assert place.sklearn().digest == first.digest


def test_a_version_that_is_taken_is_told_before_the_examples_are_tried(place: Bench) -> None:
    place.sklearn()
    with pytest.raises(Refused, match="is taken") as refused:
        place.sql(BAND, banded(1, 0))
    assert refused.value.reason == "VersionTaken"
    assert not [said for said in place.said if said == "trying example 1 of 1"][1:]


def test_the_slower_of_two_jobs_is_refused(place: Bench) -> None:
    """Both saw that the version was free."""
    first, second = (
        place.task(flavour="sql", macros=f"create macro f(a) as a + {number}").document for number in (1, 2)
    )
    digest = document.keep(place.store, first, "2024-01-03T00:00:00Z")
    with pytest.raises(Refused, match=f"it stands for {digest}"):
        document.keep(place.store, second, "2024-01-03T00:00:00Z")
    assert document.keep(place.store, first, "2024-01-04T00:00:00Z") == digest


def test_an_old_version_that_is_spoilt_keeps_no_new_one_from_standing(place: Bench) -> None:
    place.store.fetch(place.sql(BAND, banded(0, 1)).digest).write_bytes(b"poem")
    place.sql(BAND, banded(0, 1), version="2")
    place.store.replace(paths.component("preparation", "2"), b"{}")
    assert [one.version for one in place.sql(BAND, banded(0, 1), version="3").versions] == ["3"]


def test_a_document_that_is_gone_is_named_by_its_version(place: Bench) -> None:
    digest = place.sklearn().digest
    place.store.fetch(digest).unlink()
    with pytest.raises(Missing, match=f"version 1 of component preparation is {digest}, which is not in the store"):
        document.resolve(place.store, "preparation", "1", digest)


def test_a_value_that_no_example_can_have_is_an_examples_fault(place: Bench) -> None:
    query = "select timestamp '20000-01-01' as band from input"
    result = place.sql(BAND, {"input": {"AGEP": [1]}, "query": query, "output": {"band": ["2024-01-01"]}})
    assert "example 1: column band is timestamp" in result.examples[0].message
    assert "a value that no example can have" in result.examples[0].message


def test_old_versions_stay(place: Bench) -> None:
    first = place.sklearn()
    second = place.sql(BAND, banded(0, 1), version="2")
    assert document.resolve(place.store, "preparation", "1")[1] == first.digest
    assert {one.version: one.flavour for one in second.versions} == {"1": "sklearn", "2": "sql"}
    with pytest.raises(Missing, match="there are 1, 2: name one of these"):
        document.resolve(place.store, "preparation", "3")


def test_a_digest_finds_the_document_alone(place: Bench) -> None:
    digest = place.sklearn().digest
    place.store.delete(paths.component("preparation", "1"))
    assert document.resolve(place.store, "preparation", "1", digest)[1] == digest


def test_a_digest_of_another_component_is_no_way_to_it(place: Bench) -> None:
    digest = place.sklearn().digest
    with pytest.raises(Corrupt, match="wanted was version 1 of other"):
        document.resolve(place.store, "other", "1", digest)


@pytest.mark.parametrize("content", [b"{}", b"poem"])
def test_a_spoilt_pointer_is_said(place: Bench, content: bytes) -> None:
    place.sklearn()
    place.store.replace(paths.component("preparation", "1"), content)
    with pytest.raises(Corrupt, match=r"components/preparation/1.json is nothing that this image reads"):
        document.resolve(place.store, "preparation", "1")


def test_a_spoilt_document_is_said(place: Bench) -> None:
    digest = place.sklearn().digest
    place.store.fetch(digest).write_bytes(b"poem")
    with pytest.raises(Corrupt, match="is corrupt"):
        document.resolve(place.store, "preparation", "1")


def test_the_role_reports_what_it_kept_and_what_it_refused(place: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, folder in (("STORE", "store"), ("REPORT", "report"), ("SCRATCH", "scratch")):
        monkeypatch.setenv(f"MERKHET_{variable}", str(getattr(place.places, folder)))

    def reported(key: str, macros: str, wanted: int) -> tuple[int, RunReport]:
        task = place.task(banded(0, wanted), flavour="sql", macros=macros, key=key)
        monkeypatch.setenv("MERKHET_TASK", task.dump())
        return main(), RunReport.load((place.places.report / "report.json").read_bytes())

    code, kept = reported("1" * 20, BAND, 1)
    assert (code, kept.phase, bool(kept.result["digest"])) == (0, "Succeeded", True)
    code, failed = reported("2" * 20, BAND, 0)
    assert (code, failed.phase, failed.result["digest"]) == (0, "Succeeded", "")
    code, taken = reported("3" * 20, BAND.replace("25", "26"), 1)
    assert (code, taken.phase, taken.reason) == (3, "Refused", "VersionTaken")
