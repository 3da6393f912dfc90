"""May this model be served? Only after its digest, signature, golden requests and some runs say so."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Golden, Signature, Tensor
from merkhet.errors import Corrupt, Refused
from merkhet.workloads.server import blobs
from merkhet.workloads.server.datatypes import DATATYPES
from merkhet.workloads.server.model import INLINE_SECONDS, PARALLEL_SECONDS, Model, fastest
from merkhet.workloads.server.requests import InputReader

Array = np.ndarray[Any, Any]
logger = logging.getLogger(__name__)

WARM_ROWS = 256  # of the larger of the two runs by which the time per row is known


def prepare(task: ServingTask, store: Path, threads: int = 1) -> Model:
    """The model, proven.

    *Raises* MerkhetError in words, where it must not be served.
    """
    start = time.perf_counter()
    content = blobs.read(store, task.digest)
    if len(content) != task.size:
        raise Corrupt(f"blob {task.digest} has {len(content)} bytes, the model version says {task.size}")
    name = f"model {task.registry_model} version {task.number}"
    model = Model(content, task.signature, name)
    replayed = replay(model, golden_of(task, store))
    warm(model)
    if model.seconds_per_run > PARALLEL_SECONDS and threads > 1:
        model = Model(content, task.signature, name, threads)
        warm(model)
    logger.info(
        "%s is ready after %.2f s: %d golden rows replayed, one row takes %.0f microseconds, up to %d rows run inline",
        name, time.perf_counter() - start, replayed, model.seconds_per_run * 1e6, model.inline_rows,
    )  # fmt: skip
    return model


def golden_of(task: ServingTask, store: Path) -> Golden | None:
    """The golden requests of the version, if it has some."""
    if task.golden is None:
        return None
    try:
        return Golden.load(blobs.read(store, task.golden))
    except ValueError as error:
        raise Refused(f"the golden requests {task.golden} are unreadable: {error}", reason="InvalidGolden") from None


def replay(model: Model, golden: Golden | None) -> int:
    """Ask the golden requests and compare the answers; gives the number of rows.

    *Raises* Refused naming rows and differences.
    """
    if golden is None or not any(golden.inputs.values()):
        return 0
    rows = len(next(iter(golden.inputs.values())))
    answers = model.run(golden_feed(model.signature, golden, rows))
    undecided = close_calls(model.signature, answers, golden.tolerance)
    for name, wanted in golden.outputs.items():
        if name not in answers:
            raise Refused(f"{model.name}: the golden requests expect output {name}, which it does not give",
                          reason="GoldenMismatch")  # fmt: skip
        wrong = differing(answers[name], wanted, golden.tolerance)
        if len(model.outputs[name].shape) == 1 and model.signature.classes:
            wrong = [row for row in wrong if row not in undecided]
        if wrong:
            told = "; ".join(
                f"row {row}: found {answers[name][row].tolist()}, wanted {wanted[row]}" for row in wrong[:3]
            )
            raise Refused(
                f"{model.name} answers {len(wrong)} of {rows} golden requests otherwise than in training: {name} of "
                f"{told} (tolerance {golden.tolerance:g}); the model stays unserved, train it again with this image",
                reason="GoldenMismatch",
            )
    return rows


def golden_feed(signature: Signature, golden: Golden, rows: int) -> dict[str, Array]:
    """The golden inputs, read as those of callers are."""
    feed = {}
    for tensor in signature.inputs:
        values = golden.inputs.get(tensor.name)
        if values is None or len(values) != rows:
            raise Refused(f"the golden requests have no {rows} rows of input {tensor.name}", reason="InvalidGolden")
        feed[tensor.name] = InputReader(tensor).from_json(values, rows)
    return feed


def differing(found: Array, wanted: list[Any], tolerance: float) -> list[int]:
    """Rows in which an answer is not the wanted one. Numbers may differ by the tolerance; NaN is written as null."""
    if len(wanted) != found.shape[0]:
        return list(range(min(len(wanted), found.shape[0]) or 1))
    if found.dtype.kind != "f":
        return [row for row, value in enumerate(found.tolist()) if value != wanted[row]]
    expected = np.array(wanted, np.float64).reshape(found.shape)
    near = np.isclose(found.astype(np.float64), expected, rtol=0.0, atol=tolerance, equal_nan=True)
    return [int(row) for row in np.flatnonzero(~near.reshape(len(wanted), -1).all(axis=1))]


def close_calls(signature: Signature, answers: dict[str, Array], tolerance: float) -> frozenset[int]:
    """Rows whose label may fall either way within the tolerance."""
    scores = next((answer for answer in answers.values() if answer.ndim == 2 and answer.dtype.kind == "f"), None)
    if not signature.classes or scores is None or scores.shape[1] != len(signature.classes):
        return frozenset()
    if signature.threshold is not None and signature.positive in signature.classes:
        positive = scores[:, list(signature.classes).index(signature.positive)]
        margin = np.abs(positive - signature.threshold)
    else:
        ordered = np.sort(scores, axis=1)
        margin = (ordered[:, -1] - ordered[:, -2]) / 2
    return frozenset(int(row) for row in np.flatnonzero(margin <= tolerance))


def warm(model: Model) -> None:
    """Run it a few times and decide up to how many rows a run belongs on the event loop."""
    one = fastest(model, plain_feed(model.signature, 1))
    many = fastest(model, plain_feed(model.signature, WARM_ROWS), tries=3)
    per_row = max((many - one) / (WARM_ROWS - 1), 1e-9)
    model.seconds_per_run = one
    model.inline_rows = 0 if one >= INLINE_SECONDS else 1 + math.floor((INLINE_SECONDS - one) / per_row)


def plain_feed(signature: Signature, rows: int) -> dict[str, Array]:
    """Rows without a meaning that each model takes: zeros, or the first category known."""
    return {tensor.name: _plain(tensor, rows) for tensor in signature.inputs}


def _plain(tensor: Tensor, rows: int) -> Array:
    value = tensor.categories[0] if tensor.categories else ("" if tensor.datatype == "BYTES" else 0)
    array = np.full((rows, *tensor.shape[1:]), value, DATATYPES[tensor.datatype].numpy)
    for column, known in tensor.column_categories.items():
        array[:, tensor.columns.index(column)] = known[0]
    return array
