"""Rules that the API server checks for every kind that runs pods."""

from __future__ import annotations

from merkhet.kinds.kind import Cel

DEADLINE = Cel(
    "!has(self.deadline) || duration(self.deadline) >= duration('1s')",
    "deadline is shorter than a second: write something like 30m or 2h",
)


def _none_of_ours(field: str) -> Cel:
    return Cel(
        f"!has(self.{field}) || self.{field}.all(name, !name.startsWith('merkhet.dev/'))",
        f"{field} of pods under merkhet.dev/ are Merkhet's own: choose another name",
        at=("spec", "podTemplate"),
    )


POD_LABELS = (_none_of_ours("labels"), _none_of_ours("annotations"))
