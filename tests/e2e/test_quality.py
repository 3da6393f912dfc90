"""Rows that break a quality rule are not published; the last good version stays, and is what trainings learn from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.access import Body, Tenant, changed, condition, example_features, example_training, says
from tests.e2e.conftest import furnish

FEATURES, TRAINING = example_features(), example_training()
HOLDING: list[Body] = [
    {"column": "AGEP", "notNull": True, "min": 16, "max": 120},
    {"column": "person_id", "unique": True},
    {"expression": "AGEP >= 30", "maxFailingFraction": 0.9},
    {"minRows": 1000},
]
BROKEN: list[Body] = [*HOLDING, {"column": "AGEP", "max": 60}]


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with census records in its store."""
    return furnish(tenants("quality"))


def features(name: str, rules: list[Body], on_failure: str = "Block") -> Body:
    """The example's FeatureSet with these rules."""
    quality = {"rules": rules, "onFailure": on_failure}
    return changed(FEATURES, {"metadata.name": name, "spec.quality": quality})


def checked(tenant: Tenant, name: str, status: str, reason: str) -> Body:
    """The FeatureSet once its rules have been checked with this outcome."""
    return tenant.until(
        "featuresets", name, lambda body: says(body, "QualityPassed", status, reason), f"says QualityPassed/{reason}"
    )


def test_rows_that_break_a_rule_are_never_published(furnished: Tenant) -> None:
    furnished.apply(features("never", BROKEN))
    assert "AGEP is at most 60" in furnished.stalls("featuresets", "never", "QualityBlocked")
    body = checked(furnished, "never", "False", "RulesFailed")
    assert condition(body, "Ready")["status"] == "False"
    assert "latest" not in body["status"]
    assert [rule["passed"] for rule in body["status"]["quality"]["rules"]] == [True, True, True, True, False]


def test_the_last_good_version_stays_and_is_learnt_from(furnished: Tenant) -> None:
    furnished.apply(features("careful", HOLDING))
    furnished.settled("featuresets", "careful")
    checked(furnished, "careful", "True", "AllRulesHold")
    furnished.apply(features("careful", BROKEN))
    furnished.stalls("featuresets", "careful", "QualityBlocked")
    body = checked(furnished, "careful", "False", "RulesFailed")
    assert condition(body, "Ready")["status"] == "True"
    assert [version["version"] for version in body["status"]["versions"]] == [1]
    names = {"metadata.name": "careful", "spec.model": "careful", "spec.data.featureSet": {"name": "careful"}}
    furnished.apply(changed(TRAINING, names))
    furnished.settled("modeltrainings", "careful")
    record = (furnished.get("modelversions", "careful-v1") or {})["spec"]["record"]
    assert record["lineage"]["data"][0]["version"] == 1
    furnished.apply(features("careful", HOLDING))
    furnished.until("featuresets", "careful", lambda body: says(body, "Stalled", "False"), "is Stalled no more")


def test_a_warning_is_published_and_said(furnished: Tenant) -> None:
    furnished.apply(features("warned", BROKEN, on_failure="Warn"))
    body = checked(furnished, "warned", "False", "RulesFailed")
    assert says(body, "Ready", "True", "Published")
    assert body["status"]["latest"]["version"] == 1


def test_a_rule_that_cannot_be_meant_is_refused_by_name(furnished: Tenant) -> None:
    furnished.apply(features("unmeant", [{"minRows": 1}, {"expression": "AGE >= 16"}]))
    assert "quality rule 2 (AGE >= 16)" in furnished.stalls("featuresets", "unmeant", "InvalidRule")
