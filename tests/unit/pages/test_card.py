"""The page of a model version: whole, escaped, bounded, and silent about what is personal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from merkhet.contract.evaluation import (
    Dependence,
    Evaluation,
    FeatureImportance,
    Group,
    ImportanceReport,
    Trial,
)
from merkhet.contract.training import Gate, Metric
from merkhet.pages.card import Decision, Known, render
from merkhet.pages.sections import sections
from tests.unit.pages.cards import PERSONAL, PERSONAL_VALUE, WRITTEN, amounts, awkward, binary, brought, classes, older
from tests.unit.pages.profiles import EVIL
from tests.unit.pages.reader import Reader

PAGES: dict[str, Callable[[], Known]] = {
    "two classes": lambda: binary().known,
    "three classes": lambda: classes().known,
    "a regression": lambda: amounts().known,
    "a record alone": older,
    "not even a record": brought,
    "names that want to be markup": lambda: awkward(EVIL),
}
every_page = pytest.mark.parametrize("known", PAGES.values(), ids=PAGES)


def text_of(known: Known) -> str:
    return " ".join("".join(Reader(render(known)).text).split())


def evaluation(known: Known) -> Evaluation:
    assert known.evaluation is not None
    return known.evaluation


@every_page
def test_links_lead_to_what_is_there_and_no_name_is_given_twice(known: Callable[[], Known]) -> None:
    elements = Reader(render(known())).elements
    ids = [named["id"] for _, named in elements if "id" in named]
    assert max(Counter(ids).values()) == 1
    assert {named["href"] for tag, named in elements if tag == "a"} <= {f"#{id_}" for id_ in ids}


@every_page
def test_a_page_asks_the_world_for_nothing(known: Callable[[], Known]) -> None:
    elements = Reader(render(known())).elements
    sources = [named.get("src") or named.get("href") or "" for _, named in elements]
    assert {source for source in sources if source and not source.startswith("#")} == {"data:,"}
    assert any("default-src 'none'" in (named.get("content") or "") for _, named in elements)


@every_page
def test_pictures_say_what_they_show_and_stay_in_their_frame(known: Callable[[], Known]) -> None:
    elements = Reader(render(known())).elements
    pictures = [named for tag, named in elements if tag == "svg" and "aria-hidden" not in named]
    assert all(named.get("role") == "img" and named.get("aria-label") for named in pictures)
    drawn = [value or "" for _, named in elements for key, value in named.items()
             if key in {"d", "x", "y", "cx", "cy", "width", "height", "style"}]  # fmt: skip
    assert not re.search("nan|inf|e[+-]", " ".join(drawn))
    shares = [float(share) for style in drawn for share in re.findall(r"(?:left|width):([-\d.]+)%", style)]
    assert all(0 <= share <= 100 for share in shares)


def test_what_others_wrote_is_never_markup() -> None:
    page = render(awkward(EVIL))
    found = Reader(page)
    assert found.count("script") == 1
    assert found.count("img") == 0
    assert not any(name.startswith("on") for _, named in found.elements for name in named)
    assert "<script>alert" not in page
    assert not re.search("[\u202e\x07]", page)
    assert EVIL[:40] in "".join(found.text)


def test_nothing_personal_is_shown() -> None:
    for known in (binary().known, amounts().known):
        page = render(known)
        assert PERSONAL not in page
        assert PERSONAL_VALUE not in page


def with_personal_target(known: Known) -> Known:
    assert known.card is not None
    details = known.card.details.model_copy(update={"classes": (), "positive": None, "personal_target": True})
    return replace(known, card=known.card.model_copy(update={"details": details}))


def test_the_classes_of_a_personal_target_have_numbers_in_place_of_names() -> None:
    known = classes().known
    assert "Barolo" in render(known)
    page = render(with_personal_target(known))
    for name in evaluation(known).classes:
        assert name not in page
    assert "class 1" in page


def test_amounts_of_a_personal_target_and_tests_with_its_answers_are_left_out() -> None:
    assert "Residuals" in text_of(amounts().known)
    assert "Residuals" not in text_of(with_personal_target(amounts().known))
    assert "What the business asked" not in text_of(with_personal_target(binary().known))


DECISIONS = {
    "approved": (Decision("Approved", "Approved", by="gwen"), "✓ Approved", "Approved by gwen"),
    "rejected": (Decision("Rejected", "Rejected", by="gwen", reason="old"), "✗ Rejected", "Rejected by gwenold"),
    "pending": (Decision(), "○ Pending", "kubectl merkhet approve visits-v2"),
    "written, and not yet in force": (Decision("Approved", "Pending", by="gwen"), "○ Pending",
                                      "Approved is written by gwen, and does not count"),
}  # fmt: skip


@pytest.mark.parametrize(("decision", "badge", "said"), DECISIONS.values(), ids=DECISIONS)
def test_what_was_decided_is_told_first(decision: Decision, badge: str, said: str) -> None:
    text = text_of(replace(binary().known, decision=decision))
    assert f"visits version 2 {badge}" in text[:100]
    assert said in text


def test_each_limit_is_told_with_its_outcome_and_who_asked() -> None:
    gates = (
        Gate(name="roc_auc", result="Passed", value=0.9, limit=0.85, source="policy"),
        Gate(name="recall by sex", result="Failed", value=0.5, limit=0.7, message="recall is 0.5 where sex is male"),
    )
    known = binary().known
    text = text_of(replace(known, record=known.record.model_copy(update={"gates": gates})))
    assert "1 of 2 limits are kept" in text
    assert "roc_auc is 0.9, limit 0.85asked by the namespace's policy" in text
    assert text.index("recall by sexrecall is 0.5 where sex is male; asked by the spec") < text.index("roc_auc is 0.9,")


def test_the_main_figure_stands_at_the_head_with_its_interval() -> None:
    metric = binary().known.record.metrics[0]
    text = text_of(binary().known)
    assert f"{metric.name}{metric.value:.4f}".rstrip("0") in text.replace(" ", "")[:400]
    assert f"{metric.low:.4g} to {metric.high:.4g}" in text[:400]


def test_each_group_of_each_sensitive_column_is_there() -> None:
    text = text_of(binary().known)
    for group in evaluation(binary().known).groups:
        assert f"{group.group}: {group.rows} row" in text


def test_a_line_is_drawn_for_each_class() -> None:
    page = Reader(render(classes().known))
    assert [page.count("path", class_=f"colour{number}") for number in (1, 2, 3, 4)] == [2, 2, 2, 0]
    assert page.count("path", class_="main") == len(of_numbers(classes().known))


def test_a_regression_has_residuals_and_no_curve_of_classes() -> None:
    text = text_of(amounts().known)
    assert "Residuals by prediction" in text
    assert "ROC curve" not in text
    assert "Taken for" not in text


def of_numbers(known: Known) -> list[Dependence]:
    assert known.importance is not None
    return [one for one in known.importance.dependence if one.kind == "number"]


def test_the_champion_the_search_and_the_tests_are_told() -> None:
    text = text_of(binary().known)
    assert "Against version 1" in text
    assert "that neither has learned from; the mark is no difference" in text
    assert "Trial" in text
    assert "2 of 2 tests passed" in text


def test_the_way_from_data_to_service_is_drawn() -> None:
    text = text_of(binary().known)
    places = [text.index(words) for words in ("datapatients version 1", "training runvisits", "versionvisits-v2",
                                              "deploymentvisits")]  # fmt: skip
    assert places == sorted(places)


def test_the_nine_sections_stand_on_the_page_with_what_people_wrote() -> None:
    known = binary().known
    assert known.card is not None
    titles = [section.title for section in sections(known.card)]
    assert len(titles) == 9
    text = text_of(known)
    assert [f"{number} {title}" in text for number, title in enumerate(titles, 1)] == [True] * 9
    assert WRITTEN["outOfScope"] in text
    assert "As people see themnot stated" in text


def test_what_is_not_known_of_an_older_version_is_said() -> None:
    text = text_of(older())
    for name in ("evaluation", "importance of features", "card"):
        assert f"There is no {name}." in text
    assert "Figures on test rows" in text
    assert "ROC curve" not in text
    assert "trained by another program" in text_of(brought())


def test_the_same_version_gives_the_same_page() -> None:
    known = binary().known
    again = replace(known, evaluation=Evaluation.load(evaluation(known).dump()))
    assert render(again) == render(known)


def test_the_largest_version_stays_a_page_that_a_browser_opens_at_once() -> None:
    known = binary().known
    search = evaluation(known).search
    assert search is not None
    metrics = tuple(Metric(name=f"metric {n}", value=0.5, low=0.4, high=0.6) for n in range(7))
    groups = tuple(Group(by=f"column {by}", group=f"group {n}", rows=100, metrics=metrics)
                   for by in range(5) for n in range(100))  # fmt: skip
    trials = tuple(Trial(number=n, value=0.5, parameters={f"p{at}": n for at in range(10)}) for n in range(1000))
    features = tuple(FeatureImportance(feature="f" * 100 + str(n), value=0.1, low=0.0, high=0.2) for n in range(2000))
    large = evaluation(known).model_copy(
        update={"groups": groups, "search": search.model_copy(update={"trials": trials})}
    )
    important = ImportanceReport(method="SHAP", metric="roc_auc", rows=100, repeats=1, features=features)
    assert len(render(replace(known, evaluation=large, importance=important)).encode()) < 2_000_000
