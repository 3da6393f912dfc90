"""What a FeatureSet is made of, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import ColumnName, Description, Duration, TableName, Time, Uri
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.run import RunEntry

MAX_COLUMNS = 1000
MAX_RULES = 50
# As in a label: what a whole number is not, is written as text.
AllowedValue = int | Annotated[str, Field(max_length=256)]
ColumnType = Literal[
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "boolean",
    "string",
    "date",
    "timestamp",
]


class Source(Part):
    """A table that the features are made from."""

    name: TableName = Field(description="What the table is called in the query.")
    uri: Uri = Field(
        description="Where it is: store://raw/… for files put into the namespace's store (* stands for several), "
        "or https://…."
    )
    format: Literal["parquet", "csv", "json"] | None = Field(
        default=None, description="What the file is; left out: told by its ending. json is one object a line."
    )


class ColumnContract(Part):
    """What a column must be."""

    name: ColumnName = Field(description="The column's name.")
    type: ColumnType | None = Field(
        default=None, description="Its type; rows that do not fit are refused. Left out: as it is found."
    )
    personal: bool = Field(
        default=False, description="Whether its values tell of a person: they appear in no status, request or page."
    )
    description: Description = Field(default="", description="What it means and in which unit.")


class QualityRule(Part):
    """What must hold of the rows, in one of four forms: column, expression, minRows or maxAge."""

    column: ColumnName | None = Field(
        default=None, description="The column that notNull, min, max, unique and in are about; NaN counts as no value."
    )
    not_null: bool = Field(default=False, description="Each row has a value.")
    min: float | None = Field(default=None, allow_inf_nan=False, description="No value is less than this number.")
    max: float | None = Field(default=None, allow_inf_nan=False, description="No value is more than this number.")
    unique: bool = Field(
        default=False, description="No value comes twice; stands alone or with notNull. Rows that repeat one fail."
    )
    allowed: Annotated[tuple[AllowedValue, ...], Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        alias="in",
        description="Each value is one of these; a number with a fraction or a time is written in quotes, true as 1.",
    )
    expression: Annotated[str, Field(min_length=1, max_length=1024)] | None = Field(
        default=None,
        description="A condition over the columns in DuckDB's SQL; as with CHECK, a row for which it has no value "
        "passes.",
    )
    max_failing_fraction: float = Field(
        default=0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="The share of rows that may fail a rule on a column or an expression; left out: none.",
    )
    min_rows: int | None = Field(default=None, ge=1, le=10**12, description="There are at least so many rows.")
    max_age: Duration | None = Field(
        default=None, description="The newest timestamp is no older than this when the run's pod starts."
    )


class Quality(Part):
    """What must hold of the rows, and what happens where it does not."""

    rules: Annotated[tuple[QualityRule, ...], Field(min_length=1, max_length=MAX_RULES)] = Field(
        description="What must hold of the rows that would be published."
    )
    on_failure: Literal["Block", "Warn"] = Field(
        default="Block",
        description="Block: rows that break a rule are not published, the last good version stays. Warn: they are "
        "published, and it is said.",
    )


class FeatureSetSpec(Part):
    """Features: where they come from, how they are computed, and what they must be."""

    description: Description = Field(default="", description="What a row is and where it comes from.")
    sources: Annotated[tuple[Source, ...], Field(min_length=1, max_length=16)] = Field(
        description="The tables that the features are made from."
    )
    query: Annotated[str, Field(min_length=1, max_length=32768)] | None = Field(
        default=None, description="SQL of DuckDB over the sources, by their names; left out: the one source as it is."
    )
    entity: Annotated[tuple[ColumnName, ...], Field(max_length=8)] = Field(
        default=(), description="Columns that together name what a row is about; they are never features of a model."
    )
    timestamp: ColumnName | None = Field(
        default=None, description="Column that says when a row was true; it is never a feature of a model."
    )
    columns: Annotated[tuple[ColumnContract, ...], Field(max_length=MAX_COLUMNS)] = Field(
        default=(),
        description="A contract on columns, each named once; others are taken as they are found and recorded.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    quality: Quality | None = Field(
        default=None, description="What must hold of the rows before they are published; left out: nothing."
    )
    suspend: bool = Field(default=False, description="Start nothing; what runs goes on.")
    deadline: Duration = Field(default="1h", description="How long a run may take over all its tries.")
    retries: int = Field(default=2, ge=0, le=10, description="How often a run is tried again after a failure.")
    resources: Resources = Field(default=Resources(), description="What the run's pod asks for and may use.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="Where the run's pod goes.")


class PublishedVersion(StatusPart):
    """One immutable version of the features."""

    version: int = Field(default=0, description="Its number.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of its manifest.")
    rows: int = Field(default=0, description="How many rows it has.")
    created_at: Time = Field(default="", description="When it was made.")


class FoundColumn(StatusPart):
    """A column of the latest version."""

    name: Annotated[str, Field(max_length=128)] = Field(default="", description="Its name.")
    type: Annotated[str, Field(max_length=64)] = Field(default="", description="Its type.")
    personal: bool = Field(default=False, description="Whether its values tell of a person.")


class CheckedRule(StatusPart):
    """What was found of a rule."""

    rule: Annotated[str, Field(max_length=512)] = Field(default="", description="The rule in words.")
    passed: bool = Field(default=False, description="Whether it holds.")
    found: Annotated[str, Field(max_length=512)] = Field(default="", description="What was found, in words.")
    failing_rows: int | None = Field(default=None, description="How many rows fail, where the rule is about rows.")
    fraction: float | None = Field(default=None, description="Which share of the rows that is.")
    limit: float | None = Field(default=None, description="The share that may fail.")


class CheckedQuality(StatusPart):
    """What was found the last time that the rules were checked."""

    run: Annotated[str, Field(max_length=20)] = Field(default="", description="The run that checked them.")
    rules: Annotated[tuple[CheckedRule, ...], Field(max_length=MAX_RULES)] = Field(
        default=(), description="The rules in their order."
    )


class FeatureSetStatus(StatusPart):
    """What is known of a FeatureSet."""

    observed_generation: int = Field(default=-1, description="The generation of the spec that this status speaks of.")
    latest: PublishedVersion | None = Field(default=None, description="The version that users get.")
    versions: Annotated[tuple[PublishedVersion, ...], Field(max_length=10)] = Field(
        default=(), description="The ten newest versions, newest first."
    )
    columns: Annotated[tuple[FoundColumn, ...], Field(max_length=MAX_COLUMNS)] = Field(
        default=(), description="The columns of the latest version."
    )
    quality: CheckedQuality | None = Field(
        default=None, description="What was found when the quality rules were last checked."
    )
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=8)] = Field(
        default=(), description="The last runs, newest first."
    )
