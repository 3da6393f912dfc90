"""The files of the checkout, without what tools leave behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_BEHIND = {"__pycache__", "build", "dist", "node_modules"}


def files(*suffixes: str) -> Iterator[Path]:
    """Every file with one of these endings, or every file."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in LEFT_BEHIND and (name == ".ci" or name[0] != ".")]
        yield from (Path(folder, name) for name in names if not suffixes or name.endswith(suffixes))


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    """Each text file with its text."""
    for path in files(*suffixes):
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield path.relative_to(ROOT), content.decode("utf-8", errors="replace")
