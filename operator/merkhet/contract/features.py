"""What a features Job is asked and what it answers: the rows of one immutable version of a FeatureSet."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.runs import Run

SECRETS_PATH = "/var/run/secrets/sources"  # credentials of s3:// sources, a folder each by the source's name


class FeaturesVersion(Message):
    """A version of a FeatureSet, by content."""

    name: str
    version: int
    digest: str  # of the manifest
    namespace: str | None = None  # None: the run's own
    fetch: str | None = None  # address of the other namespace's store, which the bytes are fetched from


class Source(Message):
    """A table of the query: files, or another FeatureSet."""

    name: str
    uri: str | None = None
    format: Literal["parquet", "csv", "json"] | None = None  # None: by the file's ending
    secret: bool = False  # whether credentials are mounted at SECRETS_PATH/<name>
    features: FeaturesVersion | None = None


class Join(Message):
    """Columns of a FeatureSet's version as they were known at the time of each row. Units: seconds."""

    features: FeaturesVersion
    by: tuple[str, ...]
    max_age_seconds: float | None = None


class ComponentUse(Message):
    """A component, by content where that is known: else the store knows it by name and version."""

    name: str
    version: str
    digest: str | None = None


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


class SensitiveColumn(Message):
    """A column whose groups are compared."""

    column: str
    bins: tuple[float, ...] = ()  # ascending; a value on a border belongs to the group above it


class Bias(Message):
    """How groups are compared, and whether a version beyond a limit is published."""

    sensitive: tuple[SensitiveColumn, ...]
    population: dict[str, dict[str, float]] = Field(default_factory=dict)  # by column and group
    label: str | None = None
    positive: int | str | None = None
    min_group_size: int = 50
    limits: dict[str, float] = Field(default_factory=dict)  # by metric, as in BiasFinding
    on_failure: Literal["Block", "Warn"] = "Warn"


class FeaturesTask(Message):
    """The whole task."""

    version: Literal[1] = 1
    run: Run
    feature_set: str
    sources: tuple[Source, ...]
    query: str | None = None
    entity: tuple[str, ...] = ()
    timestamp: str | None = None
    arrival: str | None = None
    joins: tuple[Join, ...] = ()
    components: tuple[ComponentUse, ...] = ()
    columns: tuple[ColumnContract, ...] = ()
    quality: Quality | None = None
    bias: Bias | None = None
    online: bool = False  # whether a file for look-ups by entity is made


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
    arrival: str | None = None
    blobs: tuple[Blob, ...]  # parquet, in order
    inputs: tuple[FeaturesVersion, ...] = ()  # the FeatureSets it was made from
    components: tuple[ComponentUse, ...] = ()  # each with its digest


class CheckedRule(Message):
    """What was found of a rule; no value of a personal column stands in it."""

    rule: str = Field(max_length=512)  # in words
    passed: bool
    found: str = Field(max_length=512)  # in words
    failing_rows: int | None = None  # of rules that are about rows, as the two below
    fraction: float | None = None
    limit: float | None = None


class GroupFigures(Message):
    """A group of a sensitive column."""

    column: str
    group: str  # a value, or an interval such as [25, 45)
    rows: int
    share: float
    rate: float | None = None  # of the positive label, with its 95 % interval
    low: float | None = None
    high: float | None = None
    small: bool = False  # too few rows to be compared
    missing: dict[str, int] = Field(
        default_factory=dict
    )  # rows without a value, by column; left out where there is none


class BiasFinding(Message):
    """A figure on groups, and what its limit makes of it. ``metric`` is the name of a limit."""

    metric: str
    column: str
    result: Literal["Passed", "Failed", "Inconclusive", "Reported"]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    message: str = Field(default="", max_length=512)


class CheckedBias(Message):
    """What was found of groups: the figures in order of concern, and the groups of columns that are not personal."""

    findings: tuple[BiasFinding, ...] = ()
    groups: tuple[GroupFigures, ...] = ()


class FeaturesResult(Message):
    """What the Job answers; without a number where quality rules kept the rows from being published."""

    number: int | None = None
    digest: str = ""  # sha256:… of the manifest's bytes, which are a blob too; empty without a number
    rows: int
    columns: tuple[Column, ...] = Field(max_length=1000)
    created: str
    unchanged: bool = False  # the input was that of the latest version: no new one was made
    quality: tuple[CheckedRule, ...] | None = Field(default=None, max_length=50)  # None: there are no rules
    bias: CheckedBias | None = None  # None: groups were not compared
    profile: str = ""  # digest of the data profile
    components: tuple[ComponentUse, ...] = ()
    online: bool = False  # whether the version can be looked up by entity
