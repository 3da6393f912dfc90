"""What is read before anything is decided about a ModelTraining."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from merkhet.api.meta import Body
from merkhet.contract.training import TrainingResult
from merkhet.kinds import components, policy, runs
from merkhet.kinds.apis import MODELTRAINING, MODELVERSION
from merkhet.kinds.components import SeenComponent
from merkhet.kinds.featureset.inputs import Known, Use, read, use_of, uses_of_joins
from merkhet.kinds.history import cost
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, ModelTrainingStatus
from merkhet.kinds.modelversion.registered import versions
from merkhet.kinds.modelversion.types import Record
from merkhet.kinds.policy import UNGOVERNED, SeenPolicy
from merkhet.kinds.run import Evidence
from merkhet.manifests import names
from merkhet.manifests.labels import PART, RUN

SHORT = "mt"
Training = Resource[ModelTrainingSpec, ModelTrainingStatus]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    runs: Evidence
    features: Known = field(default_factory=dict)  # the FeatureSets that are learnt from
    components: tuple[SeenComponent, ...] = ()  # that the pipeline names, in order
    result: TrainingResult | None = None  # of the last run, if that ended well
    record: Record | None = None  # of the version that the result is, unless it is an experiment
    spoilt: str = ""  # why there is no result although the run ended well
    registered: bool = False  # the version is there
    policy: SeenPolicy = UNGOVERNED
    champion: Record | None = None  # the highest approved version
    searches: tuple[Body, ...] = ()  # the Jobs that try parameters before a run


async def observe(training: Training, world: World) -> Seen:
    """Read its runs, its FeatureSets, and the version that the last run gave."""
    meta = training.meta
    evidence = await runs.observe(meta, world, MODELTRAINING.kind, SHORT)
    features = read(uses_of(training), meta.namespace, world)
    named = components.observe((step.component for step in training.spec.pipeline if step.component), meta, world)
    champion = (await versions(world, meta.namespace, training.spec.model or meta.name)).champion
    seen = Seen(
        world.setup,
        evidence,
        features,
        named,
        policy=await policy.observe(meta.namespace, world),
        champion=None if champion is None else champion.record,
        searches=tuple(job for job in runs.jobs_of(meta, world) if (job["metadata"].get("labels") or {}).get(PART)),
    )
    try:
        result = _result(evidence)
        record = _record(result, world.setup)
    except ValueError as error:
        return replace(seen, spoilt=f"the run's result is of no use: {error}")
    there = record is not None and _is_there(record, meta.namespace, world)
    return replace(seen, result=result, record=record, registered=there)


def uses_of(training: Training) -> tuple[Use, ...]:
    """The FeatureSets that are learnt from: the one whose rows these are, then the joined ones in order."""
    data, home = training.spec.data, training.meta.namespace
    return (use_of(data.feature_set, home), *uses_of_joins(data.join, home))


def _is_there(record: Record, namespace: str, world: World) -> bool:
    """Whether the version is registered: a model that somebody brought may stand under its name."""
    body = world.get(MODELVERSION, namespace, names.version(record.model, record.version)) or {}
    said = ((body.get("spec") or {}).get("record") or {}).get("lineage") or {}
    return bool((said.get("training") or {}).get("run") == record.lineage.training["run"])


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
