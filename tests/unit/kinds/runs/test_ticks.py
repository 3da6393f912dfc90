"""Which runs a schedule starts, beside spec and annotation: the same for every kind that runs things."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.contract.runs import run_key
from merkhet.kinds import history
from merkhet.kinds.featureset.plan import trigger_of
from merkhet.kinds.featureset.types import FeatureSetSpec, FeatureSetStatus
from merkhet.kinds.modeltraining.types import MAX_HISTORY, ModelTrainingStatus
from merkhet.kinds.run import RunEntry, Wish
from tests import make
from tests.unit.kinds.modeltraining import test_training
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import OTHER_QUERY, done, result

HOUR = timedelta(hours=1)
HOURLY: Body = {"schedule": "@hourly"}


def at(scene: Scene, moment: str) -> Scene:
    """A pass at a time of the day after; nothing looked at the object before."""
    scene.now = datetime.fromisoformat(f"2026-11-23T{moment}Z")
    return scene.look()


def hourly(**spec: Any) -> Scene:
    """A FeatureSet that is run each hour, after its first run."""
    return done(spec={**HOURLY, **spec})


def triggers(scene: Scene) -> list[str]:
    """What started the runs, newest first."""
    return [run["trigger"].removeprefix("tick/2026-11-23T") for run in scene.status["runs"]]


def worked(scene: Scene, number: int = 2) -> Scene:
    """The run that waits is done."""
    return scene.begin().succeed(result(number))


def test_a_tick_starts_a_run_that_is_named_by_it() -> None:
    scene = at(hourly(), "03:00:00")
    assert len(scene.created) == 2
    assert scene.task["run"]["trigger"] == "tick/2026-11-23T03:00:00Z"
    assert scene.task["run"]["key"] == run_key("FeatureSet", "employment", "tick/2026-11-23T03:00:00Z")
    worked(scene)
    assert triggers(scene)[0] == "03:00:00Z"
    assert (scene.ready.reason, scene.status["latest"]["version"]) == ("Published", 2)


def test_the_pass_comes_back_at_the_next_tick_and_says_so() -> None:
    scene = hourly(schedule="5 * * * *")
    assert scene.now < make.NOW + timedelta(minutes=1)
    assert scene.look_again is not None
    assert timedelta(minutes=4) < scene.look_again <= timedelta(minutes=5)
    assert scene.status["schedule"] == {
        "expression": "5 * * * *",
        "timeZone": "UTC",
        "since": "2026-11-22T12:00:00Z",
        "next": "2026-11-22T12:05:00Z",
    }


def test_between_ticks_nothing_is_written() -> None:
    scene = worked(at(hourly(), "03:00:00"))
    before = scene.status
    for minute in range(5, 60, 5):
        at(scene, f"03:{minute:02}:00")
        assert scene.status == before
    assert len(scene.created) == 2


def test_of_many_missed_ticks_the_latest_is_made_up_for() -> None:
    scene = worked(at(hourly(schedule="* * * * *"), "18:30:10"))
    assert triggers(scene)[0] == "18:30:00Z"
    assert len(scene.created) == 2


def test_a_finished_tick_is_not_run_again() -> None:
    scene = at(worked(at(hourly(), "03:00:00")), "03:59:00")
    assert len(scene.created) == 2
    assert len(at(scene, "04:00:00").created) == 3


def test_a_schedule_that_is_added_starts_nothing_at_once() -> None:
    scene = at(done(), "09:30:00").edit(**HOURLY).look(4)
    assert len(scene.created) == 1
    assert len(at(scene, "10:00:00").created) == 2


OTHERS: dict[str, Body] = {
    "another expression": {"schedule": "*/10 * * * *"},
    "another zone": {"timeZone": "Asia/Kathmandu"},
    "the same in another word": {"schedule": "0 * * * *"},
}


@pytest.mark.parametrize("spec", OTHERS.values(), ids=OTHERS)
def test_a_schedule_that_is_changed_starts_nothing_at_once(spec: Body) -> None:
    scene = hourly()
    scene.now = datetime.fromisoformat("2026-11-23T09:30:05Z")
    assert len(scene.edit(**spec).look(4).created) == 1
    assert scene.status["schedule"]["since"] == "2026-11-23T09:30:05Z"


def test_a_schedule_is_no_part_of_what_decides_the_result() -> None:
    plain = make.featureset()["spec"]
    scheduled = {**plain, **HOURLY, "timeZone": "Europe/Paris"}
    assert trigger_of(FeatureSetSpec.model_validate(plain)) == trigger_of(FeatureSetSpec.model_validate(scheduled))


def test_a_schedule_taken_away_starts_nothing_more() -> None:
    scene = at(hourly().edit(schedule=None).look(), "09:00:00")
    assert len(scene.created) == 1
    assert scene.look_again is None
    assert "schedule" not in scene.status


def test_a_suspended_object_starts_nothing_and_makes_up_for_the_latest_tick() -> None:
    scene = hourly().edit(suspend=True).look()
    quiet = scene.status
    for hour in ("03", "07", "11"):
        assert at(scene, f"{hour}:30:00").status == quiet
    assert len(scene.created) == 1
    assert (scene.ready.status, scene.look_again) == ("True", None)
    worked(scene.edit(suspend=False).look())
    assert triggers(scene)[0] == "11:00:00Z"
    assert len(scene.created) == 2


def test_a_tick_that_came_before_the_suspension_is_not_forgotten_nor_run_twice() -> None:
    scene = worked(at(hourly(), "03:00:00")).edit(suspend=True).look().edit(suspend=False).look(4)
    assert len(scene.created) == 2


def test_a_tick_that_comes_while_a_run_is_at_work_waits_for_its_end() -> None:
    scene = at(hourly(), "03:00:00").begin("reading census")
    at(scene, "04:00:00")
    at(scene, "05:00:30")
    assert len(scene.created) == 2
    scene.succeed(result(2))
    assert len(scene.created) == 3
    worked(scene, 3)
    assert triggers(scene)[:2] == ["05:00:00Z", "03:00:00Z"]


def test_a_tick_does_not_take_the_place_of_one_that_has_not_begun() -> None:
    scene = at(hourly(schedule="* * * * *"), "03:00:00").pend({"waiting": {"reason": "ImagePullBackOff"}})
    for minute in range(1, 9):
        at(scene, f"03:{minute:02}:00")
    assert len(scene.created) == 2
    worked(scene)
    assert len(scene.created) == 3
    assert triggers(scene)[:2] == ["03:08:00Z", "03:00:00Z"]


def test_a_tick_does_not_take_the_place_of_the_first_run() -> None:
    scene = Scene(make.featureset(spec=HOURLY)).look().pend({"waiting": {"reason": "ImagePullBackOff"}})
    assert len(at(scene, "03:00:00").created) == 1


def test_the_annotation_comes_first_and_the_tick_after() -> None:
    scene = hourly().annotate("monday")
    at(scene, "03:00:00")
    assert scene.task["run"]["trigger"] == "annotation/monday"
    worked(scene)
    assert scene.task["run"]["trigger"] == "tick/2026-11-23T03:00:00Z"


def test_a_new_spec_comes_before_the_tick() -> None:
    scene = hourly().edit(query=OTHER_QUERY)
    at(scene, "03:00:00")
    assert scene.task["run"]["trigger"].startswith("spec/")
    worked(scene)
    assert scene.task["run"]["trigger"] == "tick/2026-11-23T03:00:00Z"
    assert scene.task["query"] == OTHER_QUERY
    worked(scene, 3)
    assert len(scene.look(4).created) == 3


def test_after_a_tick_what_is_asked_for_later_is_spoken_of() -> None:
    scene = worked(at(hourly(), "03:00:00")).annotate("monday").look().begin().fail({"exitCode": 1}).look(4)
    assert scene.fact("Stalled").status == "True"
    assert len(scene.created) == 3


ENDS = {
    "failed": lambda scene: scene.begin().fail({"exitCode": 1}),
    "was refused": lambda scene: scene.begin().refuse("NoParquet", "store://raw/poem.parquet is no parquet file"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_after_a_tick_that_came_to_nothing_the_next_is_run(end: Any) -> None:
    scene = end(at(hourly(), "03:00:00")).look(4)
    assert len(scene.created) == 2
    assert scene.fact("Stalled").status == "True"
    assert "version 1" in scene.ready.message
    worked(at(scene, "04:00:00"))
    assert (len(scene.created), scene.fact("Stalled").status) == (3, "False")


def test_a_tick_is_kept_in_the_history_however_many_runs_come_after() -> None:
    scene = worked(at(hourly(schedule="@daily"), "03:00:00"))
    for number in range(history.KEPT + 1):
        worked(scene.annotate(str(number)).look(), number + 3)
    assert len(scene.look(4).created) == history.KEPT + 3
    assert "tick/2026-11-23T00:00:00Z" in [run["trigger"] for run in scene.status["runs"]]


def test_a_lost_status_makes_up_for_nothing_and_finds_the_tick_again() -> None:
    scene = worked(at(hourly(), "03:00:00")).forget_status().look(4)
    assert len(scene.created) == 2
    assert scene.status["runs"][0]["trigger"] == "tick/2026-11-23T03:00:00Z"
    assert scene.status["latest"]["version"] == 2
    assert scene.status["schedule"]["since"] > "2026-11-23T03:00:00Z"


def test_an_object_made_again_with_its_old_status_makes_up_for_nothing() -> None:
    scene = worked(at(hourly(), "03:00:00"))
    scene.owner["metadata"] |= {"uid": "uid-another", "creationTimestamp": "2026-11-23T09:30:00Z"}
    scene.bodies.clear()
    assert len(at(scene, "09:30:02").created) == 2
    assert scene.status["schedule"]["since"] == "2026-11-23T09:30:02Z"


@pytest.mark.parametrize("moment", range(4))
def test_an_operator_that_dies_at_any_moment_starts_a_tick_once(moment: int) -> None:
    scene = hourly()
    scene.now = datetime.fromisoformat("2026-11-23T03:00:00Z")
    steps: tuple[Callable[[], Scene], ...] = (
        lambda: scene.look(1),
        scene.begin,
        lambda: scene.succeed(result(2)),
        lambda: scene.look(1),
    )
    for number, step in enumerate(steps):
        before = scene.status
        step()
        if number == moment:
            scene.owner["status"] = before
    scene.look(4)
    assert len(scene.created) == 2
    assert (triggers(scene)[0], scene.status["latest"]["version"]) == ("03:00:00Z", 2)


def test_a_tick_of_a_training_learns_from_the_latest_version_at_that_time() -> None:
    scene = test_training.done({"schedule": "0 3 * * *"})
    scene.bodies["FeatureSet", "employment"] = test_training.features(1, 2, 3)
    assert len(scene.look(4).created) == 1
    at(scene, "03:00:00")
    assert scene.task["run"]["trigger"] == "tick/2026-11-23T03:00:00Z"
    assert scene.task["data"]["version"] == 3
    scene.begin().succeed(test_training.answer(scene, 2))
    assert [(run["dataVersion"], run["version"]) for run in scene.status["runs"]] == [(3, 2), (1, 1)]
    assert scene.status["schedule"]["last"] == "2026-11-23T03:00:00Z"


def test_a_tick_of_a_training_whose_data_is_gone_waits_and_says_why() -> None:
    scene = test_training.done({"schedule": "0 3 * * *"}).remove("FeatureSet")
    at(scene, "03:00:00")
    assert len(scene.created) == 1
    assert scene.ready.status == "True"
    assert "employment" in scene.fact("Reconciling").message


KEEPERS = {
    "FeatureSet": (FeatureSetStatus, history.KEPT),
    "ModelTraining": (ModelTrainingStatus, MAX_HISTORY),
}


@pytest.mark.parametrize(("status", "limit"), KEEPERS.values(), ids=KEEPERS)
def test_a_status_has_room_for_all_runs_that_are_kept(status: Any, limit: int) -> None:
    wish = Wish("FeatureSet", "employment", "spec/0", "monday", "means", "tick/2026-11-23T03:00:00Z")
    names = [*(f"annotation/{number}" for number in range(limit)), "spec/0", "annotation/monday", wish.tick]
    kept = history.trimmed([RunEntry(key=str(n), trigger=str(name)) for n, name in enumerate(names)], wish, limit)
    assert len(kept) == limit + 3
    assert status.model_validate({"runs": kept}).runs == kept
