"""``merkhet store collect``: one pass of the collector over the store, told in one line of JSON."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from merkhet.api.quantities import duration
from merkhet.contract.live import LIVE_FILE, LIVE_PATH, NAMESPACE_VARIABLE, LiveList
from merkhet.errors import Refused, Unavailable
from merkhet.store.collector import Collection, collect
from merkhet.store.volume import Volume

LOCK = ".collector.lock"


def collect_once(root: Path, grace: str) -> Collection:
    """A pass with the list of live objects as the kubelet has brought it; what it did is printed.

    Raises: ``Refused`` for a grace that is no duration, ``Unavailable`` where another pass is at work.
    """
    try:
        seconds = duration(grace).total_seconds()
    except ValueError as error:
        raise Refused(f"--grace: {error}") from error
    with _alone(root):
        now = time.time()
        # A list that is none stops the pass as one that is not there does, and is said so.
        done = collect(Volume(root), live_list(), now=now, grace=seconds)
    told = done.model_dump(mode="json", exclude={"unmarked", "ownerless", "version"})
    sys.stdout.write(json.dumps({**told, "waiting": len(done.unmarked)}, ensure_ascii=False) + "\n")
    return done


def live_list() -> LiveList | None:
    """Who lives, as the operator says; None where nothing is mounted."""
    file = Path(os.environ.get("MERKHET_LIVE", LIVE_PATH)) / LIVE_FILE
    try:
        found = LiveList.load(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        said = f"it cannot be read: {fault}; use one version for all images"
        return LiveList(complete=False, made="", message=said)
    home = os.environ.get(NAMESPACE_VARIABLE)
    if home and found.namespace != home:
        said = f"it is of namespace {found.namespace or '?'}, wanted {home}; delete the ConfigMap: it is made again"
        return LiveList(complete=False, made="", message=said)
    return found


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable("another pass of the collector is at work; try again when it is through") from error
        yield
