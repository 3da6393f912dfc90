"""What keeps a training from starting: faults of its spec, and data that is not there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain

from merkhet.contract.estimators import ALLOWED
from merkhet.contract.training import DataVersion
from merkhet.kinds import components, gates, policy
from merkhet.kinds.featureset import inputs
from merkhet.kinds.featureset.inputs import Versions, numbered, versions
from merkhet.kinds.featureset.types import FoundColumn
from merkhet.kinds.modeltraining.observe import Seen, Training, uses_of
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, Step
from merkhet.kinds.run import Block, UsedFeatures
from merkhet.kinds.steps import faults_of_estimator, faults_of_order

PREDICTORS = {"Classification": "classifier", "Regression": "regressor"}
OF_STEP = re.compile(r"step([1-9][0-9]*)__(.+)")  # how a search names a parameter of another step than the last
NUMBERS = ("int", "uint", "float", "double", "decimal")
# What no classifier is taught: each value is a class of its own.
NO_CLASSES = ("date", "timestamp", "time")


def block(training: Training, seen: Seen, now: datetime) -> Block | None:
    """The first thing that keeps a run from starting."""
    named = components.block(seen.components, training.meta, now, takes=("sklearn",), where="spec.pipeline")
    spec = training.spec
    asked = (
        policy.faults(seen.policy, spec.card.said(), spec.author, spec.data.sensitive, spec.task)
        if spec.register_model
        else ()
    )
    limits = policy.too_many(gates.asked(spec.gates), spec.tests, seen.policy, spec.task)
    written = chain(_faults_of_pipeline(spec), _faults_of_search(spec), limits)
    found = chain(written, asked, [named] if named else (), _faults_of_data(training, seen))
    return next(found, None)


def data_version(training: Training, seen: Seen, remembered: int | None = None) -> DataVersion | None:
    """The version to learn from: the pinned one, the one that a run began with, or the latest."""
    use, *_ = uses_of(training)
    known = seen.features.get((use.namespace, use.name))
    if known is None:
        return None
    chosen = numbered(known.status, use.version or remembered)
    if chosen is None and use.version is None:
        chosen = known.status.latest
    if chosen is None:
        return None
    return DataVersion(feature_set=use.name, version=chosen.version, digest=chosen.digest)


def joined_versions(training: Training, seen: Seen, begun: Sequence[UsedFeatures] = ()) -> Versions | None:
    """The versions to join, in order, chosen alike; None where one is not there."""
    _, *joined = uses_of(training)
    return versions(joined, seen.features, training.meta.namespace, begun)


def _faults_of_pipeline(spec: ModelTrainingSpec) -> Iterator[Block]:
    for position, step in enumerate(spec.pipeline, 1):
        yield from _faults_of_step(spec, position, step)


def _faults_of_step(spec: ModelTrainingSpec, position: int, step: Step) -> Iterator[Block]:
    where = f"step {position} of spec.pipeline: "
    wanted, last = PREDICTORS[spec.task], position == len(spec.pipeline)
    if step.estimator is None:
        if last:
            message = f"{where}a component prepares rows; the last step of a {spec.task} is a {wanted}: add one"
            yield Block("NoPredictor", message, stalls=True)
        return
    yield from faults_of_estimator(where, step.estimator, step.parameters)
    if step.estimator not in ALLOWED:
        return
    kind = ALLOWED[step.estimator].kind
    if last and step.columns is not None:
        message = f"{where}the last step predicts from all that comes out of the others: leave out its columns"
        yield Block("InvalidPipeline", message, stalls=True)
    yield from faults_of_order(where, spec.pipeline, position)
    if last and kind != wanted:
        message = f"{where}{step.estimator} is a {kind}; the last step of a {spec.task} is a {wanted}: add one"
        yield Block("NoPredictor", message, stalls=True)
    if not last and kind != "transformer":
        message = f"{where}{step.estimator} is a {kind}; only the last step predicts: move it there or take it away"
        yield Block("MisplacedPredictor", message, stalls=True)


def _faults_of_search(spec: ModelTrainingSpec) -> Iterator[Block]:
    """Names and values that are tried. Behind a component, which counts as all of its steps, the pod alone knows."""
    for name, dimension in (spec.search.space if spec.search is not None else {}).items():
        where, found = f"spec.search.space.{name}: ", OF_STEP.fullmatch(name)
        position, parameter = (int(found[1]), found[2]) if found else (len(spec.pipeline), name)
        if found and any(step.component for step in spec.pipeline[:position]):
            continue
        if position > len(spec.pipeline):
            message = f"{where}there is no step {position}, spec.pipeline has {len(spec.pipeline)}: name one of these"
            yield Block("UnknownParameter", message, stalls=True)
            continue
        step = spec.pipeline[position - 1]
        for value in dimension.values or (None,):
            yield from faults_of_estimator(where, step.estimator or "", {**step.parameters, parameter: value})


def _faults_of_data(training: Training, seen: Seen) -> Iterator[Block]:
    uses = uses_of(training)
    fault = inputs.block(uses, seen.features, training.meta.namespace)
    if fault is not None:
        yield fault
        return
    statuses = [seen.features[use.namespace, use.name].status for use in uses]
    # Columns are known of the latest version only; the pod checks an older one.
    latest = [status.latest.version if status.latest is not None else 0 for status in statuses]
    if all(use.version in (None, number) for use, number in zip(uses, latest, strict=True)):
        where = " and ".join(f"{use.words} version {number}" for use, number in zip(uses, latest, strict=True))
        columns = [column for status in statuses for column in status.columns]
        yield from _faults_of_columns(training.spec, where, columns if all(s.columns for s in statuses) else ())


def _faults_of_columns(spec: ModelTrainingSpec, where: str, columns: Iterable[FoundColumn]) -> Iterator[Block]:
    types = {column.name: column.type for column in columns}
    if not types:
        return
    target = spec.data.target
    if target not in types:
        yield Block(
            "TargetMissing", f"{where} has no column {target} to predict; {_offered(target, types)}", stalls=True
        )
        return
    if fault := _mistyped(spec.task, target, types[target]):
        yield Block("TargetMistyped", f"{where}: {fault}", stalls=True)
    for field, name in _named(spec):
        if name not in types:
            message = f"{where} has no column {name}, which {field} names; {_offered(name, types)}"
            yield Block("ColumnMissing", message, stalls=True)


def _mistyped(task: str, target: str, type_: str) -> str:
    if task == "Regression" and not type_.startswith(NUMBERS):
        return f"target {target} is {type_}, a Regression predicts numbers; name another target or change spec.task"
    if task == "Classification" and type_.startswith(NO_CLASSES):
        return f"target {target} is {type_}, which has no classes; name another target"
    return ""


def _named(spec: ModelTrainingSpec) -> Iterator[tuple[str, str]]:
    yield from (("spec.data.exclude", name) for name in spec.data.exclude)
    yield from (("spec.data.sensitive", name) for name in spec.data.sensitive)
    if spec.data.sample_weight is not None:
        yield "spec.data.sampleWeight", spec.data.sample_weight
    if spec.data.split.column is not None:
        yield "spec.data.split.column", spec.data.split.column
    for position, step in enumerate(spec.pipeline, 1):
        chosen = step.chosen()
        yield from ((f"step {position} of spec.pipeline", name) for name in (chosen and chosen.names) or ())


def _offered(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    some = sorted(known)[:12]
    return f"it has {', '.join(some)}{' …' if len(list(known)) > len(some) else ''}"
