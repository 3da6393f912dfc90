"""Which data each run learns from, as its Jobs say: every try of a run learns from the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import ValidationError

from merkhet.api.meta import Body
from merkhet.contract.features import FeaturesVersion
from merkhet.contract.training import TrainingTask
from merkhet.kinds.featureset.inputs import Versions, task_of, with_inputs
from merkhet.kinds.jobs import key_of
from merkhet.kinds.run import RunEntry


def with_data(history: Iterable[RunEntry], jobs: Sequence[Body]) -> tuple[RunEntry, ...]:
    """The history with the versions that these Jobs learn from: of the FeatureSet, and of the joined ones."""
    tasks = {key_of(job): task for job in jobs if (task := asked(job)) is not None}
    known = tuple(
        entry.model_copy(update={"data_version": tasks[entry.key].data.version}) if entry.key in tasks else entry
        for entry in history
    )
    return with_inputs(known, jobs, _joined_by)


def asked(job: Body) -> TrainingTask | None:
    """What the pods of a Job are asked; None where it does not say, or says it in another version's words."""
    try:
        return TrainingTask.load(task_of(job))
    except ValidationError:
        return None


def _joined_by(text: str) -> Versions:
    """The versions that a task joins."""
    joined = (join.data for join in TrainingTask.load(text).joins)
    return tuple(FeaturesVersion(name=one.feature_set, version=one.version, digest=one.digest) for one in joined)
