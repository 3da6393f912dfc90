"""What gives a group away: how well the columns that are not sensitive predict the one that is.

A gradient boosting of scikit-learn is fitted to a sample, by cross-validation: each row is scored by a model that has
not seen it, nor another row of its entity. Of more than two groups each is told from the rest, and the areas under
the ROC curves are averaged with the same weight for each (macro). A version gives the same figure each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.contract.features import Bias, BiasFinding, Column, FeaturesTask
from merkhet.stats.fairness import Estimate
from merkhet.stats.intervals import CONFIDENCE, Floats, quantile
from merkhet.stats.ranking import area_under_curve
from merkhet.workloads.features.disparities import Figure, Grouped, judged, left_out, too_few
from merkhet.workloads.features.sensitive import Attribute

METRIC = "proxy_auc"
SEED = 7
FOLDS = 3
MOST_ROWS = 50_000
MOST_CELLS = 5_000_000  # 40 MB as float64, which scikit-learn makes of them
MOST_GROUPS = 10  # each costs trees of its own
LEAST_SAMPLED = 30  # rows of a group, so that each fold has some
BATCH_ROWS = 65_536

Matrix: TypeAlias = NDArray[np.float32]
Places: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of the finished table. Shapes: ``values`` (rows, names); the others one value a row."""

    names: tuple[str, ...]
    values: Matrix
    entities: Places | None  # None: there is no entity
    groups: Mapping[str, Sequence[str | None]]  # by sensitive column


def sampled(
    task: FeaturesTask, attributes: Sequence[Attribute], columns: Sequence[Column], files: Sequence[Path]
) -> Sample:
    """The same rows of the same files each time; where all are taken, whatever their order."""
    others = _others(task, attributes, columns)
    names = list(dict.fromkeys([*(one.name for one in others), *task.entity, *(one.name for one in attributes)]))
    total = sum(pq.read_metadata(file).num_rows for file in files)
    wanted = min(MOST_ROWS, MOST_CELLS // max(1, len(others)))
    table = _sorted(pa.concat_tables(_pieces(files, names, min(1.0, wanted / max(1, total)))))
    values = np.empty((table.num_rows, len(others)), dtype=np.float32)
    for place, column in enumerate(others):
        values[:, place] = _numbers(table.column(column.name))
    return Sample(
        names=tuple(column.name for column in others),
        values=values,
        entities=_entities(table, task.entity),
        groups={one.name: [one.group_of(value) for value in table.column(one.name).to_pylist()] for one in attributes},
    )


def proxy_finding(grouped: Grouped, bias: Bias, sample: Sample) -> BiasFinding:
    """How well the other columns tell the groups of a sensitive column apart."""
    return judged(_figure(grouped, bias, sample), grouped, bias.limits.get(METRIC))


def _figure(grouped: Grouped, bias: Bias, sample: Sample) -> Figure:
    large = [group for group in grouped.groups if group.rows >= bias.min_group_size]
    if not sample.names:
        return Figure(METRIC, "no column is left that could tell groups apart", None, harmless=True)
    if len(large) < 2:
        return Figure(METRIC, too_few(grouped, large, bias), None)
    found = sample.groups[grouped.attribute.name]
    kept = _known(found, [group.name for group in large], sample.entities)
    if len(kept) < 2:
        words = f"fewer than two groups have {LEAST_SAMPLED} rows of {FOLDS} entities in the sample"
        return Figure(METRIC, words, None)
    kept = kept[:MOST_GROUPS]
    places = np.array([kept.index(name) if name in kept else -1 for name in found], dtype=np.intp)
    part = _Part(sample.values, places, sample.entities).of(places >= 0)
    column, alone = _strongest(sample.names, part)
    words = f"told by {len(sample.names)} other column{'' if len(sample.names) == 1 else 's'}"
    words += f", most by {column} ({alone:.4g} alone)" if alone > 0.5 else ""
    words += f", on {len(part.places):,} rows, as the mean of {len(kept)} groups, each against the rest"
    estimate = _estimate(part, len(kept))
    return Figure(METRIC, words + left_out(grouped, [group for group in large if group.name in kept], bias), estimate)


def _known(found: Sequence[str | None], large: Sequence[str], entities: Places | None) -> list[str]:
    """The groups that each fold can have rows of, the largest first."""
    members = {name: np.flatnonzero([one == name for one in found]) for name in large}
    whole = {name: rows if entities is None else np.unique(entities[rows]) for name, rows in members.items()}
    known = [name for name in large if len(members[name]) >= LEAST_SAMPLED and len(whole[name]) >= FOLDS]
    return sorted(known, key=lambda name: (-len(members[name]), name))


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that are fitted to, and the place of each row's group among the groups."""

    values: Matrix
    places: Places
    entities: Places | None

    def of(self, rows: NDArray[Any]) -> _Part:
        return _Part(self.values[rows], self.places[rows], None if self.entities is None else self.entities[rows])


def _estimate(part: _Part, groups: int) -> Estimate:
    """The mean area; its error is at most the mean of the errors, however the areas hang together."""
    scores = _scores(part, groups)
    areas = [area_under_curve(scores[:, place], part.places == place) for place in range(groups)]
    area, error = (float(mean) for mean in np.mean(areas, axis=0))
    reach = quantile(CONFIDENCE) * error
    return Estimate.rounded(area, max(0.0, area - reach), min(1.0, area + reach))


def _scores(part: _Part, groups: int) -> Floats:
    """The probability of each group for each row, by a model that has not seen its entity."""
    scores = np.zeros((len(part.places), groups))
    for learnt, asked in _folds(part):
        # scikit-learn stops at a column without any value.
        told = ~np.isnan(part.values[learnt]).all(axis=0)
        if not told.any():
            continue
        model = HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=SEED, categorical_features=None
        )
        # With several threads sums are added in an order that is not always the same.
        with threadpool_limits(1, user_api="openmp"):
            model.fit(part.values[np.ix_(learnt, told)], part.places[learnt])
            scores[np.ix_(asked, model.classes_)] = model.predict_proba(part.values[np.ix_(asked, told)])
    return scores


def _folds(part: _Part) -> Iterator[tuple[Places, Places]]:
    """Rows to learn from and rows to ask, with rows of an entity on one side."""
    entities = part.entities if part.entities is not None and len(np.unique(part.entities)) < len(part.places) else None
    kind = StratifiedKFold if entities is None else StratifiedGroupKFold
    for learnt, asked in kind(FOLDS, shuffle=True, random_state=SEED).split(part.values, part.places, entities):
        if len(np.unique(part.places[learnt])) > 1:
            yield learnt, asked


def _strongest(names: Sequence[str], part: _Part) -> tuple[str, float]:
    """The column whose order alone tells some group best, and how well."""
    found = ("", 0.5)
    for group in np.unique(part.places):
        members = part.places == group
        for place, name in enumerate(names):
            column = part.values[:, place].astype(np.float64)
            area, _ = area_under_curve(np.where(np.isnan(column), -np.inf, column), members)
            found = max(found, (name, max(area, 1 - area)), key=lambda one: one[1])
    return found


def _others(task: FeaturesTask, attributes: Sequence[Attribute], columns: Sequence[Column]) -> list[Column]:
    """What a model could learn from."""
    never = {*task.entity, task.timestamp, task.arrival, *(one.name for one in attributes)}
    never |= {task.bias.label} if task.bias is not None else set()
    return [column for column in columns if column.name not in never and not column.personal]


def _pieces(files: Sequence[Path], names: list[str], fraction: float) -> Iterator[pa.Table]:
    """The rows that are in the sample, by their number: a version has its rows in one order for good."""
    start = 0
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=names):
                chosen = _chosen(start, batch.num_rows, fraction)
                start += batch.num_rows
                yield pa.Table.from_batches([batch]).filter(pa.array(chosen))


def _chosen(start: int, rows: int, fraction: float) -> NDArray[np.bool_]:
    """Whether each row is in the sample.

    Source:
        G. L. Steele, D. Lea and C. H. Flood, Fast splittable pseudorandom number generators, OOPSLA 2014 (SplitMix64).

    """
    number = np.arange(start, start + rows, dtype=np.uint64) + np.uint64(SEED)
    with np.errstate(over="ignore"):
        number *= np.uint64(0x9E3779B97F4A7C15)
        number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        number ^= number >> np.uint64(31)
    chosen: NDArray[np.bool_] = number.astype(np.float64) / 2.0**64 < fraction if fraction < 1 else np.ones(rows, bool)
    return chosen


def _sorted(table: pa.Table) -> pa.Table:
    """The rows in an order of their content, by which folds are dealt."""
    places = [str(place) for place in range(table.num_columns)]  # a name with a point would be taken for a path
    keys = [(place, "ascending") for place in places]
    return table.take(pc.sort_indices(table.rename_columns(places), sort_keys=keys))


def _numbers(column: pa.ChunkedArray) -> Matrix:
    """A column as numbers: text by its place among the texts, a time by how much has passed; NaN where none is."""
    convert = next((convert for is_kind, convert in CONVERSIONS if is_kind(column.type)), _plain)
    with np.errstate(over="ignore"):
        numbers = convert(column).astype(np.float32)
    return np.where(np.isfinite(numbers), numbers, np.float32(np.nan))


def _plain(column: pa.ChunkedArray) -> Floats:
    numbers: Floats = pc.cast(column, pa.float64(), safe=False).to_numpy()
    return numbers


def _text(column: pa.ChunkedArray) -> Floats:
    missing = pc.is_null(column).to_numpy()
    _, codes = np.unique(np.array(pc.fill_null(column, "").to_pylist(), dtype=object), return_inverse=True)
    return np.where(missing, np.nan, codes.astype(np.float64))


def _time(column: pa.ChunkedArray) -> Floats:
    return _plain(pc.cast(column, pa.int32() if pa.types.is_date32(column.type) else pa.int64()))


CONVERSIONS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], Floats]], ...] = (
    (pa.types.is_string, _text),
    (pa.types.is_large_string, _text),
    (pa.types.is_temporal, _time),
)


def _entities(table: pa.Table, entity: Sequence[str]) -> Places | None:
    """The number of each row's entity."""
    if not entity:
        return None
    seen: dict[tuple[Any, ...], int] = {}
    keys = zip(*(table.column(name).to_pylist() for name in entity), strict=True)
    return np.array([seen.setdefault(key, len(seen)) for key in keys], dtype=np.intp)
