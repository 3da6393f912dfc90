"""Every YAML that the documentation shows is one that ``kubectl merkhet validate`` takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from merkhet import GROUP, VERSION
from merkhet.plugin import validate

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "kinds").glob("*.md"))]
FENCED = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([-\w./]+\.md)?#([-\w]+)\)")


def shown(page: Path) -> Iterator[dict[str, Any]]:
    """The objects of a page: whole ones, and parts of a spec put into the first whole one."""
    first: dict[str, Any] = {"apiVersion": f"{GROUP}/{VERSION}", "metadata": {"name": "shown"}, "spec": {}}
    for block in FENCED.findall(page.read_text(encoding="utf-8")):
        for document in yaml.safe_load_all(block):
            if "apiVersion" in document:
                first = document if document["kind"].lower() == page.stem else first
                yield document
            else:
                # A block that has a `spec` is all of it, one that has none is about some fields.
                spec = document["spec"] if "spec" in document else merged(first["spec"], document)
                yield first | {"spec": spec}


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The whole with a part of it as a reader would write it there."""
    both = {name: (whole.get(name), value) for name, value in part.items()}
    return whole | {
        name: merged(former, value) if isinstance(former, dict) and isinstance(value, dict) else value
        for name, (former, value) in both.items()
    }


SHOWN = [
    pytest.param(document, id=f"{page.stem}, block {at}")
    for page in PAGES
    for at, document in enumerate(shown(page), 1)
]


def test_the_pages_show_something() -> None:
    assert len(SHOWN) >= 10


@pytest.mark.parametrize("document", SHOWN)
def test_what_is_shown_is_valid(document: dict[str, Any]) -> None:
    assert list(validate.complaints(document)) == []


@pytest.mark.parametrize("kind", ["FeatureSet", "Component", "ModelTraining"])
def test_every_field_of_the_spec_is_told_of_in_words(kind: str) -> None:
    words = (ROOT / "docs" / "kinds" / f"{kind.lower()}.md").read_text(encoding="utf-8").split("<!-- made from")[0]
    fields = {field.alias or name for name, field in validate.OURS[kind].spec.model_fields.items()}
    assert {field for field in fields if not re.search(rf"\b{field}\b", words)} == set()


def anchors(page: Path) -> set[str]:
    """What a link may lead to within a page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^-\w ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_sections_lead_somewhere(page: Path) -> None:
    for file, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        assert anchor in anchors(page.parent / file if file else page), f"{file}#{anchor}"
