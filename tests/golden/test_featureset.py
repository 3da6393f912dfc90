"""A FeatureSet in each state that a person may meet."""

from __future__ import annotations

from typing import Any

from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.featureset import KIND
from merkhet.kinds.kind import Problem
from tests import make
from tests.golden.conftest import Golden
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


def test_suspended_before_the_first_run(golden: Golden) -> None:
    _golden(golden, "suspended", features(spec={"suspend": True}).look())


def test_image_missing(golden: Golden) -> None:
    state = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    _golden(golden, "image_missing", features().look().pend(state))


def test_a_name_is_taken(golden: Golden) -> None:
    problem = Problem(CONFIGMAP, "employment-fs-report", "NameTaken", "exists and belongs to somebody else; delete it")
    _golden(golden, "name_taken", features(), problems=(problem,))
