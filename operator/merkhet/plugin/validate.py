"""``validate FILES``: the schema's rules, checked without a cluster.

What the API server checks by CEL and by looking at other objects needs the cluster: ``kubectl apply --dry-run=server``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from merkhet import GROUP, VERSION
from merkhet.errors import MerkhetError, Missing
from merkhet.kinds.kind import Kind
from merkhet.kinds.registry import KINDS
from merkhet.plugin.kubectl import Kubectl

OURS: dict[str, Kind] = {kind.api.kind: kind for kind in KINDS if kind.custom}


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("validate", parents=[shared], help="check YAML files without a cluster")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, _kubectl: Kubectl) -> int:
    """Print a line an object; 1 where any is not valid."""
    wrong = 0
    for file in asked.files:
        for name, complaints in check(file):
            wrong += bool(complaints)
            print(f"{file}: {name} {'is valid' if not complaints else 'is not valid'}")
            for complaint in complaints:
                print(f"  {complaint}")
    if wrong:
        print(f"{wrong} of the objects would be refused", file=sys.stderr)
    return 1 if wrong else 0


def check(file: Path) -> Iterator[tuple[str, list[str]]]:
    """The objects of a file that are ours, each with what is wrong with it."""
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except FileNotFoundError as found:
        raise Missing(f"{file} does not exist") from found
    except (yaml.YAMLError, UnicodeDecodeError) as found:
        raise MerkhetError(f"{file} is not YAML: {found}") from found
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict):
            yield "a document", [f"wanted an object with apiVersion and kind; found {type(document).__name__}"]
        elif str(document.get("apiVersion", "")).startswith(f"{GROUP}/"):
            yield _name(document), list(complaints(document))


def complaints(document: dict[str, Any]) -> Iterator[str]:
    """What the API server would refuse, as far as the schema goes."""
    if document["apiVersion"] != f"{GROUP}/{VERSION}":
        yield f"apiVersion: found {document['apiVersion']}; wanted {GROUP}/{VERSION}"
    kind = OURS.get(str(document.get("kind")))
    if kind is None:
        yield f"kind: found {document.get('kind')!r}; wanted one of {', '.join(sorted(OURS))}"
        return
    name = str((document.get("metadata") or {}).get("name") or "")
    if not 1 <= len(name) <= kind.name_length:
        yield f"metadata.name: found {name!r}; wanted 1 to {kind.name_length} characters"
    try:
        kind.spec.model_validate(document.get("spec") or {})
    except ValidationError as found:
        for error in found.errors():
            yield f"{'.'.join(('spec', *map(str, error['loc'])))}: {error['msg']}{_found(error)}"


def _found(error: Any) -> str:
    value = error.get("input")
    return f"; found {value!r}" if isinstance(value, (str, int, float, bool)) else ""


def _name(document: dict[str, Any]) -> str:
    return f"{document.get('kind')} {(document.get('metadata') or {}).get('name')}"
