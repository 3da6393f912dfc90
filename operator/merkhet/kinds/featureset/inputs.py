"""Which versions of other FeatureSets a run uses: pinned ones, those it began with, or the latest when it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pydantic import ValidationError

from merkhet.api.conditions import STALLED, Condition
from merkhet.api.meta import Body
from merkhet.contract.features import FeaturesTask, FeaturesVersion
from merkhet.contract.runs import TASK_VARIABLE
from merkhet.kinds.apis import FEATURESET, JOB
from merkhet.kinds.featureset.sharing import is_shared
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus, PublishedVersion, SharedFeatures
from merkhet.kinds.jobs import key_of
from merkhet.kinds.kind import World
from merkhet.kinds.references import FeatureSetReference, Join
from merkhet.kinds.run import Block, RunEntry, UsedFeatures

Versions = tuple[FeaturesVersion, ...]
ReadTask = Callable[[str], Versions]  # the versions that a task names; raises pydantic's ValidationError


@dataclass(frozen=True, slots=True)
class Use:
    """A FeatureSet that a run uses, and the version if one is pinned."""

    namespace: str
    name: str
    version: int | None = None

    @property
    def words(self) -> str:
        """What a message calls it."""
        return f"FeatureSet {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Found:
    """A FeatureSet as it is now. ``fault`` is why it is stalled."""

    status: FeatureSetStatus
    fault: str = ""


Known = Mapping[tuple[str, str], Found]  # by namespace and name; without those that do not exist


def uses_of(spec: FeatureSetSpec, home: str) -> tuple[Use, ...]:
    """What a FeatureSet is made from, sources first, in the order of its spec; ``home`` is its namespace."""
    return (
        *(use_of(source.feature_set, home) for source in spec.sources if source.feature_set is not None),
        *uses_of_joins(spec.join, home),
    )


def uses_of_joins(joins: Iterable[Join], home: str) -> tuple[Use, ...]:
    """The FeatureSets that are joined, in order."""
    return tuple(use_of(join.feature_set, home) for join in joins)


def use_of(reference: FeatureSetReference | SharedFeatures, home: str) -> Use:
    """What a reference names."""
    namespace = reference.namespace if isinstance(reference, SharedFeatures) else None
    return Use(namespace or home, reference.name, reference.version)


def read(uses: Iterable[Use], home: str, world: World) -> Known:
    """The FeatureSets that are named, as they are; those of other namespaces only as far as they are shared."""
    bodies = {(use.namespace, use.name): world.get(FEATURESET, use.namespace, use.name) for use in uses}
    return {
        key: found(body)
        for key, body in bodies.items()
        if body is not None and (key[0] == home or is_shared(body, home, world.setup))
    }


def found(body: Body) -> Found:
    """A FeatureSet as it says of itself."""
    said = body.get("status") or {}
    conditions = [Condition.model_validate(one) for one in said.get("conditions") or ()]
    fault = next((one.message for one in conditions if one.type == STALLED and one.status == "True"), "")
    return Found(FeatureSetStatus.read(said), fault)


def not_shared(use: Use, known: Known, home: str) -> Block | None:
    """Why a FeatureSet of another namespace may not be used from this one; whether it exists is not told."""
    if use.namespace == home or (use.namespace, use.name) in known:
        return None
    message = f"{use.words} is not shared with {home}; its owner does so with `share: {{namespaces: [{home}]}}`"
    return Block("NotShared", message, stalls=True)


def block(uses: Iterable[Use], known: Known, home: str, own_name: str | None = None) -> Block | None:
    """The first thing that keeps a run from starting; ``own_name`` is that of the FeatureSet which asks."""
    faults = chain.from_iterable(_faults(use, known, home, own_name) for use in uses)
    return next(faults, None)


def _faults(use: Use, known: Known, home: str, own_name: str | None) -> Iterator[Block]:
    if (use.namespace, use.name) == (home, own_name):
        yield Block("NamesItself", f"{use.words} is made from itself; name another FeatureSet, or files", stalls=True)
        return
    if (fault := not_shared(use, known, home)) is not None:
        yield fault
        return
    one = known.get((use.namespace, use.name))
    if one is None:
        yield Block("FeatureSetMissing", f"{use.words} does not exist; the run starts when it has a version")
    elif one.status.latest is None:
        yield _no_version(use, one.fault)
    elif use.version is not None and numbered(one.status, use.version) is None:
        listed = ", ".join(str(version.version) for version in one.status.versions)
        message = f"{use.words} has no version {use.version} that can be named; there are {listed}: pin one of these"
        yield Block("VersionMissing", message, stalls=True)


def _no_version(use: Use, fault: str) -> Block:
    if fault:
        return Block("FeatureSetStalled", f"{use.words} has no version and is stalled: {fault}", stalls=True)
    return Block("NoVersionYet", f"{use.words} has no version yet; the run starts when it has one")


def versions(uses: Sequence[Use], known: Known, home: str, begun: Sequence[UsedFeatures]) -> Versions | None:
    """The version of each, in order; None where one is not there. ``begun`` is what the run began with, if it did.

    What a run began with it keeps, so that each try does the same work, whatever has been published since.
    """
    kept = _kept(uses, home, begun)
    chosen = [before or _latest(use, known, home) for use, before in zip(uses, kept, strict=True)]
    there = tuple(one for one in chosen if one is not None)
    return there if len(there) == len(chosen) else None


def _kept(uses: Sequence[Use], home: str, begun: Sequence[UsedFeatures]) -> list[FeaturesVersion | None]:
    """What the run began with, unless it is asked for something else by now."""
    names = [(use.namespace, use.name) for use in uses]
    if names != [(one.namespace or home, one.name) for one in begun]:
        return [None] * len(uses)
    return [_again(use, one) for use, one in zip(uses, begun, strict=True)]


def _again(use: Use, one: UsedFeatures) -> FeaturesVersion | None:
    if use.version not in (None, one.version):
        return None
    return FeaturesVersion(name=one.name, version=one.version, digest=one.digest, namespace=one.namespace)


def _latest(use: Use, known: Known, home: str) -> FeaturesVersion | None:
    """The pinned version or the latest."""
    one = known.get((use.namespace, use.name))
    chosen = None if one is None else one.status.latest if use.version is None else numbered(one.status, use.version)
    if chosen is None:
        return None
    namespace = None if use.namespace == home else use.namespace
    return FeaturesVersion(name=use.name, version=chosen.version, digest=chosen.digest, namespace=namespace)


def numbered(status: FeatureSetStatus, number: int | None) -> PublishedVersion | None:
    """A version among those that can be named."""
    return next((version for version in status.versions if version.version == number), None)


def begun_with(history: Iterable[RunEntry], key: str) -> tuple[UsedFeatures, ...]:
    """What a run began with, as the status remembers it."""
    return next((entry.inputs or () for entry in history if entry.key == key), ())


def with_inputs(history: Iterable[RunEntry], jobs: Iterable[Body], read_task: ReadTask) -> tuple[RunEntry, ...]:
    """The history with the versions that each run works on, as its Job says."""
    said = {key_of(job): inputs for job in jobs if job["kind"] == JOB.kind and (inputs := _inputs_of(job, read_task))}
    return tuple(
        entry.model_copy(update={"inputs": said[entry.key]}) if entry.key in said else entry for entry in history
    )


def named_by(text: str) -> Versions:
    """The versions that the task of a FeatureSet names, in the order of ``uses_of``."""
    task = FeaturesTask.load(text)
    sources = (source.features for source in task.sources if source.features is not None)
    return (*sources, *(join.features for join in task.joins))


def task_of(job: Body) -> str:
    """The task that a Job's pod is given, as text; empty where the Job does not say."""
    containers = (((job.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or ()
    variables = (variable for container in containers for variable in container.get("env") or ())
    return next((str(variable.get("value", "")) for variable in variables if variable["name"] == TASK_VARIABLE), "")


def _inputs_of(job: Body, read_task: ReadTask) -> tuple[UsedFeatures, ...]:
    try:
        named = read_task(task_of(job))
    except ValidationError:
        return ()
    return tuple(
        UsedFeatures(name=one.name, namespace=one.namespace, version=one.version, digest=one.digest) for one in named
    )
