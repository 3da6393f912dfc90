"""A business test asks the ONNX model about a whole row, and what cannot be asked is refused with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from merkhet.contract.evaluation import TriedCase
from merkhet.contract.training import Case, Signature, Tensor
from merkhet.errors import Refused
from merkhet.workloads.trainer.cases import tried, typical
from merkhet.workloads.trainer.features import Features
from tests.unit.workloads.trainer.answers import binary

TRAIN = Features(
    ("age", "member", "town"),
    ("number", "boolean", "text"),
    (
        np.array([0.1, 40, 0.3, np.nan], np.float32),
        np.array([1, 0, np.nan, 1], np.float32),
        np.array(["b", "a", "b", "a"], object),
    ),
)
INPUTS = (
    Tensor(name="age", datatype="FP32", shape=(-1, 1), missing=True),
    Tensor(name="member", datatype="FP32", shape=(-1, 1)),
    Tensor(name="town", datatype="BYTES", shape=(-1, 1), categories=("a", "b")),
)
TWO = binary(inputs=INPUTS, threshold=0.6)
THREE = binary(inputs=INPUTS, classes=("low", "middle", "high"), positive=None).model_copy(update={"threshold": None})
AMOUNT = binary(inputs=INPUTS, classes=(), positive=None, task="Regression").model_copy(update={"threshold": None})


class Session:
    """Answers a hundredth of the age; where it is missing, a half."""

    def __init__(self, width: int = 2) -> None:
        self.width = width
        self.fed: dict[str, Any] = {}

    def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
        self.fed = feed
        score = np.nan_to_num(feed["age"][:, 0], nan=50) / 100
        if self.width == 1:
            return [score[:, None] * 1000]
        rest = np.repeat((1 - score)[:, None] / (self.width - 1), self.width - 1, axis=1)
        return [None, np.column_stack([rest, score])]


def one(expect: dict[str, Any], given: dict[str, Any], signature: Signature = TWO) -> TriedCase:
    case = Case.model_validate({"name": "child", "input": given, "expect": expect})
    (told,) = tried([case], Session(len(signature.classes) or 1), signature, TRAIN)
    return told


def test_what_a_case_leaves_out_is_typical_and_is_kept() -> None:
    # The lower of two in the middle, of equally frequent ones the smallest: values that are there, and of float32.
    assert typical(TRAIN) == {"age": float(np.float32(0.3)), "member": True, "town": "a"}
    told = one({"label": 0}, {"age": 4})
    assert told.input == {"age": 4, "member": True, "town": "a"}
    assert told.answer == {"label": 0, "probability": pytest.approx(0.04)}
    assert (told.passed, told.message) == (True, "")


def test_all_cases_are_asked_at_once_as_the_server_is_asked() -> None:
    session = Session()
    cases = [Case.model_validate({"name": f"c{age}", "input": {"age": age}, "expect": {}}) for age in (1, None, 3)]
    assert [case.answer["probability"] for case in tried(cases, session, TWO, TRAIN)] == pytest.approx(
        [0.01, 0.5, 0.03]
    )
    assert {name: (column.dtype, column.shape) for name, column in session.fed.items()} == {
        "age": (np.float32, (3, 1)),
        "member": (np.float32, (3, 1)),
        "town": (object, (3, 1)),
    }
    assert tried((), session, TWO, TRAIN) == ()


EXPECTED: dict[str, tuple[Signature, dict[str, Any], dict[str, Any], str]] = {
    "the label": (TWO, {"age": 70}, {"label": 1}, ""),
    "another label": (TWO, {"age": 70}, {"label": 0}, "the model answers 1, 0 was expected"),
    "the label by the threshold": (TWO, {"age": 55}, {"label": 0}, ""),
    "a truth for a number": (TWO, {"age": 70}, {"label": True}, ""),
    "a missing value": (TWO, {"age": None}, {"probability": {"min": 0.5, "max": 0.5}}, ""),
    "too high a probability": (
        TWO,
        {"age": 70},
        {"probability": {"min": 0.1, "max": 0.2}},
        "the probability of 1 is 0.7, at least 0.1 and at most 0.2 was expected",
    ),
    "both wrong": (
        TWO,
        {"age": 70},
        {"label": 0, "probability": {"min": 0.9}},
        "the model answers 1, 0 was expected; the probability of 1 is 0.7, at least 0.9 was expected",
    ),
    "one of three": (THREE, {"age": 10}, {"label": "high"}, "the model answers 'low', 'high' was expected"),
    "a prediction": (AMOUNT, {"age": 10}, {"prediction": {"min": 99, "max": 101}}, ""),
    "too low a prediction": (
        AMOUNT,
        {"age": 10},
        {"prediction": {"min": 200}},
        "the prediction is 100, at least 200 was expected",
    ),
}


@pytest.mark.parametrize(("signature", "given", "expect", "told"), EXPECTED.values(), ids=EXPECTED)
def test_an_answer_is_held_against_what_was_expected(
    signature: Signature, given: dict[str, Any], expect: dict[str, Any], told: str
) -> None:
    found = one(expect, given, signature)
    assert (found.passed, found.message) == (told == "", told)


def test_three_classes_answer_a_probability_each() -> None:
    probabilities = one({"label": "low"}, {"age": 10}, THREE).answer["probabilities"]
    assert probabilities == {"low": pytest.approx(0.45), "middle": pytest.approx(0.45), "high": pytest.approx(0.1)}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], Signature, str]] = {
    "no feature": ({"aeg": 4}, {"label": 0}, TWO, "test child has aeg, which is no feature.*did you mean age?"),
    "nothing like it": ({"phone": 4}, {"label": 0}, TWO, "features are age, member, town"),
    "text for a number": ({"age": "4"}, {"label": 0}, TWO, "age is '4', a number was wanted"),
    "a truth for a number": ({"age": True}, {"label": 0}, TWO, "age is True, a number was wanted"),
    "a number for a truth": ({"member": 2}, {"label": 0}, TWO, r"member is 2, a boolean \(true or false\) was wanted"),
    "a number for text": ({"town": 1}, {"label": 0}, TWO, "town is 1, a text was wanted"),
    "a list": ({"age": [1]}, {"label": 0}, TWO, r"age is \[1\], a number was wanted"),
    "missing text": ({"town": None}, {"label": 0}, TWO, "town is missing, which the model refuses"),
    "a missing truth": ({"member": None}, {"label": 0}, TWO, "member is missing"),
    "an unknown town": ({"town": "z"}, {"label": 0}, TWO, "town is 'z', unknown in training.*such as 'a', 'b'"),
    "more than float32 holds": ({"age": 1e300}, {"label": 0}, TWO, "no finite number of float32"),
    "more than a double holds": ({"age": 10**400}, {"label": 0}, TWO, "no finite number of float32"),
    "a number that float32 changes": ({"age": 16777217}, {"label": 0}, TWO, "would become 16777216"),
    "a label that is no class": ({}, {"label": 2}, TWO, "expects label 2, which is none of the 2 classes"),
    "a prediction of a class": ({}, {"prediction": {"min": 1}}, TWO, "expect a label or a probability"),
    "a probability among three": ({}, {"probability": {"min": 1}}, THREE, "none of 3 classes is; expect a label"),
    "a label of an amount": ({}, {"label": 1}, AMOUNT, "a Regression answers neither; expect a prediction"),
}


@pytest.mark.parametrize(("given", "expect", "signature", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_asked_is_refused(
    given: dict[str, Any], expect: dict[str, Any], signature: Signature, said: str
) -> None:
    with pytest.raises(Refused, match=said):
        one(expect, given, signature)


def test_columns_of_one_tensor_are_known_too() -> None:
    tensor = Tensor(
        name="input",
        datatype="FP32",
        shape=(-1, 2),
        columns=("age", "region"),
        missing=True,
        missing_columns=("age",),
        column_categories={"region": (0.0, 1.0)},
    )
    train = Features(("age", "region"), ("number", "number"), (np.ones(3, np.float32), np.zeros(3, np.float32)))

    class Matrix(Session):
        def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
            return super().run(None, {"age": feed["input"][:, :1]})

    def asked(given: dict[str, Any]) -> TriedCase:
        case = Case.model_validate({"name": "c", "input": given, "expect": {"label": 0}})
        return tried([case], Matrix(), binary(inputs=(tensor,)), train)[0]

    assert asked({"age": None, "region": 1}).answer["probability"] == 0.5
    for wrong, said in (({"region": None}, "missing"), ({"region": 2}, "unknown in training")):
        with pytest.raises(Refused, match=f"region is .*{said}"):
            asked(wrong)
