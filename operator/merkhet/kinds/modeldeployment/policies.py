"""Which version of the model should serve, and if none can be named, what is missing?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from merkhet.contract.serving import EntityFeatures
from merkhet.kinds.modeldeployment.features import looked_up
from merkhet.kinds.modeldeployment.held import Held, Wants
from merkhet.kinds.modeldeployment.observe import ModelDeployment, Seen
from merkhet.kinds.modeldeployment.types import LATEST_APPROVED
from merkhet.kinds.modelversion.registered import Registered
from merkhet.manifests import labels, names

# Model and number of the version that serves already.
Served = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The version that should serve; ``note`` is what else a person wants to know."""

    version: Registered
    note: str = ""
    features: EntityFeatures | None = None  # what callers may send an entity for


def choose(deployment: ModelDeployment, seen: Seen, served: Served | None) -> Chosen | Held:
    """The version the spec asks for, if it is there and may be served."""
    wanted = deployment.spec.model.version
    if wanted == LATEST_APPROVED:
        choice = _latest(deployment, seen, served)
    else:
        choice = _pinned(deployment, seen, int(wanted), served)
    if isinstance(choice, Held):
        return choice
    features = looked_up(deployment.spec.features_name, seen.features, choice.version.record)
    return features if isinstance(features, Held) else replace(choice, features=features)


def _latest(deployment: ModelDeployment, seen: Seen, served: Served | None) -> Chosen | Held:
    """The highest approved version, unless only older ones are left because the one that serves was deleted."""
    model = deployment.spec.model.name
    best = max((v for v in seen.versions if v.decision.name == "Approved"), key=_number, default=None)
    former = served[1] if served and served[0] == model else None
    if former is not None and former not in map(_number, seen.versions) and (best is None or best.number < former):
        return _deleted(model, former)
    if best is not None:
        return Chosen(best, _newer(seen, best))
    if not seen.versions:
        return _no_version_yet(deployment, seen)
    return Held("AwaitingApproval", _nothing_approved(model, seen), Wants.A_DECISION)


def _pinned(deployment: ModelDeployment, seen: Seen, number: int, served: Served | None) -> Chosen | Held:
    """The version of this number."""
    model = deployment.spec.model.name
    found = next((version for version in seen.versions if version.number == number), None)
    if found is None:
        if served == (model, number):
            return _deleted(model, number)
        return _missing(deployment, seen, number) if seen.versions else _no_version_yet(deployment, seen)
    if found.decision.name == "Rejected":
        todo = "set spec.model.version to another number or to LatestApproved"
        return Held("VersionRejected", f"{found.decision.message}; {todo}", Wants.A_CHANGE)
    if found.decision.name == "Pending":
        return Held("AwaitingApproval", found.decision.message, Wants.A_DECISION)
    return Chosen(found)


def _deleted(model: str, number: int) -> Held:
    name = names.version(model, number)
    return Held(
        "VersionDeleted",
        f"ModelVersion {name} serves and no longer exists with the label {labels.MODEL}={model}; its pods go on: "
        "approve another version, or set spec.model.version",
        Wants.NOTHING,
    )


def _missing(deployment: ModelDeployment, seen: Seen, number: int) -> Held:
    meta, model = deployment.meta, deployment.spec.model.name
    there = ", ".join(str(version.number) for version in seen.versions[-10:])
    return Held(
        "VersionMissing",
        f"ModelDeployment {meta.namespace}/{meta.name} wants version {number} of {model}, found {there}; "
        f"set spec.model.version to one of them or to LatestApproved{_unusable(seen)}",
        Wants.A_CHANGE,
    )


def _no_version_yet(deployment: ModelDeployment, seen: Seen) -> Held:
    meta, model = deployment.meta, deployment.spec.model.name
    return Held(
        "NoVersionYet",
        f"model {model} has no version in namespace {meta.namespace} yet; serving begins once a ModelTraining has "
        f"registered one and it is approved{_unusable(seen)}",
        Wants.TIME,
    )


def _nothing_approved(model: str, seen: Seen) -> str:
    """Why none of the versions counts as approved; the newest speaks for all where the policy is what is missing."""
    pending = [version for version in seen.versions if version.decision.name == "Pending"]
    if pending:
        return pending[-1].decision.message
    return f"all versions of {model} were rejected; the newest: {seen.versions[-1].decision.message}"


def _newer(seen: Seen, best: Registered) -> str:
    waiting = [v.number for v in seen.versions if v.number > best.number and v.decision.name == "Pending"]
    return f"version {waiting[-1]} awaits approval" if waiting else ""


def _unusable(seen: Seen) -> str:
    return f" ({'; '.join(seen.unusable[:3])})" if seen.unusable else ""


def _number(version: Registered) -> int:
    return version.number
