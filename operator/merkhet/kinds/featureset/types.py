"""What a FeatureSet is made of, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import (
    ColumnName,
    Description,
    Duration,
    Name,
    NamespaceName,
    ObjectName,
    TableName,
    Time,
    Uri,
    Version,
)
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.references import ComponentReference, Join
from merkhet.kinds.run import RunEntry
from merkhet.kinds.schedule import Schedule, ScheduleStatus, TimeZone

MAX_COLUMNS = 1000
MAX_RULES = 50
MAX_SENSITIVE = 16
MAX_FINDINGS = 64
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


class SharedFeatures(Part):
    """Another FeatureSet, of this namespace or of one that shares it."""

    name: Name = Field(description="Name of the FeatureSet.")
    version: Version | None = Field(
        default=None, description="Number of its version; left out: the latest when the run starts."
    )
    namespace: NamespaceName | None = Field(
        default=None, description="Its namespace, whose FeatureSet must share it with this one; left out: this one."
    )


class Source(Part):
    """A table that the features are made from: files, or another FeatureSet."""

    name: TableName = Field(description="What the table is called in the query.")
    uri: Uri | None = Field(
        default=None,
        description="Where the files are: store://raw/… for files put into the namespace's store, s3://bucket/… (* "
        "stands for several in both), or https://….",
    )
    format: Literal["parquet", "csv", "json"] | None = Field(
        default=None, description="What the file is; left out: told by its ending. json is one object a line."
    )
    secret_name: ObjectName | None = Field(
        default=None,
        description="Of s3://: the Secret with accessKeyId and secretAccessKey, and where needed endpoint, region and "
        "sessionToken; only the run's pod sees it. Left out: the bucket is read without a name.",
    )
    feature_set: SharedFeatures | None = Field(default=None, description="Another FeatureSet, instead of files.")


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


class SensitiveColumn(Part):
    """A column whose groups are compared."""

    column: ColumnName = Field(description="Its name.")
    bins: Annotated[tuple[float, ...], Field(max_length=20)] = Field(
        default=(),
        description="Of a number: where one group ends and the next begins, ascending; a value on a border belongs to "
        "the group above it.",
    )


class BiasLimits(Part):
    """How much groups may differ; what is left out is reported and not judged. Field names are fairlearn's."""

    demographic_parity_difference: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="demographic_parity_difference",
        description="The most that label rates of two groups may differ.",
    )
    demographic_parity_ratio: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="demographic_parity_ratio",
        description="The least that the lowest label rate may be of the highest; 0.8 is the four-fifths rule.",
    )
    min_group_share: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="min_group_share",
        description="The least share of rows that a group may have.",
    )
    population_difference: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="population_difference",
        description="The most that a group's share of rows may differ from its share of the population.",
    )
    missingness_gap: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None,
        alias="missingness_gap",
        description="The most that two groups may differ in the share of rows where a column has no value.",
    )
    proxy_auc: Annotated[float, Field(ge=0.5, le=1)] | None = Field(
        default=None,
        alias="proxy_auc",
        description="How well the other columns may tell the groups apart, as an area under the ROC curve; found out "
        "only where it is limited.",
    )


class Bias(Part):
    """What groups of people must have in common, and what happens where they do not."""

    sensitive: Annotated[tuple[SensitiveColumn, ...], Field(min_length=1, max_length=MAX_SENSITIVE)] = Field(
        description="Columns whose groups are compared."
    )
    population: Annotated[
        dict[ColumnName, Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(max_length=100)]],
        Field(max_length=MAX_SENSITIVE),
    ] = Field(
        default_factory=dict,
        description="By sensitive column: the share that each of its groups has of the population, as text to number.",
    )
    label: ColumnName | None = Field(
        default=None, description="The column whose rates are compared; left out: shares and missing values alone."
    )
    positive: AllowedValue | None = Field(
        default=None, description="The label's value that is counted; left out: 1 or true."
    )
    min_group_size: int = Field(
        default=50, ge=2, le=10**9, description="Groups of fewer rows are named and not compared."
    )
    limits: BiasLimits = Field(default=BiasLimits(), description="How much groups may differ.")
    on_failure: Literal["Block", "Warn"] = Field(
        default="Warn",
        description="Warn: a version beyond a limit is published, and it is said. Block: it is not published.",
    )


class History(Part):
    """Which versions are kept."""

    keep: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="How many of the newest versions; what a model, a run or a snapshot uses is kept beyond.",
    )


class Online(Part):
    """The latest row of each entity at low latency."""

    enabled: bool = Field(default=True, description="Whether a small server answers look-ups.")
    ttl: Duration | None = Field(
        default=None, description="Rows whose timestamp is older than this are not given; left out: all are."
    )
    replicas: int = Field(default=1, ge=1, le=100, description="How many servers answer.")
    resources: Resources = Field(default=Resources(), description="What each server asks for and may use.")


class Share(Part):
    """Who else may use the versions."""

    namespaces: Annotated[tuple[NamespaceName, ...], Field(min_length=1, max_length=64)] = Field(
        description="Namespaces whose FeatureSets may name this one as a source."
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
    join: Annotated[tuple[Join, ...], Field(max_length=8)] = Field(
        default=(),
        description="FeatureSets whose columns are added to each row of the query as they were known at the row's "
        "timestamp.",
    )
    components: Annotated[tuple[ComponentReference, ...], Field(max_length=8)] = Field(
        default=(),
        description="Shared steps: macros of SQL components can be used in the query; python and onnx components "
        "change its rows afterwards, in this order.",
    )
    entity: Annotated[tuple[ColumnName, ...], Field(max_length=8)] = Field(
        default=(), description="Columns that together name what a row is about; they are never features of a model."
    )
    timestamp: ColumnName | None = Field(
        default=None, description="Column that says when a row was true; it is never a feature of a model."
    )
    arrival: ColumnName | None = Field(
        default=None,
        description="Column that says when a row became known, which may be later than it was true; joins look at no "
        "row before it had arrived. It is never a feature of a model.",
    )
    columns: Annotated[tuple[ColumnContract, ...], Field(max_length=MAX_COLUMNS)] = Field(
        default=(),
        description="A contract on columns, each named once; others are taken as they are found and recorded.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    quality: Quality | None = Field(
        default=None, description="What must hold of the rows before they are published; left out: nothing."
    )
    bias: Bias | None = Field(default=None, description="How groups are compared; left out: they are not.")
    schedule: Schedule | None = Field(
        default=None,
        description="When to run again, as in crontab; the latest missed run is made up for. Left out: when the spec "
        "changes or the annotation merkhet.dev/run asks.",
    )
    time_zone: TimeZone = Field(default="UTC", description="The schedule's time zone, such as Europe/Paris.")
    history: History = Field(default=History(), description="Which versions are kept.")
    online: Online | None = Field(default=None, description="Look-ups by entity; left out: none.")
    share: Share | None = Field(default=None, description="Who else may use the versions; left out: nobody.")
    suspend: bool = Field(default=False, description="Start nothing; what runs goes on.")
    deadline: Duration = Field(default="1h", description="How long a run may take over all its tries.")
    retries: int = Field(default=2, ge=0, le=10, description="How often a run is tried again after a failure.")
    resources: Resources = Field(default=Resources(), description="What the run's pod asks for and may use.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="Where the pods of runs and of look-ups go.")


class PublishedVersion(StatusPart):
    """One immutable version of the features."""

    version: int = Field(default=0, description="Its number.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of its manifest.")
    rows: int = Field(default=0, description="How many rows it has.")
    created_at: Time = Field(default="", description="When it was made.")
    profile: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of its data profile.")


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


class CheckedGroup(StatusPart):
    """A group of a sensitive column."""

    column: Annotated[str, Field(max_length=128)] = Field(default="", description="The sensitive column.")
    group: Annotated[str, Field(max_length=128)] = Field(
        default="", description="The group: a value, or an interval such as [25, 45)."
    )
    rows: int = Field(default=0, description="How many rows it has.")
    share: float = Field(default=0.0, description="Which share of the rows that is.")
    rate: float | None = Field(default=None, description="Which share of them has the positive label.")
    low: float | None = Field(default=None, description="Lower end of the rate's 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the rate's 95 % interval.")
    small: bool = Field(default=False, description="Whether it has too few rows to be compared.")


class BiasFinding(StatusPart):
    """A figure on groups, and what its limit makes of it."""

    metric: Annotated[str, Field(max_length=64)] = Field(default="", description="Which figure, by fairlearn's name.")
    column: Annotated[str, Field(max_length=128)] = Field(default="", description="The sensitive column.")
    result: Literal["Passed", "Failed", "Inconclusive", "Reported"] = Field(
        default="Reported", description="Reported: it has no limit. Inconclusive: the interval has the limit in it."
    )
    value: float | None = Field(default=None, description="What was found.")
    low: float | None = Field(default=None, description="Lower end of its 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of its 95 % interval.")
    limit: float | None = Field(default=None, description="What was asked.")
    message: Annotated[str, Field(max_length=512)] = Field(default="", description="The finding in words.")


class CheckedBias(StatusPart):
    """What was found the last time that groups were compared, the worst first."""

    run: Annotated[str, Field(max_length=20)] = Field(default="", description="The run that compared them.")
    findings: Annotated[tuple[BiasFinding, ...], Field(max_length=MAX_FINDINGS)] = Field(
        default=(), description="The figures, those beyond their limit first."
    )
    groups: Annotated[tuple[CheckedGroup, ...], Field(max_length=MAX_FINDINGS)] = Field(
        default=(), description="The groups of the columns that are not personal."
    )


class OnlineStatus(StatusPart):
    """What is known of look-ups."""

    url: Annotated[str, Field(max_length=512)] = Field(default="", description="Where entities are looked up.")
    version: int | None = Field(default=None, description="The version that can be looked up.")
    ready_replicas: int = Field(default=0, description="How many servers answer.")


class UsedComponent(StatusPart):
    """A component that the latest version was made with."""

    name: Annotated[str, Field(max_length=40)] = Field(default="", description="Its name.")
    version: Annotated[str, Field(max_length=32)] = Field(default="", description="Its version.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of what it is.")


class FeatureSetStatus(StatusPart):
    """What is known of a FeatureSet."""

    observed_generation: int = Field(default=-1, description="The generation of the spec that this status speaks of.")
    latest: PublishedVersion | None = Field(default=None, description="The version that users get.")
    versions: Annotated[tuple[PublishedVersion, ...], Field(max_length=10)] = Field(
        default=(),
        description="The ten newest versions, newest first; of those beyond history.keep only what something uses is "
        "still in the store.",
    )
    columns: Annotated[tuple[FoundColumn, ...], Field(max_length=MAX_COLUMNS)] = Field(
        default=(), description="The columns of the latest version."
    )
    quality: CheckedQuality | None = Field(
        default=None, description="What was found when the quality rules were last checked."
    )
    bias: CheckedBias | None = Field(default=None, description="What was found when groups were last compared.")
    online: OnlineStatus | None = Field(default=None, description="What is known of look-ups.")
    online_ended: int | None = Field(
        default=None, description="How often look-ups were taken away; asked for again, they get a run of their own."
    )
    components: Annotated[tuple[UsedComponent, ...], Field(max_length=8)] = Field(
        default=(), description="The components that the latest version was made with."
    )
    schedule: ScheduleStatus | None = Field(default=None, description="What is known of the schedule.")
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=8)] = Field(
        default=(), description="The last runs, newest first."
    )
