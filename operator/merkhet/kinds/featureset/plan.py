"""What should exist because of a FeatureSet: the store, a way for reports, and the Job of the run that counts."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.meta import Body
from merkhet.contract.runs import spec_trigger
from merkhet.kinds import runs
from merkhet.kinds.apis import FEATURESET
from merkhet.kinds.common import Amounts, Resources, decisive, store_children
from merkhet.kinds.featureset.children import job
from merkhet.kinds.featureset.observe import SHORT, FeatureSet, Seen
from merkhet.kinds.featureset.types import FeatureSetSpec
from merkhet.kinds.kind import Plan, Setup
from merkhet.kinds.run import State, Wish

# Fits a machine of two cores beside everything else; DuckDB spills to disk when memory is short.
USUAL = Resources(requests=Amounts(cpu="250m", memory="512Mi"), limits=Amounts(cpu="2", memory="2Gi"))


def plan(features: FeatureSet, seen: Seen, now: datetime) -> Plan:
    """What should exist, and when to look again."""
    state = state_of(features, seen, now)
    children = (
        *store_children(seen.setup),
        *runs.reporting_children(features.meta, SHORT),
        *runs.job_children(state, seen.runs, _job(features, seen.setup, state), may_start=not features.spec.suspend),
    )
    return Plan(children, runs.look_again(state, seen.runs))


def state_of(features: FeatureSet, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    return runs.judge(wish_of(features, seen.setup), seen.runs, features.status.runs, now)


def wish_of(features: FeatureSet, setup: Setup) -> Wish:
    """What is to be run."""
    return Wish(
        kind=FEATURESET.kind,
        name=features.meta.name,
        spec=trigger_of(features.spec),
        annotation=runs.asked_for(features.meta),
        means=runs.digest_of_means(runs.means_of(features.spec, setup, USUAL)),
    )


def trigger_of(spec: FeatureSetSpec) -> str:
    """The trigger of all that decides what the features are; how columns are described does not."""
    columns = [[column.name, column.type, column.personal] for column in spec.columns]
    sources = [decisive(source) for source in spec.sources]
    # Nothing stands for no rules, so that their coming to Merkhet started nothing.
    quality = [] if spec.quality is None else [decisive(spec.quality)]
    return spec_trigger(sources, spec.query, list(spec.entity), spec.timestamp, columns, *quality)


def _job(features: FeatureSet, setup: Setup, state: State) -> Body | None:
    return job(features, state, runs.means_of(features.spec, setup, USUAL)) if state.job else None
