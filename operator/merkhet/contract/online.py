"""What look-ups by entity need: the pointer that a features Job leaves in the store, and what the pod is told."""

from __future__ import annotations

from typing import Literal

from merkhet.contract.base import Message

PREFIX = "/v1/features"  # of the address of a FeatureSet's look-ups


class OnlinePointer(Message):
    """Which blob answers look-ups of a FeatureSet, at ``featuresets/<name>/online.json``. Units: bytes."""

    version: Literal[1] = 1
    feature_set: str
    number: int  # version of the FeatureSet
    manifest: str  # digest of that version's manifest
    digest: str  # of the file
    size: int
    format: int  # of the file


class LookupTask(Message):
    """The task of a pod that answers look-ups, in ``MERKHET_TASK``. Units: seconds."""

    version: Literal[1] = 1
    namespace: str
    feature_set: str
    ttl_seconds: float | None = None  # None: rows are given however old they are
    drain_seconds: float = 10.0
