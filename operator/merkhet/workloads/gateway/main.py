"""``merkhet gateway``: prepares the store and waits, so that people may ``kubectl exec`` into its pod."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from merkhet.store import paths
from merkhet.store.volume import Volume, make_folder
from merkhet.workloads import log
from merkhet.workloads.gateway.parts import PARTS

STORE_PATH = "/store"  # as in contract/runs.py, which loads more than a process that waits should hold
FOLDERS = (paths.BLOBS, paths.RAW, "runs", "featuresets", "models", "roots", "capture")
DAY_SECONDS = 24 * 3600.0


def main(argv: Sequence[str] = ()) -> int:
    """Make the folders, sweep what killed processes left, and wait for the signal to end."""
    if argv:
        sys.stderr.write(f"merkhet gateway takes no arguments, got {' '.join(argv)}\n")
        return 2
    # Blocked from the start: as process 1 we would otherwise not hear them at all.
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    log.start(role="gateway")
    prepare(Path(os.environ.get("MERKHET_STORE", STORE_PATH)), now=time.time())
    signal.sigwait(ending)
    return 0


def prepare(root: Path, *, now: float) -> None:
    """Make the store's folders; take away temporary files and partial uploads that nobody has touched for a day."""
    for folder in FOLDERS:
        make_folder(root / folder, root)
    Volume(root).sweep(before=now - DAY_SECONDS)
    for part in (root / PARTS).glob("*"):
        if part.stat().st_mtime < now - 7 * DAY_SECONDS:
            part.unlink(missing_ok=True)
