"""What the operator tells the collector of a namespace's store: who lives, and what they need.

The operator writes it into the ConfigMap ``merkhet-live``, which the store's pod mounts.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from merkhet.contract.base import Message

LIVE_PATH = "/var/run/merkhet/live"
LIVE_FILE = "live.json"


class LiveObject(Message):
    """An object of the namespace, and the keys of its runs that are not over yet."""

    kind: str
    name: str
    uid: str
    runs: tuple[str, ...] = ()


class PinnedVersion(Message):
    """A version of a FeatureSet that a spec names, or that a run is being started on."""

    feature_set: str
    version: int


class LiveList(Message):
    """All of a namespace's objects that keep something in the store, as they were when ``made`` was written."""

    version: Literal[1] = 1
    complete: bool
    made: str  # RFC 3339: when the rest last changed
    message: str = ""  # why it is not complete
    objects: tuple[LiveObject, ...] = ()
    keep: dict[str, int] = Field(default_factory=dict)  # by FeatureSet: how many versions
    pins: tuple[PinnedVersion, ...] = ()
    needed: tuple[str, ...] = ()  # digests that ModelVersions name
