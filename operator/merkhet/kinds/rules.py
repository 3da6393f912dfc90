"""Rules that the API server checks for every kind that runs pods, and those that several kinds have of a field."""

from __future__ import annotations

from merkhet.kinds.kind import Cel


def lasts_a_second(field: str, such_as: str, *at: str, called: str | None = None) -> Cel:
    """A time that is worth waiting for, in the node at ``at``; ``called`` is the field as the message says it."""
    return Cel(
        f"!has(self.{field}) || duration(self.{field}) >= duration('1s')",
        f"{called or field} is shorter than a second: write something like {such_as}",
        at=at or ("spec",),
    )


def stays_inside(*at: str) -> Cel:
    """An address that leads nowhere but below where it begins."""
    return Cel(
        "!self.contains('/../') && !self.endsWith('/..')",
        f"{at[-1]} leads out of where it begins: write it without '..'",
        at=at,
    )


def _none_of_ours(field: str) -> Cel:
    return Cel(
        f"!has(self.{field}) || self.{field}.all(name, !name.startsWith('merkhet.dev/'))",
        f"{field} of pods under merkhet.dev/ are Merkhet's own: choose another name",
        at=("spec", "podTemplate"),
    )


DEADLINE = lasts_a_second("deadline", "30m or 2h")
POD_LABELS = (_none_of_ours("labels"), _none_of_ours("annotations"))
