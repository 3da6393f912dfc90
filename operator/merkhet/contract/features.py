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


class QualityRule(Message):
    """What must hold of the rows: of a column, by an expression, of their number, or of the newest timestamp.

    Units: seconds.
    """

    column: str | None = None
    not_null: bool = False
    min: float | None = None
    max: float | None = None
    unique: bool = False
    allowed: tuple[int | str, ...] | None = None
    expression: str | None = None  # SQL; true or without a value where it holds
    max_failing_fraction: float = 0.0
    min_rows: int | None = None
    max_age_seconds: float | None = None


class Quality(Message):
    """What must hold of the rows, and whether they are published where it does not."""

    rules: tuple[QualityRule, ...]
    on_failure: Literal["Block", "Warn"] = "Block"


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
    quality: Quality | None = None


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


class CheckedRule(Message):
    """What was found of a rule; no value of a personal column stands in it."""

    rule: str = Field(max_length=512)  # in words
    passed: bool
    found: str = Field(max_length=512)  # in words
    failing_rows: int | None = None  # of rules that are about rows, as the two below
    fraction: float | None = None
    limit: float | None = None


class FeaturesResult(Message):
    """What the Job answers; without a number where quality rules kept the rows from being published."""

    number: int | None = None
    digest: str = ""  # sha256:… of the manifest's bytes, which are a blob too; empty without a number
    rows: int
    columns: tuple[Column, ...] = Field(max_length=1000)
    created: str
    unchanged: bool = False  # the input was that of the latest version: no new one was made
    quality: tuple[CheckedRule, ...] | None = Field(default=None, max_length=50)  # None: there are no rules
