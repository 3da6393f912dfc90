"""A ModelTraining in each state that a person may meet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from merkhet.kinds.modeltraining import KIND
from tests import make
from tests.golden.conftest import Golden
from tests.unit.kinds.modeltraining.test_joins import other
from tests.unit.kinds.modeltraining.test_joins import training as joining
from tests.unit.kinds.modeltraining.test_search import SEARCH, ended, searching, tried, work
from tests.unit.kinds.modeltraining.test_search import done as found
from tests.unit.kinds.modeltraining.test_training import FAILED, PASSED, answer, done, features, source, training
from tests.unit.kinds.runs.scene import Scene


def _golden(golden: Golden, name: str, scene: Scene, **more: Any) -> None:
    golden(KIND, name, scene.owner, *scene.bodies.values(), now=scene.now, settings=scene.settings, **more)


def test_its_job(golden: Golden) -> None:
    owner = make.modeltraining(
        spec={
            "gates": {"metrics": [{"name": "roc_auc", "min": 0.85}]},
            "card": {"intendedUse": "to show what a card is"},
            "author": "dana@example.com",
        }
    )
    golden(KIND, "starting", owner, features(1, 2), *make.channel(owner, "mt"), full=True)


def test_waiting_for_a_feature_set(golden: Golden) -> None:
    _golden(golden, "feature_set_missing", Scene(make.modeltraining()).look())


def test_waiting_for_a_version(golden: Golden) -> None:
    _golden(golden, "no_version_yet", training(data=features()).look())


def test_a_version_that_does_not_exist(golden: Golden) -> None:
    spec = {"data": {"featureSet": {"name": "employment", "version": 9}, "target": "employed"}}
    _golden(golden, "version_missing", training(spec, data=features(1, 2, 3)).look())


def test_an_unknown_estimator(golden: Golden) -> None:
    spec = {"pipeline": [{"estimator": "sklearn.ensemble.HistGradientBostingClassifier"}]}
    _golden(golden, "unknown_estimator", training(spec).look())


def test_an_unknown_parameter(golden: Golden) -> None:
    spec = {"pipeline": [{"estimator": "sklearn.naive_bayes.GaussianNB", "parameters": {"smoothing": 1}}]}
    _golden(golden, "unknown_parameter", training(spec).look())


def test_a_target_that_is_not_there(golden: Golden) -> None:
    _golden(golden, "target_missing", training(source("emploied")).look())


def test_running(golden: Golden) -> None:
    _golden(golden, "running", training().look().begin("fitting step 1 of 1"))


def test_the_version_that_comes_of_it(golden: Golden) -> None:
    scene = training(cpu_hour_price=0.05, gib_hour_price=0.01).look().begin()
    result = answer(scene)
    scene._pod({"terminated": {"exitCode": 0}})
    scene._tell("Succeeded", result=result)
    _golden(golden, "registering", scene, full=True)


def test_registered(golden: Golden) -> None:
    _golden(golden, "registered", done({"approval": "Automatic"}))


def test_rejected_by_a_gate(golden: Golden) -> None:
    _golden(golden, "rejected", done(more={"gates": [PASSED, FAILED]}))


def test_an_experiment(golden: Golden) -> None:
    _golden(golden, "experiment", done({"register": False}, number=None))


def test_scheduled_after_a_tick(golden: Golden) -> None:
    scene = done({"schedule": "@weekly", "timeZone": "America/New_York"})
    scene.bodies["FeatureSet", "employment"] = features(1, 2)
    scene.now = datetime(2026, 11, 29, 5, 0, tzinfo=UTC)
    scene.look().begin()
    _golden(golden, "scheduled", scene.succeed(answer(scene, 2)))


def test_out_of_memory(golden: Golden) -> None:
    _golden(golden, "memory_exceeded", training().look().begin().fail({"exitCode": 137, "reason": "OOMKilled"}))


def test_past_its_deadline(golden: Golden) -> None:
    _golden(golden, "deadline_exceeded", training({"deadline": "90s"}).look().begin().fail(why="DeadlineExceeded"))


def test_without_a_node(golden: Golden) -> None:
    since = {
        "type": "PodScheduled",
        "status": "False",
        "lastTransitionTime": "2026-11-22T11:50:00Z",
        "message": "0/1 nodes are available: 1 Insufficient memory.",
    }
    _golden(golden, "unschedulable", training().look().pend({}, conditions=[since]))


def test_its_search(golden: Golden) -> None:
    spec = {"search": {**SEARCH, "folds": 5, "seed": 7}, "deadline": "1h", "retries": 1}
    owner = make.modeltraining(spec=spec)
    golden(KIND, "search_starting", owner, features(1), *make.channel(owner, "mt"), full=True)


def test_searching(golden: Golden) -> None:
    _golden(golden, "searching", tried(searching(), 12, "4,7-8"))


def test_after_a_search_past_its_deadline(golden: Golden) -> None:
    scene = ended(searching(), 17, why="DeadlineExceeded", after=5400)
    _golden(golden, "best_so_far", found(scene, 17))


def test_a_search_without_a_figure(golden: Golden) -> None:
    scene = work(searching(), {"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
    _golden(golden, "search_failed", ended(scene, 0, "0-19", why="FailedIndexes"))


def test_its_job_with_a_join(golden: Golden) -> None:
    owner = joining({"maxAge": "720h"})
    golden(KIND, "joining", owner, features(1), other(3, 4), *make.channel(owner, "mt"), full=True)


def test_waiting_for_what_is_joined(golden: Golden) -> None:
    _golden(golden, "join_missing", Scene(joining(), features(1)).look())
