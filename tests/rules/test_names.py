"""What may stand in the repository's files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from merkhet.api.schema import YAML_BOOLEANS
from tests.rules.tree import ROOT, files, texts

# Written apart, so that this file does not name them itself.
HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "npmjs" + ".org", "proxy.golang" + ".org", "sum.golang" + ".org")
PATHS = ("/" + "work/", "/" + "root/", "/" + "home/")
MARKS = ("TO" + "DO", "FIX" + "ME", "pytest.sk" + "ip", "mark.sk" + "ip", "mark.xf" + "ail", "pytest.xf" + "ail")
# Locks and checksums are their tools' own.
GENERATED = (".sum", ".lock")


def lines_with(words: tuple[str, ...], *suffixes: str) -> list[str]:
    """Where one of the words stands, with the beginning of the line."""
    pattern = re.compile("|".join(rf"(?<![\w.-]){re.escape(word)}" for word in words))
    return [
        f"{path}:{number}: {line.strip()[:160]}"
        for path, text in texts(*suffixes)
        if path.suffix not in GENERATED
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert lines_with(HOSTS) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    # A Dockerfile's paths are those of the image.
    assert [line for line in lines_with(PATHS) if "/Dockerfile:" not in line.split(" ")[0]] == []


def test_nothing_is_left_for_later_or_left_out_of_the_tests() -> None:
    assert lines_with(MARKS, ".py", ".go", ".sh", ".yaml", ".toml") == []


@pytest.mark.parametrize("path", sorted((ROOT / "crds").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_field_of_ours_is_read_as_a_boolean(path: Any) -> None:
    crd = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = [name for version in crd["spec"]["versions"] for name in fields(version["schema"]["openAPIV3Schema"])]
    assert [name for name in named if not isinstance(name, str) or name.lower() in YAML_BOOLEANS] == []


def fields(schema: dict[str, Any]) -> Iterator[Any]:
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from fields(inner)
    if isinstance(schema.get("items"), dict):
        yield from fields(schema["items"])


def test_every_yaml_file_can_be_read() -> None:
    for path in files(".yaml", ".yml"):
        if "templates" not in path.parts:
            list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
