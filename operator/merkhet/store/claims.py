"""What is claimed once: a run by its key, its record, and the numbers of versions.

Claims are never deleted, so that a number is never given twice. Any process may be killed at any moment: a claim is
there or not, and whoever carries on the same run finds it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from merkhet.contract.base import canonical
from merkhet.contract.runs import RunReport
from merkhet.errors import Corrupt, Missing
from merkhet.store import paths
from merkhet.store.port import Store

_NUMBERED = re.compile(r"([1-9][0-9]{0,8})\.json")


def claim_run(store: Store, key: str, claimant: Mapping[str, str]) -> bool:
    """Note who began a run; False where it was begun before, by a pod that may have died: carry on then."""
    return store.create(paths.run_claim(key), canonical(dict(claimant)).encode())


def recorded(store: Store, key: str) -> RunReport | None:
    """The last report of a run that is finished for good."""
    try:
        return RunReport.load(store.read(paths.run_record(key)))
    except Missing:
        return None
    except ValueError as error:
        raise Corrupt(f"{paths.run_record(key)} is no report: {error}; restore it from a snapshot") from error


def record(store: Store, report: RunReport) -> RunReport:
    """Finish a run; where another pod was faster, its report stays and is given."""
    if store.create(paths.run_record(report.key), report.dump().encode()):
        return report
    earlier = recorded(store, report.key)
    if earlier is None:
        raise Missing(f"{paths.run_record(report.key)} was taken away while it was read")
    return earlier


def claim_number(store: Store, folder: str, run: str) -> int:
    """The next version number in ``paths.models(…)`` or ``paths.feature_sets(…)``; the same run gets its own again."""
    claimed = _last_number(store, folder)
    # Every number is read, also one that the listing passed over while others wrote: a run must not get two.
    for number in range(claimed, 0, -1):
        if _claimant(store, folder, number) == run:
            return number
    number = claimed + 1
    while not store.create(paths.claimed_number(folder, number), canonical({"run": run}).encode()):
        if _claimant(store, folder, number) == run:
            return number
        number += 1
    return number


def claim_that_number(store: Store, folder: str, number: int, run: str) -> bool:
    """Claim a number that a person chose; False where another run has it."""
    claim = canonical({"run": run}).encode()
    return store.create(paths.claimed_number(folder, number), claim) or _claimant(store, folder, number) == run


def next_number(store: Store, folder: str) -> int:
    """The number after all that were claimed."""
    return _last_number(store, folder) + 1


def number_of(store: Store, folder: str, run: str) -> int | None:
    """The number that a run has claimed."""
    numbers = range(_last_number(store, folder), 0, -1)
    return next((number for number in numbers if _claimant(store, folder, number) == run), None)


def _last_number(store: Store, folder: str) -> int:
    names = (path.rpartition("/")[2] for path in store.list(folder))
    return max((int(match[1]) for name in names if (match := _NUMBERED.fullmatch(name))), default=0)


def _claimant(store: Store, folder: str, number: int) -> str | None:
    path = paths.claimed_number(folder, number)
    try:
        return str(json.loads(store.read(path))["run"])
    except Missing:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise Corrupt(f"{path} is no claim of a number: {error!r}; restore it from a snapshot") from error
