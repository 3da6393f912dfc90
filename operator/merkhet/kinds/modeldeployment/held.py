"""Why can no version be named that should serve, and whose turn is it?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Wants(Enum):
    """Whose turn it is."""

    TIME = auto()  # it comes by itself
    A_DECISION = auto()  # somebody has to approve or not
    A_CHANGE = auto()  # nothing happens until somebody edits something
    NOTHING = auto()  # what serves goes on serving


@dataclass(frozen=True, slots=True)
class Held:
    """No version can be named; whatever serves goes on."""

    reason: str
    message: str
    wants: Wants
