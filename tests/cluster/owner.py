"""Whose the machine's one bare cluster is: a record of the owner, and a lock so that two commands do not interleave."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from tests.cluster.machine import Progress, write

RUN = Path("/run/merkhet")
RECORD = RUN / "owner.json"
LOCK = Path("/run/merkhet.lock")


@dataclass(frozen=True, slots=True)
class Owner:
    """The checkout that started the cluster, and the folder with the cluster's state."""

    checkout: str
    state: str


class Claim(Enum):
    """What a checkout that wants the cluster may do."""

    START = "nothing of another's is there"
    CLEAR = "another's is there and may be cleared away first"
    REFUSED = "another's runs"


def claim(ours: Owner, recorded: Owner | None, alive: set[str], *, owner_is_gone: bool, take_over: bool) -> Claim:
    """What we may do, given the record and the states of the clusters whose processes are alive."""
    others = alive - {ours.state}
    if recorded is not None and recorded.state != ours.state and not others:
        return Claim.CLEAR
    if not others:
        return Claim.START
    return Claim.CLEAR if take_over or owner_is_gone else Claim.REFUSED


def read(record: Path = RECORD) -> Owner | None:
    """The recorded owner; none when there is no record or a crash left it in pieces."""
    try:
        return Owner(**json.loads(record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def record(owner: Owner, record: Path = RECORD) -> None:
    """Say whose the cluster is, before the first process of it starts."""
    write(record, json.dumps(asdict(owner)) + "\n")


@contextmanager
def locked(progress: Progress, path: Path = LOCK) -> Iterator[None]:
    """Hold the machine-wide lock; it ends with the process however that ends."""
    descriptor = _acquire(progress, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(progress: Progress, path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another command is changing this machine's cluster; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Whoever held it before has removed the file: a lock on what has no name protects nothing.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
        os.close(descriptor)
