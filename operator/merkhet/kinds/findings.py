"""What a run found out about rows: of which run it is, and how a message tells the worst of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from merkhet.kinds.run import RunEntry, Wish

TOLD = 5  # findings that a message tells; the status has all
LONGEST = 900  # characters; a run's message ends at 1 024


def told(begin: str, findings: Sequence[str], where: str) -> str:
    """The first findings, in so many words as a message may have; ``where`` names the field that has them all."""
    more = f"; and {len(findings) - TOLD} more, see {where}" if len(findings) > TOLD else ""
    words = "; ".join(findings[:TOLD])
    room = LONGEST - len(begin) - len(more)
    return begin + (words if len(words) <= room else f"{words[: room - 1]}…") + more


def finding_run(history: Iterable[RunEntry], key: str, wish: Wish) -> RunEntry | None:
    """The run of this key, where what it found is of the spec as it stands."""
    run = next((run for run in history if run.key == key), None)
    return run if run is not None and wish.spec in (run.trigger, run.spec) else None


def version_of(run: RunEntry) -> str:
    """How a message begins that speaks of the version a run made, if it made one."""
    return "" if run.version is None else f"version {run.version}: "
