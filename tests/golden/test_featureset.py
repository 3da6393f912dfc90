"""A FeatureSet in each state that a person may meet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.featureset import KIND
from merkhet.kinds.kind import Problem
from tests import make
from tests.golden.conftest import Golden
from tests.unit.kinds.featureset import test_bias as bias
from tests.unit.kinds.featureset.test_inputs import joining, made_from, other
from tests.unit.kinds.featureset.test_online import ONLINE, published, serving
from tests.unit.kinds.featureset.test_quality import FAILS, HOLDS, RULES, blocked_result
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import OTHER_QUERY, done, features, result


def test_a_new_one_asks_for_the_store_and_its_channel(golden: Golden) -> None:
    golden(KIND, "new", make.featureset(), full=True)


def test_its_job(golden: Golden) -> None:
    owner = make.featureset(
        spec={
            "query": "select * from census where AGEP > 15",
            "timestamp": "surveyed_at",
            "podTemplate": {"nodeSelector": {"disk": "fast"}, "priorityClassName": "batch"},
            "resources": {"limits": {"memory": "1Gi"}},
        }
    )
    golden(KIND, "starting", owner, *make.channel(owner, "fs"), full=True)


def _golden(golden: Golden, name: str, scene: Scene, **more: Any) -> None:
    golden(KIND, name, scene.owner, *scene.bodies.values(), now=scene.now, settings=scene.settings, **more)


def test_running(golden: Golden) -> None:
    _golden(golden, "running", features().look().begin("reading census"))


def test_published(golden: Golden) -> None:
    scene = Scene(make.featureset(), cpu_hour_price=0.05, gib_hour_price=0.01)
    _golden(golden, "published", scene.look().begin().succeed(result()))


def test_running_again_while_the_former_version_is_used(golden: Golden) -> None:
    _golden(golden, "running_again", done().edit(query=OTHER_QUERY).look().begin("computing the query"))


def test_refused(golden: Golden) -> None:
    scene = features().look().begin().refuse("NoParquet", "store://raw/poem.parquet is no parquet file")
    _golden(golden, "refused", scene)


def test_failed_after_a_good_version(golden: Golden) -> None:
    scene = done().edit(query=OTHER_QUERY).look().begin().fail({"exitCode": 137, "reason": "OOMKilled"})
    _golden(golden, "failed_after_a_good_version", scene)


def _checked(**quality: Any) -> Scene:
    return features(spec={"quality": {"rules": RULES["rules"], **quality}})


def test_quality_rules_all_hold(golden: Golden) -> None:
    _golden(golden, "quality_passed", _checked().look().begin().succeed(result(quality=[HOLDS])))


def test_quality_rules_warn(golden: Golden) -> None:
    scene = _checked(onFailure="Warn").look().begin().succeed(result(quality=[HOLDS, FAILS]))
    _golden(golden, "quality_warned", scene)


def test_quality_rules_block_the_first_version(golden: Golden) -> None:
    _golden(golden, "quality_blocked", _checked().look().begin().succeed(blocked_result()))


def test_quality_rules_block_after_a_good_version(golden: Golden) -> None:
    scene = _checked().look().begin().succeed(result(quality=[HOLDS])).annotate("monday").look().begin()
    _golden(golden, "quality_blocked_after_a_good_version", scene.succeed(blocked_result()))


def _compared(**more: Any) -> Scene:
    return features(spec={"bias": {**bias.BIAS, **more}})


def test_groups_are_within_their_limits(golden: Golden) -> None:
    _golden(golden, "bias_within_limits", bias.compared(bias.PASSED, bias.REPORTED, scene=_compared()))


def test_groups_are_beyond_a_limit(golden: Golden) -> None:
    scene = bias.compared(bias.FAILED, bias.UNSURE, bias.PASSED, scene=_compared())
    _golden(golden, "bias_warned", scene)


def test_groups_are_undecided(golden: Golden) -> None:
    _golden(golden, "bias_inconclusive", bias.compared(bias.UNSURE, bias.PASSED, scene=_compared()))


def test_bias_blocks_the_first_version(golden: Golden) -> None:
    _golden(golden, "bias_blocked", bias.blocked())


def test_bias_blocks_after_a_good_version(golden: Golden) -> None:
    good = bias.compared(bias.PASSED, scene=_compared(onFailure="Block"))
    _golden(golden, "bias_blocked_after_a_good_version", bias.blocked(good.annotate("monday")))


def test_look_ups_begin(golden: Golden) -> None:
    scene = features(spec={**ONLINE, "online": {"ttl": "24h", "replicas": 2}}).look().begin()
    _golden(golden, "online_starting", scene.succeed(result(online=True)).remove("Job"), full=True)


def test_look_ups_are_answered(golden: Golden) -> None:
    _golden(golden, "online", serving(published()))


def test_suspended_before_the_first_run(golden: Golden) -> None:
    _golden(golden, "suspended", features(spec={"suspend": True}).look())


def test_scheduled_after_a_tick(golden: Golden) -> None:
    scene = features(spec={"schedule": "0 3 * * MON-FRI", "timeZone": "Europe/Paris"}).look().begin().succeed(result())
    scene.now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    _golden(golden, "scheduled", scene.look().begin().succeed(result(2)))


def test_image_missing(golden: Golden) -> None:
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    _golden(golden, "image_missing", features().look().pend(state))


def test_a_name_is_taken(golden: Golden) -> None:
    problem = Problem(CONFIGMAP, "employment-fs-report", "NameTaken", "exists and belongs to somebody else; delete it")
    _golden(golden, "name_taken", features(), problems=(problem,))


def test_waiting_for_another_feature_set(golden: Golden) -> None:
    owner = made_from({"name": "regions"}, **joining("weather", maxAge="720h"))
    _golden(golden, "input_missing", Scene(owner, other("regions", 1)).look())


def test_its_job_on_versions_of_others(golden: Golden) -> None:
    owner = made_from({"name": "regions", "version": 1}, **joining("weather", maxAge="720h"), arrival="told")
    golden(
        KIND,
        "made_from_others",
        owner,
        other("regions", 1, 2),
        other("weather", 7),
        *make.channel(owner, "fs"),
        full=True,
    )


def test_a_try_on_versions_of_others_that_failed(golden: Golden) -> None:
    scene = Scene(made_from({"name": "regions"}), other("regions", 1)).look().begin()
    _golden(golden, "made_from_others_failed", scene.fail({"exitCode": 137, "reason": "OOMKilled"}))
