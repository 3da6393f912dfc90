"""What a component is, by content: kept once under its version, and found again for ever."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import ValidationError

from merkhet.contract.base import Message
from merkhet.contract.component import ComponentDocument, ComponentPointer, KeptVersion
from merkhet.errors import Corrupt, Missing, Refused
from merkhet.store import paths
from merkhet.store.port import Store

logger = logging.getLogger(__name__)

MOST_VERSIONS = 32  # that a report tells of
SHOWN = 8  # versions in a message
M = TypeVar("M", bound=Message)


def resolve(store: Store, name: str, version: str, digest: str | None = None) -> tuple[ComponentDocument, str]:
    """A version of a component and its digest: by the digest where that is known, else by name and version.

    Raises: ``Missing`` where the store has none, ``Corrupt`` where what it has is another.
    """
    digest = digest or _pointer(store, name, version).digest
    try:
        document = _document(store, digest)
    except Missing as error:
        raise Missing(
            f"version {version} of component {name} is {digest}, which is not in the store; restore it from a "
            f"snapshot, or set the annotation merkhet.dev/run of Component {name} to a new value while that is the "
            "version in its spec, and then here",
            reason="ComponentMissing",
        ) from error
    if (document.name, document.version) != (name, version):
        raise Corrupt(
            f"{digest} is version {document.version} of component {document.name}, wanted was version {version} of "
            f"{name}; restore {paths.component(name, version)} from a snapshot"
        )
    return document, digest


def keep(store: Store, document: ComponentDocument, now: str) -> str:
    """Keep a document under its version for ever and give its digest; ``now`` is RFC 3339.

    Raises: ``Refused`` where the version stands for another content.
    """
    digest = store.add(document.dump().encode())
    path = paths.component(document.name, document.version)
    blobs = () if document.onnx is None else (document.onnx.digest,)
    if not store.create(path, ComponentPointer(digest=digest, created=now, blobs=blobs).dump().encode()):
        see_not_taken(store, document)  # another Job was faster, or it stands since long
    return digest


def see_not_taken(store: Store, document: ComponentDocument) -> None:
    """Raises: ``Refused`` where the document's version stands for another content."""
    if not store.exists(paths.component(document.name, document.version)):
        return
    kept = _pointer(store, document.name, document.version).digest
    digest = f"sha256:{hashlib.sha256(document.dump().encode()).hexdigest()}"
    if kept != digest:
        raise Refused(
            f"version {document.version} of component {document.name} is taken: it stands for {kept} and this is "
            f"{digest}; a version stays what it is for ever: give spec.version another name, or put the former content "
            "back",
            reason="VersionTaken",
        )


def versions(store: Store, name: str) -> tuple[KeptVersion, ...]:
    """The newest versions that stand in the store, the newest first; those that cannot be read are passed over."""
    found = sorted(_pointers(store, name), key=lambda one: (one[1].created, one[0]), reverse=True)
    return tuple(islice(_standing(store, found), MOST_VERSIONS))


def _standing(store: Store, found: Iterable[tuple[str, ComponentPointer]]) -> Iterator[KeptVersion]:
    for version, pointer in found:
        try:
            flavour = _document(store, pointer.digest).flavour
        except (Missing, Corrupt) as error:
            # Whoever uses it is told. What is wrong with an old version keeps no new one from standing.
            logger.warning("version %s cannot be read: %s", version, error)
            continue
        yield KeptVersion(version=version, digest=pointer.digest, flavour=flavour, created=pointer.created)


def _pointers(store: Store, name: str) -> Iterator[tuple[str, ComponentPointer]]:
    for version in _known(store, name):
        try:
            yield version, _pointer(store, name, version)
        except Corrupt as error:
            logger.warning("version %s cannot be read: %s", version, error)


def _known(store: Store, name: str) -> list[str]:
    return [PurePosixPath(path).name.removesuffix(".json") for path in store.list(paths.components(name))]


def _pointer(store: Store, name: str, version: str) -> ComponentPointer:
    path = paths.component(name, version)
    try:
        return _parsed(ComponentPointer, store.read(path), path)
    except Missing as error:
        known = _known(store, name)
        there = f"there are {', '.join(known[-SHOWN:])}: name one of these" if known else "there is none of that name"
        raise Missing(
            f"component {name} has no version {version} in the store; {there}, or apply a Component {name} of that "
            "version and set the annotation merkhet.dev/run to a new value when it is Ready",
            reason="ComponentMissing",
        ) from error


def _document(store: Store, digest: str) -> ComponentDocument:
    with store.open(digest) as content:
        return _parsed(ComponentDocument, content.read(), digest)


def _parsed(kind: type[M], content: bytes, where: str) -> M:
    try:
        return kind.load(content)
    except ValidationError as error:
        raise Corrupt(
            f"{where} is nothing that this image reads as {kind.__name__}: {error.errors()[0]['msg']}; use one version "
            "for all images, or restore it from a snapshot"
        ) from error
