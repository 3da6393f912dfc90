"""What a Component is made of, and what is said of it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import AnyValue, ColumnName, ComponentVersion, Description, Digest, Duration, ObjectName, Time
from merkhet.contract.component import Flavour
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.run import RunEntry
from merkhet.kinds.steps import EstimatorStep

MAX_EXAMPLES = 16
MAX_VERSIONS = 32
MAX_USERS = 100
# A task stands in a variable of the pod, which the kernel bounds at 128 KiB.
MAX_SOURCE = 65536
TAKEN = "VersionTaken"  # the reason where a version stands for another content than the spec's
FLAVOURS: tuple[Flavour, ...] = ("sklearn", "sql", "python", "onnx")

PythonName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Values = Annotated[dict[ColumnName, Annotated[tuple[AnyValue, ...], Field(max_length=256)]], Field(max_length=256)]


class Sql(Part):
    """Macros for queries."""

    macros: Annotated[str, Field(min_length=1, max_length=32768)] = Field(
        description="Statements `create macro name(…) as …` of DuckDB's SQL, and nothing else."
    )


class ConfigMapKey(Part):
    """A text in a ConfigMap of this namespace."""

    name: ObjectName = Field(description="Name of the ConfigMap.")
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = Field(
        description="Under which key the source stands."
    )


class Python(Part):
    """A function from a pyarrow Table to a pyarrow Table."""

    entrypoint: PythonName = Field(description="Name of the function in the source.")
    source: Annotated[str, Field(min_length=1, max_length=MAX_SOURCE)] | None = Field(
        default=None, description="The source: Python with pyarrow, numpy, scipy and scikit-learn at hand."
    )
    config_map: ConfigMapKey | None = Field(
        default=None, description="Where the source stands, at most 64 KiB, instead of here."
    )
    network: bool = Field(default=False, description="Whether the function may reach the network.")
    timeout: Duration = Field(default="10m", description="How long the function may take.")

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.source is None) is (self.config_map is None):
            raise ValueError("the source stands in one place: write either source or configMap")
        return self


class Onnx(Part):
    """A graph of ONNX that adds its outputs as columns."""

    uri: Annotated[str, Field(max_length=1024, pattern=r"^(store://raw/|https://)[^\x00-\x20]+$")] = Field(
        description="Where the file stands: store://raw/… for one put into the namespace's store, or https://…."
    )
    digest: Digest = Field(description="SHA-256 of the file; any other is refused.")
    columns: Annotated[tuple[ColumnName, ...], Field(max_length=1000)] = Field(
        default=(),
        description="Of a graph with one input of k columns: which, in order; left out: each input takes the column of "
        "its name.",
    )


class Example(Part):
    """Rows that go in, and what must come out."""

    input: Values = Field(description="By column the values that go in; all lists are of one length.")
    output: Values = Field(
        description="By column the values that must come out, in order; columns that are not named may be anything."
    )
    tolerance: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="How far numbers may be from what is wanted."
    )
    query: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="Of a sql component: a SELECT over the table `input` that uses the macros."
    )

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        for field, columns in (("input", self.input), ("output", self.output)):
            lengths = {name: len(values) for name, values in columns.items()}
            if not lengths or 0 in lengths.values():
                raise ValueError(f"{field} has no value: write at least one column of at least one row")
            if len(set(lengths.values())) > 1:
                told = ", ".join(f"{name} has {length}" for name, length in lengths.items())
                raise ValueError(f"columns of {field} are of different lengths ({told[:200]}): a value for each row")
        return self


class ComponentSpec(Part):
    """A shared step or pre-trained model: what it is, and examples that prove it."""

    version: ComponentVersion = Field(
        description="What this content is called for ever; another content needs another version."
    )
    description: Description = Field(default="", description="What it does, and what for.")
    sklearn: Annotated[tuple[EstimatorStep, ...], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="Steps of scikit-learn that prepare rows, for pipelines of ModelTrainings."
    )
    sql: Sql | None = Field(default=None, description="Macros, for queries of FeatureSets.")
    python: Python | None = Field(default=None, description="A function over a table, for FeatureSets.")
    onnx: Onnx | None = Field(default=None, description="A frozen step or pre-trained model, for FeatureSets.")
    examples: Annotated[tuple[Example, ...], Field(max_length=MAX_EXAMPLES)] = Field(
        default=(), description="What must hold before the version stands; at least one, but for onnx."
    )
    suspend: bool = Field(default=False, description="Start nothing; what runs goes on.")
    deadline: Duration = Field(default="30m", description="How long a run may take over all its tries.")
    retries: int = Field(default=2, ge=0, le=10, description="How often a run is tried again after a failure.")
    resources: Resources = Field(default=Resources(), description="What the run's pod asks for and may use.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="Where the run's pod goes.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        given = [flavour for flavour in FLAVOURS if getattr(self, flavour) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            raise ValueError(f"a component is one of {', '.join(FLAVOURS)}; found {found}: write exactly one")
        if not self.examples and given != ["onnx"]:
            raise ValueError("a component is proven by an example: write at least one under examples")
        if any((example.query is not None) is not (self.sql is not None) for example in self.examples):
            raise ValueError("examples of sql have a query over the table input, others have none")
        return self

    @property
    def flavour(self) -> Flavour:
        """Which of the four it is."""
        return next(flavour for flavour in FLAVOURS if getattr(self, flavour) is not None)


class StandingVersion(StatusPart):
    """A version that stands for ever."""

    version: Annotated[str, Field(max_length=32)] = Field(default="", description="What it is called.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of what it is.")
    flavour: Annotated[str, Field(max_length=16)] = Field(default="", description="sklearn, sql, python or onnx.")
    created_at: Time = Field(default="", description="Since when it stands.")


class TriedExample(StatusPart):
    """What came of an example."""

    number: int = Field(default=0, description="Which, counted from 1.")
    passed: bool = Field(default=False, description="Whether what was wanted came out.")
    message: Annotated[str, Field(max_length=512)] = Field(default="", description="What came out instead, in words.")


class Tried(StatusPart):
    """What came of the examples the last time."""

    run: Annotated[str, Field(max_length=20)] = Field(default="", description="The run that tried them.")
    examples: Annotated[tuple[TriedExample, ...], Field(max_length=MAX_EXAMPLES)] = Field(
        default=(), description="The examples in their order."
    )


class User(StatusPart):
    """An object that names the component."""

    kind: Literal["FeatureSet", "ModelTraining"] = Field(default="FeatureSet", description="What it is.")
    name: Annotated[str, Field(max_length=40)] = Field(default="", description="Its name.")
    version: Annotated[str, Field(max_length=32)] = Field(default="", description="The version that it names.")


class ComponentStatus(StatusPart):
    """What is known of a Component."""

    observed_generation: int = Field(default=-1, description="The generation of the spec that this status speaks of.")
    flavour: Annotated[str, Field(max_length=16)] = Field(default="", description="sklearn, sql, python or onnx.")
    version: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="The spec's version, once it stands; users name it."
    )
    digest: Annotated[str, Field(max_length=71)] | None = Field(default=None, description="SHA-256 of that version.")
    versions: Annotated[tuple[StandingVersion, ...], Field(max_length=MAX_VERSIONS)] = Field(
        default=(), description="The newest versions that stand, newest first."
    )
    tried: Tried | None = Field(default=None, description="What came of the examples the last time.")
    used_by: Annotated[tuple[User, ...], Field(max_length=MAX_USERS)] = Field(
        default=(), description="Objects of this namespace that name it."
    )
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=8)] = Field(
        default=(), description="The last runs, newest first."
    )
