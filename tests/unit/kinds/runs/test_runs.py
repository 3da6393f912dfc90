"""Which runs start, and what is remembered of them: the same for every kind that runs things."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from merkhet.kinds import history, runs
from merkhet.kinds.apis import CONFIGMAP
from tests import make
from tests.unit.kinds.runs.scene import Scene

OTHER_QUERY = "select * from census where AGEP > 15"


def features(**parts: Any) -> Scene:
    """A FeatureSet before its first pass."""
    return Scene(make.featureset(**parts))


def result(number: int = 1, **more: Any) -> dict[str, Any]:
    """What a features Job answers."""
    columns = [{"name": "person_id", "type": "int64", "personal": True}, {"name": "AGEP", "type": "float32"}]
    made = {"number": number, "digest": f"sha256:{number:064x}", "rows": 1000, "created": "2026-11-22T11:41:00Z"}
    return {**made, "columns": columns, **more}


def done(**parts: Any) -> Scene:
    """A FeatureSet whose first run ended well."""
    return features(**parts).look().begin().succeed(result())


def test_a_new_object_is_run_once() -> None:
    scene = done().look(5)
    assert len(scene.created) == 1
    assert scene.ready.reason == "Published"


def test_a_second_pass_changes_nothing() -> None:
    scene = done()
    before = scene.status
    scene.look(3)
    assert scene.status == before
    assert scene.look_again is None


def test_no_job_starts_before_its_report_can_come_back() -> None:
    scene = features().look(1)
    assert scene.created == []
    assert scene.look_again == timedelta(seconds=1)
    assert len(scene.look(1).created) == 1


def test_no_job_starts_where_the_report_has_a_foreign_namesake() -> None:
    foreign = make.body(CONFIGMAP, "employment-fs-report", data={"whose": "mine"})
    scene = Scene(make.featureset(), foreign).look(4)
    assert scene.created == []


def test_a_report_in_a_foreign_config_map_is_not_believed() -> None:
    owner = make.featureset()
    scene = Scene(owner).look()
    key = scene.job["metadata"]["labels"]["merkhet.dev/run"]
    report, account = make.channel(owner, "fs", make.report_of(key, result=result()))
    report["metadata"].pop("ownerReferences")
    assert Scene(owner, report, account).look(4).status.get("latest") is None


STARTS_NOTHING: dict[str, dict[str, Any]] = {
    "another description": {"description": "the same rows in other words"},
    "another description of a column": {
        "columns": [{"name": "person_id", "personal": True, "description": "a number"}]
    },
    "more memory": {"resources": {"limits": {"memory": "4Gi"}}},
    "another deadline": {"deadline": "3h"},
    "more retries": {"retries": 5},
    "another node": {"podTemplate": {"nodeSelector": {"disk": "fast"}}},
    "a default written out": {"suspend": False, "deadline": "1h"},
}


@pytest.mark.parametrize("spec", STARTS_NOTHING.values(), ids=STARTS_NOTHING)
def test_what_does_not_decide_the_result_starts_nothing(spec: dict[str, Any]) -> None:
    scene = done().edit(**spec).look()
    assert len(scene.created) == 1
    assert scene.ready.status == "True"


STARTS_A_RUN: dict[str, dict[str, Any]] = {
    "another query": {"query": OTHER_QUERY},
    "another source": {"sources": [{"name": "census", "uri": "store://raw/employment/2019.parquet"}]},
    "another format": {
        "sources": [{"name": "census", "uri": "store://raw/employment/census.parquet", "format": "parquet"}]
    },
    "another entity": {"entity": ["AGEP"]},
    "a timestamp": {"timestamp": "surveyed_at"},
    "a type": {"columns": [{"name": "person_id", "personal": True, "type": "int64"}]},
    "a column that is personal no more": {"columns": [{"name": "person_id"}]},
}


@pytest.mark.parametrize("spec", STARTS_A_RUN.values(), ids=STARTS_A_RUN)
def test_what_decides_the_result_starts_a_run(spec: dict[str, Any]) -> None:
    assert len(done().edit(**spec).look().created) == 2


def test_a_spec_put_back_starts_nothing() -> None:
    scene = done().edit(query=OTHER_QUERY).look().begin().succeed(result(2))
    scene.edit(query=None).look()
    assert len(scene.created) == 2
    assert scene.ready.status == "True"


def test_the_annotation_starts_a_further_run_and_the_same_value_none() -> None:
    scene = done().annotate("monday").look()
    assert len(scene.created) == 2
    scene.begin().succeed(result(2)).annotate("monday").look(5)
    assert len(scene.created) == 2
    assert [run["trigger"][:10] for run in scene.status["runs"]] == ["annotation", scene.status["runs"][1]["spec"][:10]]


def test_a_new_object_that_carries_the_annotation_is_run_once() -> None:
    scene = done(metadata={"annotations": {"merkhet.dev/run": "monday"}}).look(5)
    assert len(scene.created) == 1
    assert scene.status["runs"][0]["trigger"] == "annotation/monday"


def test_an_old_annotation_does_not_keep_a_new_spec_from_being_run() -> None:
    scene = done(metadata={"annotations": {"merkhet.dev/run": "monday"}}).edit(query=OTHER_QUERY).look()
    assert len(scene.created) == 2
    scene.begin().succeed(result(2)).look(5)
    assert len(scene.created) == 2


def test_nothing_starts_while_suspended() -> None:
    scene = features(spec={"suspend": True}).look(5)
    assert scene.created == []
    assert (scene.ready.status, scene.ready.reason, scene.fact("Reconciling").status) == ("False", "Suspended", "False")
    assert len(scene.edit(suspend=False).look().created) == 1


def test_what_runs_goes_on_while_suspended() -> None:
    scene = features().look().begin("reading census").edit(suspend=True).look()
    assert scene.ready.message == "reading census"
    assert scene.succeed(result()).ready.reason == "Published"


def test_a_job_deleted_while_running_is_made_again() -> None:
    scene = features().look().begin().remove("Job").remove("Pod").look()
    assert len(scene.created) == 2
    assert len(set(scene.created)) == 1


def test_a_job_deleted_after_its_end_is_not_made_again() -> None:
    scene = done()
    before = scene.status
    scene.remove("Job").remove("Pod").look(4)
    assert len(scene.created) == 1
    assert scene.status == before


def test_the_last_job_stays_for_its_logs() -> None:
    scene = done().look(4)
    assert [job["metadata"]["name"] for job in scene.jobs] == scene.created


LEFT_BEHIND: dict[str, tuple[str, ...]] = {
    "the report and the Job": (),
    "the report alone": ("Job", "Pod"),
}


@pytest.mark.parametrize("lost", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_a_lost_status_is_found_again(lost: tuple[str, ...]) -> None:
    scene = done()
    versions = scene.status["versions"]
    for kind in lost:
        scene.remove(kind)
    scene.forget_status().look()
    assert len(scene.created) == 1
    assert scene.status["versions"] == versions
    assert scene.ready.reason == "Published"


def test_where_all_is_lost_the_pod_asks_the_store() -> None:
    scene = done()
    key = scene.status["runs"][0]["key"]
    scene.forget_status().remove("Job").remove("Pod").remove("ConfigMap").look()
    assert len(scene.created) == 2
    assert scene.job["metadata"]["labels"]["merkhet.dev/run"] == key


def test_a_lost_report_is_told_again_by_another_pod() -> None:
    scene = features().look().begin().finish_silently()
    assert scene.ready.reason == "ReportAwaited"
    scene.now += runs.REPORT_GRACE
    scene.look()
    assert len(set(scene.created)) == 2
    assert len(scene.jobs) == 1
    assert scene.begin().succeed(result()).ready.reason == "Published"


def test_a_report_that_never_comes_stalls_in_the_end() -> None:
    scene = features().look()
    for _ in range(runs.MAX_TRIES):
        scene.begin().finish_silently()
        scene.now += runs.REPORT_GRACE
        scene.look()
    assert len(scene.created) == runs.MAX_TRIES
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "ReportMissing")


def test_what_is_no_report_counts_as_none() -> None:
    scene = features().look().begin()
    scene.bodies["ConfigMap", "employment-fs-report"]["data"] = {"report": "{"}
    scene.finish_silently()
    assert "no report" in scene.ready.message


def test_a_result_of_another_shape_stalls() -> None:
    scene = features().look().begin().succeed({"number": "one"})
    assert scene.fact("Stalled").reason == "ResultUnreadable"
    assert scene.look(3).status["runs"][0]["phase"] == "Failed"


def test_a_failed_run_is_not_tried_again_with_the_same_means() -> None:
    scene = features().look().begin().fail({"exitCode": 137, "reason": "OOMKilled"}).look(4)
    assert len(scene.created) == 1
    assert scene.fact("Stalled").reason == "MemoryExceeded"


MEANS: dict[str, dict[str, Any]] = {
    "more memory": {"resources": {"limits": {"memory": "8Gi"}}},
    "a later deadline": {"deadline": "9h"},
    "another node": {"podTemplate": {"nodeSelector": {"memory": "large"}}},
}


@pytest.mark.parametrize("spec", MEANS.values(), ids=MEANS)
def test_a_failed_run_is_tried_again_with_other_means(spec: dict[str, Any]) -> None:
    scene = features().look().begin().fail({"exitCode": 137, "reason": "OOMKilled"}).edit(**spec).look()
    assert len(set(scene.created)) == 2
    scene.begin().succeed(result()).look(4)
    assert len(scene.created) == 2
    assert [run["phase"] for run in scene.status["runs"]] == ["Succeeded"]


def test_a_failed_run_is_tried_again_with_another_image() -> None:
    scene = features().look().begin().fail({"exitCode": 1})
    scene.settings = {"trainer_image": "merkhet/trainer:2"}
    assert len(scene.look().created) == 2


def test_a_finished_run_is_not_run_again_by_a_newer_operator() -> None:
    scene = done()
    scene.settings = {"trainer_image": "merkhet/trainer:2"}
    assert len(scene.look(4).created) == 1


def test_a_run_at_work_is_let_end_before_the_next_begins() -> None:
    scene = features().look().begin().edit(query=OTHER_QUERY).look(4)
    assert len(scene.created) == 1
    scene.succeed(result(1))
    assert len(scene.created) == 2
    scene.begin().succeed(result(2))
    assert [version["version"] for version in scene.status["versions"]] == [2, 1]


def test_a_job_that_has_not_begun_gives_way_to_a_corrected_spec() -> None:
    scene = features().look().pend({"waiting": {"reason": "ImagePullBackOff"}}).edit(query=OTHER_QUERY).look()
    assert len(set(scene.created)) == 2
    assert len(scene.jobs) == 1
    assert len(scene.status["runs"]) == 1


def test_a_refused_run_is_not_tried_again_whatever_its_means() -> None:
    scene = features().look().begin().refuse("NoParquet", "store://raw/poem.parquet is no parquet file")
    scene.edit(resources={"limits": {"memory": "8Gi"}}).look()
    assert len(scene.created) == 1
    stalled = scene.fact("Stalled")
    assert stalled.reason == "NoParquet"
    assert "people/employment" in stalled.message
    assert "poem.parquet" in stalled.message
    assert "merkhet.dev/run" in stalled.message


def test_what_the_work_said_of_its_last_try_is_told() -> None:
    scene = features().look().begin()
    scene._tell("Running", reason="Unavailable", message="https://example.com does not answer")
    scene.fail({"exitCode": 1, "message": "a long log"})
    assert scene.fact("Stalled").reason == "Unavailable"
    assert "does not answer" in scene.fact("Stalled").message


def test_the_last_good_version_stays_when_a_later_run_fails() -> None:
    scene = done().edit(query=OTHER_QUERY).look().begin().fail({"exitCode": 1})
    assert (scene.ready.status, scene.fact("Stalled").status) == ("True", "True")
    assert "version 1" in scene.ready.message
    assert scene.status["latest"]["version"] == 1


def test_a_run_says_what_it_used_and_cost() -> None:
    scene = Scene(make.featureset(), cpu_hour_price=0.05, gib_hour_price=0.01, currency="CHF")
    run = scene.look().begin().succeed(result()).status["runs"][0]
    assert run["usage"] == {"cpuSeconds": 31.2, "wallSeconds": 40.0, "peakMemory": 432013312}
    assert (run["cost"], run["currency"]) == (0.000478, "CHF")


def test_a_past_run_keeps_its_cost_when_prices_change() -> None:
    scene = Scene(make.featureset(), cpu_hour_price=0.05).look().begin().succeed(result())
    cost = scene.status["runs"][0]["cost"]
    scene.settings = {"cpu_hour_price": 5.0}
    assert scene.look().status["runs"][0]["cost"] == cost


def test_the_history_is_bounded_and_keeps_what_would_start_again() -> None:
    scene = done().annotate("0").look().begin().succeed(result(2))
    for number in range(1, 9):
        scene.edit(query=f"select {number}").look().begin().succeed(result(number + 2))
    triggers = [run["trigger"] for run in scene.status["runs"]]
    assert len(triggers) == history.KEPT + 1
    assert "annotation/0" in triggers
    assert len(scene.look(4).created) == 10


@pytest.mark.parametrize("moment", range(5))
@pytest.mark.parametrize("lost", ["all that was said", "the last that was said"])
def test_an_operator_that_dies_at_any_moment_starts_no_second_run(moment: int, lost: str) -> None:
    scene = features()
    steps: tuple[Callable[[], Scene], ...] = (
        lambda: scene.look(1),
        lambda: scene.look(1),
        lambda: scene.begin("reading census"),
        lambda: scene.succeed(result()),
        lambda: scene.look(1),
    )
    for number, step in enumerate(steps):
        before = scene.status
        step()
        if number == moment:
            scene.owner["status"] = before if lost == "the last that was said" else {}
    scene.look(4)
    assert len(scene.created) == 1
    assert (scene.ready.reason, scene.status["latest"]["version"]) == ("Published", 1)


def test_a_refusal_whose_report_is_late_is_awaited_before_it_counts_as_lost() -> None:
    scene = features().look().begin().fail({"exitCode": 3}, why="PodFailurePolicy")
    assert (scene.ready.reason, scene.fact("Stalled").status) == ("ReportAwaited", "False")
    scene.now += runs.REPORT_GRACE
    assert scene.look().fact("Stalled").reason == "RefusedWithoutReport"
    assert len(scene.created) == 1
