"""What is read before anything is decided about a Component."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from merkhet.api.meta import Body, Meta
from merkhet.kinds import runs
from merkhet.kinds.apis import COMPONENT, CONFIGMAP, FEATURESET, MODELTRAINING
from merkhet.kinds.component.types import MAX_SOURCE, MAX_USERS, ComponentSpec, ComponentStatus, User
from merkhet.kinds.kind import Resource, Setup, World
from merkhet.kinds.run import Block, Evidence

SHORT = "comp"
Component = Resource[ComponentSpec, ComponentStatus]


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a python component: its text, or why there is none yet."""

    text: str | None = None
    lack: Block | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the world says."""

    setup: Setup
    runs: Evidence
    source: Source = Source()
    users: tuple[User, ...] = ()


async def observe(component: Component, world: World) -> Seen:
    """Read what is known of its runs, its source, and who uses it."""
    evidence = await runs.observe(component.meta, world, COMPONENT.kind, SHORT)
    return Seen(world.setup, evidence, await _source(component, world), _users(component.meta, world))


async def _source(component: Component, world: World) -> Source:
    python = component.spec.python
    if python is None:
        return Source()
    if python.config_map is None:
        return Source(python.source)
    name, key = python.config_map.name, python.config_map.key
    where = f"ConfigMap {component.meta.namespace}/{name}"
    # People's ConfigMaps are not watched: a change is seen within a minute.
    body = await world.read(CONFIGMAP, component.meta.namespace, name)
    if body is None:
        message = f"{where} does not exist; the run starts when it has the source under {key}"
        return Source(lack=Block("ConfigMapMissing", message))
    texts = body.get("data") or {}
    if key not in texts:
        there = ", ".join(sorted(texts)[:12]) or "nothing"
        message = f"{where} has no key {key}, there is {there}; put the source under {key}, or name another key"
        return Source(lack=Block("SourceMissing", message, stalls=True))
    size = len(texts[key].encode())
    if not 0 < size <= MAX_SOURCE:
        message = f"{where} has {size} bytes under {key}; a source has 1 to {MAX_SOURCE}: make it shorter"
        return Source(lack=Block("SourceTooLarge" if size else "SourceMissing", message, stalls=True))
    return Source(texts[key])


def _users(meta: Meta, world: World) -> tuple[User, ...]:
    found = [
        User(kind=api.kind, name=body["metadata"]["name"], version=version)
        for api, named in ((FEATURESET, _of_features), (MODELTRAINING, _of_training))
        for body in world.select(api, meta.namespace, {})
        for version in sorted({str(one.get("version")) for one in named(body) if one.get("name") == meta.name})
    ]
    return tuple(found[:MAX_USERS])


def _of_features(body: Body) -> Iterator[Body]:
    yield from (body.get("spec") or {}).get("components") or ()


def _of_training(body: Body) -> Iterator[Body]:
    yield from (step.get("component") or {} for step in (body.get("spec") or {}).get("pipeline") or ())
