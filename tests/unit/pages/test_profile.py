"""The page of a profile: whole, escaped, readable without a network or a script, and bounded."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from merkhet.contract.profile import Profile
from merkhet.pages.profile import render
from merkhet.pages.words import figure, share
from tests.unit.pages.profiles import COLUMNS, EVIL, plain, profile, wide
from tests.unit.pages.reader import Reader

PAGES = {"everything": profile(), "nothing": plain(), "a thousand columns": wide()}


@pytest.mark.parametrize("shown", PAGES.values(), ids=PAGES)
def test_there_is_a_card_and_a_line_for_each_column(shown: Profile) -> None:
    page = Reader(render(shown))
    assert page.count("article", class_="card") == len(shown.columns)
    assert page.count("tr") - sum("data-card" not in named for tag, named in page.elements if tag == "tr") == len(
        shown.columns
    )


@pytest.mark.parametrize("shown", PAGES.values(), ids=PAGES)
def test_links_lead_to_what_is_there_and_no_name_is_given_twice(shown: Profile) -> None:
    elements = Reader(render(shown)).elements
    ids = [named["id"] for _, named in elements if "id" in named]
    assert max(Counter(ids).values()) == 1
    asked = {named["href"] or "" for tag, named in elements if tag == "a"}
    asked |= {f"#{named['aria-labelledby']}" for _, named in elements if "aria-labelledby" in named}
    assert asked <= {f"#{id_}" for id_ in ids}


@pytest.mark.parametrize("shown", PAGES.values(), ids=PAGES)
def test_a_page_asks_the_world_for_nothing(shown: Profile) -> None:
    page = render(shown)
    elements = Reader(page).elements
    sources = [named.get("src") or named.get("href") or "" for _, named in elements]
    assert {source for source in sources if source and not source.startswith("#")} == {"data:,"}
    assert "http:" not in page
    assert "https:" not in page
    assert any("default-src 'none'" in (named.get("content") or "") for _, named in elements)


def test_what_others_wrote_is_never_markup() -> None:
    page = render(profile())
    found = Reader(page)
    assert found.count("script") == 1
    assert found.count("img") == 0
    assert not any(name.startswith("on") for _, named in found.elements for name in named)
    assert "<script>alert" not in page
    assert not re.search("[\u202e\x07]", page)
    assert EVIL[:40] in "".join(found.text)


def test_nothing_is_said_of_a_personal_column_but_what_is_missing() -> None:
    [person] = [column for column in COLUMNS if column.personal]
    text = " ".join(Reader(render(profile((person,)))).text)
    assert "Personal: nothing is kept" in text
    assert "mean" not in text
    assert "1\u202f%" in text


def test_pictures_say_what_they_show() -> None:
    pictures = [
        named for tag, named in Reader(render(profile())).elements if tag == "svg" and "aria-hidden" not in named
    ]
    assert pictures
    assert all(named.get("role") == "img" and named.get("aria-label") for named in pictures)


def test_no_figure_is_drawn_where_none_is() -> None:
    drawn = " ".join(value or "" for tag, named in Reader(render(wide())).elements
                     for key, value in named.items() if key in {"d", "x", "y", "width", "height", "style"})  # fmt: skip
    assert not re.search("nan|inf|e[+-]", drawn)


def test_rules_and_groups_are_told_with_their_outcome() -> None:
    text = "".join(Reader(render(profile())).text)
    assert "Quality: 1 of 2 rules hold" in text
    assert "difference of rates, limit 0.1" in text
    assert "ratio of rates is 0.9 (0.85 to 0.95), limit 0.8" in text
    assert "a metric of tomorrow" in text
    assert "too few to compare" in text


def test_the_same_profile_gives_the_same_page() -> None:
    assert render(profile()) == render(Profile.load(profile().dump()))


def test_a_thousand_columns_stay_a_page_that_a_browser_opens_at_once() -> None:
    assert len(render(wide()).encode()) < 6_000_000


FIGURES = {
    "nothing": (None, "\N{EN DASH}"),
    "nought": (0, "0"),
    "a whole number": (1_234_567, "1,234,567"),
    "a whole float": (40.0, "40"),
    "a fraction": (0.123456, "0.1235"),
    "a fraction of a large number": (12_345.678, "12,346"),
    "below nought": (-2.5, "\N{MINUS SIGN}2.5"),
    "large": (1.5e300, "1.5\N{MULTIPLICATION SIGN}10³⁰⁰"),
    "small": (-2e-9, "\N{MINUS SIGN}2\N{MULTIPLICATION SIGN}10⁻⁹"),
    "the largest": (2**64, "1.84\N{MULTIPLICATION SIGN}10¹⁹"),
}


@pytest.mark.parametrize(("number", "words"), FIGURES.values(), ids=FIGURES)
def test_numbers_are_short(number: float | None, words: str) -> None:
    assert figure(number) == words


SHARES = {"none": (0, "0"), "hardly any": (1e-9, "<\u202f0.1"), "some": (0.256, "25.6"), "all": (1, "100"),
          "nearly all": (0.99999, ">\u202f99.9")}  # fmt: skip


@pytest.mark.parametrize(("fraction", "words"), SHARES.values(), ids=SHARES)
def test_a_share_is_not_rounded_to_nothing_or_all(fraction: float, words: str) -> None:
    assert share(fraction) == f"{words}\u202f%"
