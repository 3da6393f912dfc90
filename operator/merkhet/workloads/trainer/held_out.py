"""What the model said of its test rows, kept with the version: what later answers are compared with."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from merkhet.workloads.trainer.answered import Answered

ROWS = 100_000  # at most; a seeded sample of more
SEED = 5


def parquet(tested: Answered, *, truth_is_personal: bool) -> bytes:
    """One row a test row: ``truth``, ``score_<class>`` or ``prediction``, ``weight``, ``group_<column>`` where known.

    No feature is in it, and no truth that is personal.
    """
    kept = _some(tested.rows)
    columns: dict[str, pa.Array] = {} if truth_is_personal else {"truth": pa.array(tested.truth[kept])}
    if tested.signature.task == "Regression":
        columns["prediction"] = pa.array(tested.scores[kept, 0])
    else:
        for at, label in enumerate(tested.signature.classes):
            columns[f"score_{label}"] = pa.array(tested.scores[kept, at])
    if tested.weights is not None:
        columns["weight"] = pa.array(tested.weights[kept])
    for name, labels in tested.groups.items():
        columns[f"group_{name}"] = pa.array(labels[kept].astype(object), pa.string())
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, compression="zstd", store_schema=False)
    return sink.getvalue()


def _some(rows: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    if rows <= ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).permutation(rows)[:ROWS])
