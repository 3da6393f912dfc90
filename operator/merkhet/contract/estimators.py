"""The scikit-learn estimators a pipeline may name: exactly those whose ONNX form was measured to agree.

``estimators.json`` is written by ``python -m merkhet.workloads.trainer.allowlist``, which converts and compares each
candidate; it is read here without scikit-learn, so that the operator can refuse an unknown estimator at once.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

EstimatorKind = Literal["transformer", "classifier", "regressor"]
Reason = Literal["UnknownEstimator", "UnknownParameter", "InvalidParameter"]
# Parameters whose value is an estimator, written as {estimator: <import path>, parameters: {…}}, or a list of such.
ONE_INNER = ("estimator", "final_estimator")
MANY_INNER = "estimators"
DEEPEST = 3  # estimators in each other: one that calibrates one that bags one; nobody has shown a use for more
MOST_MEMBERS = 16  # as many as a pipeline has steps


@dataclass(frozen=True, slots=True)
class Estimator:
    """What is known of an estimator.

    ``columnwise``: each column is treated by itself, so a step may be split by columns. ``text``, ``numbers``: what
    columns it takes. ``missing``: agrees with scikit-learn also where values are missing. ``difference``: the largest
    one measured. ``needed``: parameters without a default. ``holds_rows``: the model contains rows it was fitted on.
    ``inner``: by parameter, the estimators that agree inside of it. ``step``: whether it may be a step by itself.
    """

    kind: EstimatorKind
    parameters: tuple[str, ...]
    columnwise: bool = False
    text: bool = False
    numbers: bool = True
    missing: bool = False
    difference: float = 0.0
    needed: tuple[str, ...] = ()
    holds_rows: bool = False
    inner: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    step: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an estimator as somebody wrote it."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Inner:
    """An estimator inside of another. ``place``: the parameter, with a position where it takes several."""

    place: str
    estimator: str
    parameters: Mapping[str, Any]


def fault_of(path: str, parameters: Mapping[str, Any]) -> Fault | None:
    """The first thing wrong with a step's estimator and what stands in it; None where nothing is."""
    if unknown := unknown_estimator(path):
        return Fault("UnknownEstimator", unknown)
    return next(_faults_of_parameters(path, parameters, depth=1), None)


def unknown_estimator(path: str) -> str | None:
    """Why a path is not allowed, with the nearest ones that are; None where it is."""
    if path in ALLOWED:
        return None
    if path in LISTED:
        predicting = [name for name, known in ALLOWED.items() if known.kind != "transformer"]
        holders = [name for name in predicting if path in ALLOWED[name].inner.get("estimator", ())]
        return (
            f"estimator {path} is not among those that may be a step: it gives no probabilities by itself; "
            f"name it as the estimator of {' or '.join(holders)}"
        )
    by_class = [known for known in ALLOWED if known.rpartition(".")[2] == path.rpartition(".")[2]]
    near = by_class or difflib.get_close_matches(path, ALLOWED, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"estimator {path} is not among those whose ONNX form is known to agree with scikit-learn{hint}"


def unknown_parameters(path: str, names: Iterable[str]) -> str | None:
    """Why names of parameters are not allowed for a listed estimator; None where all are."""
    allowed = LISTED[path].parameters
    unknown = sorted(set(names) - set(allowed))
    if not unknown:
        return None
    takes = ", ".join(allowed) if allowed else "none"
    near = sorted({match for name in unknown for match in difflib.get_close_matches(name, allowed, n=2)})
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{path} has no parameter {', '.join(unknown)} that may be set; it takes {takes}{hint}"


def holds_rows(path: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a model made of it contains rows of the training, as those of the nearest neighbours do."""
    return LISTED[path].holds_rows or any(holds_rows(one.estimator, one.parameters) for one in inner(parameters))


def inner(parameters: Mapping[str, Any]) -> Iterator[Inner]:
    """The estimators that stand in parameters which were found without fault."""
    for name in ONE_INNER:
        if parameters.get(name) is not None:
            yield _inner(name, parameters[name])
    for position, member in enumerate(parameters.get(MANY_INNER) or (), 1):
        yield _inner(f"{MANY_INNER} {position}", member)


def names_of_members(members: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the members of an ensemble are called: as they say, or by their place."""
    return [str(member.get("name") or f"member{position}") for position, member in enumerate(members, 1)]


def _inner(place: str, value: Mapping[str, Any]) -> Inner:
    return Inner(place, value["estimator"], value.get("parameters") or {})


def _faults_of_parameters(path: str, parameters: Mapping[str, Any], depth: int) -> Iterator[Fault]:
    if unknown := unknown_parameters(path, parameters):
        yield Fault("UnknownParameter", unknown)
    lacking = [name for name in LISTED[path].needed if parameters.get(name) is None]
    if lacking:
        yield Fault("InvalidParameter", f"{path} needs the parameter {', '.join(lacking)}: {WRITTEN}")
    misshapen = list(_faults_of_shape(path, parameters))
    yield from misshapen
    for one in () if misshapen else inner(parameters):
        yield from _faults_of_inner(path, one, depth)


def _faults_of_shape(path: str, parameters: Mapping[str, Any]) -> Iterator[Fault]:
    """Whether what should be estimators looks like it; what ``inner`` relies on."""
    for name in ONE_INNER:
        value = parameters.get(name)
        if value is not None and not _is_written_well(value, ()):
            yield Fault("InvalidParameter", f"{name} of {path} is {_shown(value)}: {WRITTEN}")
    members = parameters.get(MANY_INNER)
    if members is None:
        return
    if not isinstance(members, list | tuple) or not 0 < len(members) <= MOST_MEMBERS:
        found = f"has {len(members)} members" if isinstance(members, list | tuple) else f"is {_shown(members)}"
        yield Fault("InvalidParameter", f"{MANY_INNER} of {path} {found}: write a list of 1 to {MOST_MEMBERS}")
        return
    wrong = [member for member in members if not _is_written_well(member, ("name",))]
    if wrong:
        yield Fault("InvalidParameter", f"a member of {path} is {_shown(wrong[0])}: {WRITTEN}, and name beside them")
    elif len(set(names := names_of_members(members))) < len(names) or any("__" in name for name in names):
        yield Fault("InvalidParameter", f"the members of {path} are called {', '.join(names)}: give each its own name, "
                    f"without two underscores in a row")  # fmt: skip


def _faults_of_inner(path: str, one: Inner, depth: int) -> Iterator[Fault]:
    where = f"{one.place} of {path}: "
    agreeing = LISTED[path].inner.get(one.place.split(" ")[0], ())
    if depth >= DEEPEST:
        yield Fault("InvalidParameter", f"{where}estimators stand in each other up to {DEEPEST} deep; take one away")
    elif one.estimator not in agreeing:
        near = [known for known in agreeing if known.rpartition(".")[2] == one.estimator.rpartition(".")[2]]
        near = near or difflib.get_close_matches(one.estimator, agreeing, n=3, cutoff=0.6) or sorted(agreeing)[:3]
        message = f"{where}{one.estimator} is not among those that are known to agree inside of it"
        yield Fault("UnknownEstimator", f"{message}; did you mean {' or '.join(near)}?")
    else:
        found = _faults_of_parameters(one.estimator, one.parameters, depth + 1)
        yield from (Fault(fault.reason, where + fault.message) for fault in found)


def _is_written_well(value: Any, more: tuple[str, ...]) -> bool:
    """Whether a value has the form of an estimator with parameters; nobody's word for what is in it."""
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("estimator"), str)
        and isinstance(value.get("parameters") or {}, Mapping)
        and isinstance(value.get("name") or "", str)
        and set(value) <= {"estimator", "parameters", *more}
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _load() -> Mapping[str, Estimator]:
    text = resources.files("merkhet.contract").joinpath("estimators.json").read_text(encoding="utf-8")
    content = json.loads(text)
    return {path: _estimator(entry) for path, entry in content["estimators"].items()}


def _estimator(entry: dict[str, Any]) -> Estimator:
    names = ("kind", "columnwise", "text", "numbers", "missing", "difference", "holds_rows", "step")
    known = {name: entry[name] for name in names if name in entry}
    within = {name: tuple(paths) for name, paths in entry.get("inner", {}).items()}
    return Estimator(
        **known, parameters=tuple(entry["parameters"]), needed=tuple(entry.get("needed", ())), inner=within
    )


WRITTEN = "write {estimator: <import path>, parameters: {...}}"
LISTED: Mapping[str, Estimator] = _load()
"""All that were measured to agree, also those that stand only inside of another."""
ALLOWED: Mapping[str, Estimator] = {path: known for path, known in LISTED.items() if known.step}
"""Those that may be a step."""
