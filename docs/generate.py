"""The parts of the documentation that are made from the code: a table of fields for each kind.

Each page in ``docs/kinds`` keeps its own words; what stands between the two marks is written here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from merkhet.generate import crd
from merkhet.kinds.kind import Kind
from merkhet.kinds.registry import KINDS

FOLDER = Path(__file__).parent / "kinds"
BEGIN, END = "<!-- made from the code: begin -->", "<!-- made from the code: end -->"


def main() -> int:
    """Write the pages, or with ``--check`` say which are not fresh."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for kind in (kind for kind in KINDS if kind.custom):
        page = FOLDER / f"{kind.api.kind.lower()}.md"
        former = page.read_text(encoding="utf-8") if page.exists() else f"# {kind.api.kind}\n\n{BEGIN}\n{END}\n"
        fresh = replaced(former, fields(kind))
        if fresh != former:
            stale.append(page.name)
            if not check:
                page.write_text(fresh, encoding="utf-8")
    if check and stale:
        print(f"not fresh: {', '.join(stale)}; run `make generate`", file=sys.stderr)
        return 1
    return 0


def replaced(page: str, made: str) -> str:
    """The page with what is made between its marks."""
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def fields(kind: Kind) -> str:
    """Two tables: what a person writes and what Merkhet answers."""
    version = yaml.safe_load(crd(kind))["spec"]["versions"][0]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    parts = []
    for part in ("spec", "status"):
        rows = [f"| `{path}` | {type_} | {words} |" for path, type_, words in walk(properties[part], "")]
        parts.append("\n".join((f"## {part}", "", "| field | type | meaning |", "|---|---|---|", *rows)))
    return "\n\n".join(parts)


def walk(node: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    """The fields below a node: path, type, description."""
    required = set(node.get("required", ()))
    for name, below in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        type_, inner = kind_of(below)
        mark = "" if name not in required else ", required"
        yield here, type_ + mark, " ".join(below.get("description", "").split()).replace("|", "\\|")
        yield from walk(inner, here + ("[]" if type_.startswith("list") else ""))


def kind_of(node: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A type in words, and the node whose fields come next."""
    if node.get("type") == "array":
        word, inner = kind_of(node["items"])
        return f"list of {word}", inner
    if "enum" in node:
        return " or ".join(map(str, node["enum"])), {}
    if node.get("x-kubernetes-int-or-string"):
        return "integer or string", {}
    return node.get("type", "any"), node


if __name__ == "__main__":
    sys.exit(main())
