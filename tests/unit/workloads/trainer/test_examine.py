"""What goes into a record is bounded, and says so where it is cut."""

from __future__ import annotations

import pytest

from merkhet.contract.training import Gates, Tensor
from merkhet.errors import Refused
from merkhet.workloads.trainer import evaluation
from merkhet.workloads.trainer.examine import MOST_BYTES, check_size, warned
from tests.unit.workloads.trainer.answers import binary, some


def test_more_warnings_than_a_record_holds_are_counted() -> None:
    found = evaluation.evaluated(some(200), Gates(), target="y", train_rows=1)
    told = warned(found, ["no convergence"], [f"feature {at} leaks" for at in range(40)], ["no convergence"]).warnings
    assert len(told) == 16
    assert (told[0], told[-1]) == ("no convergence", "and 26 warnings more")
    assert warned(found, ["a", "b" * 900, ""]).warnings == ("a", "b" * 500)


def test_a_signature_of_a_thousand_columns_is_kept_and_one_of_a_million_categories_is_not() -> None:
    names = tuple(f"a column of an ordinary name {at}" for at in range(1000))
    wide = Tensor(name="input", datatype="FP32", shape=(-1, 1000), columns=names, missing_columns=names)
    check_size(binary(inputs=(wide,)))
    known = {name: tuple(map(float, range(1000))) for name in names}
    with pytest.raises(Refused, match=f"at most {MOST_BYTES} are kept .* it has 1000000 categories") as caught:
        check_size(binary(inputs=(wide.model_copy(update={"column_categories": known}),)))
    assert caught.value.reason == "RecordTooLarge"
