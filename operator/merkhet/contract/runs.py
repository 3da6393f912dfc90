"""A run: what starts it, how it is named, what its pod is told and what it tells.

The task stands in the environment of the pod (``MERKHET_TASK``), so that it is as immutable as its Job. The work
writes ``report.json`` into a folder it shares with the reporter, which patches it under ``report`` into the one
ConfigMap of the object. The truth about a finished run is its record in the store.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message, canonical

TASK_VARIABLE = "MERKHET_TASK"
STORE_PATH = "/store"  # where the namespace's store is mounted
REPORT_FOLDER = "/report"  # shared by the work and the reporter
REPORT_FILE = "report.json"
REPORT_KEY = "report"  # of the ConfigMap
SCRATCH_PATH = "/tmp"  # noqa: S108 - an emptyDir of the pod's own
TOKEN_PATH = "/var/run/secrets/merkhet"  # noqa: S105 - a folder; only the reporter's container mounts it

# Exit codes of a workload. REFUSED tells the Job that another try is of no use.
DONE, REFUSED, FAILED = 0, 3, 1

Trigger = str


def spec_trigger(*deciding: Any) -> Trigger:
    """The trigger of what decides the result: the same values give the same trigger, whatever else is edited."""
    return f"spec/{digest_of(list(deciding))}"


def annotation_trigger(value: str) -> Trigger:
    """The trigger of a value of the annotation ``merkhet.dev/run``."""
    return f"annotation/{value}"


def tick_trigger(moment: datetime) -> Trigger:
    """The trigger of a tick of a schedule: the time that was scheduled, not the time at which it was noticed."""
    return f"tick/{moment.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"


def digest_of(value: Any) -> str:
    """The first 20 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:20]


def run_key(kind: str, name: str, trigger: Trigger) -> str:
    """The name of a run: 20 hex digits, from the object's name and the trigger alone."""
    return digest_of([kind, name, trigger])


class Origin(Message):
    """Whose run it is."""

    kind: str
    namespace: str
    name: str
    uid: str


class Run(Message):
    """What every task begins with."""

    key: str = Field(pattern=r"^[0-9a-f]{20}$")
    trigger: Trigger
    origin: Origin
    revision: str | None = None  # value of the annotation merkhet.dev/revision
    image: str = ""


class Usage(Message):
    """What a run used. Units: seconds, bytes."""

    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    peak_memory: int = 0


class RunReport(Message):
    """What a pod tells of its run: progress while ``phase`` is Running, the result after."""

    version: Literal[1] = 1
    key: str
    phase: Literal["Running", "Succeeded", "Refused"]
    reason: str = ""
    message: str = Field(default="", max_length=4096)
    progress: str = Field(default="", max_length=256)  # in words: "fitting step 2 of 3"
    started: str = ""  # RFC 3339
    finished: str = ""
    usage: Usage = Usage()
    result: dict[str, Any] = Field(default_factory=dict)  # FeaturesResult or TrainingResult
