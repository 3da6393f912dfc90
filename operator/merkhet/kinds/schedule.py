"""Schedules: when an object's next run is due, in its time zone.

Ticks are those of Debian's cron, as ``cronsim`` has them. Where clocks are put forward, a time that is skipped comes at
the first moment after; where they are put back, a time that comes twice is due the first time alone. Where minute or
hour begins with ``*``, real time counts instead: what is skipped does not come, what comes twice is due twice.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from importlib import resources
from typing import Annotated, Any, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import BeforeValidator, Field

from merkhet.api import fields
from merkhet.api.base import StatusPart
from merkhet.api.conditions import timestamp
from merkhet.contract.runs import Trigger, tick_trigger
from merkhet.kinds.common import parsed_time

# Kubernetes' own words.
WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of the month": "1 to 31",
    "month": "1 to 12 or JAN to DEC",
    "day of the week": "0 to 7 or SUN to SAT",
}
# Whether a schedule ever comes is seen from here: within 50 years each date falls on each day of the week.
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 - it is so in every zone
# The pass comes back at least so often, so that a clock that was set is noticed.
LONGEST_WAIT = timedelta(hours=1)
SECOND = timedelta(seconds=1)
EVER = datetime.min.replace(tzinfo=UTC)


def known_schedule(expression: Any) -> Any:
    """The expression, if it can be meant; raises ValueError that says what is wrong with it."""
    fault = _fault(expression) if isinstance(expression, str) else ""
    if fault:
        raise ValueError(fault)
    return expression


def known_zone(name: Any) -> Any:
    """The name, if the IANA database has it; raises ValueError that says which are near."""
    if isinstance(name, str) and name not in _zones():
        raise ValueError(f"the IANA database has no time zone {name!r}; {_nearest(name)}")
    return name


# Said before the pattern of the CRD is looked at, whose own words are no help.
Schedule = Annotated[fields.Schedule, BeforeValidator(known_schedule)]
TimeZone = Annotated[fields.TimeZone, BeforeValidator(known_zone)]


class ScheduleStatus(StatusPart):
    """What is known of a schedule."""

    expression: Annotated[str, Field(max_length=128)] = Field(default="", description="The schedule spoken of.")
    time_zone: Annotated[str, Field(max_length=64)] = Field(default="", description="Its time zone.")
    since: fields.Time = Field(
        default="", description="Since when it holds; nothing is made up for that was due before."
    )
    last: fields.Time | None = Field(default=None, description="When a run was last due.")
    next: fields.Time | None = Field(default=None, description="When the next run is due; none comes while suspended.")


class Scheduled(Protocol):
    """What the spec of any kind says about when to run."""

    @property
    def schedule(self) -> str | None:
        """When to run again, as in crontab."""

    @property
    def time_zone(self) -> str:
        """The schedule's time zone."""

    @property
    def suspend(self) -> bool:
        """Whether nothing is started."""


def scheduled(spec: Scheduled, former: ScheduleStatus | None, created: str, now: datetime) -> ScheduleStatus | None:
    """What is known of the schedule now; None where there is none. Ticks are not followed while suspended."""
    if spec.schedule is None:
        return None
    known = _held(spec, spec.schedule, former, created, now)
    if spec.suspend:
        return known.model_copy(update={"next": None})
    coming = parsed_time(known.next)
    return known if coming is not None and now < coming else _ticked(known, now)


def tick_of(status: ScheduleStatus | None) -> Trigger | None:
    """The trigger of the run that was last due."""
    last = parsed_time(status.last) if status is not None else None
    return None if last is None else tick_trigger(last)


def until_next(status: ScheduleStatus | None, now: datetime) -> timedelta | None:
    """When to look again because of the schedule; None where nothing comes."""
    coming = parsed_time(status.next) if status is not None else None
    return None if coming is None else min(coming - now, LONGEST_WAIT)


def latest(expression: str, zone: str, now: datetime) -> datetime | None:
    """The last tick up to now, in UTC: found backwards, however many were missed."""
    local = now.astimezone(ZoneInfo(zone))
    start = now + SECOND
    if local.fold:  # the clock's hand is before ticks that have come: begin behind all of them
        start += _offset(local.replace(fold=0)) - _offset(local)
    back = CronSim(_plain(expression), start.astimezone(local.tzinfo), reverse=True)
    return next((tick for tick in _in_utc(back) if tick <= now), None)


def following(expression: str, zone: str, now: datetime) -> datetime | None:
    """The first tick after now, in UTC."""
    ahead = CronSim(_plain(expression), now.astimezone(ZoneInfo(zone)))
    return next((tick for tick in _in_utc(ahead) if tick > now), None)


def _held(
    spec: Scheduled, expression: str, former: ScheduleStatus | None, created: str, now: datetime
) -> ScheduleStatus:
    """What was known of this schedule of this object, or that it holds from now on."""
    made = parsed_time(created) or EVER
    begins = max(now, made)  # the API server's clock may be ahead of ours
    new = ScheduleStatus(expression=expression, time_zone=spec.time_zone, since=timestamp(begins))
    since = parsed_time(former.since) if former is not None else None
    if former is None or since is None or (former.expression, former.time_zone) != (expression, spec.time_zone):
        return new
    # A status older than its object came with a restore; what lies in the future was said by a clock set back since.
    is_of_now = made <= since <= begins and (parsed_time(former.last) or now) <= now
    return former if is_of_now else new


def _ticked(known: ScheduleStatus, now: datetime) -> ScheduleStatus:
    """The schedule with the ticks on both sides of now; one from before it held does not count."""
    last = latest(known.expression, known.time_zone, now)
    coming = following(known.expression, known.time_zone, now)
    since = parsed_time(known.since) or now
    counted = {"last": timestamp(last)} if last is not None and last > since else {}
    return known.model_copy(update={**counted, "next": None if coming is None else timestamp(coming)})


def _in_utc(ticks: Iterator[datetime]) -> Iterator[datetime]:
    """Times of one zone are compared by the hands of their clock, which an hour that comes twice confuses."""
    return (tick.astimezone(UTC) for tick in ticks)


def _offset(local: datetime) -> timedelta:
    return local.utcoffset() or timedelta()


@lru_cache(maxsize=1024)
def _fault(expression: str) -> str:
    """What is wrong with an expression; nothing where it can be meant."""
    if expression in WORDS:
        return ""
    if expression.startswith("@"):
        return f"there is no {expression}; write {', '.join(WORDS)}, or five fields as in crontab"
    parts = _plain(expression).split(" ")
    if len(parts) != len(FIELDS) or expression.split() != [part for part in expression.split(" ") if part]:
        return f"a schedule has five fields with a space between: {', '.join(FIELDS)}; as in 0 3 * * MON-FRI"
    for position, (name, allowed) in enumerate(FIELDS.items()):
        alone = ["*"] * len(FIELDS)
        alone[position] = parts[position]
        if not _comes(" ".join(alone)):
            return f"its {name} is {parts[position]!r}; write {allowed}, and of these *, 2-4, 2,4 or */2"
    return "" if _comes(" ".join(parts)) else "it never comes: none of its months has such a day; name another day"


def _comes(expression: str) -> bool:
    """Whether the expression has any tick at all."""
    try:
        return next(CronSim(expression, EPOCH), None) is not None
    except CronSimError:
        return False


def _plain(expression: str) -> str:
    """Five fields in cronsim's words: to Kubernetes ``?`` is ``*``."""
    return " ".join(WORDS.get(expression, expression).replace("?", "*").split())


@cache
def _zones() -> frozenset[str]:
    """The names of tzdata, not of the machine's own files: they are the same wherever a spec is looked at."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


def _nearest(name: str) -> str:
    """What somebody may have meant who wrote this; many write the city alone, or in small letters."""
    by_lower = {zone.lower(): zone for zone in sorted(_zones())}
    cities = [lower for lower in by_lower if lower.endswith(f"/{name.lower()}")]
    near = dict.fromkeys([*cities, *difflib.get_close_matches(name.lower(), by_lower)])
    meant = [by_lower[lower] for lower in near][:3]
    return f"did you mean {' or '.join(meant)}?" if meant else "write one such as Europe/Paris"
