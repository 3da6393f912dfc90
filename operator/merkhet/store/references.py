"""Which digests does a document name? A blob that nothing names is garbage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from merkhet.errors import Corrupt

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digests(value: Any) -> frozenset[str]:
    """All digests in a JSON value, wherever they stand in it."""
    return frozenset(_found(value))


def named_by(document: Any) -> frozenset[str]:
    """The digests that a document keeps.

    The manifest of features does not keep those it was made from: it has rows of its own. Those of other namespaces it
    keeps, so that they are fetched once.
    """
    if isinstance(document, dict) and {"featureSet", "dataDigest", "blobs"} <= document.keys():
        inputs = [one for one in document.get("inputs") or () if isinstance(one, dict) and one.get("namespace")]
        document = {**document, "inputs": inputs, "dataDigest": None}
    return digests(document)


def named_by_record(record: Any) -> frozenset[str]:
    """The digests that the record of a finished run keeps.

    A version of features is kept by its manifest, and what a model was trained on by the model's root: else nothing
    would ever be let go.
    """
    result = record.get("result") if isinstance(record, dict) else None
    if not isinstance(result, dict) or {"columns", "created"} <= result.keys():
        return frozenset()
    lineage = result.get("lineage")
    if isinstance(lineage, dict):
        result = {**result, "lineage": {word: value for word, value in lineage.items() if word != "data"}}
    return digests(result)


def parsed(path: str, content: bytes) -> Any:
    """A document of the store; raises ``Corrupt``."""
    try:
        document = json.loads(content)
    except ValueError as error:
        raise Corrupt(f"{path} is no JSON ({error}); restore it from a snapshot") from error
    if not isinstance(document, dict):
        raise Corrupt(f"{path} is no JSON object; restore it from a snapshot")
    return document


def _found(value: Any) -> Iterator[str]:
    # No recursion: the operator does this for all objects of a namespace whenever one of them changes.
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if one.startswith("sha256:") and _DIGEST.fullmatch(one):
                yield one
        elif isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)
