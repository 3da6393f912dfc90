"""Fitting a pipeline: float32 in, the seed fixed, as many threads as the container has cores."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from merkhet.errors import Refused
from merkhet.workloads.trainer.features import Features


def fit(
    pipeline: Pipeline,
    features: Features,
    target: npt.NDArray[Any],
    *,
    weights: npt.NDArray[np.float64] | None = None,
    threads: int = 1,
) -> tuple[str, ...]:
    """Fit in place and give the warnings; raises Refused with scikit-learn's own words where it does not take them.

    ``weights`` go to the last step, which predicts.
    """
    more = {} if weights is None else {f"{pipeline.steps[-1][0]}__sample_weight": weights}
    _check_takes_weights(pipeline, weights)
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(limits=threads):
        warnings.simplefilter("always")
        try:
            pipeline.fit(features.frame(), target, **more)
        except (ValueError, TypeError) as error:
            raise Refused(f"scikit-learn refused to fit: {str(error)[:1500]}", reason="FitRefused") from error
    final = pipeline.steps[-1][1]
    if hasattr(final, "classes_") and not hasattr(final, "predict_proba"):
        raise Refused(
            f"{type(final).__name__} gives no probabilities with these parameters; choose ones that do (a loss that "
            f"has predict_proba)",
            reason="NoProbabilities",
        )
    # What a later scikit-learn will do otherwise is ours to care for, and no news of this model.
    told = (one for one in caught if not issubclass(one.category, FutureWarning | DeprecationWarning))
    return tuple(dict.fromkeys(f"{type(one.message).__name__}: {_line(one.message)}" for one in told))


def _line(warning: Warning | str) -> str:
    return " ".join(str(warning).split())[:300]


def _check_takes_weights(pipeline: Pipeline, weights: npt.NDArray[np.float64] | None) -> None:
    final = pipeline.steps[-1][1]
    if weights is not None and not has_fit_parameter(final, "sample_weight"):
        raise Refused(
            f"{type(final).__name__} takes no sample weights; leave data.sampleWeight out, or choose an estimator that "
            f"does",
            reason="FitRefused",
        )
