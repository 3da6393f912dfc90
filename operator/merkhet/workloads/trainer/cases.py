"""Tests written by the business: a row, and what the model must say of it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.evaluation import TriedCase
from merkhet.contract.training import Case, Expectation, Range, Signature
from merkhet.errors import Refused
from merkhet.workloads.trainer import golden, inputs
from merkhet.workloads.trainer.features import ColumnKind, Features
from merkhet.workloads.trainer.importance import answers
from merkhet.workloads.trainer.inputs import Taken

NAMED = 10  # columns or values that a message names
Row = Mapping[str, Any]


def tried(cases: Sequence[Case], session: Any, signature: Signature, train: Features) -> tuple[TriedCase, ...]:
    """What the ONNX model answers to each; columns that a case leaves out are those of a typical training row.

    Raises Refused for a column that is no feature, a value that the model refuses, or an answer that it cannot give.
    """
    if not cases:
        return ()
    known = {taken.name: taken for taken in inputs.columns(signature)}
    for case in cases:
        _check_expectation(case, signature)
        _check_input(case, train, known)
    usual = typical(train)
    rows = [{**usual, **case.input} for case in cases]
    scores = answers(session, _features(rows, train))
    told = [_answer(signature, row) for row in scores]
    return tuple(_tried(case, row, answer, signature) for case, row, answer in zip(cases, rows, told, strict=True))


def typical(features: Features) -> dict[str, Any]:
    """The middle value of each column of numbers, the most frequent of others: values that are there."""
    every = zip(features.names, features.kinds, features.columns, strict=True)
    return {name: _typical(kind, column) for name, kind, column in every}


def _typical(kind: ColumnKind, column: npt.NDArray[Any]) -> Any:
    present = column if kind == "text" else column[~np.isnan(column)]
    if not len(present):
        return None
    if kind == "number":
        return float(np.quantile(present, 0.5, method="lower"))
    counts = Counter(present.tolist())
    most = max(counts.values())
    value = min(value for value, count in counts.items() if count == most)
    return value if kind == "text" else bool(value)


def _features(rows: Sequence[Row], like: Features) -> Features:
    def column(name: str, kind: ColumnKind) -> npt.NDArray[Any]:
        values = [row[name] for row in rows]
        if kind == "text":
            return np.array(values, dtype=object)
        return np.array([np.nan if value is None else value for value in values], dtype=np.float32)

    named = zip(like.names, like.kinds, strict=True)
    return Features(like.names, like.kinds, tuple(column(name, kind) for name, kind in named))


def _answer(signature: Signature, scores: npt.NDArray[Any]) -> dict[str, Any]:
    """As it is kept: a label and its probabilities, or a prediction."""
    if signature.task == "Regression":
        return {"prediction": float(scores[0])}
    label = golden.labels(signature, scores[None, :])[0]
    if signature.positive is not None:
        return {"label": label, "probability": float(scores[signature.classes.index(signature.positive)])}
    named = zip(map(str, signature.classes), scores.tolist(), strict=True)
    return {"label": label, "probabilities": dict(named)}


def _tried(case: Case, row: Row, answer: dict[str, Any], signature: Signature) -> TriedCase:
    missed = "; ".join(_missed(case.expect, answer, signature))
    return TriedCase(
        name=case.name, passed=not missed, message=missed, input=dict(row), expect=case.expect, answer=answer
    )


def _missed(expect: Expectation, answer: Mapping[str, Any], signature: Signature) -> Iterator[str]:
    if expect.label is not None and expect.label != answer["label"]:
        yield f"the model answers {answer['label']!r}, {expect.label!r} was expected"
    if expect.probability is not None and _is_outside(expect.probability, answer["probability"]):
        what = f"the probability of {signature.positive!r}"
        yield f"{what} is {answer['probability']:.4g}, {_wanted(expect.probability)} was expected"
    if expect.prediction is not None and _is_outside(expect.prediction, answer["prediction"]):
        yield f"the prediction is {answer['prediction']:.6g}, {_wanted(expect.prediction)} was expected"


def _is_outside(wanted: Range, value: float) -> bool:
    return (wanted.min is not None and value < wanted.min) or (wanted.max is not None and value > wanted.max)


def _wanted(wanted: Range) -> str:
    ends = ((wanted.min, "at least"), (wanted.max, "at most"))
    return " and ".join(f"{words} {end:.6g}" for end, words in ends if end is not None)


def _check_expectation(case: Case, signature: Signature) -> None:
    """Whether such an answer can be given at all."""
    expect, regression = case.expect, signature.task == "Regression"
    wrong = ""
    if regression and (expect.label is not None or expect.probability is not None):
        wrong = "a label or a probability, and a Regression answers neither; expect a prediction"
    elif not regression and expect.prediction is not None:
        wrong = "a prediction, and a Classification answers none; expect a label or a probability"
    elif expect.probability is not None and signature.positive is None:
        wrong = f"a probability of the positive class, and none of {len(signature.classes)} classes is; expect a label"
    elif expect.label is not None and expect.label not in signature.classes:
        # Without the classes themselves: they may be personal.
        wrong = f"label {expect.label!r}, which is none of the {len(signature.classes)} classes of the target"
    if wrong:
        raise Refused(f"test {case.name} expects {wrong}", reason="InvalidTest")


def _check_input(case: Case, train: Features, known: Mapping[str, Taken]) -> None:
    for name, value in case.input.items():
        if name not in train.names:
            near = difflib.get_close_matches(name, train.names, n=3, cutoff=0.6)
            hint = f"did you mean {', '.join(near)}?" if near else f"features are {', '.join(train.names[:NAMED])}"
            raise Refused(f"test {case.name} has {name}, which is no feature of the model; {hint}",
                          reason="InvalidTest")  # fmt: skip
        wrong = _wrong(value, train.kinds[train.names.index(name)], known[name])
        if wrong:
            raise Refused(f"test {case.name}: {name} is {wrong}", reason="InvalidTest")


def _wrong(value: Any, kind: ColumnKind, taken: Taken) -> str:
    """Why the model does not take a value of a column; empty where it does."""
    if value is None:
        return "" if taken.missing else "missing, which the model refuses; give it a value"
    shown = repr(value)[:80]
    if not _is_of(value, kind):
        return f"{shown}, a {WANTED[kind]} was wanted"
    if kind == "text":
        stored: Any = value
    else:
        if not abs(value) <= float(np.finfo(np.float32).max):
            return f"{shown}, which is no finite number of float32"
        stored = float(np.float32(value))
        if isinstance(value, int) and stored != value:
            return f"{shown} and would become {stored:.0f}: models are fed float32"
    if taken.categories is not None and stored not in taken.categories:
        some = ", ".join(repr(one) for one in taken.categories[:NAMED])
        return f"{shown}, unknown in training, and the model takes known ones only, such as {some}"
    return ""


WANTED: Mapping[ColumnKind, str] = {"text": "text", "boolean": "boolean (true or false)", "number": "number"}


def _is_of(value: Any, kind: ColumnKind) -> bool:
    if kind == "text":
        return isinstance(value, str)
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, int | float) and (kind == "number" or value in {0, 1})
