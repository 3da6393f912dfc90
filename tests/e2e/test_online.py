"""Features are looked up by entity inside the cluster, follow new versions without a restart, and feed a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import visitors
from tests.e2e.access import Body, Tenant, changed, example, example_features, example_training, says, until
from tests.e2e.conftest import furnish

FEATURES, SERVING = example_features(), example("serving.yaml")
SMALL: Body = {"requests": {"cpu": "50m", "memory": "64Mi"}}
QUERY = "select *, 7 as added from census where AGEP >= 16"


@pytest.fixture(scope="module")
def online(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant whose census records are looked up."""
    tenant = furnish(tenants("online"))
    tenant.apply(changed(FEATURES, {"spec.online": {"resources": SMALL}}))
    tenant.until("featuresets", "employment", lambda body: says(body, "OnlineReady", "True"), "is OnlineReady")
    return tenant


def people(count: int) -> Any:
    """Adults of 2018, who are among the features."""
    some = visitors.unseen(count * 3)
    return some.filter([age >= 16 for age in some["AGEP"].to_pylist()]).slice(0, count)


def looked_up(tenant: Tenant, *entities: Any) -> Body:
    """What the Service answers, once the name leads to it."""
    body = json.dumps({"entities": [{"person_id": entity} for entity in entities]})

    def ask() -> Body:
        answer: Body = json.loads(tenant.store("merkhet", "call", "employment", "--features", stdin=body))
        return answer

    return dict(until(ask, lambda found: found["status"] == 200, "look-ups are answered")["body"])


def pods(tenant: Tenant) -> dict[str, int]:
    """The servers of look-ups, and how often each has started anew."""
    found = tenant.find("pods", "merkhet.dev/kind=featureset,merkhet.dev/role=lookup")
    return {
        pod["metadata"]["name"]: status["restartCount"]
        for pod in found
        for status in pod["status"]["containerStatuses"]
    }


def test_rows_are_those_of_the_records(online: Tenant) -> None:
    some = people(5).to_pylist()
    answer = looked_up(online, *(person["person_id"] for person in some))
    assert (answer["featureSet"], answer["version"], answer["stale"]) == ("employment", 1, 0)
    for row, person in zip(answer["rows"], some, strict=True):
        assert (row["person_id"], row["AGEP"], row["SCHL"]) == (person["person_id"], person["AGEP"], person["SCHL"])


def test_the_status_says_where_and_which_version(online: Tenant) -> None:
    status = online.settled("featuresets", "employment")["status"]["online"]
    url = f"http://employment-online.{online.name}.svc.cluster.local:80/v1/features/employment"
    assert (status["url"], status["version"]) == (url, 1)


def test_a_model_answers_by_entity_as_it_does_by_columns(online: Tenant) -> None:
    online.apply(example_training())
    online.settled("modeltrainings", "employment")
    online.merkhet("approve", "employment-v1", "--yes")
    features = {"featureSet": {"name": "employment"}}
    online.apply(changed(SERVING, {"spec.replicas": 1, "spec.features": features}))
    online.serves("employment", 1)
    some = people(20)
    keys = some["person_id"].to_pylist()
    datatype = "INT64" if isinstance(keys[0], int) else "BYTES"
    tensor = {"name": "person_id", "datatype": datatype, "shape": [len(keys)], "data": keys}
    by_columns = online.ask("employment", visitors.request(some))
    by_entity = online.ask("employment", {"inputs": [tensor]})
    assert by_columns["status"] == 200
    assert by_entity == by_columns


def test_a_new_version_is_looked_up_without_a_restart(online: Tenant) -> None:
    (person,) = people(1)["person_id"].to_pylist()
    before = pods(online)
    online.apply(changed(FEATURES, {"spec.online": {"resources": SMALL}, "spec.query": QUERY}))
    answer = until(lambda: looked_up(online, person), lambda found: found["version"] == 2, "version 2 is looked up")
    assert answer["rows"][0]["added"] == 7
    assert pods(online) == before


def test_without_online_nothing_is_left_of_it(online: Tenant) -> None:
    online.apply(changed(FEATURES, {"metadata.name": "brief", "spec.online": {"resources": SMALL}}))
    online.until("featuresets", "brief", lambda body: says(body, "OnlineReady", "True"), "is OnlineReady")
    online.apply(changed(FEATURES, {"metadata.name": "brief", "spec.online": {"enabled": False}}))
    for plural in ("deployments", "services"):
        until(lambda: online.get(plural, "brief-online"), lambda found: found is None, f"{plural}/brief-online is gone")  # noqa: B023
