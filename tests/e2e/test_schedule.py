"""A schedule starts runs by itself, each named by its tick, until the object is suspended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.access import Body, Tenant, changed, example_features
from tests.e2e.conftest import furnish

FEATURES = changed(example_features(), {"spec.schedule": "* * * * *", "spec.timeZone": "Europe/Paris"})


@pytest.fixture(scope="module")
def scheduled(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant whose FeatureSet is run each minute."""
    tenant = furnish(tenants("schedule"))
    tenant.apply(FEATURES)
    tenant.settled("featuresets", "employment")
    return tenant


def ticks(body: Body) -> list[Body]:
    """The runs of a schedule that ended well."""
    runs = body.get("status", {}).get("runs") or ()
    return [run for run in runs if run["trigger"].startswith("tick/") and run["phase"] == "Succeeded"]


def test_each_tick_is_run_and_the_same_rows_make_no_new_version(scheduled: Tenant) -> None:
    body = scheduled.until("featuresets", "employment", lambda body: bool(ticks(body)), "has run a tick")
    tick = ticks(body)[-1]
    moment = tick["trigger"].removeprefix("tick/")
    schedule = body["status"]["schedule"]
    assert (schedule["expression"], schedule["timeZone"]) == ("* * * * *", "Europe/Paris")
    assert schedule["since"] < moment <= schedule["last"] < schedule["next"]
    assert moment.endswith(":00Z")
    assert (tick["version"], body["status"]["latest"]["version"]) == (1, 1)


def test_a_suspended_one_expects_nothing_and_stays_ready(scheduled: Tenant) -> None:
    scheduled.apply(changed(FEATURES, {"spec.suspend": True}))
    body = scheduled.until(
        "featuresets",
        "employment",
        lambda body: "next" not in body["status"]["schedule"] and body["status"]["runs"][0]["phase"] == "Succeeded",
        "expects no tick and has no run at work",
    )
    assert body["status"]["latest"]["version"] == 1
    scheduled.settled("featuresets", "employment")


def test_a_schedule_that_never_comes_says_so(scheduled: Tenant) -> None:
    scheduled.apply(changed(FEATURES, {"metadata.name": "never", "spec.schedule": "0 0 31 2 *"}))
    assert "it never comes" in scheduled.stalls("featuresets", "never", "InvalidSpec")


def test_an_unknown_time_zone_names_near_ones(scheduled: Tenant) -> None:
    scheduled.apply(changed(FEATURES, {"metadata.name": "nowhere", "spec.timeZone": "Europe/Pariss"}))
    assert "did you mean Europe/Paris" in scheduled.stalls("featuresets", "nowhere", "InvalidSpec")
