"""What a server pod is told: which bytes to serve, under which name, and what must hold before it is ready."""

from __future__ import annotations

from typing import Literal

from merkhet.contract.base import Message
from merkhet.contract.training import Signature

HTTP_PORT = 8080  # Open Inference Protocol
ADMIN_PORT = 8081  # /metrics, /ready, /live; not behind the Service


class EntityFeatures(Message):
    """What callers may send an entity of: the latest row of it is looked up in the pod. Units: seconds."""

    feature_set: str
    ttl_seconds: float | None = None  # None: rows are given however old they are


class ServingTask(Message):
    """The whole task, in ``MERKHET_TASK``."""

    version: Literal[1] = 1
    namespace: str
    deployment: str
    revision: str
    model: str  # the name in URLs: the ModelDeployment's
    registry_model: str
    number: int  # model version
    digest: str
    size: int
    signature: Signature
    golden: str | None = None  # digest
    features: EntityFeatures | None = None
    max_batch_rows: int = 4096
    drain_seconds: float = 10.0
