"""The test rows and what the model says of them: what every figure and every gate is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import Signature
from merkhet.workloads.trainer.features import Features

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """Test rows with their answers.

    Shapes: truth [n]; scores [n, classes], or [n, 1] for a regression; weights [n]; clusters [n], numbers from 0 that
    tell which rows belong together; groups[column] [n], the group's name as text, "" where the row has none.
    """

    features: Features
    truth: Array
    scores: Array
    signature: Signature
    weights: Array | None = None
    clusters: Array | None = None
    groups: Mapping[str, npt.NDArray[np.str_]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.truth)
