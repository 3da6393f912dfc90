"""What is read before anything is decided about a ModelTraining."""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.conditions import STALLED, Condition
from merkhet.api.meta import Body
from merkhet.contract.training import TrainingResult
from merkhet.kinds import runs
from merkhet.kinds.apis import FEATURESET, MODELTRAINING, MODELVERSION
from merkhet.kinds.featureset.types import FeatureSetStatus
from merkhet.kinds.history import cost
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, ModelTrainingStatus
from merkhet.kinds.modelversion.types import Record
from merkhet.kinds.run import Evidence
from merkhet.manifests import names
from merkhet.manifests.labels import RUN

SHORT = "mt"
Training = Resource[ModelTrainingSpec, ModelTrainingStatus]


@dataclass(frozen=True, slots=True)
class SeenFeatures:
    """The FeatureSet that is learnt from. ``fault`` is why it is stalled."""

    status: FeatureSetStatus
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    runs: Evidence
    features: SeenFeatures | None = None
    result: TrainingResult | None = None  # of the last run, if that ended well
    record: Record | None = None  # of the version that the result is, unless it is an experiment
    spoilt: str = ""  # why there is no result although the run ended well
    registered: bool = False  # the version is there


async def observe(training: Training, world: World) -> Seen:
    """Read its runs, its FeatureSet, and the version that the last run gave."""
    meta = training.meta
    evidence = await runs.observe(meta, world, MODELTRAINING.kind, SHORT)
    features = world.get(FEATURESET, meta.namespace, training.spec.data.feature_set.name)
    try:
        result = _result(evidence)
        record = _record(result, world.setup)
    except ValueError as error:
        return Seen(world.setup, evidence, _features(features), spoilt=f"the run's result is of no use: {error}")
    name = names.version(record.model, record.version) if record is not None else None
    registered = name is not None and world.get(MODELVERSION, meta.namespace, name) is not None
    return Seen(world.setup, evidence, _features(features), result, record, registered=registered)


def _features(body: Body | None) -> SeenFeatures | None:
    if body is None:
        return None
    said = body.get("status") or {}
    conditions = [Condition.model_validate(one) for one in said.get("conditions") or ()]
    fault = next((one.message for one in conditions if one.type == STALLED and one.status == "True"), "")
    return SeenFeatures(FeatureSetStatus.read(said), fault)


def _result(evidence: Evidence) -> TrainingResult | None:
    """What the last report says was made; raises ValueError where that cannot be."""
    report = evidence.report
    if report is None or report.phase != "Succeeded":
        return None
    result = TrainingResult.model_validate(report.result)
    run = result.lineage.training.get("run")
    if run != report.key:
        raise ValueError(f"it is that of run {run}, wanted was {report.key}; set the annotation {RUN} to a new value")
    return result


def _record(result: TrainingResult | None, setup: Setup) -> Record | None:
    """The record of the version; raises ValueError where the result is no complete one."""
    if result is None or result.number is None:
        return None
    return Record.of(result, cost=cost(result.usage, setup))
