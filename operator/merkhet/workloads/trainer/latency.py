"""How long the ONNX model takes for one row."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle, islice

import numpy as np

from merkhet.contract.evaluation import Latency
from merkhet.workloads.trainer import parity
from merkhet.workloads.trainer.features import Features

CALLS = 2000  # the slowest 1 % are 20 then
SECONDS = 2.0  # for all of them: a gate is not worth more of a run
WARM_UP = 20  # the first calls allocate
ROWS = 200  # different ones: trees take paths of different lengths
# What else runs on the node takes turns with the calls, for milliseconds at a time; that is no fault of the model.
ROUNDS = 5


def measured(model: bytes, rows: Features, clock: Callable[[], float] = time.perf_counter) -> Latency:
    """Calls of one row each, after a warm-up, by a session of one thread as the server makes it.

    They are made in rounds, one after the other, and what is told is of the round with the quickest 99 of 100 calls.

    Units: ``clock`` counts seconds.
    """
    session = parity.session(model, threads=1)
    feeds = [rows.take([at]).feed() for at in range(min(ROWS, rows.rows))]
    began = clock()
    for feed in islice(cycle(feeds), WARM_UP):
        session.run(None, feed)
        if clock() - began > SECONDS:
            break
    took: list[float] = []
    began = clock()
    for feed in islice(cycle(feeds), CALLS):
        start = clock()
        session.run(None, feed)
        end = clock()
        took.append(end - start)
        if end - began > SECONDS:
            break
    rounds = [one for one in np.array_split(np.array(took) * 1000, ROUNDS) if len(one)]
    p50, p99 = min((np.quantile(one, [0.5, 0.99]) for one in rounds), key=lambda quantiles: float(quantiles[1]))
    return Latency(p50=round(float(p50), 6), p99=round(float(p99), 6), calls=len(took))
