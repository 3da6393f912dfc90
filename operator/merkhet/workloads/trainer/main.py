"""``merkhet train``: the task of the environment, done once."""

from __future__ import annotations

from collections.abc import Sequence

from merkhet.contract.training import TrainingTask
from merkhet.workloads import run
from merkhet.workloads.trainer.train import train


def main(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - everything stands in the task
    """Train and give the exit code."""
    return run.main(TrainingTask, train)
