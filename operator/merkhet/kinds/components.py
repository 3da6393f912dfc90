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
from merkhet.kinds.component.types import FLAVOURS, MAX_VERSIONS, TAKEN, ComponentStatus
from merkhet.kinds.kind import World
from merkhet.kinds.references import ComponentReference
from merkhet.kinds.run import Block

# Whoever applies a whole folder applies users before what they use at times: that long is a Component waited for that
# is not there. One that is there no more is found in the store.
GRACE = timedelta(seconds=30)
SHOWN = 8  # versions in a message


@dataclass(frozen=True, slots=True)
class SeenComponent:
    """A component that is named. ``digest`` and ``flavour`` are None where the object does not tell them.

    ``remade``: the object is another than the one whose version that was; the store has that version still.
    """

    name: str
    version: str
    digest: str | None = None
    flavour: str | None = None
    lack: Block | None = None
    gone: bool = False
    remade: bool = False


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
    return "".join(
        f"; component {one.name} {'was deleted' if one.gone else 'has another content now'}; version {one.version} "
        "stays in use"
        for one in seen
        if one.gone or one.remade
    )


def _seen(reference: ComponentReference, meta: Meta, body: Body | None) -> SeenComponent:
    name, version = reference.name, reference.version
    if body is None:
        return SeenComponent(name, version, gone=True)
    status = ComponentStatus.read(body.get("status"))
    standing = next((one for one in status.versions if one.version == version), None)
    if standing is not None:
        return SeenComponent(name, version, standing.digest, standing.flavour)
    return _not_standing(reference, f"Component {meta.namespace}/{name}", body, status)


def _not_standing(reference: ComponentReference, where: str, body: Body, status: ComponentStatus) -> SeenComponent:
    """A version that the object does not say to stand."""
    name, version = reference.name, reference.version
    spec = body.get("spec") or {}
    if spec.get("version") == version:
        if _stalls(body) == TAKEN:
            return SeenComponent(name, version, remade=True)
        flavour = next((one for one in FLAVOURS if one in spec), None)
        return SeenComponent(name, version, flavour=flavour, lack=_not_ready(body, f"{where} version {version}"))
    if _knows_all(status):
        known = dict.fromkeys([str(spec.get("version")), *(one.version for one in status.versions)])
        message = f"{where} has no version {version}; there are {', '.join(list(known)[:SHOWN])}: name one of these"
        return SeenComponent(name, version, lack=Block("ComponentVersionMissing", message, stalls=True))
    # Made again, it learns by its first run which versions there are; of very many it tells of the newest alone.
    if not status.versions and _stalls(body) is None:
        return SeenComponent(name, version, lack=_not_ready(body, f"{where} version {version}"))
    return SeenComponent(name, version)


def _knows_all(status: ComponentStatus) -> bool:
    """Whether the object tells of all versions that the store has."""
    return bool(status.tried or status.versions) and len(status.versions) < MAX_VERSIONS


def _stalls(body: Body) -> str | None:
    """Why the object is stalled; None where it is not."""
    stalled = _condition(body, STALLED)
    return stalled.reason if stalled is not None and stalled.status == "True" else None


def _condition(body: Body, kind: str) -> Condition | None:
    return find([Condition.model_validate(one) for one in (body.get("status") or {}).get("conditions") or ()], kind)


def _not_ready(body: Body, where: str) -> Block:
    stalled = _condition(body, STALLED)
    if stalled is not None and stalled.status == "True":
        return Block("ComponentStalled", f"{where} is stalled: {stalled.message}", stalls=True)
    ready = _condition(body, READY)
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
