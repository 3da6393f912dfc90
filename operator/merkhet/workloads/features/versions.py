"""The versions of a FeatureSet in the store."""

from __future__ import annotations

import re

from pydantic import ValidationError

from merkhet.contract.features import FeaturesManifest
from merkhet.errors import Corrupt, Missing
from merkhet.store import paths
from merkhet.store.port import Store

_MANIFEST = re.compile(r"([1-9][0-9]{0,8})\.manifest\.json")


def published_numbers(store: Store, name: str) -> list[int]:
    """The versions that have a manifest, the latest first."""
    files = (path.rpartition("/")[2] for path in store.list(paths.feature_sets(name)))
    return sorted((int(match[1]) for file in files if (match := _MANIFEST.fullmatch(file))), reverse=True)


def manifest_at(store: Store, name: str, number: int | None = None) -> FeaturesManifest:
    """The manifest of a version, or of the latest; raises ``Missing``, ``Corrupt``."""
    if number is None:
        number = next(iter(published_numbers(store, name)), None)
    if number is None:
        raise Missing(f"FeatureSet {name} has no version yet; `kubectl merkhet why fs/{name}` says what it waits for")
    path = paths.feature_manifest(name, number)
    try:
        return FeaturesManifest.load(store.read(path))
    except Missing as error:
        known = ", ".join(map(str, published_numbers(store, name)[:10])) or "none"
        raise Missing(f"FeatureSet {name} has no version {number}; it has {known}") from error
    except ValidationError as error:
        raise Corrupt(f"{path} is no manifest: {error}; restore it from a snapshot") from error
