"""Can callers send an entity instead of columns, and if not, what is missing?"""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.api.quantities import duration
from merkhet.contract.serving import EntityFeatures
from merkhet.kinds.featureset.online import wanted
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.modeldeployment.held import Held, Wants
from merkhet.kinds.modelversion.types import Record

TOLD = 10  # columns that a message names


def looked_up(name: str | None, body: Body | None, record: Record) -> EntityFeatures | Held | None:
    """What pods look up for a version of the model; None where callers send columns only."""
    if name is None:
        return None
    if body is None:
        told = f"FeatureSet {name}, named in spec.features, does not exist; serving begins once it can be looked up"
        return Held("FeatureSetMissing", told, Wants.TIME)
    try:
        spec = FeatureSetSpec.model_validate(body.get("spec") or {})
    except ValueError as error:
        return Held("FeatureSetUnreadable", f"FeatureSet {name} cannot be read: {error}", Wants.A_CHANGE)
    status: FeatureSetStatus = FeatureSetStatus.read(body.get("status"))
    missing = _not_online(name, spec, status) or _columns_missing(name, spec, status, record)
    if missing is not None:
        return missing
    ttl = spec.online.ttl if spec.online is not None else None
    return EntityFeatures(feature_set=name, ttl_seconds=None if ttl is None else duration(ttl).total_seconds())


def _not_online(name: str, spec: FeatureSetSpec, status: FeatureSetStatus) -> Held | None:
    if wanted(spec) is None:
        told = f"FeatureSet {name}, named in spec.features, has no look-ups; set its spec.online, or take features away"
        return Held("FeaturesNotOnline", told, Wants.A_CHANGE)
    if status.online is None or status.online.version is None:
        told = f"no version of FeatureSet {name} can be looked up yet; serving begins once one is"
        return Held("FeaturesNotPublished", told, Wants.TIME)
    return None


def _columns_missing(name: str, spec: FeatureSetSpec, status: FeatureSetStatus, record: Record) -> Held | None:
    known = {column.name for column in status.columns if not column.personal or column.name in spec.entity}
    missing = [column for column in columns_of(record) if column not in known]
    if not missing:
        return None
    some = ", ".join(missing[:TOLD]) + (" …" if len(missing) > TOLD else "")
    told = (
        f"FeatureSet {name} cannot be looked up for version {record.version} of {record.model}: it has no {some} "
        "(personal columns are left out); add them to it, or take spec.features away"
    )
    return Held("ColumnsMissing", told, Wants.A_CHANGE)


def columns_of(record: Record) -> list[str]:
    """The columns that a version of the model is given."""
    return [column for tensor in record.signature.inputs for column in (tensor.columns or (tensor.name,))]
