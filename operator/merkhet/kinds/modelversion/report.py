"""What is said of a ModelVersion: whether it is usable, whether it may be served, and who serves it."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.conditions import Fact, ready, stalled
from merkhet.kinds.common import problem_facts, short_figure
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.modelversion import brought
from merkhet.kinds.modelversion.observe import ModelVersion, Seen
from merkhet.kinds.modelversion.policies import Decision, completed, effective_decision, fault_of
from merkhet.kinds.modelversion.types import Record

APPROVED, SERVING = "Approved", "Serving"
SERVERS_SHOWN = 100


def report(version: ModelVersion, seen: Seen, live: Live, now: datetime) -> Report:
    """The status of a version."""
    found = brought.updated(version, seen, now)
    record = completed(version.spec.record, found.evaluation)
    decision = effective_decision(version.spec, found, policy_in_force=seen.policy_in_force)
    status = found.model_copy(
        update={
            "observed_generation": version.meta.generation,
            "decision": decision.name,
            "figure": short_figure(record.metrics[0].value) if record.metrics else None,
            "served_by": seen.served_by[:SERVERS_SHOWN],
        }
    )
    usable = problem_facts(live) or brought.facts(version, seen, now) or _usable(version, record)
    return Report(status, (*usable, _approved(decision), _serving(record, seen)))


def _usable(version: ModelVersion, record: Record) -> tuple[Fact, ...]:
    fault = fault_of(version.meta.name, version.meta.labels, record)
    if fault is not None:
        return stalled(fault.reason, fault.message)
    how = "was brought and is not judged yet" if record.is_brought and not record.metrics else "is registered"
    return ready("Registered", f"version {record.version} of {record.model} {how}{_main_metric(record)}")


def _main_metric(record: Record) -> str:
    return f", {record.metrics[0].name} {record.metrics[0].value:.4g}" if record.metrics else ""


def _approved(decision: Decision) -> Fact:
    return Fact(APPROVED, "True" if decision.name == "Approved" else "False", decision.reason, decision.message)


def _serving(record: Record, seen: Seen) -> Fact:
    if seen.served_by:
        return Fact(SERVING, "True", "Served", f"served by ModelDeployment {', '.join(seen.served_by[:SERVERS_SHOWN])}")
    return Fact(SERVING, "False", "NotServed", f"no ModelDeployment serves version {record.version} of {record.model}")
