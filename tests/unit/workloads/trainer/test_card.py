"""The model card: the nine sections from what the run knows and people wrote, and its Markdown."""

from __future__ import annotations

import re
from typing import Any

import pytest

from merkhet.contract.card import Card
from merkhet.contract.evaluation import ImportanceReport
from merkhet.contract.features import Column
from merkhet.contract.training import Brought, Signature, Split, Tensor
from merkhet.workloads.trainer.card import made, text
from tests.unit.pages.cards import PERSONAL, PERSONAL_VALUE, WRITTEN, Made, amounts, binary, classes
from tests.unit.pages.profiles import EVIL

TITLES = [
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data", "Quantitative analyses",
    "Ethical considerations", "Caveats and recommendations",
]  # fmt: skip


def again(of: Made, **task: Any) -> Card:
    """The card of that run, had the task been another."""
    known = of.known
    assert known.evaluation is not None
    assert known.importance is not None
    return made(
        of.task.model_copy(update=task), known.record, known.evaluation, known.importance, of.manifest
    )  # fmt: skip


def test_the_nine_sections_stand_in_the_order_of_the_paper() -> None:
    assert re.findall("^## (.*)$", text(again(binary())), flags=re.MULTILINE) == TITLES


def test_the_same_run_gives_the_same_bytes() -> None:
    first, second = again(binary()), again(binary())
    assert first.dump() == second.dump()
    assert Card.load(first.dump()) == first
    assert text(first) == text(second)


def test_what_people_wrote_is_quoted_and_what_they_left_out_is_said() -> None:
    written = text(again(binary()))
    assert "> Not more than a second opinion." in written
    assert f"> {WRITTEN['outOfScope']}" in written
    assert written.count("*not stated*") == 1
    assert "- **license**: not stated" in written
    assert text(again(binary(), card={})).count("*not stated*") == 4


def test_the_card_tells_who_made_it_from_what() -> None:
    card = again(binary())
    assert card.details.author == "ada@example.com"
    assert card.details.contact == "team@example.com"
    assert card.details.positive == 1
    assert card.details.training["run"] == "1" * 20
    assert card.details.algorithm[0] == "StandardScaler()"
    assert card.details.algorithm[1].endswith("max_iter=500)")
    assert card.training_data is not None
    assert card.training_data.rows + card.evaluation_data.rows == 442
    assert card.training_data.data.digest == binary().task.data.digest


def test_a_step_tells_its_columns() -> None:
    assert again(amounts()).details.algorithm[0] == "OrdinalEncoder() on categorical columns"


SPLITS = {
    "by the entity": (binary, {}, "by a hash of patient (seed 0)"),
    "by the whole row": (classes, {}, "about 40 % of the rows are for testing, by a hash of all columns of the row"),
    "by time": (binary, {"split": Split(method="Time")}, "the latest 25 % of the rows are for testing"),
    "by a group": (binary, {"split": Split(method="Group", column="sex")}, "by a hash of sex"),
    "by a personal column": (binary, {"split": Split(method="Group", column=PERSONAL)}, "by a hash of a personal"),
}  # fmt: skip


@pytest.mark.parametrize(("of", "task", "said"), SPLITS.values(), ids=SPLITS)
def test_how_rows_were_told_apart_stands_in_words(of: Any, task: dict[str, Any], said: str) -> None:
    assert said in again(of(), **task).evaluation_data.split


def test_sensitive_columns_are_told_with_their_groups_and_whether_the_model_sees_them() -> None:
    card = again(binary())
    assert {factor.column: factor.feature for factor in card.factors} == {"sex": False, "age": True}
    assert card.factors[0].groups == ("female", "male")
    assert card.ethics.sensitive_features == ("age",)
    assert card.ethics.sensitive_left_out == ("sex",)


def test_personal_columns_are_counted_and_never_named() -> None:
    card = again(binary())
    assert card.ethics.personal_left_out == 1
    for document in (card.dump(), text(card)):
        assert PERSONAL not in document
        assert PERSONAL_VALUE not in document


def test_the_classes_of_a_personal_target_are_not_named() -> None:
    of = classes()
    columns = tuple(
        Column(name=one.name, type=one.type, personal=one.name == "cultivar") for one in of.manifest.columns
    )
    manifest = of.manifest.model_copy(update={"columns": columns})
    card = again(Made(of.task, manifest, of.known))
    assert "Barolo" not in card.dump()
    assert card.ethics.personal_left_out == 0
    assert "personal: its values are not shown" in text(card)


def test_limits_that_were_not_kept_and_what_nobody_looked_at_are_caveats() -> None:
    card = again(binary())
    assert {gate.result for gate in card.caveats.not_passed} <= {"Failed", "Inconclusive"}
    assert card.caveats.not_passed
    assert card.caveats.not_known == ()
    bare = again(classes())
    assert [words.split(":")[0] for words in bare.caveats.not_known] == [
        "how it treats groups of people",
        "whether it answers as the business expects",
        "how it compares with an earlier version",
    ]


def test_a_model_that_was_brought_has_no_training_data() -> None:
    signature = Signature(inputs=(Tensor(name="x", datatype="FP32", shape=(-1, 1)),), outputs=(), task="Classification")
    brought = Brought(
        number=2, claim="0" * 20, uri="store://raw/a.onnx", digest="sha256:" + "0" * 64, size=1, signature=signature
    )
    card = again(binary(), brought=brought, pipeline=())
    assert card.training_data is None
    assert "- **data**: not known: the model was brought" in text(card)
    assert "what it learned from, and how: it was brought" in card.caveats.not_known
    assert "all rows are for testing" in card.evaluation_data.split


def test_a_card_wants_a_number() -> None:
    known = binary().known
    assert known.evaluation is not None
    record = known.record.model_copy(update={"number": None})
    nothing = ImportanceReport(method="SHAP", metric="r2", rows=1, repeats=1, features=())
    with pytest.raises(ValueError, match="claim its number"):
        made(binary().task, record, known.evaluation, nothing, binary().manifest)


WRITTEN_BADLY = {
    "a script": ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    "a cell's end": ("a | b", r"a \| b"),
    "a link": ("[x](http://example.com)", r"\[x\](http://example.com)"),
    "emphasis and code": ("*a* _b_ `c`", r"\*a\* \_b\_ \`c\`"),
    "a character that nobody sees": ("a\u202eb", "a\ufffdb"),
    "a backslash that frees what follows": (r"\*a*", r"\\\*a\*"),
}


@pytest.mark.parametrize(("wrote", "shown"), WRITTEN_BADLY.values(), ids=WRITTEN_BADLY)
def test_what_people_wrote_is_no_markup_of_markdown(wrote: str, shown: str) -> None:
    assert f"> {shown}\n" in text(again(binary(), card={"limitations": wrote}))


STARTS = {
    "a list": ("- a", "> &#45; a"),
    "a sum": ("+ a", "> &#43; a"),
    "a line below a heading": ("a\n===", "> a\n> &#61;=="),
    "a numbered list": ("12. a", "> &#49;2. a"),
    "a heading": ("# a", r"> \# a"),
    "a quote": ("> a", "> &gt; a"),
    "a fence": ("```\na", "> \\`\\`\\`\n> a"),
    "a year alone": ("2026 was", "> 2026 was"),
}


@pytest.mark.parametrize(("wrote", "shown"), STARTS.values(), ids=STARTS)
def test_no_line_begins_a_block(wrote: str, shown: str) -> None:
    assert f"{shown}\n" in text(again(binary(), card={"intendedUse": wrote}))


def test_each_row_of_a_table_has_as_many_cells_as_its_head_whatever_groups_are_called() -> None:
    of = binary()
    assert of.known.evaluation is not None
    groups = tuple(group.model_copy(update={"group": f"{EVIL}|\n|x"}) for group in of.known.evaluation.groups)
    evaluation = of.known.evaluation.model_copy(update={"groups": groups})
    assert of.known.importance is not None
    written = text(made(of.task, of.known.record, evaluation, of.known.importance, of.manifest))
    rows = [line for line in written.splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", row)) - 1 for row in rows]
    heads = {at: cells[at] for at, row in enumerate(rows) if set(row) == {"|", "-"}}
    assert len(heads) == 5
    for at, count in heads.items():
        until = next((later - 1 for later in heads if later > at), len(rows))
        assert set(cells[at - 1 : until]) == {count}
    assert "<script" not in written
