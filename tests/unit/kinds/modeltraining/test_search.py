"""What becomes of a run whose parameters are searched first."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from merkhet.api.conditions import timestamp
from merkhet.api.meta import Body
from merkhet.contract.runs import TASK_VARIABLE
from tests import make
from tests.unit.kinds.modeltraining.test_training import answer, features, training
from tests.unit.kinds.runs.scene import Scene

SEARCH: Body = {"trials": 20, "parallelism": 4, "space": {"max_depth": {"values": [3, 6, 9]}}}
FOUND: Body = {"metric": "roc_auc", "trials": 20, "best": 7, "value": 0.87, "parameters": {"max_depth": 6}}
OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def searching(spec: Body | None = None, **search: Any) -> Scene:
    """A training whose search has been made and whose first pod works."""
    return work(training({"search": {**SEARCH, **search}, **(spec or {})}).look())


def searches(scene: Scene) -> list[Body]:
    """The Jobs that try parameters."""
    return [job for job in scene.jobs if job["metadata"]["labels"].get("merkhet.dev/part") == "search"]


def search(scene: Scene) -> Body:
    """The one Job that tries parameters."""
    (job,) = searches(scene)
    return job


def own(scene: Scene) -> list[Body]:
    """The Jobs of runs themselves."""
    return [job for job in scene.jobs if job not in searches(scene)]


def work(scene: Scene, state: Body | None = None, *, name: str = "0", **status: Any) -> Scene:
    """A pod of the search is in this state."""
    pod = make.run_pod(
        search(scene), name=name, status=make.work({"running": {}} if state is None else state, **status)
    )
    scene.bodies["Pod", name] = pod
    return scene.look()


def tried(scene: Scene, succeeded: int, failed: str = "") -> Scene:
    """So many trials have ended well; others, by number, were given up."""
    search(scene)["status"] = {"succeeded": succeeded, "failedIndexes": failed}
    return scene.look()


def ended(scene: Scene, succeeded: int = 20, failed: str = "", *, why: str = "", after: int = 600) -> Scene:
    """The search has ended, after so many seconds."""
    since = timestamp(scene.now)
    condition = make.condition("Failed" if why else "Complete", why, "some indexes failed", since)
    search(scene)["status"] = {
        "succeeded": succeeded,
        "failedIndexes": failed,
        "startTime": timestamp(scene.now - timedelta(seconds=after)),
        "conditions": [condition],
        **({} if why else {"completionTime": since}),
    }
    return scene.look()


def done(scene: Scene, finished: int = 20, number: int = 1) -> Scene:
    """The run's own Job has ended well."""
    found = {**FOUND, "finished": finished}
    return scene.begin().succeed(answer(scene, number, search=found))


def test_a_search_comes_before_the_run() -> None:
    scene = searching()
    assert (len(searches(scene)), own(scene)) == (1, [])
    ended(scene)
    assert [name.endswith("-search") for name in scene.created] == [True, False]
    assert search(scene)["metadata"]["labels"]["merkhet.dev/run"] == scene.job["metadata"]["labels"]["merkhet.dev/run"]
    assert _task(search(scene)) == _task(scene.job)
    assert done(scene).ready.reason == "Registered"
    assert len(scene.look(5).created) == 2


def test_a_search_has_a_pod_for_each_trial_and_some_at_once() -> None:
    spec = search(searching({"retries": 1}))["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 20, 4)
    assert (spec["backoffLimitPerIndex"], "maxFailedIndexes" in spec, "backoffLimit" in spec) == (1, False, False)
    assert search(searching(trials=3))["spec"]["parallelism"] == 3


def test_a_trial_cannot_speak_to_the_cluster() -> None:
    pod = search(searching())["spec"]["template"]["spec"]
    assert [container["args"] for container in pod["containers"]] == [["try"]]
    assert {volume["name"] for volume in pod["volumes"]} == {"store", "scratch"}
    assert (pod["automountServiceAccountToken"], "initContainers" in pod, "serviceAccountName" in pod) == (
        False,
        False,
        False,
    )


def test_a_grid_tries_every_combination() -> None:
    space = {"max_depth": {"values": [3, 6, 9]}, "max_iter": {"values": [50, 100]}}
    scene = training({"search": {"method": "Grid", "space": space}}).look()
    assert search(scene)["spec"]["completions"] == 6


def test_the_pods_of_a_search_can_be_named_whatever_it_is_called() -> None:
    owner = make.modeltraining("e" * 40, spec={"search": {**SEARCH, "trials": 1000}})
    scene = Scene(owner, features(1)).look()
    assert len(f"{search(scene)['metadata']['name']}-999") <= 63


def test_the_status_says_how_far_the_search_has_come() -> None:
    scene = tried(searching(), 12, "4,7-8")
    assert (scene.ready.status, scene.ready.reason) == ("False", "Searching")
    assert scene.fact("Reconciling").message == "searching: 15 of 20 trials have ended, 3 of them failed"
    told = scene.status["search"]
    assert (told["metric"], told["trials"], told["finished"]) == ("roc_auc", 20, 12)
    assert (scene.status["runs"][0]["phase"], scene.status["runs"][0]["reason"]) == ("Running", "Searching")
    assert scene.status["runs"][0]["key"] == told["run"]


def test_the_status_has_the_winner_when_the_run_has_ended() -> None:
    told = done(ended(searching())).status["search"]
    assert (told["finished"], told["best"], told["value"], told["parameters"]) == (20, 7, 0.87, {"max_depth": 6})
    assert told["message"] == ""


def test_past_the_deadline_the_best_so_far_is_taken_and_said_so() -> None:
    scene = ended(searching({"deadline": "2h"}), 17, why="DeadlineExceeded", after=5400)
    assert scene.job["spec"]["activeDeadlineSeconds"] == 1800
    scene = done(scene, 17)
    assert scene.status["search"]["message"] == "17 of 20 trials ended before the deadline"
    assert "17 of 20 trials ended before the deadline" in scene.ready.message


def test_trials_that_fail_do_not_keep_the_others_from_being_chosen_among() -> None:
    scene = work(searching(), OOM, name="1")
    scene = done(ended(scene, 18, "4,7", why="FailedIndexes"), 18)
    assert scene.ready.reason == "Registered"
    assert scene.status["search"]["message"].startswith("18 of 20 trials have a figure; the last failure: the work")


LEFT: dict[str, tuple[int, int]] = {
    "most of the deadline": (600, 6600),
    "a quarter of it": (5400, 1800),
    "a quarter of it, whatever pods' grace took": (5500, 1800),
}


@pytest.mark.parametrize(("after", "left"), LEFT.values(), ids=LEFT)
def test_the_run_has_what_the_search_left_of_the_deadline(after: int, left: int) -> None:
    scene = searching({"deadline": "2h"})
    assert search(scene)["spec"]["activeDeadlineSeconds"] == 5400
    assert ended(scene, after=after).job["spec"]["activeDeadlineSeconds"] == left


FAILURES: dict[str, tuple[Body | None, str, str, str]] = {
    "of memory": (OOM, "FailedIndexes", "MemoryExceeded", "spec.resources.limits.memory"),
    "with an error": (
        {"terminated": {"exitCode": 1, "message": "ValueError: no"}},
        "FailedIndexes",
        "PodFailed",
        "ValueError: no",
    ),
    "with nothing in time": (None, "DeadlineExceeded", "DeadlineExceeded", "1h30m"),
}


@pytest.mark.parametrize(("state", "why", "reason", "words"), FAILURES.values(), ids=FAILURES)
def test_a_search_that_ends_without_a_figure_is_a_failed_run(
    state: Body | None, why: str, reason: str, words: str
) -> None:
    scene = searching()
    scene = ended(work(scene, state) if state else scene, 0, "0-19", why=why)
    stalled = scene.fact("Stalled")
    assert (stalled.status, stalled.reason, own(scene)) == ("True", reason, [])
    assert words in stalled.message
    assert "none of 20 trials" in stalled.message
    assert len(searches(scene.look(4))) == 1
    assert len(scene.forget_status().look(4).created) == 1
    assert scene.fact("Stalled").reason == reason


def test_after_a_failed_search_more_memory_starts_another() -> None:
    scene = ended(work(searching(), OOM), 0, "0-19", why="FailedIndexes")
    before = search(scene)
    scene.edit(resources={"limits": {"memory": "9Gi"}}).look()
    assert search(scene)["metadata"]["name"] != before["metadata"]["name"]
    assert search(scene)["metadata"]["labels"] == before["metadata"]["labels"]
    assert (scene.fact("Stalled").status, scene.ready.reason) == ("False", "Searching")
    assert done(ended(work(scene))).ready.reason == "Registered"


def test_after_a_failed_search_an_annotation_starts_another_run() -> None:
    scene = ended(work(searching(), OOM), 0, "0-19", why="FailedIndexes").annotate("again").look()
    assert [run["phase"] for run in scene.status["runs"]] == ["Starting", "Failed"]
    assert len(searches(scene)) == 1


def test_a_task_that_is_refused_is_told_by_the_run_itself() -> None:
    scene = work(searching(), {"terminated": {"exitCode": 3, "message": "…"}})
    scene = ended(scene, 0, why="PodFailurePolicy").refuse("ConstantTarget", "all rows are employed")
    assert scene.fact("Stalled").reason == "ConstantTarget"


def test_a_search_that_is_lost_before_its_end_is_made_again() -> None:
    scene = searching()
    scene.remove("Job").remove("Pod").look()
    assert scene.created == [search(scene)["metadata"]["name"]] * 2


def test_a_search_that_is_lost_after_the_run_is_not_made_again() -> None:
    scene = done(ended(searching()))
    scene.remove("Job").look(4)
    assert (scene.jobs, scene.ready.reason) == ([], "Registered")
    assert len(scene.created) == 2


def test_a_run_that_has_ended_is_not_made_again_from_its_search() -> None:
    scene = done(ended(searching()))
    scene.remove("Job", scene.job["metadata"]["name"]).remove("ConfigMap").look(4)
    assert (len(scene.created), own(scene), len(searches(scene))) == (2, [], 1)
    assert scene.status["runs"][0]["phase"] == "Succeeded"


def test_a_run_that_is_lost_after_its_search_is_made_again_without_another_search() -> None:
    scene = ended(searching()).begin()
    scene.remove("Job", scene.job["metadata"]["name"]).remove("Pod").look()
    assert [name.endswith("-search") for name in scene.created] == [True, False, False]
    assert done(scene).status["latestVersion"] == 1


def test_a_report_that_is_lost_is_told_again_without_another_search() -> None:
    scene = ended(searching()).begin().finish_silently()
    scene.remove("Job", search(scene)["metadata"]["name"])
    scene.now += timedelta(minutes=1)
    scene.look(4)
    assert [name.endswith("-search") for name in scene.created] == [True, False, False]


def test_the_logs_of_a_search_stay_as_long_as_those_of_its_run() -> None:
    scene = done(ended(searching())).look(4)
    assert (len(searches(scene)), len(own(scene))) == (1, 1)
    scene.edit(search=None).look()
    assert (len(searches(scene)), len(own(scene))) == (0, 1)


def test_a_run_without_a_search_tells_of_none() -> None:
    scene = done(ended(searching())).edit(search=None).look().begin()
    assert scene.succeed(answer(scene, 2)).status.get("search") is None


def test_a_lost_status_changes_nothing() -> None:
    scene = searching().forget_status().look(4)
    assert (len(scene.created), scene.ready.reason) == (1, "Searching")
    ended(scene).forget_status().look(4)
    assert (len(scene.created), len(own(scene))) == (2, 1)


def test_an_edit_gives_the_search_up_for_another() -> None:
    scene = searching()
    before = search(scene)["metadata"]["name"]
    scene.remove("Pod").edit(positive=0).look()
    assert search(scene)["metadata"]["name"] != before
    assert len(scene.status["runs"]) == 1
    assert done(ended(work(scene))).status["runs"][0]["version"] == 1
    assert len(scene.look(4).created) == 3


def test_an_edit_during_the_search_of_an_annotated_run_leaves_one_run() -> None:
    scene = training({"search": SEARCH}).annotate("monday").look()
    work(scene).remove("Pod").edit(positive=0).look(4)
    assert _task(search(scene))["positive"] == 0
    done(ended(work(scene)))
    assert [run["trigger"] for run in scene.look(4).status["runs"]] == ["annotation/monday"]


def test_an_edit_while_suspended_gives_up_a_search_that_has_ended() -> None:
    scene = training({"search": SEARCH}).annotate("monday").look()
    ended(work(scene).edit(suspend=True))
    scene.edit(positive=0).look().edit(suspend=False).look(4)
    assert _task(search(scene))["positive"] == 0


def test_how_many_pods_search_at_once_starts_nothing() -> None:
    scene = searching().edit(search={**SEARCH, "parallelism": 9}).look()
    assert len(scene.created) == 1
    assert len(done(ended(scene)).edit(search=SEARCH).look().created) == 2


def test_another_space_starts_a_run() -> None:
    scene = done(ended(searching())).edit(search={**SEARCH, "space": {"max_depth": {"values": [3, 6]}}}).look()
    assert len(scene.created) == 3


def test_a_run_asked_for_during_a_search_waits_until_that_run_has_ended() -> None:
    scene = searching().annotate("monday").look()
    assert len(scene.created) == 1
    ended(scene)
    assert (len(scene.created), _task(scene.job)["run"]["trigger"][:5]) == (2, "spec/")
    done(scene).look()
    assert _task(search(scene))["run"]["trigger"] == "annotation/monday"
    assert len(scene.created) == 3


def test_a_tick_during_a_search_waits_until_that_run_has_ended() -> None:
    scene = searching({"schedule": "@hourly"})
    scene.now += timedelta(hours=1)
    assert len(scene.look(4).created) == 1
    done(ended(scene)).look()
    assert _task(search(scene))["run"]["trigger"].startswith("tick/")


def test_a_suspended_training_lets_its_search_end_and_starts_nothing() -> None:
    scene = searching().edit(suspend=True).look()
    assert (len(searches(scene)), scene.ready.reason) == (1, "Searching")
    ended(scene)
    assert (own(scene), len(searches(scene)), scene.ready.reason) == ([], 1, "Suspended")
    assert len(own(scene.edit(suspend=False).look())) == 1


def test_what_changes_during_a_search_does_not_change_the_run() -> None:
    scene = searching()
    scene.bodies["FeatureSet", "employment"] = features(1, 2)
    ended(scene)
    assert _task(scene.job)["data"]["version"] == 1
    assert scene.status["runs"][0]["dataVersion"] == 1


def test_a_feature_set_that_goes_away_during_a_search_keeps_nothing_from_going_on() -> None:
    scene = ended(searching().remove("FeatureSet").forget_status().look())
    assert len(own(scene)) == 1
    assert done(scene).ready.reason == "Registered"


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "lastTransitionTime": "2026-11-22T11:50:00Z",
    "message": "0/1 nodes are available: 1 Insufficient memory.",
}


def test_a_search_that_no_node_takes_says_so() -> None:
    scene = training({"search": SEARCH}).look()
    work(scene, {}, conditions=[UNSCHEDULABLE])
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "Unschedulable")
    assert "Insufficient memory" in scene.ready.message
    assert len(scene.edit(resources={"requests": {"memory": "1Gi"}}).look().created) == 2


def test_a_search_of_which_some_pods_work_is_not_held_up() -> None:
    scene = work(searching(), {}, name="1", conditions=[UNSCHEDULABLE])
    assert (scene.fact("Stalled").status, scene.ready.reason) == ("False", "Searching")
    work(scene, {"terminated": {"exitCode": 0}}, name="0")
    assert scene.fact("Stalled").reason == "Unschedulable"


def _task(job: Body) -> Body:
    env = job["spec"]["template"]["spec"]["containers"][0]["env"]
    task: Body = json.loads(next(one["value"] for one in env if one["name"] == TASK_VARIABLE))
    return task
