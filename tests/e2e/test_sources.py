"""Features made from other features, by a query and as they were known; a training says which it learnt from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.access import Body, Tenant, changed, example_features, example_training
from tests.e2e.conftest import furnish

FEATURES, TRAINING = example_features(), example_training()
# What is known of each sex: one row a survey, true when the survey was made.
GROUPS = "select SEX, surveyed_at, avg(AGEP) as mean_age from people group by SEX, surveyed_at"
JOIN = {"featureSet": {"name": "groups"}, "by": ["SEX"], "maxAge": "24h"}


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with people, and what is known of the groups they belong to."""
    tenant = furnish(tenants("sources"))
    tenant.apply(named("people"), made_from("people", "groups", GROUPS, entity=["SEX"]))
    tenant.settled("featuresets", "groups")
    return tenant


def named(name: str, **spec: Any) -> Body:
    """The example's FeatureSet under another name."""
    return changed(FEATURES, {"metadata.name": name, **{f"spec.{field}": value for field, value in spec.items()}})


def made_from(other: str, name: str, query: str | None = None, **spec: Any) -> Body:
    """A FeatureSet made from another one."""
    sources = [{"name": other, "featureSet": {"name": other}}]
    return named(name, sources=sources, query=query, **{"columns": None, **spec})


def latest(tenant: Tenant, name: str) -> Body:
    """The newest version of a FeatureSet that has one."""
    body = tenant.settled("featuresets", name)
    found: Body = body["status"]["latest"]
    return found


def used(tenant: Tenant, name: str) -> dict[str, str]:
    """What the last run of a FeatureSet was made from, digests by name."""
    body = tenant.settled("featuresets", name)
    return {one["name"]: one["digest"] for one in body["status"]["runs"][0]["inputs"]}


def test_features_wait_for_those_they_are_made_from(furnished: Tenant) -> None:
    furnished.apply(made_from("late", "early", "select person_id, surveyed_at, AGEP from late"))
    said = furnished.waits("featuresets", "early", "FeatureSetMissing")
    assert f"FeatureSet {furnished.name}/late does not exist" in said
    furnished.apply(named("late"))
    assert used(furnished, "early") == {"late": latest(furnished, "late")["digest"]}
    assert latest(furnished, "early")["rows"] == latest(furnished, "late")["rows"]


def test_what_was_known_of_a_group_is_joined_to_each_row(furnished: Tenant) -> None:
    furnished.apply(made_from("people", "informed", join=[JOIN]))
    assert used(furnished, "informed") == {name: latest(furnished, name)["digest"] for name in ("people", "groups")}
    body = furnished.settled("featuresets", "informed")
    columns = {column["name"]: column for column in body["status"]["columns"]}
    assert columns["mean_age"]["type"] == "float64"
    assert columns["person_id"]["personal"]  # as it is in people
    assert body["status"]["latest"]["rows"] == latest(furnished, "people")["rows"]


def test_a_record_names_all_data_that_a_model_learnt_from(furnished: Tenant) -> None:
    furnished.apply(
        changed(
            TRAINING,
            {
                "metadata.name": "informed",
                "spec.model": "informed",
                "spec.data.featureSet": {"name": "people"},
                "spec.data.join": [JOIN],
            },
        )
    )
    furnished.settled("modeltrainings", "informed")
    record = (furnished.get("modelversions", "informed-v1") or {})["spec"]["record"]
    learnt = [(one["featureSet"], one["digest"]) for one in record["lineage"]["data"]]
    assert learnt == [(name, latest(furnished, name)["digest"]) for name in ("people", "groups")]
    assert "mean_age" in record["signature"]["inputs"][0]["columns"]


def test_a_join_without_a_time_to_join_by_is_refused(furnished: Tenant) -> None:
    furnished.apply(made_from("people", "timeless", "select SEX, max(AGEP) as oldest from people group by SEX",
                              entity=["SEX"], timestamp=None))  # fmt: skip
    furnished.settled("featuresets", "timeless")
    furnished.apply(made_from("people", "lost", join=[{"featureSet": {"name": "timeless"}, "by": ["SEX"]}]))
    said = furnished.stalls("featuresets", "lost", "NoTimestamp")
    assert f"version 1 of FeatureSet {furnished.name}/timeless is joined by time and names no timestamp" in said


def test_features_of_themselves_are_refused_at_apply(furnished: Tenant) -> None:
    assert "is made from itself" in furnished.refused(made_from("circle", "circle"))
