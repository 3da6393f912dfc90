"""What should exist because of a ModelTraining: the Job of the run that counts, and the version that came of it."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.base import Part
from merkhet.api.meta import Body
from merkhet.contract.runs import spec_trigger
from merkhet.contract.training import TrainingTask
from merkhet.kinds import components, runs
from merkhet.kinds.apis import MODELTRAINING, MODELVERSION
from merkhet.kinds.common import Amounts, Resources, decisive, sooner, store_children
from merkhet.kinds.featureset.inputs import begun_with
from merkhet.kinds.kind import Child, Plan, Setup
from merkhet.kinds.modeltraining import search
from merkhet.kinds.modeltraining.children import Data, job, task, version
from merkhet.kinds.modeltraining.observe import SHORT, Seen, Training
from merkhet.kinds.modeltraining.policies import block, data_version, joined_versions
from merkhet.kinds.modeltraining.types import ModelTrainingSpec
from merkhet.kinds.run import Block, RunEntry, State, Wish
from merkhet.kinds.schedule import ScheduleStatus, scheduled, tick_of, until_next

# Fits a machine of two cores beside everything else.
USUAL = Resources(requests=Amounts(cpu="250m", memory="768Mi"), limits=Amounts(cpu="2", memory="3Gi"))


def plan(training: Training, seen: Seen, now: datetime) -> Plan:
    """What should exist, and when to look again."""
    state = state_of(training, seen, now)
    may_start = not training.spec.suspend and block_of(training, seen, state, now) is None
    at_work = runs.job_children(state, seen.runs, _job(training, seen, state, now), may_start=may_start)
    children = (
        *store_children(seen.setup),
        *runs.reporting_children(training.meta, SHORT),
        *at_work,
        *search.kept(seen, state, at_work),
        *_version(training, seen),
    )
    ticks = until_next(schedule_of(training, now), now)
    absent = components.until_looked_for(seen.components, training.meta, now)
    return Plan(children, sooner(runs.look_again(state, seen.runs), ticks, absent))


def state_of(training: Training, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    wish, history = wish_of(training, seen.setup, now), history_of(training, seen, now)
    state = runs.judge(wish, seen.runs, history, now, search.begun(seen, wish))
    return search.before(runs.spoilt_state(state, seen.spoilt), training, seen, history, now)


def history_of(training: Training, seen: Seen, now: datetime) -> tuple[RunEntry, ...]:
    """The runs that the status remembers, with what searches say beyond it."""
    return search.known(training.status.runs, seen, now)


def block_of(training: Training, seen: Seen, state: State, now: datetime) -> Block | None:
    """What keeps the wanted run from starting, while it has not been run."""
    is_of_this_spec = trigger_of(training) in (state.trigger, state.spec)
    begins = state.phase == "Waiting" and search.task_of(training, state, seen) is None
    return block(training, seen, now) if begins or not is_of_this_spec else None


def wish_of(training: Training, setup: Setup, now: datetime) -> Wish:
    """What is to be run."""
    return Wish(
        kind=MODELTRAINING.kind,
        name=training.meta.name,
        spec=trigger_of(training),
        annotation=runs.asked_for(training.meta),
        means=runs.digest_of_means(runs.means_of(training.spec, setup, USUAL)),
        tick=tick_of(schedule_of(training, now)),
    )


def schedule_of(training: Training, now: datetime) -> ScheduleStatus | None:
    """What is known of its schedule now."""
    return scheduled(training.spec, training.status.schedule, training.meta.created, now)


def trigger_of(training: Training) -> str:
    """The trigger of all that decides what the model is; description, card, author and approval do not.

    New versions of the data are not in it either, unless one is pinned: they alone start no training.
    """
    spec = training.spec
    return spec_trigger(
        model_of(training),
        spec.task,
        spec.positive,
        decisive(spec.data),
        [decisive(step) for step in spec.pipeline],
        decisive(spec.gates),
        spec.register_model,
        *_added_later(spec),
    )


def _added_later(spec: ModelTrainingSpec) -> list[Body]:
    """What specs could not say before: where nothing is said of it, the trigger is what it was."""
    said: Body = {
        "search": None if spec.search is None else spec.search.model_copy(update={"parallelism": 1}),
        "threshold": spec.threshold,
        "importance": spec.importance,
        "tests": [decisive(one) for one in spec.tests] or None,
    }
    parts = {name: decisive(part) if isinstance(part, Part) else part for name, part in said.items()}
    return [found] if (found := {name: part for name, part in parts.items() if part}) else []


def model_of(training: Training) -> str:
    """The name in the registry."""
    return training.spec.model or training.meta.name


def _job(training: Training, seen: Seen, state: State, now: datetime) -> Body | None:
    """The Job in full, as far as its task can be said."""
    means = runs.means_of(training.spec, seen.setup, USUAL)
    asked = search.task_of(training, state, seen) or _task(training, seen, state, means.image)
    if state.job is None or asked is None:
        return None
    if search.is_of(training, state):
        return search.job(training, state, asked, means)
    return job(state, asked, means, search.seconds_left(training, state, seen, means, now))


def _task(training: Training, seen: Seen, state: State, image: str) -> TrainingTask | None:
    """What the run's pods are asked, as far as its data can be named."""
    entry = next((one for one in training.status.runs if one.key == state.key), None)
    data = data_version(training, seen, entry.data_version if entry else None)
    joined = joined_versions(training, seen, begun_with(training.status.runs, state.key))
    if data is None or joined is None:
        return None
    learnt = Data(data, joined, components.uses(seen.components), seen.policy.policy, seen.champion)
    return task(training, state, learnt, image, model_of(training))


def _version(training: Training, seen: Seen) -> tuple[Child, ...]:
    """The version that came of the last run, until it has been made once; somebody who deletes it then means it."""
    if seen.record is None or seen.runs.report is None:
        return ()
    key = seen.runs.report.key
    if any(entry.key == key and entry.settled for entry in training.status.runs):
        return ()
    modes = {training.spec.approval, seen.policy.policy.approval}
    automatic = modes == {"Automatic"} and not seen.policy.fault
    body = version(seen.record, seen.setup, automatic=automatic)
    return (Child(MODELVERSION, body, rule="create", owned=False),)
