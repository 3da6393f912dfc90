"""One run from task to record: what the mains of features and trainer share.

The pod may be killed at any moment and another may carry on, or run beside it for a while: the record is written
once, whoever comes second reports what stands there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeVar

from pydantic import ValidationError

from merkhet.contract.base import Message
from merkhet.contract.runs import (
    DONE,
    FAILED,
    REFUSED,
    REPORT_FILE,
    REPORT_FOLDER,
    SCRATCH_PATH,
    STORE_PATH,
    TASK_VARIABLE,
    Run,
    RunReport,
    Usage,
)
from merkhet.errors import Corrupt, InvalidSpec, MerkhetError, Missing, Refused
from merkhet.store import claims, roots
from merkhet.store.port import Store
from merkhet.store.references import digests
from merkhet.store.volume import Volume
from merkhet.workloads import cgroup, log

logger = logging.getLogger(__name__)

TERMINATED = 128 + signal.SIGTERM
FINISHED = 0  # no signal's number
# What would fail the same way at each try of this Job. A corrupt or missing thing may be put right: it is reported,
# and not recorded for ever.
REFUSALS = (Refused, InvalidSpec, Corrupt, Missing)


class RefusedForNow(Refused):
    """Work refused because of something that has the same name and may have other content tomorrow (a user's file)."""


class Task(Protocol):
    """A message that names its run."""

    @property
    def run(self) -> Run:
        """Which run it is."""

    @classmethod
    def load(cls, text: str | bytes) -> Self:
        """Parse; raises pydantic's ValidationError."""

    def body(self) -> dict[str, Any]:
        """JSON values."""


T = TypeVar("T", bound=Task)
Progress = Callable[[str], None]  # takes words such as "fitting step 2 of 3"
Work = Callable[[T, Store, Progress], Message]


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of a pod. Tests and people at a shell name others by ``MERKHET_STORE`` and so on."""

    store: Path = Path(STORE_PATH)
    report: Path = Path(REPORT_FOLDER)
    scratch: Path = Path(SCRATCH_PATH)

    @classmethod
    def from_environment(cls) -> Places:
        """Where the environment says, or where pods have them."""
        return cls(
            store=Path(os.environ.get("MERKHET_STORE", STORE_PATH)),
            report=Path(os.environ.get("MERKHET_REPORT", REPORT_FOLDER)),
            scratch=Path(os.environ.get("MERKHET_SCRATCH", SCRATCH_PATH)),
        )


def main(kind: type[T], work: Work[T], places: Places | None = None) -> int:
    """Do the task of the environment and give the exit code; ``kind`` is its class, ``work`` gives the result."""
    places = places or Places.from_environment()
    text = os.environ.get(TASK_VARIABLE, "")
    try:
        task = kind.load(text)
    except ValidationError as error:
        return _refuse_task(text, error, places)
    origin = task.run.origin
    log.start(kind=origin.kind, namespace=origin.namespace, name=origin.name, run=task.run.key)
    telling = Telling.begin(task.run.key, places.report)
    with ending_on_sigterm(telling.terminated):
        return _perform(task, work, Volume(places.store), telling)


@dataclass(slots=True)
class Telling:
    """The report of a run as it goes: the latest words, whole at any moment."""

    key: str
    folder: Path
    started: str
    clock: float
    cpu_seconds: float  # of the container, before the run
    latest: RunReport | None = None

    @classmethod
    def begin(cls, key: str, folder: Path) -> Telling:
        """From now on."""
        return cls(key, folder, _now(), time.monotonic(), cgroup.consumption().cpu_seconds)

    def progress(self, words: str) -> None:
        """Say what is being done."""
        logger.info(words)
        self.tell(self.report("Running", progress=words[:256]))

    def report(self, phase: Literal["Running", "Succeeded", "Refused"], **more: Any) -> RunReport:
        """A report as of now."""
        finished = "" if phase == "Running" else _now()
        return RunReport(key=self.key, phase=phase, started=self.started, finished=finished, usage=self.usage(), **more)

    def tell(self, report: RunReport) -> None:
        """Leave a report for the reporter."""
        self.latest = report
        temporary = self.folder / f".{REPORT_FILE}.{os.getpid()}"
        temporary.write_text(report.dump(), encoding="utf-8")
        temporary.replace(self.folder / REPORT_FILE)

    def interrupted(self, reason: str, message: str) -> None:
        """Say that this try ended without a result, and that the run has not."""
        progress = self.latest.progress if self.latest else ""
        self.tell(self.report("Running", reason=reason, message=_bounded(message), progress=progress))

    def terminated(self) -> None:
        """Say that this try was told to end."""
        self.interrupted("Terminated", "the pod was told to end before the work was done")

    def usage(self) -> Usage:
        """What the container has used so far."""
        used = cgroup.consumption()
        return Usage(
            cpu_seconds=round(used.cpu_seconds - self.cpu_seconds, 3),
            wall_seconds=round(time.monotonic() - self.clock, 3),
            peak_memory=used.peak_memory,
        )


def _perform(task: T, work: Work[T], store: Store, telling: Telling) -> int:
    run = task.run
    try:
        earlier = claims.recorded(store, run.key)
        if earlier is not None:
            logger.info("this run is finished already")
            return _end(earlier, telling)
        claims.claim_run(store, run.key, {"trigger": run.trigger, "uid": run.origin.uid, "started": telling.started})
        # Before anything is read: from now on the collector leaves what the task names, and all that is written.
        roots.hold_for_run(store, run, digests(task.body()))
        result = work(task, store, telling.progress)
        return _end(claims.record(store, telling.report("Succeeded", result=result.body())), telling)
    except REFUSALS as error:
        return _refuse(error, store, telling)
    except Exception as error:
        logger.exception("this try failed")
        reason = error.reason if isinstance(error, MerkhetError) else "Failed"
        telling.interrupted(reason, _said(error))
        return FAILED


def _refuse(error: MerkhetError, store: Store, telling: Telling) -> int:
    logger.error("%s: %s", error.reason, error)
    report = telling.report("Refused", reason=error.reason, message=_bounded(str(error)))
    lasting = isinstance(error, Refused | InvalidSpec) and not isinstance(error, RefusedForNow)
    try:
        return _end(claims.record(store, report) if lasting else report, telling)
    except (MerkhetError, OSError):
        logger.exception("the refusal of run %s could not be recorded", telling.key)
        return _end(report, telling)


def _end(report: RunReport, telling: Telling) -> int:
    telling.tell(report)
    return DONE if report.phase == "Succeeded" else REFUSED


def _refuse_task(text: str, error: ValidationError, places: Places) -> int:
    """A task we cannot read: the operator and this image are of versions that do not understand each other."""
    log.start()
    message = f"{TASK_VARIABLE} is no task that this image understands: {error}; use one version for all images"
    logger.error(message)
    try:
        telling = Telling.begin(str(json.loads(text)["run"]["key"]), places.report)
    except (ValueError, KeyError, TypeError):
        return REFUSED  # nobody to tell: not even the run is known
    telling.tell(telling.report("Refused", reason="InvalidTask", message=_bounded(message)))
    return REFUSED


@contextmanager
def ending_on_sigterm(say: Callable[[], None]) -> Iterator[None]:
    """End at once on SIGTERM, also while a library's native code runs; ``say`` tells of it before.

    Every write to the store is whole or not there, so that ending anywhere is clean. A handler of Python's would wait
    for the main thread to come back from native code, and a thread that waits for the signal need not get it: a pool
    that a library made when it was imported does. Whoever gets it, the interpreter writes its number to a socket.
    """
    finished = threading.Event()
    heard, told = socket.socketpair()
    told.setblocking(False)
    wakeup = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    before = signal.signal(signal.SIGTERM, lambda *_: None)

    def watch() -> None:
        while heard.recv(1)[0] not in {FINISHED, signal.SIGTERM}:
            pass  # another signal's
        if finished.is_set():
            return
        try:
            say()
        finally:
            os._exit(TERMINATED)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        told.send(bytes((FINISHED,)))
        watcher.join()
        signal.signal(signal.SIGTERM, before)
        signal.set_wakeup_fd(wakeup)
        heard.close()
        told.close()


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, MerkhetError) else f"{type(error).__name__}: {error}"


def _bounded(message: str) -> str:
    """At most what a report may carry."""
    return message if len(message) <= 4096 else f"{message[:4095]}…"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
