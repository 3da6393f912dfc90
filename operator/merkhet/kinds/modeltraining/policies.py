"""What keeps a training from starting: faults of its spec, and data that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import chain

from merkhet.contract.estimators import ALLOWED, unknown_estimator, unknown_parameters
from merkhet.contract.training import DataVersion
from merkhet.kinds.featureset.types import FeatureSetStatus, FoundColumn, PublishedVersion
from merkhet.kinds.modeltraining.observe import Seen, Training
from merkhet.kinds.modeltraining.types import ModelTrainingSpec, Step
from merkhet.kinds.run import Block

PREDICTORS = {"Classification": "classifier", "Regression": "regressor"}
NUMBERS = ("int", "uint", "float", "double", "decimal")
# What no classifier is taught: each value is a class of its own.
NO_CLASSES = ("date", "timestamp", "time")


def block(training: Training, seen: Seen) -> Block | None:
    """The first thing that keeps a run from starting."""
    found = chain(_faults_of_pipeline(training.spec), _faults_of_data(training, seen))
    return next(found, None)


def data_version(training: Training, seen: Seen, remembered: int | None = None) -> DataVersion | None:
    """The version to learn from: the pinned one, the one that a run began with, or the latest."""
    reference = training.spec.data.feature_set
    if seen.features is None:
        return None
    status = seen.features.status
    chosen = _version(status, reference.version or remembered)
    if chosen is None and reference.version is None:
        chosen = status.latest
    if chosen is None:
        return None
    return DataVersion(feature_set=reference.name, version=chosen.version, digest=chosen.digest)


def _faults_of_pipeline(spec: ModelTrainingSpec) -> Iterator[Block]:
    for position, step in enumerate(spec.pipeline, 1):
        yield from _faults_of_step(spec, position, step)


def _faults_of_step(spec: ModelTrainingSpec, position: int, step: Step) -> Iterator[Block]:
    where = f"step {position} of spec.pipeline: "
    if unknown := unknown_estimator(step.estimator):
        yield Block("UnknownEstimator", where + unknown, stalls=True)
        return
    if unknown := unknown_parameters(step.estimator, step.parameters):
        yield Block("UnknownParameter", where + unknown + _nearest_parameters(step), stalls=True)
    kind, wanted = ALLOWED[step.estimator].kind, PREDICTORS[spec.task]
    last = position == len(spec.pipeline)
    yield from _faults_of_choice(spec, position, where)
    if last and kind != wanted:
        message = f"{where}{step.estimator} is a {kind}; the last step of a {spec.task} is a {wanted}: add one"
        yield Block("NoPredictor", message, stalls=True)
    if last and step.columns is not None:
        message = f"{where}{step.estimator} predicts from all columns that the steps before it give: leave out columns"
        yield Block("MisplacedColumns", message, stalls=True)
    if not last and kind != "transformer":
        message = f"{where}{step.estimator} is a {kind}; only the last step predicts: move it there or take it away"
        yield Block("MisplacedPredictor", message, stalls=True)


def _faults_of_choice(spec: ModelTrainingSpec, position: int, where: str) -> Iterator[Block]:
    if spec.pipeline[position - 1].columns is None:
        return
    if position == len(spec.pipeline):
        message = f"{where}the last step predicts from all that comes out of the others: leave out its columns"
        yield Block("InvalidPipeline", message, stalls=True)
    if position > 1 and spec.pipeline[position - 2].columns is None:
        message = f"{where}steps with columns come first, and step {position - 1} has none: put this one before it"
        yield Block("InvalidPipeline", message, stalls=True)


def _nearest_parameters(step: Step) -> str:
    allowed = ALLOWED[step.estimator].parameters
    unknown = sorted(set(step.parameters) - set(allowed))
    near = sorted({match for name in unknown for match in difflib.get_close_matches(name, allowed, n=2)})
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _faults_of_data(training: Training, seen: Seen) -> Iterator[Block]:
    reference = training.spec.data.feature_set
    where = f"FeatureSet {training.meta.namespace}/{reference.name}"
    if seen.features is None:
        yield Block("FeatureSetMissing", f"{where} does not exist; the run starts when it has a version")
        return
    status = seen.features.status
    if status.latest is None:
        yield _no_version(where, seen.features.fault)
        return
    if reference.version is not None and _version(status, reference.version) is None:
        known = ", ".join(str(version.version) for version in status.versions)
        message = f"{where} has no version {reference.version} that can be named; there are {known}: pin one of these"
        yield Block("VersionMissing", message, stalls=True)
        return
    # Columns are known of the latest version only; the pod checks an older one.
    if reference.version in (None, status.latest.version):
        yield from _faults_of_columns(training.spec, f"{where} version {status.latest.version}", status.columns)


def _no_version(where: str, fault: str) -> Block:
    if fault:
        return Block("FeatureSetStalled", f"{where} has no version and is stalled: {fault}", stalls=True)
    return Block("NoVersionYet", f"{where} has no version yet; the run starts when it has one")


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


def _version(status: FeatureSetStatus, number: int | None) -> PublishedVersion | None:
    return next((version for version in status.versions if version.version == number), None)
