"""How are values and lists told in a message?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson


def shown(value: Any) -> str:
    """A value as JSON writes it, cut to a length that a message can carry."""
    try:
        text = orjson.dumps(value).decode()
    except TypeError:
        text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def listed(words: Sequence[Any]) -> str:
    """Words with commas, cut where there are very many."""
    told = [str(word) for word in words[:64]]
    return ", ".join([*told, "…"] if len(words) > 64 else told)
