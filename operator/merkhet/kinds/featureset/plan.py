"""What should exist because of a FeatureSet: the store, a way for reports, and the Job of the run that counts."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.meta import Body
from merkhet.contract.runs import spec_trigger
from merkhet.kinds import runs
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.common import Amounts, Resources, decisive, sooner, store_children
from merkhet.kinds.components import until_looked_for
from merkhet.kinds.featureset import components, online
from merkhet.kinds.featureset.children import job
from merkhet.kinds.featureset.inputs import begun_with, block, uses_of, versions
from merkhet.kinds.featureset.observe import SHORT, FeatureSet, Seen
from merkhet.kinds.featureset.types import FeatureSetSpec
from merkhet.kinds.kind import Plan, Setup
from merkhet.kinds.run import Block, State, Wish
from merkhet.kinds.schedule import ScheduleStatus, scheduled, tick_of, until_next

# Fits a machine of two cores beside everything else; DuckDB spills to disk when memory is short.
USUAL = Resources(requests=Amounts(cpu="250m", memory="512Mi"), limits=Amounts(cpu="2", memory="2Gi"))


def plan(features: FeatureSet, seen: Seen, now: datetime) -> Plan:
    """What should exist, and when to look again."""
    state = state_of(features, seen, now)
    may_start = not features.spec.suspend and block_of(features, seen, state, now) is None
    children = (
        *store_children(seen.setup),
        *runs.reporting_children(features.meta, SHORT),
        *runs.job_children(state, seen.runs, _job(features, seen, state), may_start=may_start),
        *online.children(features, seen.setup, seen.servers, seen.runs.report),
    )
    ticks = until_next(schedule_of(features, now), now)
    absent = until_looked_for(seen.components, features.meta, now)
    moments = (runs.look_again(state, seen.runs), ticks, absent, online.look_again(seen.servers, now))
    return Plan(children, sooner(*moments))


def state_of(features: FeatureSet, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    return runs.judge(wish_of(features, seen.setup, now), seen.runs, features.status.runs, now)


def block_of(features: FeatureSet, seen: Seen, state: State, now: datetime) -> Block | None:
    """What keeps the wanted run from starting, while it has not been run."""
    if state.phase != "Waiting" and _trigger(features) in (state.trigger, state.spec):
        return None
    home = features.meta.namespace
    others = block(uses_of(features.spec, home), seen.others, home, features.meta.name)
    return others or components.block(seen.components, features.meta, now)


def wish_of(features: FeatureSet, setup: Setup, now: datetime) -> Wish:
    """What is to be run."""
    return Wish(
        kind=FEATURESET.kind,
        name=features.meta.name,
        spec=_trigger(features),
        annotation=runs.asked_for(features.meta),
        means=runs.digest_of_means(runs.means_of(features.spec, setup, USUAL)),
        tick=tick_of(schedule_of(features, now)),
    )


def schedule_of(features: FeatureSet, now: datetime) -> ScheduleStatus | None:
    """What is known of its schedule now."""
    return scheduled(features.spec, features.status.schedule, features.meta.created, now)


def trigger_of(spec: FeatureSetSpec, online_ended: int = 0) -> str:
    """The trigger of all that decides what the features are; how columns are described does not.

    New versions of other FeatureSets are not in it, unless one is pinned: they alone start no run.
    """
    columns = [[column.name, column.type, column.personal] for column in spec.columns]
    sources = [decisive(source) for source in spec.sources]
    # Nothing stands for no rules and no limits, so that their coming to Merkhet started nothing.
    quality = [] if spec.quality is None else [decisive(spec.quality)]
    bias = [] if spec.bias is None else [decisive(spec.bias)]
    return spec_trigger(
        sources,
        spec.query,
        list(spec.entity),
        spec.timestamp,
        columns,
        *quality,
        *bias,
        *_times(spec),
        *online.deciding(spec, online_ended),
        *components.deciding(spec),
    )


def _trigger(features: FeatureSet) -> str:
    return trigger_of(features.spec, features.status.online_ended or 0)


def _times(spec: FeatureSetSpec) -> list[Body]:
    """What is joined and when rows arrived, by name; nothing where neither is said, as before these fields came."""
    joins = [{"join": [decisive(join) for join in spec.join]}] if spec.join else []
    return [*joins, *([{"arrival": spec.arrival}] if spec.arrival is not None else [])]


def _job(features: FeatureSet, seen: Seen, state: State) -> Body | None:
    """The Job in full, as far as the versions it works on can be named."""
    home = features.meta.namespace
    used = versions(uses_of(features.spec, home), seen.others, home, begun_with(features.status.runs, state.key))
    if state.job is None or used is None:
        return None
    return job(features, seen, state, used, runs.means_of(features.spec, seen.setup, USUAL))
