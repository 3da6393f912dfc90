"""``merkhet train``: the task of the environment, done once."""

from __future__ import annotations

from collections.abc import Sequence

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.training import TrainingResult, TrainingTask
from merkhet.store.port import Store
from merkhet.workloads import cgroup, run
from merkhet.workloads.run import Progress
from merkhet.workloads.trainer import brought
from merkhet.workloads.trainer.train import train


def main(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - everything stands in the task
    """Train, or judge a model that was brought, and give the exit code."""
    return run.main(TrainingTask, _done)


def _done(task: TrainingTask, store: Store, progress: Progress) -> TrainingResult:
    # What predicts takes as many threads as the machine has cores, which may be more than the container's.
    with threadpool_limits(limits=cgroup.limits().threads or 1):
        return (brought.judge if task.brought else train)(task, store, progress)
