"""Fitting a pipeline: float32 in, the seed fixed, as many threads as the container has cores."""

from __future__ import annotations

import warnings
from typing import Any

import numpy.typing as npt
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.errors import Refused
from merkhet.workloads.trainer.features import Features


def fit(pipeline: Pipeline, features: Features, target: npt.NDArray[Any], *, threads: int = 1) -> tuple[str, ...]:
    """Fit in place and give the warnings; raises Refused with scikit-learn's own words where it does not take them."""
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(limits=threads):
        warnings.simplefilter("always")
        try:
            pipeline.fit(features.frame(), target)
        except (ValueError, TypeError) as error:
            raise Refused(f"scikit-learn refused to fit: {str(error)[:1500]}", reason="FitRefused") from error
    final = pipeline.steps[-1][1]
    if hasattr(final, "classes_") and not hasattr(final, "predict_proba"):
        raise Refused(
            f"{type(final).__name__} gives no probabilities with these parameters; choose ones that do (a loss that "
            f"has predict_proba)",
            reason="NoProbabilities",
        )
    return tuple(dict.fromkeys(f"{type(one.message).__name__}: {str(one.message)[:300]}" for one in caught))
