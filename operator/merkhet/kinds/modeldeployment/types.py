"""What a ModelDeployment is made of: which version to serve and with what, and what serves now."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.fields import Name, Time, Version
from merkhet.kinds.common import PodTemplate, Resources

LATEST_APPROVED: Literal["LatestApproved"] = "LatestApproved"
RevisionName = Annotated[str, Field(max_length=40)]


class ModelChoice(Part):
    """Which model is served, and which version of it."""

    name: Name = Field(description="Name of the model in the registry, as ModelVersions say it.")
    version: Literal["LatestApproved"] | Version = Field(
        default=LATEST_APPROVED,
        description="LatestApproved follows the highest approved version; a number stays with that one, once approved.",
    )


class OnlineFeatures(Part):
    """Which FeatureSet's look-ups."""

    name: Name = Field(description="Name of a FeatureSet in this namespace with look-ups (spec.online).")


class EntityLookups(Part):
    """What callers may send instead of columns."""

    feature_set: OnlineFeatures = Field(
        description="The FeatureSet whose entity columns stand for the columns of the latest row."
    )


class ModelDeploymentSpec(Part):
    """Which model to serve, and with what."""

    model: ModelChoice = Field(description="The model and which version of it.")
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1, description="How many pods serve; an autoscaler changes it through the scale subresource."
    )
    features: EntityLookups | None = Field(
        default=None,
        description="Callers may send the entity columns of a FeatureSet, and the model is asked with the latest row "
        "of each entity; left out: they send the model's columns. A change makes a new revision.",
    )
    resources: Resources = Field(
        default=Resources(), description="What each server pod asks for and may use; a change makes a new revision."
    )
    pod_template: PodTemplate = Field(
        default=PodTemplate(), description="Where server pods run and how they are labelled; a change: a new revision."
    )

    @property
    def features_name(self) -> str | None:
        """The FeatureSet whose entities callers may send."""
        return None if self.features is None else self.features.feature_set.name


class Candidate(StatusPart):
    """A revision on its way to serve."""

    version: int = Field(default=0, description="Number of the ModelVersion.")
    revision: RevisionName = Field(default="", description="The revision: model version, settings and restarts.")


class ModelDeploymentStatus(StatusPart):
    """What serves now, and what comes next."""

    observed_generation: int = Field(default=-1, description="Generation of the spec that this status speaks of.")
    url: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="Where the model answers inside the cluster, by the Open Inference Protocol v2."
    )
    model: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Name of the model that serves, in the registry."
    )
    version: int | None = Field(default=None, description="Number of the version that serves.")
    revision: RevisionName | None = Field(
        default=None, description="The revision that serves: model version, settings and restarts."
    )
    candidate: Candidate | None = Field(default=None, description="The revision that is to serve next.")
    replicas: int | None = Field(default=None, description="How many pods of the serving revision there are.")
    ready_replicas: int | None = Field(default=None, description="How many of them answer.")
    selector: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Chooses the pods of all revisions, for autoscalers."
    )
    switched_at: Time | None = Field(
        default=None, description="When requests were last led to another revision; former pods stay a little longer."
    )
