"""How far apart are scikit-learn and ONNX for a pipeline on generated tables, held-out rows and rows at the edges?"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.errors import Refused
from merkhet.workloads.trainer import export, parity
from merkhet.workloads.trainer.features import ColumnKind, Features, joined

LIMIT = 1e-4
ROWS, HELD_OUT = 600, 300
# Fewer that are all rows of the training may be so by chance, as the means of two classes in a small grid.
FEWEST_HELD = 5
Array = npt.NDArray[Any]
Infinity = Literal["refused", "agrees", "differs"]


@dataclass(frozen=True, slots=True)
class Table:
    """Generated rows to learn from and rows to compare on."""

    name: str
    train: Features
    target: Array
    held_out: Features
    classes: tuple[Any, ...] = ()

    @property
    def missing(self) -> list[str]:
        """Columns in which values are missing."""
        columns = zip(self.train.names, self.train.columns, self.train.kinds, strict=True)
        return [name for name, column, kind in columns if kind != "text" and np.isnan(column).any()]


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one conversion: the largest difference, or why there was none.

    ``infinity``: what scikit-learn says to it, and whether ONNX says the same. ``holds_rows``: of the training.
    """

    difference: float = float("inf")
    fault: str = ""
    table: str = ""
    infinity: Infinity = "refused"
    holds_rows: bool = False

    @property
    def agrees(self) -> bool:
        """Whether it is near enough."""
        return self.difference <= LIMIT

    @property
    def why(self) -> str:
        """Why it is not allowed."""
        return self.fault or f"ONNX and scikit-learn differ by {self.difference:.1g} ({self.table})"


def measured(build: Callable[[], Pipeline], table: Table) -> Measured:
    """Fit, convert and compare; whatever a candidate raises is the reason why it is not allowed."""
    try:
        with quietly():
            return _compared(build(), table)
    except Refused as refusal:
        return Measured(fault=_short(str(refusal)))
    except Exception as error:
        return Measured(fault=_short(f"{type(error).__name__}: {error}"))


@contextmanager
def quietly() -> Iterator[None]:
    """Without warnings of what does not converge, and on one thread.

    The tables are small: on a busy machine threads that wait for each other take ten times as long as one.
    """
    with warnings.catch_warnings(), threadpool_limits(limits=1):
        warnings.simplefilter("ignore")
        yield


def worst(found: Iterable[Measured]) -> Measured:
    """The one that is furthest apart."""
    return max(found, key=lambda one: one.difference)


def _compared(pipeline: Pipeline, table: Table) -> Measured:
    pipeline.fit(table.train.frame(), table.target)
    if table.classes and not hasattr(pipeline.steps[-1][1], "predict_proba"):
        raise Refused("it gives no probabilities")
    graph = export.convert(pipeline, table.train)
    scale = 1.0 if table.classes else float(table.target.std())
    pair = parity.Pair(pipeline, parity.session(graph), table.classes, scale)
    known = [name for name, kind in zip(table.train.names, table.train.kinds, strict=True) if kind == "text"]
    if not table.missing and _has_encoder(pipeline):
        known = list(table.train.names)
    edges = parity.edge_rows(pipeline, table.train, table.missing, known)
    difference = float(pair.differences(joined([table.held_out, edges])).max())
    return Measured(difference, "", table.name, _infinity(pair, table), _holds_rows(pipeline, table))


def _infinity(pair: parity.Pair, table: Table) -> Infinity:
    """What infinite values bring: the server refuses them whatever is found here."""
    rows = table.held_out.take(np.arange(8))
    said: set[Infinity] = set()
    for name, kind in zip(rows.names, rows.kinds, strict=True):
        for value in () if kind == "text" else (np.inf, -np.inf):
            some = rows.changed(name, value)
            try:
                pair.trained(some)
            except parity.REFUSALS:
                said.add("refused")
            else:
                said.add("agrees" if pair.agree(some, LIMIT) else "differs")
    return max(said, key=("refused", "agrees", "differs").index)


def _holds_rows(pipeline: Pipeline, table: Table) -> bool:
    """Whether an array somewhere in the model is made of rows that it was fitted on."""
    if not table.train.all_numeric:
        return False
    reaching = [np.asarray(table.train.frame(), np.float32)]
    for _, step in pipeline.steps[:-1]:
        reaching.append(np.asarray(step.transform(reaching[-1]), np.float32))
    known = {row.tobytes() for rows in reaching for row in rows}
    arrays = [value for part in export.fitted(pipeline) for value in vars(part).values()]
    found = [np.asarray(array, np.float32) for array in arrays if _is_matrix(array)]
    return any(len(array) >= FEWEST_HELD and all(row.tobytes() in known for row in array) for array in found)


def _is_matrix(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind == "f"


def _has_encoder(pipeline: Pipeline) -> bool:
    """Whether numbers are categories there: others than those of the training are refused by the server."""
    return any(hasattr(step, "categories_") for _, step in pipeline.steps)


def _short(text: str) -> str:
    line = " ".join(text.split())
    if "Unable to find a shape calculator" in line:
        return "has no ONNX form"  # said by skl2onnx in six lines
    if "importance_getter" in line:
        return "has neither coef_ nor feature_importances_"
    return line if len(line) <= 160 else f"{line[:157]}..."


def binary(*, missing: bool = False) -> Table:
    """Numbers of different size and kind, two classes."""
    return _table("two classes", lambda score: (score > 0).astype(np.int64), (0, 1), missing=missing)


def codes(*, missing: bool = False) -> Table:
    """Whole numbers that stand for categories, two classes."""
    table = binary(missing=missing)
    train, held_out = (
        Features(("code", "flag"), ("number", "number"), (part.column("c2"), part.column("c4")))
        for part in (table.train, table.held_out)
    )
    return Table("codes", train, table.target, held_out, table.classes)


def several(*, missing: bool = False) -> Table:
    """The same numbers, three classes by name."""
    names = np.array(["high", "low", "middle"])
    return _table("three classes", lambda s: names[(s > -0.8).astype(int) + (s > 0.8)], tuple(names), missing=missing)


def amounts(*, missing: bool = False) -> Table:
    """The same numbers, a positive amount."""
    return _table("regression", lambda score: np.exp(score / 2) + 1.0, (), missing=missing)


def whole(*, missing: bool = False) -> Table:
    """A few whole numbers, two classes: rows repeat, and many are equally far from each other."""
    return _whole("whole numbers", lambda score: (score > 0).astype(np.int64), (0, 1), missing=missing)


def whole_amounts(*, missing: bool = False) -> Table:
    """The same, an amount."""
    return _whole("whole numbers", lambda score: np.exp(score / 8) + 1.0, (), missing=missing)


def with_text() -> Table:
    """Numbers and two columns of text, two classes."""
    table = binary()
    random = np.random.default_rng(5)
    words = (["Lyon", "Köln", "Oslo", "a b"], ["x", "y"])
    columns = [random.choice(np.array(known, dtype=object), ROWS + HELD_OUT) for known in words]
    both = joined([table.train, table.held_out])
    rows = Features((*both.names, "city", "kind"), (*both.kinds, "text", "text"), (*both.columns, *columns))
    return Table("text", rows.take(np.arange(ROWS)), table.target, rows.take(np.arange(ROWS, rows.rows)), table.classes)


def _table(name: str, target: Callable[[Array], Array], classes: tuple[Any, ...], *, missing: bool) -> Table:
    random = np.random.default_rng(3)
    count = ROWS + HELD_OUT
    columns = [
        random.normal(size=count),
        random.gamma(2.0, 5.0, count),
        random.integers(0, 6, count).astype(np.float64),
        random.uniform(-100.0, 100.0, count),
        (random.random(count) < 0.3).astype(np.float64),
    ]
    score = columns[0] + (columns[1] - 10) / 8 + (columns[2] == 3) - columns[3] / 80 + random.logistic(size=count) / 3
    return _divided(name, columns, target(score), classes, random if missing else None)


def _whole(name: str, target: Callable[[Array], Array], classes: tuple[Any, ...], *, missing: bool) -> Table:
    random = np.random.default_rng(7)
    count = ROWS + HELD_OUT
    columns = [random.integers(0, highest, count).astype(np.float64) for highest in (6, 4, 9)]
    score = columns[0] + columns[1] - columns[2] / 2 - 2 + random.normal(size=count) * 2
    return _divided(name, columns, target(score), classes, random if missing else None)


def _divided(
    name: str, columns: list[Array], target: Array, classes: tuple[Any, ...], emptying: np.random.Generator | None
) -> Table:
    """The first rows to learn from, the others held out; ``emptying`` takes a tenth of the values away."""
    if emptying is not None:
        columns = [np.where(emptying.random(len(column)) < 0.1, np.nan, column) for column in columns]
    names = tuple(f"c{at}" for at in range(len(columns)))
    kinds: tuple[ColumnKind, ...] = tuple("number" for _ in names)
    rows = Features(names, kinds, tuple(column.astype(np.float32) for column in columns))
    return Table(name, rows.take(np.arange(ROWS)), target[:ROWS], rows.take(np.arange(ROWS, rows.rows)), classes)
