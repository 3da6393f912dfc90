"""The scikit-learn estimators a pipeline may name: exactly those whose ONNX form was measured to agree.

``estimators.json`` is written by ``python -m merkhet.workloads.trainer.allowlist``, which converts and compares each
candidate; it is read here without scikit-learn, so that the operator can refuse an unknown estimator at once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

EstimatorKind = Literal["transformer", "classifier", "regressor"]


@dataclass(frozen=True, slots=True)
class Estimator:
    """What is known of an estimator.

    ``columnwise``: each column is treated by itself, so a step may be split by columns. ``text``, ``numbers``: what
    columns it takes. ``missing``: agrees with scikit-learn also where values are missing. ``difference``: the largest
    one measured.
    """

    kind: EstimatorKind
    parameters: tuple[str, ...]
    columnwise: bool = False
    text: bool = False
    numbers: bool = True
    missing: bool = False
    difference: float = 0.0


def unknown_estimator(path: str) -> str | None:
    """Why a path is not allowed, with the nearest ones that are; None where it is."""
    if path in ALLOWED:
        return None
    by_class = [known for known in ALLOWED if known.rpartition(".")[2] == path.rpartition(".")[2]]
    near = by_class or difflib.get_close_matches(path, ALLOWED, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"estimator {path} is not among those whose ONNX form is known to agree with scikit-learn{hint}"


def unknown_parameters(path: str, names: Iterable[str]) -> str | None:
    """Why names of parameters are not allowed for an allowed estimator; None where all are."""
    allowed = ALLOWED[path].parameters
    unknown = sorted(set(names) - set(allowed))
    if not unknown:
        return None
    takes = ", ".join(allowed) if allowed else "none"
    return f"{path} has no parameter {', '.join(unknown)} that may be set; it takes {takes}"


def _load() -> Mapping[str, Estimator]:
    text = resources.files("merkhet.contract").joinpath("estimators.json").read_text(encoding="utf-8")
    return {path: _estimator(entry) for path, entry in json.loads(text)["estimators"].items()}


def _estimator(entry: dict[str, Any]) -> Estimator:
    known = {name: entry[name] for name in ("kind", "columnwise", "text", "numbers", "missing", "difference")}
    return Estimator(**known, parameters=tuple(entry["parameters"]))


ALLOWED: Mapping[str, Estimator] = _load()
