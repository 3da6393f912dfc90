"""What a status remembers of an object's runs, newest first, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from merkhet.contract.runs import Usage as Used
from merkhet.contract.runs import annotation_trigger
from merkhet.kinds import jobs
from merkhet.kinds.kind import Setup
from merkhet.kinds.run import FINAL, UNREADABLE, RunEntry, State, Usage, Wish

KEPT = 5  # runs in a status


def with_state(history: Sequence[RunEntry], state: State) -> tuple[RunEntry, ...]:
    """The history with this run as it is now; one that has moved on stands first."""
    before = next((entry for entry in history if entry.key == state.key), None)
    if state.phase == "Waiting" or (before is not None and _stands(before, state)):
        return tuple(history)
    entry = _entry(state, before)
    if before is not None and before.phase == state.phase:
        return tuple(entry if one.key == entry.key else one for one in history)
    return (entry, *(one for one in history if one.key != entry.key))


def settled(history: Iterable[RunEntry], key: str, **more: Any) -> tuple[RunEntry, ...]:
    """The history after all that follows from this run's result has been done; keywords are what came of it."""
    changes = {"settled": True, **more}
    return tuple(entry.model_copy(update=changes) if entry.key == key else entry for entry in history)


def spoilt(history: Iterable[RunEntry], key: str, fault: str) -> tuple[RunEntry, ...]:
    """The history where a run's result turned out to be of no use."""
    return settled(history, key, phase="Failed", reason=UNREADABLE, message=fault)


def priced(history: Iterable[RunEntry], setup: Setup) -> tuple[RunEntry, ...]:
    """The history with what each finished run cost at the prices of when it ended."""
    return tuple(_priced(entry, setup) for entry in history)


def trimmed(history: Sequence[RunEntry], wish: Wish, limit: int = KEPT) -> tuple[RunEntry, ...]:
    """The newest runs, and those that the object still names: forgetting them would start them again."""
    named = {wish.spec, wish.tick or wish.spec, annotation_trigger(wish.annotation) if wish.annotation else wish.spec}
    seen: set[str] = set()
    kept = []
    for index, entry in enumerate(history):
        names_now = (named - seen) & {entry.trigger, entry.spec}
        seen |= names_now
        if index < limit or names_now:
            kept.append(entry)
    return tuple(kept)


def cost(used: Usage | Used, setup: Setup) -> float | None:
    """What a run costs; None where the installation names no prices."""
    if not (setup.cpu_hour_price or setup.gib_hour_price):
        return None
    cores = used.cpu_seconds / 3600 * setup.cpu_hour_price
    memory = used.peak_memory / 2**30 * used.wall_seconds / 3600 * setup.gib_hour_price
    return round(cores + memory, 6)


def _priced(entry: RunEntry, setup: Setup) -> RunEntry:
    if entry.usage is None or entry.cost is not None or entry.phase not in FINAL:
        return entry
    amount = cost(entry.usage, setup)
    return entry if amount is None else entry.model_copy(update={"cost": amount, "currency": setup.currency})


def _stands(entry: RunEntry, state: State) -> bool:
    """Whether what the history says stands: a result does, a failure only until it is known better."""
    if entry.phase == "Failed":
        return state.reason == jobs.POD_LOST and entry.means == state.means
    return (entry.settled or entry.phase == "Refused") and state.phase in (entry.phase, "Failed")


def _entry(state: State, before: RunEntry | None) -> RunEntry:
    known = before or RunEntry(key=state.key)
    over = state.phase in FINAL
    usage = Usage(**state.used.model_dump()) if state.used is not None and over else known.usage
    said: dict[str, Any] = {
        "trigger": state.trigger[:512],
        "phase": state.phase,
        "reason": state.reason,
        "message": state.message[:1024],
        "started_at": state.started or known.started_at,
        "finished_at": (state.finished or known.finished_at) if over else None,
        "usage": usage,
        "spec": state.spec,
        "means": state.means,
    }
    return known.model_copy(update=said)
