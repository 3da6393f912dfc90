"""The list of estimators is what measuring each of them anew gives: ten minutes, no cluster."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest

from merkhet.workloads.trainer import allowlist, trials

MARKS = ("kind", "parameters", "needed", "missing", "text", "numbers", "columnwise", "holds_rows", "infinity", "step")


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of estimators that go with the next release
        return allowlist.derive()


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(allowlist.JSON_FILE.read_text(encoding="utf-8"))
    return content


def test_the_same_are_allowed_and_the_same_are_not(found: dict[str, Any], committed: dict[str, Any]) -> None:
    assert sorted(found["estimators"]) == sorted(committed["estimators"])
    assert sorted(found["refused"]) == sorted(committed["refused"])


def test_of_each_the_same_is_known(found: dict[str, Any], committed: dict[str, Any]) -> None:
    assert _marks(found) == _marks(committed)


def test_the_same_agree_inside_of_others(found: dict[str, Any], committed: dict[str, Any]) -> None:
    assert _inside(found) == _inside(committed)


def test_the_same_other_values_agree(found: dict[str, Any], committed: dict[str, Any]) -> None:
    assert _variants(found) == _variants(committed)


def _marks(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {path: {mark: entry.get(mark) for mark in MARKS} for path, entry in content["estimators"].items()}


def _inside(content: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    return {
        path: {parameter: sorted(agreeing) for parameter, agreeing in entry.get("inner", {}).items()}
        for path, entry in content["estimators"].items()
    }


def _variants(content: dict[str, Any]) -> list[tuple[str, str, bool]]:
    limit = trials.LIMIT
    return [
        (path, json.dumps(variant["parameters"], sort_keys=True), variant.get("difference", limit * 2) <= limit)
        for path, entry in sorted(content["estimators"].items())
        for variant in entry["variants"]
    ]
