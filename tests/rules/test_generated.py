"""What is generated or pinned is what it should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from merkhet import generate
from merkhet.api.crd import MAX_BYTES
from merkhet.kinds.kind import Kind
from merkhet.kinds.registry import KINDS
from tests.rules.tree import ROOT


def pinned(role: str) -> set[str]:
    """The packages that an image installs."""
    text = (ROOT / "requirements" / f"{role}.txt").read_text(encoding="utf-8")
    return {name.lower().replace("_", "-") for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


@pytest.mark.parametrize(
    ("role", "forbidden"),
    [
        ("operator", {"numpy", "pandas", "scikit-learn", "onnxruntime", "pyarrow", "duckdb", "kubernetes"}),
        ("server", {"scikit-learn", "pandas", "kopf", "skl2onnx", "pyarrow", "duckdb", "scipy", "aiohttp"}),
        ("trainer", {"kopf", "pandas", "kubernetes"}),
    ],
)
def test_an_image_holds_nothing_that_its_role_does_not_need(role: str, forbidden: set[str]) -> None:
    assert pinned(role) & forbidden == set()


def test_what_two_images_share_they_share_in_one_version() -> None:
    def versions(role: str) -> dict[str, str]:
        text = (ROOT / "requirements" / f"{role}.txt").read_text(encoding="utf-8")
        return {line.split("==")[0]: line for line in re.findall(r"^\S+==\S+.*?(?= \\|$)", text, re.MULTILINE)}

    trainer, server = versions("trainer"), versions("server")
    assert {name: trainer[name] for name in trainer.keys() & server.keys()} == {
        name: server[name] for name in trainer.keys() & server.keys()
    }


def test_generated_files_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--root", str(tmp_path)]) == 0
    (tmp_path / "crds" / "featuresets.yaml").write_text("kind: Other\n")
    (tmp_path / "crds" / "oldkinds.yaml").write_text("kind: Old\n")
    assert generate.main(["--check", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "crds/featuresets.yaml is stale" in said
    assert "crds/oldkinds.yaml is stale" in said


def test_generating_twice_gives_the_same_and_nothing_old(tmp_path: Path) -> None:
    generate.main(["--root", str(tmp_path)])
    (tmp_path / "crds" / "oldkinds.yaml").write_text("kind: Old\n")
    generate.main(["--root", str(tmp_path)])
    assert generate.main(["--check", "--root", str(tmp_path)]) == 0
    assert not (tmp_path / "crds" / "oldkinds.yaml").exists()


def test_the_operators_rights_name_every_kind_it_makes() -> None:
    rules = generate.rules(KINDS)["namespaces"]
    for kind in KINDS:
        for child in kind.children:
            verbs = {
                verb
                for rule in rules
                if child.plural in rule["resources"] and child.group in rule["apiGroups"]
                for verb in rule["verbs"]
            }
            assert {"get", "list", "watch", "create"} <= verbs, child


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.custom], ids=lambda kind: kind.api.kind)
def test_a_crd_is_small_enough_for_plain_apply(kind: Kind) -> None:
    assert len(generate.crd(kind).encode()) < MAX_BYTES
