"""What look-ups need of whatever holds the rows: a mapped file now, and a shared store fits behind the same port."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from merkhet.workloads.online.keys import Keys


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of some entities in their order: None where there is none that may be given.

    ``stale`` counts those that are there and too old.
    """

    rows: list[bytes | None]
    stale: int


class Table(Protocol):
    """The latest rows of one version, found in microseconds: it is asked on the event loop.

    What answers over a network is asked in a thread, as slow models are.
    """

    @property
    def number(self) -> int:
        """The version of the FeatureSet."""

    @property
    def keys(self) -> Keys:
        """Reads the keys of its entities."""

    def find(self, keys: Sequence[bytes], now: float) -> Found:
        """The rows of these keys as JSON, those too old at ``now`` (seconds since 1970) left out."""
