"""The operator as a process: it waits to lead, then works until it is told to stop or may lead no more."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
from collections.abc import Sequence
from typing import Any, cast

import kopf
import uvloop

from merkhet.api.meta import Api, Body
from merkhet.engine import attach, logs
from merkhet.engine.access import Access
from merkhet.engine.apiserver import HttpCluster
from merkhet.engine.clock import Clock, SystemClock
from merkhet.engine.engine import Engine
from merkhet.engine.heartbeat import Heartbeat
from merkhet.engine.lease import LEASE, Leadership
from merkhet.engine.metrics import Metrics
from merkhet.engine.probes import probes
from merkhet.engine.resync import Watched
from merkhet.errors import MerkhetError
from merkhet.kinds.kind import Kind
from merkhet.settings import Settings, from_environment

GARBAGE_EVERY = 50_000  # objects more than there were; Python's own 700 is a twentieth of our time
_log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run the operator with the settings of the environment; the exit code."""
    from merkhet.kinds.registry import KINDS  # noqa: PLC0415 - the kinds are the product's, the engine serves any

    argparse.ArgumentParser(prog="merkhet operator", description=__doc__).parse_args(argv)
    try:
        settings = from_environment(os.environ)
    except MerkhetError as error:
        logs.set_up("info")
        _log.error("%s", error)
        return 2
    logs.set_up(settings.log_level)
    return run(KINDS, settings)


def run(kinds: Sequence[Kind], settings: Settings) -> int:
    """Run the operator for these kinds; the exit code."""
    # What is imported stays, and what JSON is parsed to has no cycles: looking for garbage less often costs no memory.
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY)
    try:
        uvloop.run(_Process(kinds, settings, SystemClock()).run())
    except (MerkhetError, BaseExceptionGroup) as error:
        for failure in _leaves(error):
            _log.error("the operator stops: %s", failure, exc_info=None if _is_told(failure) else failure)
        return 1
    return 0


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _is_told(failure: BaseException) -> bool:
    return isinstance(failure, MerkhetError)


class _Process:
    """One replica, from start to end."""

    def __init__(self, kinds: Sequence[Kind], settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._access = Access(clock, connections=2 * settings.workers)
        self._cluster = HttpCluster(self._access, self._metrics)
        self._leadership = Leadership(
            self._cluster, clock, namespace=settings.namespace, name=settings.lease, identity=settings.identity
        )
        self._heartbeat = Heartbeat(self._cluster, clock, settings.heartbeat_namespace)
        self._engine = Engine(
            kinds,
            settings,
            cluster=self._cluster,
            clock=clock,
            metrics=self._metrics,
            may_write=self._leadership.holds,
        )
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Serve probes, wait to lead, work; let go of everything in the end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        async with probes(self._settings.port, live=self._fault, ready=self._unready, metrics=self._measured):
            try:
                if await self._leads():
                    await self._work()
            finally:
                await self._leadership.release()
                await self._access.close()

    async def _leads(self) -> bool:
        """Wait to lead; False where we are told to stop before."""
        waiting = asyncio.create_task(self._leadership.wait())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, stopping):
            task.cancel()
        await asyncio.gather(waiting, stopping, return_exceptions=True)
        if not waiting.cancelled():
            waiting.result()  # who fails while it waits does not lead
        return not self._stop.is_set()

    async def _work(self) -> None:
        self._metrics.leader.set(1)
        try:
            async with asyncio.TaskGroup() as tasks:
                background = [
                    tasks.create_task(self._leadership.keep(), name="leadership"),
                    tasks.create_task(self._heartbeat.keep(), name="heartbeat"),
                    tasks.create_task(self._serve(), name="engine"),
                ]
                # Kopf ends when a signal tells it to; on its way out it cancels every task begun after its own.
                await self._watch()
                for task in background:
                    task.cancel()
        finally:
            self._metrics.leader.set(0)

    async def _serve(self) -> None:
        await self._engine.start()
        _log.info("the cluster is known; work begins")
        await self._engine.run()

    async def _watch(self) -> None:
        what = [*self._engine.watched, Watched(LEASE, attach.OURS)]
        namespaces = self._settings.namespaces
        with attach.short_cut(what, self._seen):
            await kopf.operator(
                registry=attach.registry(what, self._seen),
                settings=attach.settings(what),
                standalone=True,
                # Kopf would ask for the user's name, which a numeric user of a container has not.
                identity=cast("Any", self._settings.identity),
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=self._stop,
            )

    def _seen(self, api: Api, change: str | None, body: Body) -> None:
        if api == LEASE:
            self._heartbeat.heard(body)
        else:
            self._engine.seen(api, change, body)

    def _fault(self) -> str | None:
        if self._heartbeat.is_deaf():
            return "the heartbeat does not come back through the watch"
        return None

    def _unready(self) -> str | None:
        leads = self._leadership.holds()
        # Who waits to lead is ready to: else an update of the operator would never end.
        return "the cluster is not known yet" if leads and not self._engine.synced else None

    def _measured(self) -> bytes:
        self._engine.measure()
        self._metrics.watch_age.set(self._heartbeat.age())
        return self._metrics.text()
