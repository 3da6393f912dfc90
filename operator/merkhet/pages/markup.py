"""HTML in which nothing is markup by accident: text is escaped unless it was made here."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from functools import cache
from importlib import resources

# No browser shows these, and some would end or turn round what follows.
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
VOID = {"br", "col", "hr", "input", "link", "meta"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as HTML has it, also within quotes."""
    return Markup(html.escape(visible(text), quote=True))


def visible(text: str) -> str:
    """Text whose characters that cannot be seen became �."""
    return _UNSEEN.sub("\ufffd", text)


def element(tag: str, /, *children: str, **attributes: str | int | bool | None) -> Markup:
    """An element; ``class_`` becomes class, ``aria_label`` aria-label, None is left out, True has no value."""
    words = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escaped(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    start = f"<{tag}{words}>"
    return Markup(start if tag in VOID else f"{start}{joined(*children)}</{tag}>")


def joined(*children: str) -> Markup:
    """Markup and text, one after the other."""
    return Markup("".join(child if isinstance(child, Markup) else escaped(child) for child in children))


def named(text: str, longest: int = 0) -> Markup:
    """A name that somebody else chose: it keeps its own direction, and a long one is cut and whole in its title."""
    if longest and len(text) > longest:
        return element("bdi", f"{text[: longest - 1]}…", title=text)
    return element("bdi", text)


def page(title: str, *body: str) -> str:
    """A whole page with our style and our one script, which sorts and filters; no other one may run."""
    style, script = _file("page.css"), _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(style)),
    )
    content = element("body", *body, element("script", Markup(script)))
    return f"<!doctype html>\n{element('html', head, content, lang='en')}\n"


@cache
def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
