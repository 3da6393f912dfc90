"""What is said of a ModelTraining: its runs, what came of the last one, and whether it kept its gates."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.conditions import Fact, ready
from merkhet.contract.training import TrainingResult
from merkhet.kinds import policy, runs
from merkhet.kinds.apis import JOB, MODELVERSION
from merkhet.kinds.common import problem_facts, short_figure
from merkhet.kinds.components import remarks
from merkhet.kinds.history import priced, settled, spoilt, trimmed
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.modeltraining import search
from merkhet.kinds.modeltraining.children import all_passed
from merkhet.kinds.modeltraining.learnt import with_data
from merkhet.kinds.modeltraining.observe import Seen, Training
from merkhet.kinds.modeltraining.plan import block_of, history_of, model_of, schedule_of, state_of, wish_of
from merkhet.kinds.modeltraining.types import GateResult, MetricResult, ModelTrainingStatus
from merkhet.kinds.run import State
from merkhet.manifests import names

GATES_PASSED = "GatesPassed"


def report(training: Training, seen: Seen, live: Live, now: datetime) -> Report:
    """Status and conditions."""
    state = state_of(training, seen, now)
    status = _status(training, seen, live, state, now)
    return Report(status, (*_facts(training, seen, status, state, live, now=now), _gates(status)))


def _status(training: Training, seen: Seen, live: Live, state: State, now: datetime) -> ModelTrainingStatus:
    wish = wish_of(training, seen.setup, now)
    history = runs.updated(history_of(training, seen, now), seen.runs, wish, state, now)
    jobs = (*seen.runs.jobs, *(body for (kind, _), body in live.bodies.items() if kind == JOB.kind))
    history = with_data(history, jobs)
    changes: dict[str, object] = {
        "observed_generation": training.meta.generation,
        "schedule": schedule_of(training, now),
        "search": search.status(training.status.search, state, seen, now),
        "champion": None if seen.champion is None else seen.champion.version,
        "policy": policy.words(seen.policy, training.spec.task),
    }
    key = seen.runs.report.key if seen.runs.report is not None else ""
    if seen.spoilt:
        history = spoilt(history, key, seen.spoilt)
    elif seen.result is not None and any(entry.key == key and not entry.settled for entry in history):
        changes |= _of_result(seen.result, training.status)
        changes["search"] = search.status_of(seen.result.search, key, seen, now)
        if _is_done(seen, live):
            history = settled(history, key, version=seen.result.number)
    history = trimmed(priced(history, seen.setup), wish, training.spec.history_limit)
    status = training.status.model_copy(update={**changes, "runs": history})
    figure = short_figure(status.metrics[0].value) if status.metrics else None
    return status.model_copy(update={"figure": figure})


def _of_result(result: TrainingResult, former: ModelTrainingStatus) -> dict[str, object]:
    return {
        **_newest(result, former),
        "metrics": tuple(
            MetricResult(name=one.name, value=one.value, low=one.low, high=one.high) for one in result.metrics
        ),
        "gates": tuple(
            GateResult(
                name=one.name,
                result=one.result,
                value=one.value,
                limit=one.limit,
                source=one.source,
                message=one.message[:1024],
            )
            for one in result.gates
        ),
        "warnings": tuple(one[:1024] for one in result.warnings),
    }


def _newest(result: TrainingResult, former: ModelTrainingStatus) -> dict[str, object]:
    """The newest version: numbers count for one model, an experiment has none."""
    if result.number is None:
        return {}
    known = former.latest_version if former.model == result.model else None
    return {"model": result.model, "latest_version": max(known or 0, result.number)}


def _is_done(seen: Seen, live: Live) -> bool:
    """Whether all that follows from the result is done."""
    if seen.record is None or seen.registered:
        return True
    return live.get(MODELVERSION, names.version(seen.record.model, seen.record.version)) is not None


def _facts(
    training: Training, seen: Seen, status: ModelTrainingStatus, state: State, live: Live, *, now: datetime
) -> tuple[Fact, ...]:
    subject = f"ModelTraining {training.meta.namespace}/{training.meta.name}"
    model = status.model or model_of(training)
    version = None if status.latest_version is None else names.version(model, status.latest_version)
    good = None if version is None else f"{version} stays as it is"
    said = problem_facts(live, still_ready=good) or runs.facts(
        state, block_of(training, seen, state, now), subject=subject, suspended=training.spec.suspend, good=good
    )
    if said is not None:
        return said
    figure = f", {status.metrics[0].name} {status.metrics[0].value:.4g} on test rows" if status.metrics else ""
    figure += search.remark(status.search, state.key) + remarks(seen.components)
    entry = next((one for one in status.runs if one.key == state.key), None)
    if entry is not None and entry.version is not None:
        how = "registered as Rejected" if any(gate.result == "Failed" for gate in status.gates) else "registered"
        return ready("Registered", f"{names.version(model, entry.version)} is {how}{figure}")
    return ready("Evaluated", f"an experiment, evaluated and not registered{figure}")


def _gates(status: ModelTrainingStatus) -> Fact:
    wanting = [gate for gate in status.gates if gate.result != "Passed"]
    failed = [gate for gate in wanting if gate.result == "Failed"]
    if failed:
        return Fact(GATES_PASSED, "False", "GateFailed", "; ".join(gate.message or gate.name for gate in failed))
    if wanting:
        return Fact(GATES_PASSED, "Unknown", "Inconclusive", "; ".join(gate.message or gate.name for gate in wanting))
    if not status.metrics:
        return Fact(GATES_PASSED, "Unknown", "NotRunYet", "no run has ended well yet")
    return Fact(GATES_PASSED, "True", "Passed", all_passed(len(status.gates)))
