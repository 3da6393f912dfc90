"""Does the engine, left alone with its clock, run what is scheduled once each, and write nothing between?"""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Api, Body
from merkhet.contract.runs import REPORT_KEY, RunReport
from merkhet.kinds.apis import CONFIGMAP, FEATURESET, JOB, MODELTRAINING
from merkhet.kinds.registry import KINDS
from tests import make
from tests.unit.engine.rig import Rig, run
from tests.unit.kinds.runs.test_runs import result

MINUTE, HOUR = 60.0, 3600.0
BORN = {"creationTimestamp": "2026-11-22T00:00:00Z"}  # as the fake cluster says


def computed(_key: str, number: int) -> Body:
    """What a features Job answers: all that the training asks for."""
    columns = [{"name": name, "type": "float32"} for name in ("AGEP", "SCHL", "employed")]
    return result(number, columns=[{"name": "person_id", "type": "int64", "personal": True}, *columns])


def trained(key: str, number: int) -> Body:
    """What a training answers."""
    answer = make.training_result(number)
    answer["lineage"]["training"]["run"] = key
    return answer


# What is put, whose runs are looked at, the name of its report, and what its pods answer.
SCHEDULED: dict[str, tuple[Api, str, Any]] = {
    "FeatureSet": (FEATURESET, "fs", computed),
    "ModelTraining": (MODELTRAINING, "mt", trained),
}


def made(api: Api, schedule: str, **spec: Any) -> Rig:
    """A scheduled object whose first run is done; the clock stands some minutes past midnight."""
    rig = Rig(kinds=KINDS)
    rig.cluster.put(FEATURESET, make.featureset(metadata=BORN))
    if api is MODELTRAINING:
        run(rig.settle())
        finish(rig, FEATURESET)
    maker = make.featureset if api is FEATURESET else make.modeltraining
    rig.cluster.put(api, maker(spec={"schedule": schedule, **spec}, metadata=BORN))
    run(rig.settle())
    finish(rig, api)
    return rig


def finish(rig: Rig, api: Api) -> None:
    """The Job of an object ends well and its report comes."""
    _, short, answer = SCHEDULED[api.kind]
    (job,) = (one for one in rig.cluster.all(JOB) if one["metadata"]["labels"]["merkhet.dev/kind"] == api.kind.lower())
    key, name = job["metadata"]["labels"]["merkhet.dev/run"], f"employment-{short}-report"
    report = make.report_of(key, result=answer(key, len(triggers(rig, api))))
    rig.cluster.edit(CONFIGMAP, make.NAMESPACE, name, {"data": {REPORT_KEY: RunReport.model_validate(report).dump()}})
    rig.cluster.edit(
        JOB, make.NAMESPACE, job["metadata"]["name"], {"status": {"conditions": [make.condition("Complete")]}}
    )
    run(rig.settle())


def pass_(rig: Rig, seconds: float) -> None:
    """Work while the clock goes on so far."""
    end = rig.clock.seconds + seconds
    run(rig.settle(seconds))
    rig.clock.seconds = end


def triggers(rig: Rig, api: Api) -> list[str]:
    """What started the runs, newest first."""
    status = rig.cluster.at(api, make.NAMESPACE, "employment").get("status") or {}
    return [entry["trigger"].split("/")[0] for entry in status.get("runs") or ()]


def jobs_made(rig: Rig, since: int) -> int:
    """How many Jobs were made."""
    return sum((one.kind, one.verb) == ("Job", "create") for one in rig.cluster.writes(since=since))


both = pytest.mark.parametrize("api", [one[0] for one in SCHEDULED.values()], ids=SCHEDULED)


@both
def test_a_tick_is_run_when_its_time_comes_and_nothing_is_written_before(api: Api) -> None:
    rig = made(api, "0 1 * * *")
    before = len(rig.cluster.requests)
    pass_(rig, 40 * MINUTE)
    assert rig.cluster.writes(since=before) == []
    pass_(rig, 5 * MINUTE)
    assert jobs_made(rig, before) == 1
    finish(rig, api)
    assert triggers(rig, api) == ["tick", "spec"]
    after = len(rig.cluster.requests)
    pass_(rig, 22 * HOUR)
    assert rig.cluster.writes(since=after) == []


@both
def test_an_operator_that_slept_for_a_week_makes_up_for_one_tick(api: Api) -> None:
    rig = made(api, "*/10 * * * *")
    rig.clock.seconds += 7 * 24 * HOUR
    before = len(rig.cluster.requests)
    rig.restart()
    pass_(rig, MINUTE / 2)
    assert jobs_made(rig, before) == 1


def test_a_run_that_takes_long_holds_the_ticks_back() -> None:
    rig = made(FEATURESET, "* * * * *")
    pass_(rig, MINUTE)
    before = len(rig.cluster.requests)
    pass_(rig, 10 * MINUTE)
    assert jobs_made(rig, before) == 0


def test_a_suspended_object_is_left_alone() -> None:
    rig = made(FEATURESET, "*/10 * * * *")
    rig.cluster.edit(FEATURESET, make.NAMESPACE, "employment", {"spec": {"suspend": True}})
    pass_(rig, HOUR)
    before, passes = len(rig.cluster.requests), rig.passes
    pass_(rig, 10 * HOUR)
    assert (rig.cluster.writes(since=before), rig.passes) == ([], passes)


def test_a_schedule_that_never_comes_stalls_and_starts_nothing() -> None:
    rig = Rig(kinds=KINDS)
    rig.cluster.put(FEATURESET, make.featureset(spec={"schedule": "0 0 31 2 *"}, metadata=BORN))
    run(rig.settle())
    conditions = rig.cluster.at(FEATURESET, make.NAMESPACE, "employment")["status"]["conditions"]
    stalled = next(one for one in conditions if one["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "InvalidSpec")
    assert "it never comes" in stalled["message"]
    assert rig.cluster.all(JOB) == []
