"""What a ModelVersion is made of: a record nobody can change, a decision, and what is found out about both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import AnyValue, ColumnName, ComponentVersion, Digest, Duration, Name, Version, VersionName
from merkhet.contract import training as contract
from merkhet.kinds.card import Card
from merkhet.kinds.common import PodTemplate, Resources
from merkhet.kinds.gates import BusinessTest, Gates, Importance
from merkhet.kinds.references import FeatureSetReference
from merkhet.kinds.run import RunEntry

Word = Annotated[str, Field(max_length=128)]
Line = Annotated[str, Field(max_length=512)]
Text = Annotated[str, Field(max_length=2048)]
Categories = Annotated[tuple[AnyValue, ...], Field(max_length=10000)]
DecisionName = Literal["Pending", "Approved", "Rejected"]


class Artifact(Part):
    """The model itself, in the namespace's store."""

    digest: Digest = Field(description="SHA-256 of the model's bytes; a server refuses any others.")
    size: int = Field(ge=1, description="Size in bytes.")
    format: Literal["onnx"] = Field(default="onnx", description="What the bytes are.")
    uri: Annotated[str, Field(max_length=1024)] = Field(
        description="Where the bytes stand in the store: blobs/sha256/ and the digest's hex digits; of a model that is "
        "brought, store://raw/ and the path of a file that was put there."
    )


class Tensor(Part):
    """One input or output of the model."""

    name: Word = Field(description="Name in requests and answers.")
    datatype: Annotated[str, Field(max_length=16)] = Field(
        description="Type of its elements in the Open Inference Protocol, such as FP32, INT64 or BYTES."
    )
    shape: Annotated[tuple[int, ...], Field(max_length=8)] = Field(
        description="Its dimensions; -1 is the number of rows."
    )
    columns: Annotated[tuple[ColumnName, ...], Field(max_length=2000)] = Field(
        default=(), description="Columns it consists of, in order, where it holds several."
    )
    missing: bool = Field(default=False, description="Whether NaN may stand for a missing value.")
    missing_columns: Annotated[tuple[ColumnName, ...], Field(max_length=2000)] = Field(
        default=(), description="Columns that may be missing."
    )
    categories: Categories | None = Field(
        default=None, description="Values known at training, where an unknown one is refused."
    )
    column_categories: Annotated[dict[ColumnName, Categories], Field(max_length=2000)] = Field(
        default_factory=dict, description="The same for single columns, where it holds several."
    )


class Signature(Part):
    """What the model takes and what it answers."""

    inputs: Annotated[tuple[Tensor, ...], Field(min_length=1, max_length=2000)] = Field(
        description="What a request has to bring."
    )
    outputs: Annotated[tuple[Tensor, ...], Field(min_length=1, max_length=64)] = Field(description="What is answered.")
    task: contract.TaskName = Field(description="Classification or Regression.")
    classes: Annotated[tuple[AnyValue, ...], Field(max_length=10000)] = Field(
        default=(), description="The classes, in the order of their probabilities."
    )
    threshold: float | None = Field(
        default=None, description="Of a binary classifier: the positive class is predicted from this probability on."
    )
    positive: AnyValue | None = Field(default=None, description="Of a binary classifier: the class looked for.")
    graph: Annotated[dict[str, Word], Field(max_length=64)] = Field(
        default_factory=dict, description="Names of the outputs inside the model, by their names in answers."
    )


class DataVersion(Part):
    """A version of a FeatureSet that the model was made from."""

    feature_set: Name = Field(description="Name of the FeatureSet.")
    version: Version = Field(description="Number of its version.")
    digest: Digest = Field(description="SHA-256 of the version's manifest.")


class UsedComponent(Part):
    """A component that the model was made with."""

    name: Name = Field(description="Its name.")
    version: ComponentVersion = Field(description="Its version.")
    digest: Digest = Field(description="SHA-256 of what it is.")


class Lineage(Part):
    """Where the model comes from."""

    training: Annotated[dict[str, Line], Field(max_length=16)] = Field(
        default_factory=dict, description="The ModelTraining that made it: name, uid, run and trigger."
    )
    data: Annotated[tuple[DataVersion, ...], Field(max_length=64)] = Field(
        default=(), description="The data it was trained on."
    )
    components: Annotated[tuple[UsedComponent, ...], Field(max_length=16)] = Field(
        default=(), description="The components of its pipeline."
    )
    image: Line = Field(default="", description="Container image that trained it.")
    packages: Annotated[dict[str, Word], Field(max_length=64)] = Field(
        default_factory=dict, description="Versions of the packages that trained it."
    )
    revision: Line | None = Field(
        default=None, description="Revision of the source, from the annotation merkhet.dev/revision."
    )
    author: Line | None = Field(default=None, description="Who answers for the training.")


class Metric(Part):
    """A figure on the test rows."""

    name: Word = Field(description="Name of the metric, such as roc_auc.")
    value: float = Field(description="The figure.")
    low: float | None = Field(default=None, description="Lower end of its interval.")
    high: float | None = Field(default=None, description="Upper end of its interval.")


class Gate(Part):
    """A limit that the model had to keep."""

    name: Annotated[str, Field(max_length=160)] = Field(description="What was judged.")
    result: Literal["Passed", "Failed", "Inconclusive"] = Field(description="Whether the limit was kept.")
    value: float | None = Field(default=None, description="What was found.")
    limit: float | None = Field(default=None, description="What was asked.")
    message: Text = Field(default="", description="The result in words.")
    source: Literal["spec", "policy"] = Field(
        default="spec", description="Who asked for it: the spec, or the namespace's policy."
    )


class SearchResult(Part):
    """What came of the search for parameters."""

    metric: Word = Field(description="The figure that is best at the winner.")
    trials: int = Field(description="How many were asked for.")
    finished: int = Field(description="How many ended with a figure.")
    best: int = Field(description="Number of the best trial, from 0.")
    value: float = Field(description="Its figure: the mean over the folds.")
    parameters: Annotated[dict[str, AnyValue], Field(max_length=64)] = Field(
        default_factory=dict, description="Its parameters."
    )


class Usage(Part):
    """What the training used."""

    cpu_seconds: float = Field(default=0.0, ge=0, description="Processor time in seconds.")
    wall_seconds: float = Field(default=0.0, ge=0, description="Time in seconds from start to end.")
    peak_memory: int = Field(default=0, ge=0, description="Most memory held at once, in bytes.")
    cost: float | None = Field(default=None, ge=0, description="Price of the run, by the installation's prices.")


class Record(Part):
    """What a version is. Written once."""

    model: Name = Field(description="Name of the model in the registry.")
    version: Version = Field(description="Number of the version; never used twice.")
    artifact: Artifact = Field(description="The model itself, in the namespace's store.")
    signature: Signature = Field(description="What the model takes and what it answers.")
    lineage: Lineage = Field(default_factory=Lineage, description="Where the model comes from.")
    parameters: Annotated[dict[str, AnyValue], Field(max_length=256)] = Field(
        default_factory=dict, description="Parameters it was trained with."
    )
    metrics: Annotated[tuple[Metric, ...], Field(max_length=128)] = Field(
        default=(), description="Figures on the test rows, the main one first."
    )
    gates: Annotated[tuple[Gate, ...], Field(max_length=128)] = Field(
        default=(), description="Limits it had to keep, and whether it did."
    )
    reports: Annotated[dict[str, Digest], Field(max_length=32)] = Field(
        default_factory=dict,
        description="Digests of what was written about it, by name: golden, evaluation, importance, card, cardText, "
        "heldOut, tests.",
    )
    rows: Annotated[dict[str, int], Field(max_length=16)] = Field(
        default_factory=dict, description="How many rows it was trained and tested on."
    )
    warnings: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="What a person should know, and no gate forbids."
    )
    search: SearchResult | None = Field(default=None, description="What came of the search for parameters.")
    champion: Version | None = Field(default=None, description="The version that it was compared with.")
    usage: Usage = Field(default_factory=Usage, description="What the training used.")

    @property
    def is_brought(self) -> bool:
        """Whether no training of this namespace made it."""
        return not self.lineage.training

    @classmethod
    def of(cls, result: contract.TrainingResult, *, cost: float | None = None) -> Record:
        """The record of what a training answered; raises ValueError where the answer holds no complete model."""
        said: dict[str, Any] = result.body()
        said["version"] = said.pop("number", None)
        if cost is not None:
            said["usage"]["cost"] = cost
        return cls.model_validate(said)


class Approval(Part):
    """What was decided about the version, by whom and why."""

    decision: DecisionName = Field(
        default="Pending",
        description="Approved versions may be served. Changing this needs the verb approve on modelversions.",
    )
    reason: Text = Field(default="", description="Why it was decided so.")
    by: Annotated[str, Field(max_length=253)] = Field(
        default="", description="Who decided: the user name under which the change is made."
    )


class Judging(Part):
    """How a model that was brought is judged: on which rows, and by what."""

    feature_set: FeatureSetReference = Field(
        description="Rows that the model has not learned from; whoever brings it answers for that."
    )
    target: ColumnName = Field(description="The column that it predicts.")
    sensitive: Annotated[tuple[ColumnName, ...], Field(max_length=16)] = Field(
        default=(), description="Columns whose groups are judged each for itself."
    )
    sample_weight: ColumnName | None = Field(default=None, description="A column of how much each row counts.")
    gates: Gates = Field(default=Gates(), description="What the model must keep, as in a ModelTraining.")
    importance: Importance = Field(default=Importance(), description="How it is found out what the model goes by.")
    tests: Annotated[tuple[BusinessTest, ...], Field(max_length=32)] = Field(
        default=(), description="Rows whose answers are known, written by the business; each is a gate."
    )
    card: Card = Field(default=Card(), description="What users of the model should know.")


class ModelVersionSpec(Part):
    """A version of a model: its record and the decision about it."""

    record: Record = Field(description="What the version is: written once, never changed.")
    evaluation: Judging | None = Field(
        default=None,
        description="Of a model that was brought, not trained here: how it is judged before anybody may approve it.",
    )
    suspend: bool = Field(default=False, description="Judge nothing; what runs goes on.")
    deadline: Duration = Field(default="1h", description="How long the judging may take over all its tries.")
    retries: int = Field(default=2, ge=0, le=10, description="How often it is tried again after a failure.")
    resources: Resources = Field(default=Resources(), description="What the judging pod asks for and may use.")
    pod_template: PodTemplate = Field(default=PodTemplate(), description="Where the judging pod goes.")
    approval: Approval = Field(default=Approval(), description="Whether the version may be served.")


class Judged(StatusPart):
    """What was found out about a model that was brought: what the record of a trained one has from the start."""

    run: Annotated[str, Field(max_length=20)] = Field(default="", description="The run's key.")
    metrics: Annotated[tuple[Metric, ...], Field(max_length=128)] = Field(
        default=(), description="Figures on the rows it was judged on, the main one first."
    )
    gates: Annotated[tuple[Gate, ...], Field(max_length=128)] = Field(
        default=(), description="Limits it had to keep, and whether it did."
    )
    reports: Annotated[dict[str, Digest], Field(max_length=32)] = Field(
        default_factory=dict, description="Digests of what was written about it, by name."
    )
    rows: Annotated[dict[str, int], Field(max_length=16)] = Field(
        default_factory=dict, description="How many rows it was judged on."
    )
    warnings: Annotated[tuple[Text, ...], Field(max_length=16)] = Field(
        default=(), description="What a person should know, and no gate forbids."
    )
    data: Annotated[tuple[DataVersion, ...], Field(max_length=64)] = Field(
        default=(), description="The version of the FeatureSet that it was judged on."
    )
    champion: Version | None = Field(default=None, description="The version that it was compared with.")


class ModelVersionStatus(StatusPart):
    """What is found out about a version."""

    observed_generation: int = Field(default=-1, description="Generation of the spec that this status speaks of.")
    decision: DecisionName | None = Field(
        default=None, description="The decision that counts: Pending as long as the approval policy is not in force."
    )
    figure: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="The first of the record's metrics, to four digits: for people."
    )
    evaluation: Judged | None = Field(default=None, description="Of a model that was brought: what was found out.")
    runs: Annotated[tuple[RunEntry, ...], Field(max_length=8)] = Field(
        default=(), description="Of a model that was brought: the runs that judged it, newest first."
    )
    served_by: Annotated[tuple[VersionName, ...], Field(max_length=100)] = Field(
        default=(), description="Names of the ModelDeployments that serve it."
    )
