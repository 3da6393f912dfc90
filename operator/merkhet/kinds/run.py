"""What a run is: what an object wants to have run, how far that has come, and what a status remembers of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from merkhet.api.base import StatusPart
from merkhet.api.fields import Time
from merkhet.api.meta import Body
from merkhet.contract.runs import RunReport, run_key
from merkhet.contract.runs import Usage as Used

AWAITED = "ReportAwaited"
UNREADABLE = "ResultUnreadable"

Phase = Literal["Waiting", "Starting", "Running", "Succeeded", "Refused", "Failed"]
FINAL = ("Succeeded", "Refused", "Failed")


class Usage(StatusPart):
    """What a run used."""

    cpu_seconds: float = Field(default=0.0, description="Seconds of one core.")
    wall_seconds: float = Field(default=0.0, description="Seconds from start to end.")
    peak_memory: int = Field(default=0, description="Most memory held at once, in bytes.")


class UsedFeatures(StatusPart):
    """A version of a FeatureSet that a run uses."""

    name: Annotated[str, Field(max_length=40)] = Field(default="", description="Name of the FeatureSet.")
    namespace: Annotated[str, Field(max_length=63)] | None = Field(
        default=None, description="Its namespace, where that is another one."
    )
    version: int = Field(default=0, description="Number of the version.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="SHA-256 of its manifest.")


class RunEntry(StatusPart):
    """A run as the status remembers it."""

    key: Annotated[str, Field(max_length=20)] = Field(description="The run's name, made from its trigger.")
    trigger: Annotated[str, Field(max_length=512)] = Field(
        default="",
        description="What started it: spec/<digest>, tick/<scheduled time> or annotation/<value of merkhet.dev/run>.",
    )
    phase: Phase = Field(default="Starting", description="How far it has come.")
    reason: Annotated[str, Field(max_length=128)] = Field(default="", description="Why, in one word for programs.")
    message: Annotated[str, Field(max_length=1024)] = Field(default="", description="Why, in words for a person.")
    started_at: Time | None = Field(default=None, description="When the work began.")
    finished_at: Time | None = Field(default=None, description="When it ended.")
    usage: Usage | None = Field(default=None, description="What it used.")
    cost: float | None = Field(default=None, description="What that costs at the installation's prices.")
    currency: Annotated[str, Field(max_length=8)] | None = Field(default=None, description="The currency of the cost.")
    spec: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The spec's own trigger at the time: a run by annotation is a run of the spec too."
    )
    means: Annotated[str, Field(max_length=20)] = Field(
        default="", description="Digest of image, resources and deadline; a failed run is tried again with others."
    )
    version: int | None = Field(default=None, description="Number of the version that came of it.")
    data_version: int | None = Field(default=None, description="Version of the FeatureSet that it works on.")
    inputs: Annotated[tuple[UsedFeatures, ...], Field(max_length=24)] | None = Field(
        default=None,
        description="Versions of other FeatureSets that it uses, sources first, then joins; each try uses the same.",
    )
    settled: bool = Field(default=False, description="Whether all that follows from its result has been done.")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an object wants to have run."""

    kind: str
    name: str
    spec: str  # the trigger of what decides the result
    annotation: str | None  # the value of merkhet.dev/run
    means: str  # the digest of what decides nothing but whether the work can be done
    tick: str | None = None  # the trigger of the latest tick of the schedule that counts

    def key(self, trigger: str) -> str:
        """The key of a run of this object."""
        return run_key(self.kind, self.name, trigger)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the cluster knows of an object's runs."""

    report: RunReport | None = None
    jobs: tuple[Body, ...] = ()
    pods: tuple[Body, ...] = ()
    unreadable: str = ""  # why the report in the ConfigMap is none
    channel: bool = False  # what a report comes back through is there and the object's own


@dataclass(frozen=True, slots=True)
class State:
    """The run that counts now. ``job`` is the Job that should exist; ``made`` says that it does."""

    key: str
    trigger: str
    spec: str
    means: str
    phase: Phase
    reason: str = ""
    message: str = ""
    started: str = ""
    finished: str = ""
    used: Used | None = None
    result: dict[str, Any] | None = None
    job: str | None = None
    made: bool = False
    attempt: int = 1
    stuck: bool = False
    look_again: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Why a run may not start. ``stalls``: until somebody changes something."""

    reason: str
    message: str
    stalls: bool = False
