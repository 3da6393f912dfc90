"""The data profile of a version, looked at from a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.access import Body, Tenant

PEOPLE = "person,age,city\n" + "".join(f"SECRET-{n},{20 + n % 50},{'Paris' if n % 3 else 'Lyon'}\n" for n in range(300))
FEATURES: Body = {
    "apiVersion": "merkhet.dev/v1alpha1",
    "kind": "FeatureSet",
    "metadata": {"name": "people"},
    "spec": {
        "sources": [{"name": "people", "uri": "store://raw/people.csv"}],
        "entity": ["person"],
        "columns": [
            {"name": "person", "personal": True},
            {"name": "age", "description": "in years"},
        ],
        "quality": {"rules": [{"column": "age", "min": 18}]},
    },
}


@pytest.fixture(scope="module")
def published(tenants: Callable[[str], Tenant], tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """A tenant with a version of a FeatureSet."""
    tenant = tenants("profile")
    file = tmp_path_factory.mktemp("profile") / "people.csv"
    file.write_text(PEOPLE)
    tenant.merkhet("put", str(file), "store://raw/")
    tenant.apply(FEATURES)
    tenant.settled("featuresets", "people")
    return tenant


def test_the_page_shows_the_columns_and_nothing_personal(published: Tenant) -> None:
    page = published.merkhet("open", "fs/people", "-o", "-")
    assert page.startswith("<!doctype html>")
    for words in ("people", "person", "age", "in years", "Paris", "age is at least 18"):
        assert words in page
    assert "SECRET" not in page


def test_the_status_names_the_profile(published: Tenant) -> None:
    body = published.get("featuresets", "people") or {}
    assert body["status"]["latest"]["profile"].startswith("sha256:")


def test_the_page_is_a_file_where_there_is_no_display(published: Tenant, tmp_path: Path) -> None:
    file = tmp_path / "people.html"
    assert str(file) in published.merkhet("open", "fs/people", "--version", "1", "-o", str(file))
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


WRONG = {
    "no such FeatureSet": (("fs/nothing",), "nothing does not exist"),
    "no such version": (("fs/people", "--version", "9"), "has no version 9; it has 1"),
    "another kind": (("md/people",), "fs/NAME"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_there_is_said(published: Tenant, words: tuple[str, ...], said: str) -> None:
    assert said in published.merkhet("open", *words, fails=True)
