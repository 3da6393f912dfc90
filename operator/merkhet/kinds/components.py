"""The components that an object names: which content stands behind each, and what keeps a run from using it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from merkhet.api.conditions import READY, STALLED, Condition, find
from merkhet.api.meta import Body, Meta
from merkhet.contract.component import Flavour
from merkhet.contract.features import ComponentUse
from merkhet.kinds.apis import COMPONENT
from merkhet.kinds.common import parsed_time
from merkhet.kinds.component.types import FLAVOURS, ComponentStatus
from merkhet.kinds.kind import World
from merkhet.kinds.references import ComponentReference
from merkhet.kinds.run import Block

# Whoever applies a whole folder applies users before what they use at times: that long is a Component waited for that
# is not there. One that is there no more is found in the store.
GRACE = timedelta(seconds=30)
SHOWN = 8  # versions in a message


@dataclass(frozen=True, slots=True)
class SeenComponent:
    """A component that is named. ``digest`` and ``flavour`` are None where the object does not tell them."""

    name: str
    version: str
    digest: str | None = None
    flavour: str | None = None
    lack: Block | None = None
    gone: bool = False


def observe(references: Iterable[ComponentReference], meta: Meta, world: World) -> tuple[SeenComponent, ...]:
    """What is known of the components that an object names."""
    return tuple(_seen(one, meta, world.get(COMPONENT, meta.namespace, one.name)) for one in references)


def uses(seen: Iterable[SeenComponent]) -> tuple[ComponentUse, ...]:
    """What the pod is told: a content where it is known, else the store knows it by name and version."""
    return tuple(ComponentUse(name=one.name, version=one.version, digest=one.digest) for one in seen)


def block(
    seen: Iterable[SeenComponent], meta: Meta, now: datetime, *, takes: Sequence[Flavour], where: str
) -> Block | None:
    """The first thing that keeps a run from using them; ``takes`` are the flavours that may stand there."""
    found = (_absent(one, meta, now) or one.lack or _misplaced(one, takes, where) for one in seen)
    return next((block for block in found if block is not None), None)


def until_looked_for(seen: Iterable[SeenComponent], meta: Meta, now: datetime) -> timedelta | None:
    """When the wait for components that are not there ends; None where nothing is waited for."""
    return _grace(meta, now) if any(one.gone for one in seen) else None


def remarks(seen: Iterable[SeenComponent]) -> str:
    """What else is to be said of them, to be added to a sentence."""
    gone = (f"; component {one.name} was deleted; version {one.version} stays in use" for one in seen if one.gone)
    return "".join(gone)


def _seen(reference: ComponentReference, meta: Meta, body: Body | None) -> SeenComponent:
    name, version = reference.name, reference.version
    if body is None:
        return SeenComponent(name, version, gone=True)
    status = ComponentStatus.read(body.get("status"))
    standing = next((one for one in status.versions if one.version == version), None)
    if standing is not None:
        return SeenComponent(name, version, standing.digest, standing.flavour)
    spec = body.get("spec") or {}
    where = f"Component {meta.namespace}/{name}"
    if spec.get("version") != version:
        known = dict.fromkeys([str(spec.get("version")), *(one.version for one in status.versions)])
        message = f"{where} has no version {version}; there are {', '.join(list(known)[:SHOWN])}: name one of these"
        return SeenComponent(name, version, lack=Block("ComponentVersionMissing", message, stalls=True))
    flavour = next((one for one in FLAVOURS if one in spec), None)
    return SeenComponent(name, version, flavour=flavour, lack=_not_ready(body, f"{where} version {version}"))


def _not_ready(body: Body, where: str) -> Block:
    said = [Condition.model_validate(one) for one in (body.get("status") or {}).get("conditions") or ()]
    stalled = find(said, STALLED)
    if stalled is not None and stalled.status == "True":
        return Block("ComponentStalled", f"{where} is stalled: {stalled.message}", stalls=True)
    ready = find(said, READY)
    why = f": {ready.message}" if ready is not None and ready.message else ""
    return Block("ComponentNotReady", f"{where} does not stand yet; the run starts when it does{why}")


def _absent(one: SeenComponent, meta: Meta, now: datetime) -> Block | None:
    if not one.gone or _grace(meta, now) is None:
        return None
    message = (
        f"Component {meta.namespace}/{one.name} does not exist; if it comes, the run starts when version {one.version} "
        "stands; else the store is asked for that version"
    )
    return Block("ComponentMissing", message)


def _grace(meta: Meta, now: datetime) -> timedelta | None:
    created = parsed_time(meta.created)
    left = created + GRACE - now if created is not None else timedelta()
    return left if left > timedelta() else None


def _misplaced(one: SeenComponent, takes: Sequence[Flavour], where: str) -> Block | None:
    if one.flavour is None or one.flavour in takes:
        return None
    elsewhere = "spec.pipeline of a ModelTraining" if one.flavour == "sklearn" else "spec.components of a FeatureSet"
    message = (
        f"{where} takes components of {' or '.join(takes)}; {one.name} version {one.version} is of {one.flavour}: name "
        f"it in {elsewhere}"
    )
    return Block("ComponentMisplaced", message, stalls=True)
