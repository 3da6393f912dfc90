"""Which objects of a namespace were made from which, as far as the API server's copies of them say?

What a run used stands in the status of the FeatureSet for the last runs alone. Of versions that are older only the
spec of today can be asked, and an answer of that kind says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from merkhet.api.meta import Body


@dataclass(frozen=True, slots=True)
class World:
    """The objects of one namespace, by name; versions in the order of their models and numbers."""

    features: Mapping[str, Body]
    components: Mapping[str, Body]
    deployments: Mapping[str, Body]
    versions: Mapping[str, Body]

    @classmethod
    def of(cls, bodies: Iterable[Body]) -> World:
        """The world of these objects, in whatever order they came."""
        found: dict[str, dict[str, Body]] = {}
        for body in sorted(bodies, key=_order):
            found.setdefault(body["kind"], {})[body["metadata"]["name"]] = body
        kinds = ("FeatureSet", "Component", "ModelDeployment", "ModelVersion")
        return cls(*(found.get(kind, {}) for kind in kinds))


def _order(body: Body) -> tuple[str, int, str]:
    name = str(body["metadata"]["name"])
    if body["kind"] != "ModelVersion":
        return name, 0, name
    record = body["spec"]["record"]
    return str(record["model"]), int(record["version"]), name


@dataclass(frozen=True, slots=True)
class Data:
    """A version of a FeatureSet; without a number all of them, besides some."""

    name: str
    version: int | None = None
    digest: str | None = None
    namespace: str | None = None  # None: the world's own
    besides: frozenset[int] = frozenset()

    def covers(self, name: str, version: int | None) -> bool:
        """Whether this is, or may be, the version; None: whichever was the latest."""
        if name != self.name:
            return False
        if self.version is None:
            return version not in self.besides
        return version in (self.version, None)


@dataclass(frozen=True, slots=True)
class Used:
    """A version of a component."""

    name: str
    version: str | None = None
    digest: str | None = None

    def covers(self, other: Used) -> bool:
        """Whether the other is this, or one of these."""
        return other.name == self.name and self.version in (None, other.version)


def known_inputs(features: Body) -> dict[int, tuple[Data, ...]]:
    """What each version was made from, of those whose run the status still tells of."""
    known: dict[int, tuple[Data, ...]] = {}
    for run in status(features).get("runs") or []:
        if run.get("version") and run.get("inputs") is not None:
            inputs = (Data(i["name"], i["version"], i.get("digest"), i.get("namespace")) for i in run["inputs"])
            known.setdefault(run["version"], tuple(inputs))
    return known


def spec_inputs(features: Body) -> tuple[Data, ...]:
    """The FeatureSets that the spec of today names."""
    spec = features["spec"]
    named = [entry.get("featureSet") for entry in (*(spec.get("sources") or ()), *(spec.get("join") or ()))]
    return tuple(Data(one["name"], one.get("version"), None, one.get("namespace")) for one in named if one)


def addresses(features: Body) -> tuple[str, ...]:
    """Where the files are that the spec of today names."""
    return tuple(source["uri"] for source in features["spec"].get("sources") or () if source.get("uri"))


def latest(features: Body) -> int | None:
    """Number of the newest version."""
    number = (status(features).get("latest") or {}).get("version")
    return int(number) if number else None


def known_components(features: Body) -> tuple[Used, ...]:
    """The components that the newest version was made with."""
    return _used(status(features).get("components"))


def spec_components(features: Body) -> tuple[Used, ...]:
    """The components that the spec of today names."""
    return _used(features["spec"].get("components"))


def recorded_components(version: Body) -> tuple[Used, ...]:
    """The components that a model was made with."""
    return _used(_lineage(version).get("components"))


def recorded_data(version: Body) -> tuple[Data, ...]:
    """The data that a model was made from."""
    entries = _lineage(version).get("data") or ()
    return tuple(Data(entry["featureSet"], entry["version"], entry.get("digest")) for entry in entries)


def digest_of_features(world: World, name: str, number: int | None) -> str | None:
    """The digest of a version's manifest, where the status still has it."""
    return _digest(world.features.get(name), number)


def digest_of_component(world: World, name: str, version: str | None) -> str | None:
    """The digest of a component's version."""
    return _digest(world.components.get(name), version)


def servers(world: World, version: Body) -> Iterator[tuple[str, str]]:
    """The ModelDeployments that serve a model version (``servedBy``) or are about to (``servedNextBy``)."""
    record = version["spec"]["record"]
    for name, deployment in world.deployments.items():
        if deployment["spec"]["model"]["name"] != record["model"]:
            continue
        found = status(deployment)
        if found.get("version") == record["version"]:
            yield "servedBy", name
        elif (found.get("candidate") or {}).get("version") == record["version"]:
            yield "servedNextBy", name


def status(body: Body) -> dict[str, Any]:
    """What the operator says of an object; empty where it has not looked yet."""
    return body.get("status") or {}


def _lineage(version: Body) -> dict[str, Any]:
    return version["spec"]["record"].get("lineage") or {}


def _used(entries: Sequence[Body] | None) -> tuple[Used, ...]:
    return tuple(Used(entry["name"], str(entry["version"]), entry.get("digest")) for entry in entries or ())


def _digest(body: Body | None, version: int | str | None) -> str | None:
    standing = status(body).get("versions") or () if body else ()
    return next((entry["digest"] for entry in standing if entry["version"] == version), None)
