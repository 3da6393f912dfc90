"""Versions of other FeatureSets as tables: the parquet blobs of a manifest, each verified, none copied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from merkhet.contract.features import Column, ColumnContract, FeaturesManifest, FeaturesTask, FeaturesVersion, Join
from merkhet.errors import Corrupt, MerkhetError, Missing, Refused
from merkhet.store.port import Store
from merkhet.store.roots import hold_for_run
from merkhet.workloads.features.fetch import fetch
from merkhet.workloads.features.sources import Located
from merkhet.workloads.run import Progress

Fetch = Callable[[str], Path]  # a verified local file by digest


@dataclass(frozen=True, slots=True)
class Imported:
    """A version whose rows are at hand: what messages call it, its manifest, and its files in their order."""

    words: str
    version: FeaturesVersion
    manifest: FeaturesManifest
    files: tuple[Path, ...]

    def as_source(self, name: str) -> Located:
        """The rows as a table of the query."""
        return Located(name, self.words, "parquet", self.files)


@dataclass(frozen=True, slots=True)
class Joined:
    """A version that is joined, and how."""

    join: Join
    other: Imported


@dataclass(frozen=True, slots=True)
class Imports:
    """The versions of other FeatureSets that a task names: tables of its query by name, and joins in their order."""

    tables: Mapping[str, Imported]
    joins: tuple[Joined, ...]

    @property
    def personal(self) -> frozenset[str]:
        """Columns that any of the versions marks as personal."""
        versions = (*self.tables.values(), *(joined.other for joined in self.joins))
        return frozenset(column.name for one in versions for column in one.manifest.columns if column.personal)

    def located(self) -> list[Located]:
        """The tables of the query, and those of the joins under names that nobody would give."""
        joins = (joined.other.as_source(f"\u241ejoin{number}") for number, joined in enumerate(self.joins))
        return [*(one.as_source(name) for name, one in self.tables.items()), *joins]


def take(task: FeaturesTask, store: Store, progress: Progress) -> Imports:
    """Have all versions at hand that a task names; raises ``Missing``, ``Corrupt``."""
    home = task.run.origin.namespace
    if count := len(lineage(task)):
        progress(f"verifying {count} version{'s' if count > 1 else ''} of other FeatureSets")
    for version in (*(one.features for one in task.sources), *(join.features for join in task.joins)):
        if version is not None and version.namespace is not None:
            fetch(version, store, progress, hold=partial(hold_for_run, store, task.run))
    tables = {one.name: imported(one.features, home, store) for one in task.sources if one.features is not None}
    return Imports(tables, tuple(Joined(join, imported(join.features, home, store)) for join in task.joins))


def imported(version: FeaturesVersion, home: str, store: Store) -> Imported:
    """A version by the digest of its manifest; raises ``Missing`` and ``Corrupt``, which name it.

    ``home`` is the namespace of whoever asks.
    """
    words = f"version {version.version} of FeatureSet {version.namespace or home}/{version.name}"
    manifest = _manifest(version, words, store.fetch)
    files = tuple(_fetched(f"rows of {words}", blob.digest, store.fetch) for blob in manifest.blobs)
    if not files:
        raise Refused(f"{words} has no rows; make a version that has some", reason="NoRows")
    return Imported(words, version, manifest, files)


def marked(task: FeaturesTask, imports: Imports, names: Iterable[str]) -> FeaturesTask:
    """The task, in whose contract those of these columns are personal that are so where they come from.

    A name is all that is known of where a query's column comes from: whoever gives it another one says what it is.
    """
    personal = imports.personal & set(names)
    said = {column.name for column in task.columns}
    columns = tuple(
        column.model_copy(update={"personal": column.personal or column.name in personal}) for column in task.columns
    )
    more = tuple(ColumnContract(name=name, personal=True) for name in sorted(personal - said))
    return task.model_copy(update={"columns": (*columns, *more)})


def lineage(task: FeaturesTask) -> tuple[FeaturesVersion, ...]:
    """The versions that a task names, each once, whatever address they are fetched from."""
    named = (*(source.features for source in task.sources), *(join.features for join in task.joins))
    return tuple(dict.fromkeys(one.model_copy(update={"fetch": None}) for one in named if one is not None))


def column_of(manifest: FeaturesManifest, name: str) -> Column | None:
    """A column by its exact name."""
    return next((column for column in manifest.columns if column.name == name), None)


def _manifest(version: FeaturesVersion, words: str, fetch: Fetch) -> FeaturesManifest:
    content = _fetched(f"the manifest of {words}", version.digest, fetch).read_bytes()
    try:
        return FeaturesManifest.load(content)
    except ValidationError as error:
        raise Corrupt(f"the manifest of {words} cannot be read: {error}; make the version anew") from error


def _fetched(what: str, digest: str, fetch: Fetch) -> Path:
    """A blob's file; what is wrong with it is said of what it is."""
    kinds: tuple[type[MerkhetError], ...] = (Missing, Corrupt)
    try:
        return fetch(digest)
    except kinds as error:
        raise type(error)(f"{what}: {error}") from error
