"""A model that somebody brings: the run that judges it, and what that makes of its record."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from pydantic import ValidationError

from merkhet.api.conditions import Fact
from merkhet.api.meta import Body
from merkhet.contract import training as contract
from merkhet.contract.features import FeaturesVersion
from merkhet.contract.runs import Run, spec_trigger
from merkhet.contract.training import TrainingResult
from merkhet.kinds import gates, policy, runs
from merkhet.kinds.apis import MODELVERSION
from merkhet.kinds.common import Amounts, Resources, decisive, store_children
from merkhet.kinds.featureset import inputs
from merkhet.kinds.history import priced, settled, spoilt, trimmed
from merkhet.kinds.kind import Child, Setup
from merkhet.kinds.modelversion.observe import SHORT, ModelVersion, Seen
from merkhet.kinds.modelversion.policies import fault_of
from merkhet.kinds.modelversion.registered import champion_of
from merkhet.kinds.modelversion.types import Judged, Judging, ModelVersionStatus
from merkhet.kinds.run import Block, State, Wish
from merkhet.manifests import runs as manifests

ROLE = "train"
# As a training's: the same rows are read.
USUAL = Resources(requests=Amounts(cpu="250m", memory="768Mi"), limits=Amounts(cpu="2", memory="3Gi"))


def children(version: ModelVersion, seen: Seen, now: datetime) -> tuple[Child, ...]:
    """The Job that judges it, and what its report comes back through."""
    judging = version.spec.evaluation
    if judging is None or not version.spec.record.is_brought:
        return ()
    state = state_of(version, judging, seen, now)
    may_start = not version.spec.suspend and block(version, judging, seen) is None
    return (
        *store_children(seen.setup),
        *runs.reporting_children(version.meta, SHORT),
        *runs.job_children(state, seen.runs, _job(version, judging, seen, state), may_start=may_start),
    )


def state_of(version: ModelVersion, judging: Judging, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    state = runs.judge(wish_of(version, judging, seen.setup), seen.runs, version.status.runs, now)
    return runs.spoilt_state(state, result_of(version, seen)[1])


def wish_of(version: ModelVersion, judging: Judging, setup: Setup) -> Wish:
    """What is to be run: the card decides nothing."""
    record = version.spec.record
    asked = judging.model_dump(
        mode="json",
        by_alias=True,
        exclude_defaults=True,
        exclude={"card"},
    )
    return Wish(
        kind=MODELVERSION.kind,
        name=version.meta.name,
        spec=spec_trigger(record.model, record.version, decisive(record.artifact), decisive(record.signature), asked),
        annotation=runs.asked_for(version.meta),
        means=runs.digest_of_means(runs.means_of(version.spec, setup, USUAL)),
    )


def block(version: ModelVersion, judging: Judging, seen: Seen) -> Block | None:
    """The first thing that keeps the judging from starting."""
    fault = fault_of(version.meta.name, version.meta.labels, version.spec.record)
    if fault is not None:
        return Block(fault.reason, fault.message, stalls=True)
    record = version.spec.record
    author, task = record.lineage.author, record.signature.task
    limits = policy.too_many(gates.asked(judging.gates), judging.tests, seen.policy, task)
    governed = policy.faults(seen.policy, judging.card.said(), author, judging.sensitive, task)
    uses = (inputs.use_of(judging.feature_set, version.meta.namespace),)
    return next(chain(limits, governed), None) or inputs.block(uses, seen.features, version.meta.namespace)


def updated(version: ModelVersion, seen: Seen, now: datetime) -> ModelVersionStatus:
    """The status with its runs, and with what the last one found."""
    judging = version.spec.evaluation
    if judging is None or not version.spec.record.is_brought:
        return version.status
    wish, state = wish_of(version, judging, seen.setup), state_of(version, judging, seen, now)
    history = runs.updated(version.status.runs, seen.runs, wish, state, now)
    history = inputs.with_inputs(history, seen.runs.jobs, _judged_on)
    result, fault = result_of(version, seen)
    found = version.status.evaluation
    if seen.runs.report is not None and fault:
        history = spoilt(history, seen.runs.report.key, fault)
    elif seen.runs.report is not None and result is not None:
        history = settled(history, seen.runs.report.key, version=result.number)
        found = judged(result, seen.runs.report.key)
    history = trimmed(priced(history, seen.setup), wish)
    return version.status.model_copy(update={"runs": history, "evaluation": found})


def facts(version: ModelVersion, seen: Seen, now: datetime) -> tuple[Fact, ...] | None:
    """What is said while it has not been judged; None where it has, or where nobody asks for it."""
    judging = version.spec.evaluation
    if judging is None or not version.spec.record.is_brought:
        return None
    state = state_of(version, judging, seen, now)
    held = block(version, judging, seen) if state.phase == "Waiting" else None
    subject = f"ModelVersion {version.meta.namespace}/{version.meta.name}"
    good = "it was judged before, and stays as it is" if version.status.evaluation is not None else None
    return runs.facts(state, held, subject=subject, suspended=version.spec.suspend, good=good)


def result_of(version: ModelVersion, seen: Seen) -> tuple[TrainingResult | None, str]:
    """What the last report says came of a run that ended well, and what is wrong with that."""
    result, fault = runs.result_of(TrainingResult, seen.runs)
    if result is None or seen.runs.report is None:
        return None, fault
    record = version.spec.record
    digest = None if result.artifact is None else result.artifact.digest
    found = (result.lineage.training.get("run"), result.model, result.number, digest)
    wanted = (seen.runs.report.key, record.model, record.version, record.artifact.digest)
    if found != wanted:
        words = [f"run {run}, version {number} of {model}, {bytes_}" for run, model, number, bytes_ in (found, wanted)]
        return None, f"the run's result is that of {words[0]}; wanted was that of {words[1]}"
    try:
        judged(result, seen.runs.report.key)
    except ValidationError as error:
        return None, f"the run's result does not fit into a status ({error.errors()[0]['msg']})"
    return result, ""


def judged(result: TrainingResult, run: str) -> Judged:
    """What a run found, for the status; raises pydantic's ValidationError: half of the gates would be none."""
    said = result.body()
    return Judged.model_validate(
        {
            "run": run,
            **{name: said[name] for name in ("metrics", "gates", "reports", "rows", "warnings") if name in said},
            "data": said["lineage"]["data"],
            "champion": result.champion,
        }
    )


def _job(version: ModelVersion, judging: Judging, seen: Seen, state: State) -> Body | None:
    """The Job in full, as far as its data can be named."""
    home = version.meta.namespace
    use = inputs.use_of(judging.feature_set, home)
    data = inputs.versions((use,), seen.features, home, inputs.begun_with(version.status.runs, state.key))
    if state.job is None or data is None:
        return None
    means = runs.means_of(version.spec, seen.setup, USUAL)
    run = runs.run_of(MODELVERSION.kind, version.meta, state, means.image)
    learnt = contract.DataVersion(feature_set=data[0].name, version=data[0].version, digest=data[0].digest)
    return manifests.job(
        name=state.job,
        short=SHORT,
        role=ROLE,
        run=run,
        spec=state.spec,
        attempt=state.attempt,
        task=task(version, judging, seen, run, learnt).dump(),
        means=means,
        digest=runs.digest_of_means(means),
    )


def task(
    version: ModelVersion, judging: Judging, seen: Seen, run: Run, data: contract.DataVersion
) -> contract.TrainingTask:
    """What the pod is asked."""
    record = version.spec.record
    wish = wish_of(version, judging, seen.setup)
    artifact, signature = record.artifact, contract.Signature.model_validate(record.signature.model_dump())
    return contract.TrainingTask(
        run=run,
        training="",
        model=record.model,
        task=signature.task,
        positive=signature.positive,
        data=data,
        target=judging.target,
        sensitive=judging.sensitive,
        sample_weight=judging.sample_weight,
        pipeline=(),
        gates=policy.merged(gates.asked(judging.gates), seen.policy.policy, signature.task),
        champion=champion_of(seen.champion),
        importance=contract.Importance(**judging.importance.model_dump()),
        tests=gates.cases(judging.tests),
        brought=contract.Brought(
            number=record.version,
            claim=wish.key(wish.spec),
            uri=artifact.uri,
            digest=artifact.digest,
            size=artifact.size,
            signature=signature,
        ),
        author=record.lineage.author,
        card=judging.card.said(),
    )


def _judged_on(text: str) -> inputs.Versions:
    """The version that a task names, so that each try of a run is judged on the same."""
    data = contract.TrainingTask.load(text).data
    return (FeaturesVersion(name=data.feature_set, version=data.version, digest=data.digest),)
