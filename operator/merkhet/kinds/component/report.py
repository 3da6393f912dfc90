"""What is said of a Component: which versions stand, what came of its examples, and who uses it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from merkhet.api.conditions import Fact, ready, stalled
from merkhet.contract.component import ComponentResult, KeptVersion
from merkhet.kinds import runs
from merkhet.kinds.common import problem_facts
from merkhet.kinds.component.observe import Component, Seen
from merkhet.kinds.component.plan import block_of, state_of, wish_of
from merkhet.kinds.component.types import (
    MAX_EXAMPLES,
    MAX_VERSIONS,
    TAKEN,
    ComponentStatus,
    StandingVersion,
    Tried,
    TriedExample,
)
from merkhet.kinds.findings import told
from merkhet.kinds.history import priced, settled, spoilt, trimmed
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.run import State

FAILED = "ExamplesFailed"
ADVICE = "; correct the component or the examples: the version does not stand yet"
ADVICE_STANDING = "; the version stands as it was tried before: correct the examples, or give spec.version another name"


def report(component: Component, seen: Seen, live: Live, now: datetime) -> Report:
    """Status and conditions."""
    state = state_of(component, seen, now)
    wish = wish_of(component, seen)
    history = runs.updated(component.status.runs, seen.runs, wish, state, now)
    known = {
        "observed_generation": component.meta.generation,
        "flavour": component.spec.flavour,
        "used_by": seen.users,
    }
    status = component.status.model_copy(update=known)
    result, fault = runs.result_of(ComponentResult, seen.runs)
    if seen.runs.report is not None and result is not None:
        key = seen.runs.report.key
        status = _tried(status, key, result)
        history = settled(history, key, **_outcome(result))
    if seen.runs.report is not None and fault:
        history = spoilt(history, seen.runs.report.key, fault)
    state = runs.spoilt_state(state, fault)
    history = trimmed(priced(history, seen.setup), wish)
    stands = None if state.reason == TAKEN else _standing(status.versions, component.spec.version)
    status = status.model_copy(
        update={
            "runs": history,
            "version": stands.version if stands else None,
            "digest": stands.digest if stands else None,
        }
    )
    return Report(status, _facts(component, seen, status, state, live))


def _facts(component: Component, seen: Seen, status: ComponentStatus, state: State, live: Live) -> tuple[Fact, ...]:
    version = component.spec.version
    where = f"Component {component.meta.namespace}/{component.meta.name} version {version}"
    good = None if status.version is None else f"{where} stands"
    said = problem_facts(live, still_ready=good) or runs.facts(
        state, block_of(component, seen, state), subject=where, suspended=component.spec.suspend, good=good
    )
    if said is not None:
        return said
    failed = next((run for run in status.runs if run.key == state.key and run.reason == FAILED), None)
    if failed is not None:
        return stalled(FAILED, f"{where}: {failed.message}{ADVICE_STANDING if good else ADVICE}")
    return ready("Registered", f"{where} stands{_proof(len(component.spec.examples))}")


def _proof(examples: int) -> str:
    return {0: "", 1: ": its example comes out"}.get(examples, f": all {examples} examples come out")


def _tried(status: ComponentStatus, run: str, result: ComponentResult) -> ComponentStatus:
    """The status with what a run found, and the versions that it saw in the store."""
    examples = tuple(TriedExample(**one.model_dump()) for one in result.examples[:MAX_EXAMPLES])
    versions = _merged(status.versions, result.versions)
    return status.model_copy(update={"tried": Tried(run=run, examples=examples), "versions": versions})


def _merged(known: Iterable[StandingVersion], found: Iterable[KeptVersion]) -> tuple[StandingVersion, ...]:
    """All versions that are known, the newest first: a version stays what it is, so that none is written anew."""
    by_version = {
        one.version: StandingVersion(
            version=one.version, digest=one.digest, flavour=one.flavour, created_at=one.created
        )
        for one in found
    }
    by_version = {**{one.version: one for one in known}, **by_version}
    return tuple(
        sorted(by_version.values(), key=lambda one: (one.created_at, one.version), reverse=True)[:MAX_VERSIONS]
    )


def _standing(versions: Iterable[StandingVersion], version: str) -> StandingVersion | None:
    return next((one for one in versions if one.version == version), None)


def _outcome(result: ComponentResult) -> dict[str, object]:
    """What the history says came of a run."""
    failed = [example.message for example in result.examples if not example.passed]
    if not failed:
        return {}
    count = len(result.examples)
    examples, do = "example" if count == 1 else "examples", "does" if len(failed) == 1 else "do"
    begin = f"{len(failed)} of {count} {examples} {do} not come out: "
    return {"reason": FAILED, "message": told(begin, failed, "status.tried")}
