"""A feature that alone tells the target is named, and one that merely helps is not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.leakage import warnings

RANDOM = np.random.default_rng(6)
ROWS = 2000
TWO = RANDOM.integers(0, 2, ROWS)
RARE = (RANDOM.random(ROWS) < 0.02).astype(np.int64)
THREE = RANDOM.choice(["a", "b", "c"], ROWS)
AMOUNT = RANDOM.lognormal(3, 1, ROWS)
SPREAD = RANDOM.uniform(-1, 1, ROWS)
NOISE = RANDOM.normal(size=ROWS)


def found(column: Any, truth: Any, *, regression: bool = False) -> tuple[str, ...]:
    values = np.asarray(column)
    kind = "text" if values.dtype.kind in "UO" else "number"
    stored = values.astype(object) if kind == "text" else values.astype(np.float32)
    noise = NOISE[: len(values)].astype(np.float32)
    train = Features(("noise", "leak"), ("number", kind), (noise, stored))  # type: ignore[arg-type] # a literal by hand
    return warnings(train, np.asarray(truth), regression=regression)


LEAKS: dict[str, tuple[Any, Any, bool]] = {
    "a copy": (TWO, TWO, False),
    "the other way round": (-TWO, TWO, False),
    "beyond a threshold": (TWO * 3 + RANDOM.random(ROWS), TWO, False),
    "of a rare class": (RARE + RANDOM.random(ROWS) * 0.9, RARE, False),
    "in the middle of the range": (
        np.where(TWO == 1, RANDOM.uniform(-1, 1, ROWS), NOISE + 5 * np.sign(NOISE)),
        TWO,
        False,
    ),
    "by being missing": (np.where(TWO == 1, np.nan, RANDOM.normal(size=ROWS)), TWO, False),
    "by a word": (np.where(TWO == 1, RANDOM.choice(["x", "z"], ROWS), "y"), TWO, False),
    "codes of three classes": (np.select([THREE == "a", THREE == "b"], [7, 1], 4), THREE, False),
    "words of three classes": (np.char.add("was ", THREE), THREE, False),
    "an amount in another currency": (AMOUNT * 1.09, AMOUNT, True),
    "an amount and its logarithm": (-np.log(AMOUNT), AMOUNT, True),
    "an amount by steps of a word": (THREE, np.select([THREE == "a", THREE == "b"], [10.0, 30.0], 20.0), True),
    "an amount that is its square": (SPREAD, SPREAD**2, True),
}


@pytest.mark.parametrize(("column", "truth", "regression"), LEAKS.values(), ids=LEAKS)
def test_a_leak_is_named(column: Any, truth: Any, *, regression: bool) -> None:
    (told,) = found(column, truth, regression=regression)
    figure = "R²" if regression else "AUC"
    assert told.startswith(f"feature leak alone tells the target ({figure} ")
    assert told.endswith("will it be known when the model is asked? Exclude it if not")


HONEST: dict[str, tuple[Any, Any, bool]] = {
    "a good feature": (TWO * 3 + NOISE, TWO, False),
    "a constant": (np.ones(ROWS), TWO, False),
    "names of which none comes twice": (np.array([f"p{at}" for at in range(ROWS)]), TWO, False),
    "numbers of which none comes twice": (RANDOM.permutation(ROWS), TWO, False),
    "one class of three": (THREE == "a", THREE, False),
    "a good predictor of an amount": (AMOUNT * (1 + 0.1 * NOISE), AMOUNT, True),
    "too few rows": (TWO[:49], TWO[:49], False),
    "a class of too few rows": (np.arange(ROWS) < 5, (np.arange(ROWS) < 5).astype(int), False),
}


@pytest.mark.parametrize(("column", "truth", "regression"), HONEST.values(), ids=HONEST)
def test_what_merely_helps_is_not(column: Any, truth: Any, *, regression: bool) -> None:
    assert found(column, truth, regression=regression) == ()


@pytest.mark.parametrize("draw", [RANDOM.normal, lambda size: RANDOM.integers(0, 3, size)], ids=["amounts", "codes"])
def test_chance_seldom_looks_like_a_leak(draw: Callable[..., Any]) -> None:
    names = tuple(f"f{at}" for at in range(200))
    alarms = 0
    for _ in range(20):
        columns = tuple(draw(size=50).astype(np.float32) for _ in names)
        truth = RANDOM.permutation(np.arange(50) < 10).astype(int)
        alarms += len(warnings(Features(names, ("number",) * 200, columns), truth, regression=False))
    assert alarms == 0, "of 4000 features"


def test_a_hundred_features_take_about_a_second() -> None:
    rows = 60_000
    columns = tuple(RANDOM.normal(size=rows).astype(np.float32) for _ in range(100))
    train = Features(tuple(f"f{at}" for at in range(100)), ("number",) * 100, columns)
    truth = RANDOM.integers(0, 2, rows)
    began = time.process_time()
    assert warnings(train, truth, regression=False) == ()
    assert time.process_time() - began < 3, "with room for a busy machine"
