"""The nine sections of a model card as part of a page."""

from __future__ import annotations

from collections.abc import Sequence

from merkhet.contract.card import Card
from merkhet.pages.markup import Markup, element, named
from merkhet.pages.sections import NOT_STATED, Section, Statement, Table, sections


def shown(card: Card | None) -> list[Markup]:
    """A sheet for each section; figures that stand above as pictures are tables to be unfolded."""
    if card is None:
        return []
    return [element("div", *(_section(number, one) for number, one in enumerate(sections(card), 1)), class_="sections")]


def _section(number: int, section: Section) -> Markup:
    facts = [element("div", element("dt", named(name)), element("dd", named(words))) for name, words in section.facts]
    return element(
        "section",
        element("h3", element("span", f"{number} ", class_="soft"), section.title),
        *map(_statement, section.statements),
        *([element("dl", *facts, class_="words")] if facts else []),
        *_tables(section.tables),
        class_="panel",
    )


def _statement(statement: Statement) -> Markup:
    paragraphs = [part for part in statement.text.split("\n\n") if part.strip()]
    said = element("blockquote", *(element("p", named(part)) for part in paragraphs)) if paragraphs else \
        element("p", NOT_STATED, class_="soft")  # fmt: skip
    return element("div", element("h4", statement.title), said)


def _tables(tables: Sequence[Table]) -> list[Markup]:
    return [
        element("details", element("summary", named(table.title)), element("div", _table(table), class_="scroll"))
        for table in tables
    ]


def _table(table: Table) -> Markup:
    head = element("tr", *(element("th", named(words), scope="col") for words in table.head))
    rows = [element("tr", element("th", named(first), scope="row"), *(element("td", named(words)) for words in rest))
            for first, *rest in table.rows]  # fmt: skip
    return element("table", element("thead", head), element("tbody", *rows))
