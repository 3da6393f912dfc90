"""What should exist because of a ModelTraining: the Job of the run that counts, and the version that came of it."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.meta import Body
from merkhet.contract.runs import spec_trigger
from merkhet.kinds import components, runs
from merkhet.kinds.apis import MODELTRAINING, MODELVERSION
from merkhet.kinds.common import Amounts, Resources, decisive, sooner, store_children
from merkhet.kinds.featureset.inputs import begun_with
from merkhet.kinds.kind import Child, Plan, Setup
from merkhet.kinds.modeltraining.children import Data, job, version
from merkhet.kinds.modeltraining.observe import SHORT, Seen, Training
from merkhet.kinds.modeltraining.policies import block, data_version, joined_versions
from merkhet.kinds.run import Block, State, Wish
from merkhet.kinds.schedule import ScheduleStatus, scheduled, tick_of, until_next

# Fits a machine of two cores beside everything else.
USUAL = Resources(requests=Amounts(cpu="250m", memory="768Mi"), limits=Amounts(cpu="2", memory="3Gi"))


def plan(training: Training, seen: Seen, now: datetime) -> Plan:
    """What should exist, and when to look again."""
    state = state_of(training, seen, now)
    may_start = not training.spec.suspend and block_of(training, seen, state, now) is None
    children = (
        *store_children(seen.setup),
        *runs.reporting_children(training.meta, SHORT),
        *runs.job_children(state, seen.runs, _job(training, seen, state), may_start=may_start),
        *_version(training, seen),
    )
    ticks = until_next(schedule_of(training, now), now)
    absent = components.until_looked_for(seen.components, training.meta, now)
    return Plan(children, sooner(runs.look_again(state, seen.runs), ticks, absent))


def state_of(training: Training, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    state = runs.judge(wish_of(training, seen.setup, now), seen.runs, training.status.runs, now)
    return runs.spoilt_state(state, seen.spoilt)


def block_of(training: Training, seen: Seen, state: State, now: datetime) -> Block | None:
    """What keeps the wanted run from starting, while it has not been run."""
    is_of_this_spec = trigger_of(training) in (state.trigger, state.spec)
    return block(training, seen, now) if state.phase == "Waiting" or not is_of_this_spec else None


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
    )


def model_of(training: Training) -> str:
    """The name in the registry."""
    return training.spec.model or training.meta.name


def _job(training: Training, seen: Seen, state: State) -> Body | None:
    """The Job in full, as far as its data can be named."""
    entry = next((one for one in training.status.runs if one.key == state.key), None)
    data = data_version(training, seen, entry.data_version if entry else None)
    joined = joined_versions(training, seen, begun_with(training.status.runs, state.key))
    if state.job is None or data is None or joined is None:
        return None
    learnt = Data(data, joined, components.uses(seen.components))
    return job(training, state, learnt, runs.means_of(training.spec, seen.setup, USUAL), model_of(training))


def _version(training: Training, seen: Seen) -> tuple[Child, ...]:
    """The version that came of the last run, until it has been made once; somebody who deletes it then means it."""
    if seen.record is None or seen.runs.report is None:
        return ()
    key = seen.runs.report.key
    if any(entry.key == key and entry.settled for entry in training.status.runs):
        return ()
    body = version(seen.record, seen.setup, automatic=training.spec.approval == "Automatic")
    return (Child(MODELVERSION, body, rule="create", owned=False),)
