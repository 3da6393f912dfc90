"""What is said of a FeatureSet: its versions, its runs, and whether its features can be used.

What was found of the quality rules is said in ``quality.py``, of groups in ``bias.py``, of look-ups in ``online.py``.
"""

from __future__ import annotations

from datetime import datetime

from merkhet.api.conditions import Fact, ready, stalled
from merkhet.contract.features import FeaturesResult
from merkhet.kinds import runs
from merkhet.kinds.common import problem_facts
from merkhet.kinds.components import remarks
from merkhet.kinds.featureset import bias, components, online
from merkhet.kinds.featureset.inputs import named_by, with_inputs
from merkhet.kinds.featureset.observe import FeatureSet, Seen
from merkhet.kinds.featureset.plan import block_of, schedule_of, state_of, wish_of
from merkhet.kinds.featureset.quality import BLOCKED, blocked_message, checked, quality_facts
from merkhet.kinds.featureset.types import FeatureSetStatus, FoundColumn, PublishedVersion
from merkhet.kinds.history import priced, settled, spoilt, trimmed
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.run import State

VERSIONS = 10
ADVICE = {
    blocked: f"; put the data right and set the annotation merkhet.dev/run to a new value, or change spec.{part}"
    for blocked, part in ((BLOCKED, "quality"), (bias.BLOCKED, "bias"))
}


def report(features: FeatureSet, seen: Seen, live: Live, now: datetime) -> Report:
    """Status and conditions."""
    state = state_of(features, seen, now)
    wish = wish_of(features, seen.setup, now)
    history = runs.updated(features.status.runs, seen.runs, wish, state, now)
    history = with_inputs(history, (*seen.runs.jobs, *live.bodies.values()), named_by)
    known = {"observed_generation": features.meta.generation, "schedule": schedule_of(features, now)}
    status = features.status.model_copy(update=known)
    result, fault = runs.result_of(FeaturesResult, seen.runs)
    if seen.runs.report is not None and result is not None:
        key = seen.runs.report.key
        status = bias.compared(features.spec, checked(status, key, result), key, result)
        status = components.recorded(_published(status, result), result)
        history = settled(history, seen.runs.report.key, **_outcome(result))
    if seen.runs.report is not None and fault:
        history = spoilt(history, seen.runs.report.key, fault)
    history = priced(history, seen.setup)
    quality = status.quality if features.spec.quality is not None else None
    groups = status.bias if features.spec.bias is not None else None
    status = status.model_copy(update={"runs": trimmed(history, wish), "quality": quality, "bias": groups})
    status = online.counted(features.meta, online.looked_up(features.spec, status, result), seen.setup, live)
    found = (
        *quality_facts(features.spec, status, wish),
        *bias.bias_facts(features.spec, status, wish),
        *online.online_facts(features, status, seen.servers, live, now),
    )
    return Report(status, (*_facts(features, seen, status, runs.spoilt_state(state, fault), live, now=now), *found))


def _facts(
    features: FeatureSet, seen: Seen, status: FeatureSetStatus, state: State, live: Live, *, now: datetime
) -> tuple[Fact, ...]:
    where = f"FeatureSet {features.meta.namespace}/{features.meta.name}"
    latest = status.latest
    good = None if latest is None else f"version {latest.version} of {where} stays in use"
    said = problem_facts(live, still_ready=good) or runs.facts(
        state, block_of(features, seen, state, now), subject=where, suspended=features.spec.suspend, good=good
    )
    if said is not None:
        return said
    blocked = next((run for run in status.runs if run.key == state.key and run.reason in ADVICE), None)
    if blocked is not None:
        return stalled(blocked.reason, f"{where}: {blocked.message}{ADVICE[blocked.reason]}", still_ready=good)
    rows = f", {latest.rows} rows in {len(status.columns)} columns" if latest is not None else ""
    return ready("Published", f"version {latest.version if latest else '?'} of {where}{rows}{remarks(seen.components)}")


def _published(status: FeatureSetStatus, result: FeaturesResult) -> FeatureSetStatus:
    """The status with this version in it; the newest is the one that users get."""
    if result.number is None:
        return status
    before = next((one for one in status.versions if (one.version, one.digest) == (result.number, result.digest)), None)
    version = PublishedVersion(
        version=result.number,
        digest=result.digest,
        rows=result.rows,
        # A run that finds the same rows again makes no version.
        created_at=before.created_at if before is not None and before.created_at else result.created,
        profile=result.profile,
    )
    others = [one for one in status.versions if one.version != version.version]
    versions = sorted([version, *others], key=lambda one: one.version, reverse=True)[:VERSIONS]
    changes: dict[str, object] = {"versions": tuple(versions), "latest": versions[0]}
    if versions[0].version == version.version:
        changes["columns"] = tuple(
            FoundColumn(name=column.name, type=column.type, personal=column.personal) for column in result.columns
        )
    return status.model_copy(update=changes)


def _outcome(result: FeaturesResult) -> dict[str, object]:
    """What the history says came of a run."""
    if result.number is not None:
        return {"version": result.number}
    if bias.is_blocked(result):
        return {"version": None, "reason": bias.BLOCKED, "message": bias.blocked_message(result)}
    return {"version": None, "reason": BLOCKED, "message": blocked_message(result)}
