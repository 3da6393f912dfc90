"""``merkhet gateway``: prepares the store and waits, so that people may ``kubectl exec`` into its pod.

From time to time it starts the collector, as a process of its own: one that waits should hold little.
"""

from __future__ import annotations

import os
import signal
import subprocess
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
ENDING = (signal.SIGTERM, signal.SIGINT)
GRACE = "1h"  # how long nothing may have used a blob before it is taken away
COLLECT_SECONDS = 600.0  # from one pass of the collector to the next
DAY_SECONDS = 24 * 3600.0


def main(argv: Sequence[str] = ()) -> int:
    """Make the folders, sweep what killed processes left, and wait for the signal to end."""
    if argv:
        sys.stderr.write(f"merkhet gateway takes no arguments, got {' '.join(argv)}\n")
        return 2
    # Blocked from the start: as process 1 we would otherwise not hear them at all.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*ENDING, signal.SIGCHLD})
    log.start(role="gateway")
    prepare(Path(os.environ.get("MERKHET_STORE", STORE_PATH)), now=time.time())
    wait(float(os.environ.get("MERKHET_COLLECT_SECONDS", COLLECT_SECONDS)))
    return 0


def wait(every: float) -> None:
    """Collect at once and then every so often, until a signal says to end. Units: seconds."""
    collecting: subprocess.Popen[bytes] | None = None
    due = time.monotonic()
    while True:
        if collecting is not None and collecting.poll() is not None:
            collecting = None
        if collecting is None and time.monotonic() >= due:
            grace = os.environ.get("MERKHET_COLLECT_GRACE", GRACE)
            collecting = subprocess.Popen([sys.executable, "-m", "merkhet", "store", "collect", "--grace", grace])
            due = time.monotonic() + every
        heard = signal.sigtimedwait({*ENDING, signal.SIGCHLD}, max(0.0, due - time.monotonic()) or every)
        if heard is not None and heard.si_signo in ENDING:
            if collecting is not None:
                collecting.kill()  # safe at any moment, and with our signals blocked it hears no other
            return


def prepare(root: Path, *, now: float) -> None:
    """Make the store's folders; take away temporary files and partial uploads that nobody has touched for a day."""
    for folder in FOLDERS:
        make_folder(root / folder, root)
    Volume(root).sweep(before=now - DAY_SECONDS)
    for part in (root / PARTS).glob("*"):
        if part.stat().st_mtime < now - 7 * DAY_SECONDS:
            part.unlink(missing_ok=True)
