"""When a schedule's ticks are, what is remembered of them, and what is said of one that cannot be meant."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from merkhet.api.meta import Body, Meta
from merkhet.contract.runs import tick_trigger
from merkhet.engine.loop import parsed
from merkhet.errors import InvalidSpec
from merkhet.kinds import featureset, modeltraining
from merkhet.kinds.kind import Kind
from merkhet.kinds.schedule import LONGEST_WAIT, ScheduleStatus, following, latest, scheduled, tick_of, until_next
from merkhet.plugin.validate import complaints
from tests import make

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"


def utc(text: str) -> datetime:
    """A time of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(expression: str, zone: str, begin: str, end: str) -> list[str]:
    """All ticks after one day's begin up to another's, as the zone's clocks show them."""
    place = ZoneInfo(zone)
    now, until = (datetime.fromisoformat(text).replace(tzinfo=place).astimezone(UTC) for text in (begin, end))
    found = []
    while (tick := following(expression, zone, now)) is not None and tick <= until:
        assert latest(expression, zone, tick) == tick
        assert latest(expression, zone, tick - timedelta(seconds=1)) != tick
        found.append(tick.astimezone(place).strftime("%m-%d %H:%M %Z"))
        now = tick
    return found


# In 2026 Paris puts its clocks forward from 02:00 to 03:00 on 29 March, and back from 03:00 to 02:00 on 25 October;
# New York forward from 02:00 on 8 March, and back from 02:00 to 01:00 on 1 November.
CLOCKS: dict[str, tuple[str, str, str, str, list[str]]] = {
    "a skipped time comes at the first moment after": (
        "30 2 * * *",
        PARIS,
        "2026-03-28",
        "2026-03-30T12:00",
        ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"],
    ),
    "two skipped times come as one": ("0,30 2 * * *", PARIS, "2026-03-29", "2026-03-30", ["03-29 03:00 CEST"]),
    "a skipped time and the next are one": (
        "0 2,3 * * *",
        PARIS,
        "2026-03-29",
        "2026-03-30",
        ["03-29 03:00 CEST"],
    ),
    "every hour has no skipped one": (
        "0 * * * *",
        PARIS,
        "2026-03-29T00:30",
        "2026-03-29T04:30",
        ["03-29 01:00 CET", "03-29 03:00 CEST", "03-29 04:00 CEST"],
    ),
    "every ten minutes of a skipped hour do not come": ("*/10 2 * * *", PARIS, "2026-03-29", "2026-03-29T12:00", []),
    "a repeated time comes once": (
        "30 2 * * *",
        PARIS,
        "2026-10-25",
        "2026-10-26T12:00",
        ["10-25 02:30 CEST", "10-26 02:30 CET"],
    ),
    "every hour comes in each of both": (
        "0 * * * *",
        PARIS,
        "2026-10-25T01:30",
        "2026-10-25T03:30",
        ["10-25 02:00 CEST", "10-25 02:00 CET", "10-25 03:00 CET"],
    ),
    "every half an hour of a repeated hour comes in each of both": (
        "*/30 2 * * *",
        PARIS,
        "2026-10-25",
        "2026-10-25T12:00",
        ["10-25 02:00 CEST", "10-25 02:30 CEST", "10-25 02:00 CET", "10-25 02:30 CET"],
    ),
    "a time beside the change is itself": ("0 4 * * *", PARIS, "2026-03-29", "2026-03-30", ["03-29 04:00 CEST"]),
    "a skipped time in New York": ("30 2 * * *", NEW_YORK, "2026-03-08", "2026-03-09", ["03-08 03:00 EDT"]),
    "a repeated time in New York": ("30 1 * * *", NEW_YORK, "2026-11-01", "2026-11-02", ["11-01 01:30 EDT"]),
    "every hour of New York's long night": (
        "@hourly",
        NEW_YORK,
        "2026-11-01T00:30",
        "2026-11-01T02:30",
        ["11-01 01:00 EDT", "11-01 01:00 EST", "11-01 02:00 EST"],
    ),
}


@pytest.mark.parametrize(("expression", "zone", "begin", "end", "wanted"), CLOCKS.values(), ids=CLOCKS)
def test_clocks_that_are_changed(expression: str, zone: str, begin: str, end: str, wanted: list[str]) -> None:
    assert ticks(expression, zone, begin, end) == wanted


# 02:35, again 02:10 and again 02:50 on Paris' clocks.
@pytest.mark.parametrize("now", ["00:35", "01:10", "01:50"])
def test_in_the_second_of_two_hours_the_tick_of_the_first_is_the_latest(now: str) -> None:
    assert latest("30 2 * * *", PARIS, utc(f"2026-10-25T{now}")) == utc("2026-10-25T00:30")
    assert following("30 2 * * *", PARIS, utc(f"2026-10-25T{now}")) == utc("2026-10-26T01:30")


def test_a_trigger_is_the_same_whichever_zone_its_time_is_told_in() -> None:
    moment = utc("2026-10-25T01:30")
    assert tick_trigger(moment.astimezone(ZoneInfo(PARIS))) == tick_trigger(moment) == "tick/2026-10-25T01:30:00Z"


CALENDAR: dict[str, tuple[str, str, str | None, str | None]] = {
    "a leap day": ("0 0 29 2 *", "2026-11-22T12:00", "2024-02-29T00:00", "2028-02-29T00:00"),
    "the 31st, where a month has one": ("0 0 31 * *", "2026-11-22T12:00", "2026-10-31T00:00", "2026-12-31T00:00"),
    "the last day of a month": ("0 0 L * *", "2026-02-27T12:00", "2026-01-31T00:00", "2026-02-28T00:00"),
    "a change of year": ("59 23 31 12 *", "2027-01-01T00:00", "2026-12-31T23:59", "2027-12-31T23:59"),
    "by the year": ("@yearly", "2026-11-22T12:00", "2026-01-01T00:00", "2027-01-01T00:00"),
    "by the year, in another word": ("@annually", "2026-11-22T12:00", "2026-01-01T00:00", "2027-01-01T00:00"),
    "by the month": ("@monthly", "2026-11-22T12:00", "2026-11-01T00:00", "2026-12-01T00:00"),
    "by the week, on Sunday": ("@weekly", "2026-11-23T12:00", "2026-11-22T00:00", "2026-11-29T00:00"),
    "by the day": ("@daily", "2026-11-22T12:00", "2026-11-22T00:00", "2026-11-23T00:00"),
    "by the day, in another word": ("@midnight", "2026-11-22T12:00", "2026-11-22T00:00", "2026-11-23T00:00"),
    "by the hour": ("@hourly", "2026-11-22T12:30", "2026-11-22T12:00", "2026-11-22T13:00"),
    "days by name": ("0 3 * * MON-FRI", "2026-11-22T12:00", "2026-11-20T03:00", "2026-11-23T03:00"),
    "Sunday as 7": ("0 3 * * 7", "2026-11-23T12:00", "2026-11-22T03:00", "2026-11-29T03:00"),
    "a question mark is a star": ("0 3 ? * 1", "2026-11-22T12:00", "2026-11-16T03:00", "2026-11-23T03:00"),
    "either day where both are named": ("0 0 13 * 5", "2026-11-12T12:00", "2026-11-06T00:00", "2026-11-13T00:00"),
    "every quarter of an hour": ("*/15 * * * *", "2026-11-22T12:14:59", "2026-11-22T12:00", "2026-11-22T12:15"),
    "the very moment": ("0 3 * * *", "2026-11-22T03:00:00", "2026-11-22T03:00", "2026-11-23T03:00"),
    "a fraction of a second before": ("0 3 * * *", "2026-11-22T02:59:59.999", "2026-11-21T03:00", "2026-11-22T03:00"),
}


@pytest.mark.parametrize(("expression", "now", "before", "after"), CALENDAR.values(), ids=CALENDAR)
def test_the_calendar(expression: str, now: str, before: str, after: str) -> None:
    assert latest(expression, "UTC", utc(now)) == utc(before)
    assert following(expression, "UTC", utc(now)) == utc(after)


KINDS = {
    "FeatureSet": (featureset.KIND, make.featureset),
    "ModelTraining": (modeltraining.KIND, make.modeltraining),
}
NOT_MEANT: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a day that never comes": ({"schedule": "0 0 31 2 *"}, ("spec.schedule", "it never comes")),
    "a day that the longest of years has not": ({"schedule": "0 0 30 2 *"}, ("it never comes",)),
    "a day that no search finds": ({"schedule": "0 0 */16 2 5#5"}, ("it never comes",)),
    "a minute too far": ({"schedule": "60 3 * * *"}, ("minute is '60'", "0 to 59")),
    "an hour too far": ({"schedule": "0 24 * * *"}, ("hour is '24'", "0 to 23")),
    "day nought": ({"schedule": "0 3 0 * *"}, ("day of the month is '0'", "1 to 31")),
    "a month that is none": ({"schedule": "0 3 1 MAI *"}, ("month is 'MAI'", "JAN to DEC")),
    "a day of the week that is none": ({"schedule": "0 3 * * TUES"}, ("day of the week is 'TUES'", "SUN to SAT")),
    "a range that runs backwards": ({"schedule": "0 5-3 * * *"}, ("hour is '5-3'", "2-4")),
    "a step of nothing": ({"schedule": "*/0 * * * *"}, ("minute is '*/0'",)),
    "four fields": ({"schedule": "0 3 * *"}, ("five fields",)),
    "six fields": ({"schedule": "0 0 3 * * *"}, ("five fields",)),
    "a tab between": ({"schedule": "0\t3 * * *"}, ("five fields",)),
    "a word of its own": ({"schedule": "@fortnightly"}, ("there is no @fortnightly", "@weekly")),
    "an interval": ({"schedule": "@every 1h"}, ("there is no @every 1h", "@hourly")),
    "a time of day": ({"schedule": "03:00"}, ("five fields",)),
    "nothing": ({"schedule": ""}, ("five fields",)),
    "no text": ({"schedule": 5}, ("spec.schedule",)),
    "a zone misspelt": ({"timeZone": "Europe/Pariss"}, ("spec.timeZone", "did you mean Europe/Paris")),
    "a zone in small letters": ({"timeZone": "europe/paris"}, ("did you mean Europe/Paris",)),
    "a city alone": ({"timeZone": "Paris"}, ("did you mean Europe/Paris",)),
    "no zone at all": ({"timeZone": "Middle-earth/Bree"}, ("no time zone 'Middle-earth/Bree'",)),
    "a path": ({"timeZone": "../../etc/passwd"}, ("spec.timeZone",)),
    "the machine's own": ({"timeZone": "localtime"}, ("no time zone 'localtime'",)),
}


@pytest.mark.parametrize(("kind", "maker"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(("spec", "words"), NOT_MEANT.values(), ids=NOT_MEANT)
def test_what_cannot_be_meant_is_said_in_words(kind: Kind, maker: Any, spec: Body, words: tuple[str, ...]) -> None:
    body = maker(spec=spec)
    with pytest.raises(InvalidSpec) as told:
        parsed(kind, body, Meta.of(body))
    (offline,) = complaints(body)
    for word in (*words, next(iter(spec))):
        assert word in str(told.value)
        assert word in offline


@pytest.mark.parametrize(("kind", "maker"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "GMT"])
def test_zones_of_the_database_are_taken(kind: Kind, maker: Any, zone: str) -> None:
    body = maker(spec={"schedule": "0 3 * * MON-FRI", "timeZone": zone})
    assert parsed(kind, body, Meta.of(body)).spec.time_zone == zone


@dataclass(frozen=True)
class Wanted:
    """What a spec says about when to run."""

    schedule: str | None = "0 3 * * *"
    time_zone: str = "UTC"
    suspend: bool = False


CREATED = "2026-11-22T11:00:00Z"
NOW = make.NOW  # noon
DAY = timedelta(days=1)


def known(former: ScheduleStatus | None, now: datetime, created: str = CREATED, **spec: Any) -> ScheduleStatus:
    """What is known of the schedule."""
    found = scheduled(Wanted(**spec), former, created, now)
    assert found is not None
    return found


def test_without_a_schedule_nothing_is_known() -> None:
    former = known(None, NOW)
    assert scheduled(Wanted(schedule=None), former, CREATED, NOW) is None
    assert tick_of(None) is None
    assert until_next(None, NOW) is None


def test_a_new_schedule_holds_from_now_on() -> None:
    first = known(None, NOW)
    assert (first.since, first.last, first.next) == ("2026-11-22T12:00:00Z", None, "2026-11-23T03:00:00Z")
    assert tick_of(first) is None


def test_a_tick_is_named_by_its_scheduled_time_in_utc() -> None:
    first = known(None, NOW, time_zone=PARIS)
    later = known(first, utc("2026-11-23T02:00:07"), time_zone=PARIS)
    assert tick_of(later) == "tick/2026-11-23T02:00:00Z"
    assert (later.since, later.next) == (first.since, "2026-11-24T02:00:00Z")


def test_between_two_ticks_what_is_known_stays() -> None:
    first = known(None, NOW)
    assert known(first, NOW + DAY / 2) is first


def test_a_year_asleep_leaves_the_latest_tick_alone() -> None:
    later = known(known(None, NOW, schedule="* * * * *"), NOW + 365 * DAY, schedule="* * * * *")
    assert (later.last, later.next) == ("2027-11-22T12:00:00Z", "2027-11-22T12:01:00Z")


ANEW: dict[str, tuple[dict[str, Any], str]] = {
    "another expression": ({"schedule": "0 2 * * *"}, CREATED),
    "another zone": ({"time_zone": PARIS}, CREATED),
    "an object made after its status": ({}, "2026-11-24T09:00:00Z"),
}


@pytest.mark.parametrize(("spec", "created"), ANEW.values(), ids=ANEW)
def test_what_begins_anew_makes_up_for_nothing(spec: dict[str, Any], created: str) -> None:
    now = NOW + 2 * DAY
    found = known(known(None, NOW), now, created, **spec)
    assert (found.since, found.last) == ("2026-11-24T12:00:00Z", None)


def test_a_clock_set_back_makes_up_for_nothing() -> None:
    former = known(known(None, NOW), NOW + DAY)
    assert former.last == "2026-11-23T03:00:00Z"
    found = known(former, NOW)
    assert (found.since, found.last, found.next) == ("2026-11-22T12:00:00Z", None, "2026-11-23T03:00:00Z")


def test_an_object_that_is_newer_than_our_clock_is_said_once() -> None:
    first = known(None, NOW, created="2026-11-22T12:05:00Z")
    assert first.since == "2026-11-22T12:05:00Z"
    assert known(first, NOW + timedelta(seconds=3), created="2026-11-22T12:05:00Z") is first


def test_while_suspended_nothing_changes_and_then_one_tick_is_made_up_for() -> None:
    asleep = known(known(None, NOW), NOW, suspend=True)
    assert (asleep.last, asleep.next, until_next(asleep, NOW)) == (None, None, None)
    assert known(asleep, NOW + 9 * DAY, suspend=True) == asleep
    awake = known(asleep, NOW + 9 * DAY)
    assert (awake.since, awake.last) == (asleep.since, "2026-12-01T03:00:00Z")


WAITS = {
    "a minute before": (timedelta(minutes=1), timedelta(minutes=1)),
    "days before, so that a clock that was set is noticed": (timedelta(hours=14), LONGEST_WAIT),
}


@pytest.mark.parametrize(("before", "wanted"), WAITS.values(), ids=WAITS)
def test_when_to_look_again(before: timedelta, wanted: timedelta) -> None:
    now = utc("2026-11-23T03:00") - before
    assert until_next(known(None, now), now) == wanted


def test_a_status_that_cannot_be_read_begins_anew() -> None:
    spoilt = ScheduleStatus(expression="0 3 * * *", time_zone="UTC", since="yesterday", last="x", next="y")
    assert known(spoilt, NOW) == known(None, NOW)


@pytest.mark.parametrize("expression", ["* * * * *", "0 3 * * *", "0 0 29 2 *", "@yearly"])
def test_a_year_asleep_is_judged_at_once(expression: str) -> None:
    first = known(None, NOW, schedule=expression, time_zone=PARIS)
    began = time.perf_counter()
    for _ in range(20):
        known(first, NOW + 365 * DAY, schedule=expression, time_zone=PARIS)
    # Some 100 microseconds each; a loop over the missed ticks of a year takes seconds.
    assert time.perf_counter() - began < 1.0
