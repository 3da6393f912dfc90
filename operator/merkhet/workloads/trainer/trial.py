"""``merkhet try``: one trial of the search of a training, by the task of the environment and the index of the pod.

What it found stands in the store, written once. Nobody is told: the run itself collects what its trials have left.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from pydantic import ValidationError
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.evaluation import Trial
from merkhet.contract.runs import DONE, FAILED, REFUSED, TASK_VARIABLE
from merkhet.contract.training import TrainingTask
from merkhet.errors import InvalidSpec, Refused
from merkhet.store import paths, roots
from merkhet.store.port import Store
from merkhet.store.references import digests
from merkhet.store.volume import Volume
from merkhet.workloads import cgroup, log
from merkhet.workloads.run import Places, ending_on_sigterm
from merkhet.workloads.trainer import components, data, evaluate, search
from merkhet.workloads.trainer.parts import divide

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"  # set by Kubernetes in each pod of an Indexed Job

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - everything stands in the task
    """Try and give the exit code; parameters that cannot be trained with are a result like any other."""
    try:
        task = TrainingTask.load(os.environ.get(TASK_VARIABLE, ""))
    except ValidationError as error:
        log.start()
        logger.error("%s is no task that this image understands: %s; use one version for all images",
                     TASK_VARIABLE, error)  # fmt: skip
        return REFUSED
    origin, index = task.run.origin, os.environ.get(INDEX_VARIABLE, "")
    log.start(kind=origin.kind, namespace=origin.namespace, name=origin.name, run=task.run.key, trial=index)
    try:
        threads = cgroup.limits().threads or 1
        with ending_on_sigterm(_say_terminated), threadpool_limits(limits=threads):
            attempt(task, int(index), Volume(Places.from_environment().store))
    except Exception:
        logger.exception("this try failed")
        return FAILED
    return DONE


def _say_terminated() -> None:
    logger.warning("the pod was told to end before the trial was done")


def attempt(task: TrainingTask, number: int, store: Store) -> None:
    """Leave the trial in the store; nothing is done where it is there, or where nobody waits for it any more."""
    path = paths.trial(task.run.key, search.identity(task), number)
    if store.exists(path) or store.exists(paths.run_record(task.run.key)):
        logger.info("this trial is finished already")
        return
    # Before anything is read: from now on the collector leaves what the task names.
    roots.hold_for_run(store, task.run, digests(task.body()))
    trial = _found(task, number, store)
    store.create(path, trial.dump().encode())
    logger.info("%s gave %s", trial.parameters, trial.message or trial.value)


def _found(task: TrainingTask, number: int, store: Store) -> Trial:
    try:
        evaluate.check_names(task)
        task, _ = components.expanded(task, store)
        search.checked(task)
        parts = divide(task, data.read(task, store))
        return search.tried(task, parts, number, cgroup.limits().threads or 1)
    except (Refused, InvalidSpec) as error:
        # The run meets the same mistake, and tells it.
        return Trial(number=number, message=str(error))
