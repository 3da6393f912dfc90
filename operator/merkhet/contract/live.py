"""What the operator tells the collector of a namespace's store: who lives, and what they need.

The operator writes it into the ConfigMap ``merkhet-live``, which the store's pod mounts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from merkhet.contract.base import Message

LIVE_PATH = "/var/run/merkhet/live"
LIVE_FILE = "live.json"
NAMESPACE_VARIABLE = "MERKHET_NAMESPACE"  # whose store it is, as the store's pod is told
KINDS = ("FeatureSet", "Component", "ModelTraining", "ModelVersion")  # that keep something in a store


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
    """All of a namespace's objects that keep something in the store, as they were when ``made`` was written.

    Another reason to keep something needs another ``version``: an older collector would pass over it.
    """

    version: Literal[1] = 1
    complete: bool
    made: str  # RFC 3339: when the rest last changed
    message: str = ""  # why it is not complete
    namespace: str = ""  # whose objects they are
    kinds: tuple[str, ...] = ()  # that the operator knows: of others it says nothing
    objects: tuple[LiveObject, ...] = ()
    keep: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)  # by FeatureSet: how many versions
    pins: tuple[PinnedVersion, ...] = ()
    needed: tuple[str, ...] = ()  # digests that ModelVersions, runs and pinned versions name
