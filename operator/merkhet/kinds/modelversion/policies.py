"""Is a version usable, and which decision about it counts?

Both are asked by ModelVersion, which says so, and by ModelDeployment, which acts on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from merkhet.api.meta import Body
from merkhet.kinds.modelversion.types import DecisionName, Judged, ModelVersionSpec, ModelVersionStatus, Record
from merkhet.manifests import labels, names

POLICY_MISSING = "PolicyMissing"
AWAITING_APPROVAL = "AwaitingApproval"
NOT_EVALUATED = "NotEvaluated"
RAW = "store://raw/"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision that counts, and why it is this one."""

    name: DecisionName
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a version cannot be used, whatever anybody decides."""

    reason: str
    message: str


def effective_decision(spec: ModelVersionSpec, status: ModelVersionStatus, *, policy_in_force: bool) -> Decision:
    """The decision that counts.

    Where no admission policy asks who may decide, anybody who can edit a version could approve it: then nothing
    but Pending counts. A model that was brought counts for nothing until it was judged, and for less if it failed.
    """
    record, approval = completed(spec.record, status.evaluation), spec.approval
    who = f"version {record.version} of {record.model}"
    if not policy_in_force:
        return Decision(
            "Pending",
            POLICY_MISSING,
            f"{who}: the decision is {approval.decision} and counts as Pending, because no ValidatingAdmissionPolicy "
            "with its binding guards approvals in this cluster; ask whoever installed Merkhet to install them "
            "(they are part of the chart)",
        )
    if record.is_brought and (said := _of_brought(spec, status, who)) is not None:
        return said
    if approval.decision == "Pending":
        return Decision("Pending", AWAITING_APPROVAL, f"{who} waits for somebody who may approve it{_gates(record)}")
    because = f": {approval.reason}" if approval.reason else ""
    return Decision(
        approval.decision, approval.decision, f"{who} was {approval.decision.lower()} by {approval.by}{because}"
    )


def _of_brought(spec: ModelVersionSpec, status: ModelVersionStatus, who: str) -> Decision | None:
    """What stands before anybody's decision about a model that was not trained here."""
    if spec.evaluation is None:
        message = f"{who} was brought, and nobody has judged it: name rows and gates in spec.evaluation"
        return Decision("Pending", NOT_EVALUATED, message)
    if status.evaluation is None:
        return Decision("Pending", NOT_EVALUATED, f"{who} was brought, and is judged before anybody may approve it")
    failed = [gate.message or gate.name for gate in status.evaluation.gates if gate.result == "Failed"]
    if failed:
        return Decision("Rejected", "GateFailed", f"{who} was brought and failed its gates: {'; '.join(failed)}")
    return None


def completed(record: Record, found: Judged | None) -> Record:
    """The record with what was found out: as that of a trained version is from the start."""
    if found is None or not record.is_brought:
        return record
    place = f"blobs/sha256/{record.artifact.digest.removeprefix('sha256:')}"
    return record.model_copy(
        update={
            "artifact": record.artifact.model_copy(update={"uri": place}),
            "lineage": record.lineage.model_copy(update={"data": found.data}),
            "metrics": found.metrics,
            "gates": found.gates,
            "reports": found.reports,
            "rows": found.rows,
            "warnings": found.warnings,
            "champion": found.champion,
        }
    )


def policy_is_in_force(policy: Body | None, binding: Body | None) -> bool:
    """Whether the API server refuses decisions by people who may not make them, as far as policy and binding say."""
    if policy is None or binding is None:
        return False
    bound = binding.get("spec") or {}
    fails_closed = (policy.get("spec") or {}).get("failurePolicy", "Fail") == "Fail"
    return (
        fails_closed
        and bound.get("policyName") == policy["metadata"]["name"]
        and "Deny" in (bound.get("validationActions") or ())
    )


def fault_of(name: str, marks: dict[str, str], record: Record) -> Fault | None:
    """What makes a version unusable: others find it by name and label, and servers find the model by its digest."""
    wanted = names.version(record.model, record.version)
    if name != wanted:
        return Fault(
            "Misnamed",
            f"ModelVersion {name} holds version {record.version} of {record.model}, which is to be called {wanted}; "
            "it is not served: make it again under that name",
        )
    if marks.get(labels.MODEL) != record.model:
        return Fault(
            "Mislabelled",
            f"ModelVersion {name} has the label {labels.MODEL}={marks.get(labels.MODEL, '')}, wanted {record.model}; "
            f"it is not served: kubectl label modelversion {name} {labels.MODEL}={record.model} --overwrite",
        )
    place = f"blobs/sha256/{record.artifact.digest.removeprefix('sha256:')}"
    if record.is_brought and record.artifact.uri.startswith(RAW):
        return None  # its bytes come to that place when it is judged
    if record.artifact.uri != place:
        return Fault(
            "RecordInconsistent",
            f"ModelVersion {name} says its model stands at {record.artifact.uri}, its digest says {place}; "
            "it is not served: make it again with the right record",
        )
    return None


def _gates(record: Record) -> str:
    """What a person who has to decide wants to know first."""
    wanting = [gate.name for gate in record.gates if gate.result != "Passed"]
    if wanting:
        return f"; not passed: {', '.join(wanting)}"
    return "; it passed its gates" if record.gates else "; it had no gates to pass"
