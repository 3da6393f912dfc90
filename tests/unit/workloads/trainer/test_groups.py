"""Each row has the group that a person would put it in, and the groups of a personal column tell no value."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from merkhet.contract.features import Column
from merkhet.errors import Refused
from merkhet.workloads.trainer.groups import groups


def grouped(values: Any, *, personal: bool = False, training: Any = None) -> list[str]:
    column = values if isinstance(values, pa.Array) else pa.array(values)
    table = pa.table({"by": column})
    known = (Column(name="by", type=str(column.type), personal=personal),)
    learned = np.ones(len(column), dtype=np.bool_) if training is None else np.asarray(training)
    return [str(label) for label in groups(table, known, ["by"], training=learned)["by"]]


VALUES: dict[str, tuple[Any, list[str]]] = {
    "whole numbers": ([1, 2, None, 1], ["1", "2", "", "1"]),
    "whole numbers as floats": ([1.0, 2.0, float("nan")], ["1", "2", ""]),
    "fractions": ([0.5, 1.0], ["0.5", "1"]),
    "words": (["m", "", None], ["m", "(empty text)", ""]),
    "words in a dictionary": (pa.array(["m", None, "f"]).dictionary_encode(), ["m", "", "f"]),
    "booleans": ([True, False, None], ["true", "false", ""]),
    "nothing at all": (pa.array([None, None], pa.string()), ["", ""]),
}


@pytest.mark.parametrize(("values", "wanted"), VALUES.values(), ids=VALUES)
def test_a_value_is_a_group_by_its_text(values: Any, wanted: list[str]) -> None:
    assert grouped(values) == wanted


def test_many_numbers_are_parted_at_the_quartiles_of_the_training_rows() -> None:
    ages = np.arange(100)
    labels = grouped(ages, training=ages < 80)
    assert labels[19:21] == ["< 20", "[20, 40)"]
    assert (labels[39], labels[40], labels[60], labels[99]) == ("[20, 40)", "[40, 60)", ">= 60", ">= 60")
    assert sorted(set(grouped(range(13)))) == ["< 3", ">= 9", "[3, 6)", "[6, 9)"]
    assert len(set(grouped(range(12)))) == 12, "codes of months stay as they are"


def test_numbers_that_are_mostly_one_are_that_one_and_the_rest() -> None:
    amounts = [0] * 80 + list(range(1, 21))
    assert sorted(set(grouped(amounts))) == ["< 1", ">= 1"]


@pytest.mark.parametrize("values", [["f"] * 3 + ["m"] * 5 + [None], list(range(100))], ids=["words", "numbers"])
def test_groups_of_a_personal_column_are_numbered_by_size(values: list[Any]) -> None:
    found = grouped(values, personal=True)
    assert set(found) <= {"group 1", "group 2", "group 3", "group 4", ""}
    if values[0] == "f":
        assert found == ["group 2"] * 3 + ["group 1"] * 5 + [""]


def test_the_smallest_of_too_many_groups_are_one() -> None:
    values = [f"town {at:03}" for at in range(150) for _ in range(150 - at)]
    found = grouped(values)
    assert len(set(found)) == 100
    assert (found[0], found[-1]) == ("town 000", "others")
    assert {label for label in grouped(values, personal=True) if not label.startswith("group ")} == {"others"}


def test_times_and_columns_that_are_not_there_are_refused() -> None:
    with pytest.raises(Refused, match=r"by is of type timestamp.*make words or numbers of it"):
        grouped([datetime(2026, 1, 1, tzinfo=UTC)])
    with pytest.raises(Refused, match="there is no column SEX, which is to be sensitive; there are by"):
        groups(pa.table({"by": [1]}), (), ["SEX"], training=np.array([True]))
