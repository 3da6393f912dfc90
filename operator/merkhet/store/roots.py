"""Who uses what: a root is written before anything is read, and the collector takes nothing away that one names.

Each pod writes its own, whose name ends in a digest of what it says: a root never changes, and one that is on its way
out is never mistaken for one that has just come.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterable
from typing import Literal

from pydantic import ValidationError

from merkhet.contract.base import Message
from merkhet.contract.runs import Run
from merkhet.errors import Corrupt
from merkhet.store import paths
from merkhet.store.port import Store


class RootOwner(Message):
    """The object that uses it; ``uid`` is left out by whoever writes before the object is there."""

    kind: str
    name: str
    uid: str | None = None


class Root(Message):
    """What is used, by whom, and what for."""

    version: Literal[1] = 1
    owner: RootOwner
    run: str | None = None  # the run's key, where it is used no longer than that
    made_by: str | None = None  # the key of the run that makes the owner, which may not be there yet
    pod: str = ""  # that wrote it
    purpose: str
    digests: tuple[str, ...]


def hold_for_run(store: Store, run: Run, digests: Iterable[str]) -> None:
    """Keep what a run is about to read, and all that it writes, until it is over."""
    origin = run.origin
    owner = RootOwner(kind=origin.kind, name=origin.name, uid=origin.uid)
    _write(
        store, f"run-{run.key}", Root(owner=owner, run=run.key, purpose=f"run {run.trigger}", digests=_sorted(digests))
    )


def hold_for_model(store: Store, model: str, number: int, run: Run, digests: Iterable[str]) -> None:
    """Keep what a version of a model is made of and was trained on, as long as there is its ModelVersion."""
    root = Root(
        owner=RootOwner(kind="ModelVersion", name=f"{model}-v{number}"),
        made_by=run.key,
        purpose=f"version {number} of model {model}, made by run {run.key}",
        digests=_sorted(digests),
    )
    _write(store, f"mv-{model}-{number}", root)


def root_at(store: Store, path: str) -> Root:
    """A root; raises ``Missing``, ``Corrupt``."""
    try:
        return Root.load(store.read(path))
    except ValidationError as error:
        raise Corrupt(f"{path} is no root: {error.errors()[0]['msg']}; restore it from a snapshot") from error


def _write(store: Store, name: str, root: Root) -> None:
    content = root.model_copy(update={"pod": socket.gethostname()}).dump().encode()
    store.create(paths.root(f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"), content)


def _sorted(digests: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(digests)))
