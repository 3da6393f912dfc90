"""The parts that pages are put together from: panels, facts, checks with their outcome."""

from __future__ import annotations

from merkhet.pages.markup import Markup, element, named

# What came of a check, as a class of the style and a sign.
RESULTS = {"Passed": ("good", "✓"), "Failed": ("bad", "✗"), "Inconclusive": ("open", "?"), "Reported": ("soft", "·")}
# A merkhet: a bar, and a plumb line hanging from it.
MARK = Markup(
    '<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 2.5h12M8 2.5v8"/><path d="M6.6 10.5h2.8L8 14.2z"/></svg>'
)


def header(kind: str, name: Markup, *facts: Markup) -> Markup:
    """The head of a page: what kind of page it is, of what, and what is most telling of it."""
    brand = element("p", MARK, f"Merkhet · {kind}", class_="brand")
    return element("header", brand, element("h1", name), element("dl", *facts, class_="facts"))


def panel(title: str, *content: Markup, wide: bool = False) -> Markup:
    """A sheet among others; a wide one has a row of its own."""
    return element("section", element("h3", title), *content, class_="panel wide" if wide else "panel")


def panels(*content: Markup) -> Markup:
    """Sheets side by side, as many as there is place for."""
    return element("div", *content, class_="panels")


def fact(name: str, value: str, kind: str | None = None) -> Markup:
    """A figure or a few words, below what they are."""
    return element("div", element("dt", name), element("dd", value, class_=kind))


def facts(*told: tuple[str, str]) -> Markup:
    """Small figures side by side."""
    return element("dl", *(fact(name, value) for name, value in told))


def check(result: str, words: str, found: str) -> Markup:
    """A line of what was asked, what came of it and what was found."""
    kind, sign = RESULTS[result]
    mark = element("span", sign, class_=f"sign {kind}", role="img", aria_label=result)
    more = element("span", named(found), class_="found") if found else ""
    return element("li", mark, element("span", named(words), more))


def soft(*words: str) -> Markup:
    """A small remark."""
    return element("p", *words, class_="soft small")
