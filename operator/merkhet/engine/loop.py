"""One pass over one object: see, plan, make it so, say how it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import ValidationError

from merkhet.api.conditions import RECONCILING, STALLED, Condition, Fact, find, progressing, stalled
from merkhet.api.meta import Body, Key, Meta
from merkhet.engine.cache import Cache
from merkhet.engine.children import Children, Owner
from merkhet.engine.clock import Clock
from merkhet.engine.cluster import Cluster, Conflict, NotFound, TooManyRequests
from merkhet.engine.events import Events
from merkhet.engine.interest import Interest, is_ours
from merkhet.engine.metrics import Metrics
from merkhet.engine.prune import prune
from merkhet.engine.queue import Queue
from merkhet.engine.status import composed, conditions_of, judged_again, with_problems, written
from merkhet.engine.world import Sight, Unwatched
from merkhet.errors import InvalidSpec, MerkhetError, Refused, Unavailable
from merkhet.kinds.kind import Kind, Live, Report, Resource, Setup

# While a namesake goes, or somebody else holds a child's name, nothing may tell us that it changed.
#
# Units: seconds.
LOOK_AGAIN_WHILE_LEAVING = 5.0
LOOK_AGAIN_AT_PROBLEMS = 60.0
HICCUPS = 5  # failures in a row, some seconds, before an object says what it waits for: an admission webhook, say
FOUND_LENGTH = 600  # characters of a wrong value that a message quotes

NOT_STALLED = tuple(fact for fact in progressing("Waiting") if fact.type == STALLED)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """How a pass went: a word for metrics, and when to look again."""

    result: str
    again: float | None = None


class Loop:
    """The workers: each takes a key and passes over its object; what goes wrong with one stops no other."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        *,
        cluster: Cluster,
        cache: Cache,
        interest: Interest,
        queue: Queue,
        unwatched: Unwatched,
        events: Events,
        metrics: Metrics,
        clock: Clock,
        setup: Setup,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._kinds = {kind.api.kind: kind for kind in kinds}
        self._cluster = cluster
        self._cache = cache
        self._interest = interest
        self._queue = queue
        self._unwatched = unwatched
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._setup = setup
        self._may_write = may_write
        self._children = Children(cluster, cache)
        self._foreign: dict[Key, list[Condition]] = {}  # what was told of objects that keep no conditions
        self._answered: dict[Key, tuple[Body, Body]] = {}  # statuses that the API server keeps otherwise than written

    def gone(self, uid: str) -> None:
        """Forget what was remembered of an object as a child: it is gone."""
        self._children.forget(uid)

    async def work(self) -> None:
        """Pass over one object after the other, for ever."""
        while True:
            key = await self._queue.take()
            await self.once(key)

    async def once(self, key: Key) -> None:
        """One pass, its failures included: what was taken from the queue is done with afterwards."""
        started = self._clock.monotonic()
        self._metrics.waited(key.kind, self._queue.waited)
        try:
            looked = await self._guarded(key)
        finally:
            self._queue.done(key)
        self._metrics.passed(key.kind, looked.result, self._clock.monotonic() - started)

    async def _guarded(self, key: Key) -> Looked:
        """A pass that ends in a result, whatever happened in it."""
        if not self._may_write():
            return Looked("NotLeading")
        try:
            looked = await self._pass(key)
        except (Unavailable, Conflict, NotFound) as error:
            looked = self._later(key, error)
            if self._queue.failures(key) > HICCUPS and not isinstance(error, TooManyRequests):
                await self._say_what_is_waited_for(key, error)
            return looked
        except MerkhetError as error:
            # A spec that cannot be meant is looked at again when it changes, all else after a while.
            if not isinstance(error, InvalidSpec | Refused):
                self._queue.retry(key)
            return await self._say(key, stalled(error.reason, str(error)))
        except Exception as error:  # the last resort: one object's fault is its own
            _log.exception("pass failed", extra=_where(key))
            self._queue.retry(key)
            # Without the error's own text: what differs each time would be written each time.
            message = f"{type(error).__name__} in Merkhet itself: see the operator's log; it is tried again"
            return await self._say(key, stalled("InternalError", message))
        self._queue.succeeded(key)
        if looked.again is not None:
            self._queue.add_after(key, looked.again)
        return looked

    def _later(self, key: Key, error: MerkhetError) -> Looked:
        _log.info("tried again later: %s", error, extra=_where(key))
        self._queue.retry(key, error.retry_after if isinstance(error, TooManyRequests) else 0.0)
        return Looked(error.reason)

    async def _say_what_is_waited_for(self, key: Key, error: MerkhetError) -> None:
        """Write why nothing happens, once for each reason: a text that differs each time must not be written again."""
        kind, body = self._kinds[key.kind], self._cache.get(key)
        if body is None or not kind.custom:
            return
        former = body.get("status") or {}
        known = find(conditions_of(former), RECONCILING)
        if known is not None and (known.status, known.reason) == ("True", error.reason):
            return
        facts = (Fact(RECONCILING, "True", error.reason, f"{error}; it is tried again"), *NOT_STALLED)
        try:
            await self._write_status(kind, key, body, judged_again(former, facts, Meta.of(body), self._clock.now()))
        except MerkhetError as failure:
            _log.info("status not written: %s", failure, extra=_where(key))

    async def _pass(self, key: Key) -> Looked:
        kind = self._kinds[key.kind]
        body = self._cache.get(key)
        if body is None or not is_ours(kind, body):
            return self._forget(key)
        meta = Meta.of(body)
        if meta.deleted is not None:
            return Looked("Deleting")
        sight = Sight(self._setup, self._cache, self._unwatched, partial(self._interest.asks, key))
        try:
            return await self._look(kind, key, body, meta, sight)
        finally:
            # Also of a pass that failed: what it asked for may be what it failed for.
            self._interest.asked(key, sight.questions)

    async def _look(self, kind: Kind, key: Key, body: Body, meta: Meta, sight: Sight) -> Looked:
        resource = parsed(kind, body, meta)
        seen = await kind.observe(resource, sight)
        now = self._clock.now()
        plan = kind.plan(resource, seen, now)
        # Children say by owner and label whose they are; what is shared does not.
        sight.ask_for(Key(child.api.kind, meta.namespace, child.name) for child in plan.children if child.shared)
        live, leaving = await self._children.put(plan.children, Owner(kind, meta))
        if not live.problems and not leaving:
            await prune(kind, meta.uid, plan, self._cluster, self._cache)
        report = kind.report(resource, seen, live, now)
        await self._write(kind, key, body, _told(report, live), now)
        result = live.problems[0].reason if live.problems else "Leaving" if leaving else "Done"
        return Looked(result, _soonest(plan.look_again, leaving=leaving, problems=bool(live.problems)))

    def _forget(self, key: Key) -> Looked:
        self._queue.forget(key)
        self._interest.forget(key)
        self._answered.pop(key, None)
        self._foreign.pop(key, None)
        return Looked("Gone")

    async def _write(self, kind: Kind, key: Key, body: Body, report: Report, now: datetime) -> None:
        meta, former = Meta.of(body), body.get("status") or {}
        status = composed(report, conditions_of(former), meta, now)
        if kind.custom:
            await self._write_status(kind, key, body, status)
        else:
            await self._tell_of_foreign(kind, key, meta, conditions_of(status))

    async def _tell_of_foreign(self, kind: Kind, key: Key, meta: Meta, conditions: list[Condition]) -> None:
        """Of an object without a status of ours, events alone tell, and only of what somebody has to see to."""
        bad = [condition for condition in conditions if (condition.type, condition.status) == (STALLED, "True")]
        former = self._foreign.get(key, [])
        if bad:
            self._foreign[key] = bad
        else:
            self._foreign.pop(key, None)
        await self._events.tell(kind.api, meta, former, bad)

    async def _say(self, key: Key, facts: tuple[Fact, ...]) -> Looked:
        """Write what the kind could not judge itself; a failure to do so is one more reason to try again."""
        kind, body = self._kinds[key.kind], self._cache.get(key)
        reason = facts[-1].reason
        _log.info("stalled: %s", facts[-1].message, extra=_where(key))
        if body is None or not kind.custom:
            return Looked(reason)
        status = judged_again(body.get("status") or {}, facts, Meta.of(body), self._clock.now())
        try:
            await self._write_status(kind, key, body, status)
        except MerkhetError as failure:
            return self._later(key, failure)
        except Exception:
            _log.exception("status not written", extra=_where(key))
            self._queue.retry(key)
        return Looked(reason)

    async def _write_status(self, kind: Kind, key: Key, body: Body, status: Body) -> None:
        former = body.get("status") or {}
        if status == former or self._answered.get(key) == (status, former):
            return
        meta = Meta.of(body)
        patch = written(meta.uid, status)
        try:
            answer = await self._cluster.patch(
                kind.api, key.namespace, key.name, patch, manager=kind.manager, part="status"
            )
        except NotFound:
            return  # deleted meanwhile: there is nothing left to say of it
        kept = answer.get("status") or {}
        if kept == status:
            self._answered.pop(key, None)
        else:
            self._answered[key] = (status, kept)
        self._cache.saw(kind.api, answer)
        await self._events.tell(kind.api, meta, conditions_of(former), conditions_of(status))


def parsed(kind: Kind, body: Body, meta: Meta) -> Resource[Any, Any]:
    """The object as its kind reads it; of Kubernetes' own kinds the data is the spec.

    Raises: InvalidSpec, where the schema of an older or newer CRD let something through.
    """
    spec: Mapping[str, Any] = body.get("spec" if kind.custom else "data") or {}
    try:
        return Resource(meta, kind.spec.model_validate(spec), kind.status.read(body.get("status")))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=True)[0]
        path = ".".join(str(word) for word in ("spec", *first["loc"]))
        # What to do stands last: it must not be cut off.
        found = repr(first["input"])
        found = found if len(found) <= FOUND_LENGTH else f"{found[:FOUND_LENGTH]}…"
        why = first["msg"].removeprefix("Value error, ")[:FOUND_LENGTH]  # what a check of ours says
        message = f"{path} is {found}: {why}; correct it and apply again"
        raise InvalidSpec(message) from error


def _told(report: Report, live: Live) -> Report:
    return Report(report.status, with_problems(report.facts, live))


def _soonest(planned: timedelta | None, *, leaving: bool, problems: bool) -> float | None:
    moments = [planned.total_seconds()] if planned is not None else []
    if leaving:
        moments.append(LOOK_AGAIN_WHILE_LEAVING)
    if problems:
        moments.append(LOOK_AGAIN_AT_PROBLEMS)
    return min(moments, default=None)


def _where(key: Key) -> dict[str, str]:
    return {"object_kind": key.kind, "object_namespace": key.namespace, "object_name": key.name}
