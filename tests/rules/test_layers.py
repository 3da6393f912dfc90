"""Who may import whom, and what may lie where."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.tree import ROOT, files

KINDS = ROOT / "operator" / "merkhet" / "kinds"
FOLDERS = sorted(path.parent for path in KINDS.glob("*/__init__.py"))
# What each kind answers in a file of that name; children.py, policies.py and others come as a kind needs them.
EVERY_KIND = {"__init__.py", "README.md", "observe.py", "plan.py", "report.py", "types.py"}


def test_layers_import_downwards_only() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    done = subprocess.run(
        [*command, "--no-cache"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_source_root_holds_packages_only() -> None:
    """As a module or a package of that name it would shadow Python's own `operator`."""
    assert list((ROOT / "operator").glob("*.py")) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_kind_has_the_same_files(folder: Path) -> None:
    assert EVERY_KIND - {path.name for path in folder.iterdir()} == set()


def test_there_is_a_module_docstring_that_says_what_a_file_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files(".py")
        if (source := path.read_text(encoding="utf-8")).strip() and not ast.get_docstring(ast.parse(source))
    ]
    assert silent == []
