"""What the store holds of a model version: fetched, verified by digest, and left out where it cannot be understood."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from merkhet import GROUP
from merkhet.contract.base import Message
from merkhet.contract.card import Card
from merkhet.contract.evaluation import Evaluation, ImportanceReport
from merkhet.contract.features import FeaturesManifest
from merkhet.contract.profile import Profile
from merkhet.contract.training import DataVersion, TrainingResult
from merkhet.errors import Corrupt, InvalidSpec, Missing
from merkhet.pages.card import Decision, Known
from merkhet.plugin.kubectl import Kubectl, KubectlFailed
from merkhet.store import paths

M = TypeVar("M", bound=Message)
# What the record of a trained model has from the start, and the status of one that was brought has once it is judged.
JUDGED = ("metrics", "gates", "reports", "rows", "warnings", "champion")


def known(name: str, kubectl: Kubectl) -> Known:
    """All that is known of a ModelVersion; raises Missing where there is none, or a document of it is lost."""
    body: Any = kubectl.find(f"modelversions.{GROUP}", name)
    if body is None:
        raise Missing(f"ModelVersion {kubectl.current_namespace()}/{name} does not exist: kubectl get modelversions")
    status = body.get("status") or {}
    found = status.get("evaluation") or {}  # of a model that was brought
    record = _record({**body["spec"]["record"], **{part: found[part] for part in JUDGED if part in found}}, name)
    judged_on = tuple(DataVersion.model_validate(one) for one in found.get("data") or ())
    data = record.lineage.data or judged_on
    return Known(
        name=name,
        record=record,
        decision=_decision(body["spec"].get("approval") or {}, status.get("decision")),
        served_by=tuple(status.get("servedBy") or ()),
        judged_on=judged_on,
        made=body["metadata"].get("creationTimestamp", ""),
        card=_report(Card, "card", record.reports, kubectl),
        evaluation=_report(Evaluation, "evaluation", record.reports, kubectl),
        importance=_report(ImportanceReport, "importance", record.reports, kubectl),
        profile=_profile(data[0], kubectl) if data else None,
    )


def _record(said: Mapping[str, Any], name: str) -> TrainingResult:
    """The record as its training answered it; one that was brought may have no lineage."""
    lineage = {"training": {}, "data": [], **(said.get("lineage") or {})}
    try:
        return TrainingResult.model_validate({**said, "number": said["version"], "lineage": lineage})
    except ValidationError as error:
        raise InvalidSpec(f"the record of {name} is not as this program knows records: {error}") from error


def _decision(approval: Mapping[str, Any], counts: str | None) -> Decision:
    return Decision(
        written=approval.get("decision", "Pending"),
        counts=counts or "Pending",
        by=approval.get("by", ""),
        reason=approval.get("reason", ""),
    )


def _report(kind: type[M], name: str, reports: Mapping[str, str], kubectl: Kubectl) -> M | None:
    """A report of the record; None where there is none, or another version of this program wrote it."""
    return _read(kind, name, _fetched(name, reports[name], kubectl)) if name in reports else None


def _read(kind: type[M], name: str, content: bytes) -> M | None:
    try:
        return kind.load(content)
    except ValidationError:
        print(f"the {name} was written by another version of Merkhet and is left out", file=sys.stderr)
        return None


def _fetched(name: str, digest: str, kubectl: Kubectl) -> bytes:
    """The bytes of that digest; raises where there are none, or others."""
    path = paths.blob(digest)
    try:
        content = kubectl.inside("store", "get", path)
    except KubectlFailed as found:
        if path not in str(found):
            raise
        raise Missing(f"the {name} is not in the store any more ({path}); restore the store from a snapshot") from found
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise Corrupt(f"the {name} has another digest than the record says, {digest}; try again, and restore the store "
                      "from a snapshot where that is of no use")  # fmt: skip
    return content


def _profile(data: DataVersion, kubectl: Kubectl) -> Profile | None:
    """The profile of the data; None where it is gone, or is that of other rows under the same name."""
    try:
        manifest = _read(FeaturesManifest, "data's manifest", _fetched("data's manifest", data.digest, kubectl))
        content = kubectl.inside("store", "get", paths.feature_profile(data.feature_set, data.version))
    except Missing:
        return None
    except KubectlFailed as found:
        if ".profile.json" not in str(found):
            raise
        return None
    profile = _read(Profile, "data profile", content)
    if manifest is None or profile is None or profile.data_digest != manifest.data_digest:
        return None
    return profile
