"""What is said of a ModelVersion: whether it is usable, whether it may be served, and who serves it."""

from __future__ import annotations

from datetime import datetime

from merkhet.api.conditions import Fact, ready, stalled
from merkhet.kinds.common import short_figure
from merkhet.kinds.kind import Live, Report
from merkhet.kinds.modelversion.observe import ModelVersion, Seen
from merkhet.kinds.modelversion.policies import Decision, effective_decision, fault_of
from merkhet.kinds.modelversion.types import ModelVersionStatus, Record

APPROVED, SERVING = "Approved", "Serving"
SERVERS_SHOWN = 100


def report(version: ModelVersion, seen: Seen, _live: Live, _now: datetime) -> Report:
    """The status of a version."""
    record = version.spec.record
    decision = effective_decision(record, version.spec.approval, policy_in_force=seen.policy_in_force)
    status = ModelVersionStatus(
        observed_generation=version.meta.generation,
        decision=decision.name,
        figure=short_figure(record.metrics[0].value) if record.metrics else None,
        served_by=seen.served_by[:SERVERS_SHOWN],
    )
    return Report(status, (*_usable(version), _approved(decision), _serving(record, seen)))


def _usable(version: ModelVersion) -> tuple[Fact, ...]:
    record = version.spec.record
    fault = fault_of(version.meta.name, version.meta.labels, record)
    if fault is not None:
        return stalled(fault.reason, fault.message)
    return ready("Registered", f"version {record.version} of {record.model} is registered{_main_metric(record)}")


def _main_metric(record: Record) -> str:
    return f", {record.metrics[0].name} {record.metrics[0].value:.4g}" if record.metrics else ""


def _approved(decision: Decision) -> Fact:
    return Fact(APPROVED, "True" if decision.name == "Approved" else "False", decision.reason, decision.message)


def _serving(record: Record, seen: Seen) -> Fact:
    if seen.served_by:
        return Fact(SERVING, "True", "Served", f"served by ModelDeployment {', '.join(seen.served_by[:SERVERS_SHOWN])}")
    return Fact(SERVING, "False", "NotServed", f"no ModelDeployment serves version {record.version} of {record.model}")
