"""The rows of a training in two parts: those to learn from, and those that nothing but the last test may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import TrainingTask
from merkhet.errors import Refused
from merkhet.workloads.trainer import split
from merkhet.workloads.trainer.data import Rows
from merkhet.workloads.trainer.features import Features

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """Rows to learn from and rows to test on. ``testing`` is True for the latter, over all rows of ``rows.table``."""

    train: Features
    train_truth: Array
    test: Features
    test_truth: Array
    clusters: Array | None  # of the test rows: which belong together, as numbers from 0
    testing: npt.NDArray[np.bool_]
    rows: Rows

    @property
    def train_weights(self) -> Array | None:
        """How much each row counts in learning."""
        return None if self.rows.weights is None else self.rows.weights[~self.testing]

    @property
    def test_weights(self) -> Array | None:
        """How much each row counts in figures."""
        return None if self.rows.weights is None else self.rows.weights[self.testing]


def divide(task: TrainingTask, rows: Rows) -> Parts:
    """Split the rows; raises Refused where a part lacks what it takes."""
    testing = split.test_rows(task.split, rows.table, rows.manifest)
    together = split.clusters(rows.table, rows.manifest, task.split)
    truth = rows.target.values
    counting = np.ones(len(truth), dtype=np.bool_) if rows.weights is None else rows.weights > 0
    for part, name in ((~testing, "learn from"), (testing, "test on")):
        found = np.unique(truth[part & counting])
        lacking = sorted(set(rows.target.classes) - set(found.tolist()))
        if lacking or len(found) < 2:
            label = "one of the classes" if rows.is_personal(task.target) else repr(lacking[0] if lacking else None)
            what = f"none with target {task.target} = {label}" if lacking else "fewer than two different targets"
            what += "" if counting.all() else f" and a {task.sample_weight} above nought"
            method = f"{task.split.method}, testFraction {task.split.test_fraction:g}"
            raise Refused(
                f"of {len(truth)} rows the split ({method}) leaves "
                f"{int(part.sum())} to {name}, {what}; bring more rows, or another testFraction or seed",
                reason="TooFewRows",
            )
    train = rows.features.take(~testing)
    _check_has_values(train)
    return Parts(
        train=train,
        train_truth=truth[~testing],
        test=rows.features.take(testing),
        test_truth=truth[testing],
        clusters=None if together is None else np.unique(together[testing], return_inverse=True)[1],
        testing=testing,
        rows=rows,
    )


def _check_has_values(train: Features) -> None:
    """Raises Refused for a feature that only rows to test on have."""
    for name, kind, column in zip(train.names, train.kinds, train.columns, strict=True):
        if kind != "text" and np.isnan(column).all():
            raise Refused(
                f"feature {name} has no value in any of the {train.rows} rows to learn from; exclude it",
                reason="EmptyColumn",
            )
