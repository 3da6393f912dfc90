"""What a features Job is asked and what it answers: the rows of one immutable version of a FeatureSet."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.runs import Run


class Source(Message):
    """A table of the query."""

    name: str
    uri: str
    format: Literal["parquet", "csv", "json"] | None = None  # None: by the file's ending


class ColumnContract(Message):
    """What a column must be."""

    name: str
    type: str | None = None  # int8 … int64, uint8 …, float32, float64, boolean, string, date, timestamp
    personal: bool = False
    description: str = ""


class FeaturesTask(Message):
    """The whole task."""

    version: Literal[1] = 1
    run: Run
    feature_set: str
    sources: tuple[Source, ...]
    query: str | None = None
    entity: tuple[str, ...] = ()
    timestamp: str | None = None
    columns: tuple[ColumnContract, ...] = ()


class Column(Message):
    """A column of a version, as it was found."""

    name: str
    type: str
    personal: bool = False
    description: str = ""
    missing: int = 0  # rows without a value


class Blob(Message):
    """Bytes in the store by content. Units: bytes."""

    digest: str
    size: int
    rows: int | None = None


class FeaturesManifest(Message):
    """A version: written last, named by its own digest, at ``featuresets/<name>/<N>.manifest.json``."""

    version: Literal[1] = 1
    feature_set: str
    number: int
    data_digest: str  # of columns and rows: the same input gives the same digest
    rows: int
    columns: tuple[Column, ...]
    entity: tuple[str, ...] = ()
    timestamp: str | None = None
    blobs: tuple[Blob, ...]  # parquet, in order


class FeaturesResult(Message):
    """What the Job answers."""

    number: int
    digest: str  # sha256:… of the manifest's bytes, which are a blob too
    rows: int
    columns: tuple[Column, ...] = Field(max_length=1000)
    created: str
    unchanged: bool = False  # the input was that of the latest version: no new one was made
