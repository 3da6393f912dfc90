"""Whether a model that somebody brings can be asked about these rows, and answers as it is said to.

What a server would refuse is refused here, before anybody approves it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from merkhet.contract.training import Signature, TrainingTask
from merkhet.errors import Refused
from merkhet.workloads import cgroup
from merkhet.workloads.server.model import Model
from merkhet.workloads.trainer import inputs
from merkhet.workloads.trainer.data import Rows
from merkhet.workloads.trainer.features import INPUT

# Probabilities are float32: a sum of as many as a model has classes is 1 to about four digits.
ROUNDING = 1e-3
REASON = "SignatureMismatch"


def session(content: bytes, signature: Signature, what: str) -> Any:
    """A session as a server has it; raises Refused where the file is not what the signature says."""
    opened = Model(content, signature, what, cgroup.limits().threads or 1).session
    _check_inputs(signature)
    answer = signature.graph.get(signature.outputs[-1].name, signature.outputs[-1].name)
    last = opened.get_outputs()[-1].name
    if answer != last:
        raise _unfit(f"{answer} as the last output, the file has {last}; probabilities or predictions come last")
    return opened


def columns(signature: Signature) -> tuple[str, ...]:
    """What the rows have to have, in order."""
    return tuple(one.name for one in inputs.columns(signature))


def check_rows(task: TrainingTask, signature: Signature, rows: Rows) -> None:
    """Raises Refused where the model cannot be asked about these rows, or its answers not be held against them."""
    for taken, kind in zip(inputs.columns(signature), rows.features.kinds, strict=True):
        if taken.text != (kind == "text"):
            takes, holds = ("text", "numbers") if taken.text else ("numbers", "text")
            raise Refused(f"the model takes {takes} for {taken.name}, which holds {holds}", reason=REASON)
        refused = int((~taken.takes(rows.features.column(taken.name))).sum())
        if refused:
            raise Refused(
                f"the model refuses {refused} of {rows.features.rows} rows for their {taken.name}, missing or unknown "
                f"to it; leave such rows out in the FeatureSet's query, or bring a model whose signature takes them",
                reason="TestRowRefused",
            )
    known, found = signature.classes, rows.target.classes
    if task.task == "Classification" and set(known) != set(found):
        shown = f"{len(found)} others" if rows.is_personal(task.target) else ", ".join(map(repr, found[:20]))
        raise Refused(
            f"the record's signature has the classes {', '.join(map(repr, known[:20]))}, target {task.target} has "
            f"{shown}; judge the model on rows with its own classes",
            reason=REASON,
        )


def check_scores(signature: Signature, scores: npt.NDArray[Any]) -> None:
    """Raises Refused for answers that are no probabilities or numbers. Shape: [rows, answers]."""
    wanted = len(signature.classes) or 1
    if scores.shape[1] != wanted:
        raise Refused(f"the model answers {scores.shape[1]} numbers a row, wanted {wanted}", reason=REASON)
    wrong = ~np.isfinite(scores).all(axis=1)
    if signature.classes:
        wrong |= (scores < -ROUNDING).any(axis=1) | (abs(scores.sum(axis=1) - 1) > ROUNDING)
    if wrong.any():
        what = "probabilities" if signature.classes else "finite numbers"
        raise Refused(
            f"the model's answers are no {what} in {int(wrong.sum())} of {len(scores)} rows; export it with such ones",
            reason="UnfitAnswers",
        )


def _check_inputs(signature: Signature) -> None:
    """Rows are fed as one matrix of numbers, or as one column an input."""
    first = signature.inputs[0]
    if len(signature.inputs) == 1 and first.datatype == "FP32":
        if first.name != INPUT or len(first.columns) != first.shape[-1]:
            named = f"{first.name} with {len(first.columns)} columns named of {first.shape[-1]}"
            raise _unfit(f"one input, {named}; wanted {INPUT}, with the name of each column")
        return
    single = all(one.shape == (-1, 1) and one.datatype in {"FP32", "BYTES"} for one in signature.inputs)
    if not single or all(one.datatype == "FP32" for one in signature.inputs):
        found = ", ".join(f"{one.name} ({one.datatype} {list(one.shape)})" for one in signature.inputs)
        raise _unfit(
            f"the inputs {found}; wanted one of FP32 named {INPUT} where all columns are numbers, else one of FP32 or "
            f"BYTES for each column, of shape [-1, 1]"
        )


def _unfit(words: str) -> Refused:
    return Refused(
        f"the record's signature has {words}; export the model so, and bring it as a new version", reason=REASON
    )
