"""The candidate beside the champion, on rows that neither has learned from.

On a new split of their own rows a good candidate would look worse: the champion has learned from most of them. So the
champion's own split is made again, on the rows of today: what it kept for its test, and what came since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from merkhet.contract.evaluation import ChampionComparison
from merkhet.contract.features import FeaturesManifest
from merkhet.contract.training import Champion, Signature, Split, TrainingResult, TrainingTask
from merkhet.errors import Missing, Refused
from merkhet.store import claims
from merkhet.store.port import Store
from merkhet.workloads.trainer import by_group, data, evaluate, gates, importance, inputs, parity, split
from merkhet.workloads.trainer.answered import Answered
from merkhet.workloads.trainer.evaluate import Drawn
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.parts import Parts

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


def compared(task: TrainingTask, parts: Parts, tested: Answered, store: Store) -> ChampionComparison | None:
    """The differences with intervals of a paired bootstrap; None where there is no champion.

    A comparison that cannot be made has no differences, and a message that says why.
    """
    if task.champion is None:
        return None
    try:
        return _compared(task, task.champion, parts, tested, store)
    except (Refused, Missing) as reason:
        return ChampionComparison(number=task.champion.number, message=str(reason)[:1000])


@dataclass(frozen=True, slots=True)
class Former:
    """What is known of the champion's training."""

    number: int
    target: str
    split: Split
    manifest: FeaturesManifest
    signature: Signature


def _compared(
    task: TrainingTask, champion: Champion, parts: Parts, tested: Answered, store: Store
) -> ChampionComparison:
    former = _former(champion, store)
    _check_same_question(task, former, tested.signature)
    features = _features(former.signature, parts)
    rows = np.flatnonzero(_kept(former, parts, store)[parts.testing] & inputs.taken(former.signature, features))
    if not len(rows):
        raise Refused("there is no row that neither has learned from")
    scores = _scores(parity.session(_content(champion, store)), features.take(rows))
    return _paired(former, tested, rows, scores, gates.confidences(task.gates.metrics))


def _paired(
    former: Former, tested: Answered, rows: Array, scores: Array, confidences: Sequence[float]
) -> ChampionComparison:
    """The same rows are drawn for both in each resample. Shapes: ``rows`` are positions; scores [rows, classes]."""
    truth = tested.truth[rows]
    weights = None if tested.weights is None else tested.weights[rows]
    clusters = None if tested.clusters is None else np.unique(tested.clusters[rows], return_inverse=True)[1]

    def drawn(signature: Signature, answered: Array) -> Drawn:
        return evaluate.drawn(evaluate.of(signature, truth, answered), len(rows), clusters, weights)

    before, now = drawn(former.signature, scores), drawn(tested.signature, tested.scores[rows])
    difference = now.minus(before)
    return ChampionComparison(
        number=former.number,
        rows=len(rows),
        champion=before.metrics(),
        candidate=now.metrics(),
        differences=difference.metrics(),
        bounds=by_group.bounds(difference, confidences),
    )


def _former(champion: Champion, store: Store) -> Former:
    """Raises Refused where nobody knows what it has learned from."""
    brought = Refused("it was brought, and which rows it has learned from is not known")
    if champion.run is None:
        raise brought
    report = claims.recorded(store, champion.run)
    if report is None:
        raise Refused(f"the record of its run {champion.run} is not in the store")
    try:
        result = TrainingResult.model_validate(report.result)
        if "split" not in result.parameters or result.signature is None or not result.lineage.data:
            raise brought
        with store.open(result.lineage.data[0].digest) as stream:
            manifest = FeaturesManifest.load(stream.read())
        made = Split.model_validate(result.parameters["split"])
    except ValidationError as error:
        raise Refused(f"the record of its run {champion.run} cannot be read: {error}") from error
    return Former(champion.number, str(result.parameters.get("target")), made, manifest, result.signature)


def _check_same_question(task: TrainingTask, former: Former, signature: Signature) -> None:
    """Raises Refused where the two answer different questions."""
    for what, before, now in (
        ("predicts target", former.target, task.target),
        ("is a", former.signature.task, signature.task),
        ("was trained on FeatureSet", former.manifest.feature_set, task.data.feature_set),
    ):
        if before != now:
            raise Refused(f"it {what} {before}, and this one {now}")
    # Without the classes themselves: they may be personal.
    if former.signature.classes != signature.classes:
        raise Refused(f"its target has {len(former.signature.classes)} classes, and this one's are not the same")
    if former.signature.positive != signature.positive:
        raise Refused("another class is positive for it than for this one")


def _kept(former: Former, parts: Parts, store: Store) -> Mask:
    """Which of all rows the champion has not learned from. Shape: as the table."""
    table, made = parts.rows.table, former.split
    if made.method == "Time":
        return _later(former, table, store)
    if made.method == "Group" and made.column is not None:
        columns = [made.column]
    else:
        columns = list(former.manifest.entity) or sorted(column.name for column in former.manifest.columns)
    _check_there(columns, table)
    return split.hashed_share(split.canonical_text(table, columns), made.seed) < made.test_fraction


def _later(former: Former, table: pa.Table, store: Store) -> Mask:
    """Rows of the time that the champion was tested on, and after."""
    name = former.manifest.timestamp
    if name is None:
        raise Refused("it was split by Time, and its FeatureSet names no timestamp")
    _check_there([name], table)
    stored = [pq.read_table(store.fetch(blob.digest), columns=[name]) for blob in former.manifest.blobs]
    before = pa.concat_tables(stored, promote_options="permissive")
    moments, now = before.column(name).to_numpy(), table.column(name).to_numpy()
    if moments.dtype.kind != now.dtype.kind:
        raise Refused(f"its timestamp {name} was of another type")
    first = moments[split.test_rows(former.split, before, former.manifest)].min()
    later: Mask = now >= first
    return later


def _features(signature: Signature, parts: Parts) -> Features:
    """The test rows as the champion is fed with them; raises Refused where it cannot be."""
    taken = list(inputs.columns(signature))
    names = [one.name for one in taken]
    _check_there(names, parts.rows.table)
    hidden = [name for name in names if parts.rows.is_personal(name)]
    if hidden:
        raise Refused(f"it takes column {hidden[0]}, which is personal now")
    features = data.features_of(parts.rows.table.filter(pa.array(parts.testing)), names)
    for one, kind in zip(taken, features.kinds, strict=True):
        if one.text != (kind == "text"):
            raise Refused(f"it takes {one.name} as {'text' if one.text else 'a number'}, which it is not any more")
    return features


def _check_there(names: list[str], table: pa.Table) -> None:
    gone = [name for name in names if name not in table.column_names]
    if gone:
        raise Refused(f"it needs column {gone[0]}, which is not there any more")


def _content(champion: Champion, store: Store) -> bytes:
    with store.open(champion.digest) as stream:
        return stream.read()


def _scores(session: Any, features: Features) -> Array:
    return np.concatenate([importance.answers(session, part) for part in parity.batches(features)])
