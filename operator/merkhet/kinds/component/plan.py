"""What should exist because of a Component: a way for reports, and the Job of the run that counts."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.meta import Body
from merkhet.contract.runs import Origin, Run, digest_of, run_key, spec_trigger
from merkhet.kinds import runs
from merkhet.kinds.apis import COMPONENT
from merkhet.kinds.common import Amounts, Resources, decisive, store_children
from merkhet.kinds.component.children import job, task
from merkhet.kinds.component.observe import SHORT, Component, Seen
from merkhet.kinds.component.policies import block
from merkhet.kinds.kind import Plan
from merkhet.kinds.run import Block, State, Wish

# A few rows are tried: what libraries take to be loaded, and a function of somebody's own.
USUAL = Resources(requests=Amounts(cpu="100m", memory="384Mi"), limits=Amounts(cpu="1", memory="1Gi"))


def plan(component: Component, seen: Seen, now: datetime) -> Plan:
    """What should exist, and when to look again."""
    state = state_of(component, seen, now)
    may_start = not component.spec.suspend and block_of(component, seen, state) is None
    children = (
        *store_children(seen.setup),
        *runs.reporting_children(component.meta, SHORT),
        *runs.job_children(state, seen.runs, _job(component, seen, state), may_start=may_start),
    )
    return Plan(children, runs.look_again(state, seen.runs))


def state_of(component: Component, seen: Seen, now: datetime) -> State:
    """The run that counts now."""
    return runs.judge(wish_of(component, seen), seen.runs, component.status.runs, now)


def block_of(component: Component, seen: Seen, state: State) -> Block | None:
    """What keeps the wanted run from starting, while it has not been run."""
    wanted = trigger_of(component, seen)
    if state.phase != "Waiting" and wanted in (state.trigger, state.spec):
        return None
    origin = Origin(kind=COMPONENT.kind, namespace=component.meta.namespace, name=component.meta.name, uid="")
    run = Run(key=run_key(COMPONENT.kind, component.meta.name, wanted), trigger=wanted, origin=origin)
    return block(component, seen, task(component, seen, run))


def wish_of(component: Component, seen: Seen) -> Wish:
    """What is to be run."""
    return Wish(
        kind=COMPONENT.kind,
        name=component.meta.name,
        spec=trigger_of(component, seen),
        annotation=runs.asked_for(component.meta),
        means=runs.digest_of_means(runs.means_of(component.spec, seen.setup, USUAL)),
    )


def trigger_of(component: Component, seen: Seen) -> str:
    """The trigger of what the component is and what proves it; its description decides nothing."""
    spec = component.spec
    parts = [decisive(part) for part in (spec.sql, spec.python, spec.onnx) if part is not None]
    steps = [decisive(step) for step in spec.sklearn or ()]
    examples = [decisive(example) for example in spec.examples]
    mapped = spec.python is not None and spec.python.config_map is not None
    source = digest_of(seen.source.text) if mapped else None
    return spec_trigger(spec.version, spec.flavour, steps, parts, examples, source)


def _job(component: Component, seen: Seen, state: State) -> Body | None:
    return job(component, seen, state, runs.means_of(component.spec, seen.setup, USUAL)) if state.job else None
