"""What is said of quality rules, and what blocked rows leave as it was."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.conditions import MESSAGE_LENGTH
from merkhet.kinds.featureset.plan import trigger_of
from merkhet.kinds.featureset.types import FeatureSetSpec
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import done, features, result

RULES = {"rules": [{"column": "AGEP", "min": 0, "max": 120}, {"column": "person_id", "unique": True}]}
OTHER = {"rules": [{"minRows": 1000}]}
HOLDS = {"rule": "AGEP is at least 0, at most 120", "passed": True, "found": "no row fails", "failingRows": 0,
         "fraction": 0.0, "limit": 0.0}  # fmt: skip
FAILS = {"rule": "person_id is unique", "passed": False, "found": "3 of 1,000 rows fail (0.3 %), none may",
         "failingRows": 3, "fraction": 0.003, "limit": 0.0}  # fmt: skip


def blocked_result(**more: Any) -> dict[str, Any]:
    """What a Job answers whose rows broke a rule."""
    made = result(quality=[HOLDS, FAILS], **more)
    return {word: value for word, value in made.items() if word not in ("number", "digest")}


def blocked(scene: Scene | None = None) -> Scene:
    """A FeatureSet whose rows were kept back."""
    return (scene or features(spec={"quality": RULES})).look().begin().succeed(blocked_result())


def good() -> Scene:
    """A FeatureSet with rules, all of which hold."""
    return features(spec={"quality": RULES}).look().begin().succeed(result(quality=[HOLDS]))


def quality(scene: Scene) -> tuple[str, str]:
    fact = scene.fact("QualityPassed")
    return fact.status, fact.reason


def test_the_task_has_the_rules() -> None:
    rules = [
        {"column": "AGEP", "notNull": True, "min": 0, "max": 120},
        {"column": "person_id", "unique": True},
        {"column": "SCHL", "in": [1, 2, "3"]},
        {"expression": "AGEP >= 16 or employed = 0", "maxFailingFraction": 0.01},
        {"minRows": 1000},
        {"maxAge": "48h"},
    ]
    task = features(spec={"timestamp": "surveyed_at", "quality": {"rules": rules, "onFailure": "Warn"}}).look().task
    usual = {"notNull": False, "unique": False, "maxFailingFraction": 0.0}
    assert task["quality"] == {
        "onFailure": "Warn",
        "rules": [
            {**usual, "column": "AGEP", "notNull": True, "min": 0.0, "max": 120.0},
            {**usual, "column": "person_id", "unique": True},
            {**usual, "column": "SCHL", "allowed": [1, 2, "3"]},
            {**usual, "expression": "AGEP >= 16 or employed = 0", "maxFailingFraction": 0.01},
            {**usual, "minRows": 1000},
            {**usual, "maxAgeSeconds": 172800.0},
        ],
    }


def test_without_rules_neither_task_nor_trigger_nor_condition_knows_of_them() -> None:
    scene = done()
    assert "quality" not in scene.task
    assert "quality" not in scene.status
    assert "QualityPassed" not in [condition["type"] for condition in scene.status["conditions"]]
    spec = FeatureSetSpec.model_validate(make.featureset()["spec"])
    assert trigger_of(spec) == "spec/e5fab621ba7acfd98547", "as it was before there were rules"


CHANGES: dict[str, Any] = {
    "other rules": OTHER,
    "what happens where they do not hold": {**RULES, "onFailure": "Warn"},
    "a share that may fail": {"rules": [{**RULES["rules"][0], "maxFailingFraction": 0.5}, RULES["rules"][1]]},
    "no rules": None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_rules_decide_the_result(change: Any) -> None:
    assert len(good().edit(quality=change).look().created) == 2


def test_a_default_written_out_is_no_other_rule() -> None:
    rules = {"rules": [{**rule, "notNull": False} for rule in RULES["rules"]], "onFailure": "Block"}
    assert len(good().edit(quality=rules).look().created) == 1


def test_rules_that_hold_are_said_with_their_figures() -> None:
    scene = good()
    assert scene.status["quality"] == {"run": scene.status["runs"][0]["key"], "rules": [HOLDS]}
    assert quality(scene) == ("True", "AllRulesHold")
    assert (scene.ready.reason, scene.fact("Stalled").status) == ("Published", "False")


def test_blocked_rows_without_a_good_version_are_not_ready() -> None:
    scene = blocked()
    assert (scene.ready.status, scene.ready.reason) == ("False", "QualityBlocked")
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "QualityBlocked")
    assert quality(scene) == ("False", "RulesFailed")
    assert "person_id is unique: 3 of 1,000 rows fail (0.3 %), none may" in scene.fact("Stalled").message
    assert "merkhet.dev/run" in scene.fact("Stalled").message
    assert "latest" not in scene.status
    assert (scene.status["runs"][0]["phase"], scene.status["runs"][0]["settled"]) == ("Succeeded", True)
    assert "version" not in scene.status["runs"][0]


def test_blocked_rows_leave_the_last_good_version() -> None:
    scene = blocked(good().annotate("monday"))
    assert (scene.ready.status, scene.ready.reason) == ("True", "QualityBlocked")
    assert scene.ready.message == "version 1 of FeatureSet people/employment stays in use"
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "QualityBlocked")
    assert scene.status["latest"]["version"] == 1
    assert [version["version"] for version in scene.status["versions"]] == [1]


def test_blocked_stays_blocked_and_starts_nothing() -> None:
    scene = blocked()
    before = scene.status
    scene.look(5)
    assert (scene.status, len(scene.created)) == (before, 1)
    scene.bodies["ConfigMap", "employment-fs-report"].pop("data")
    scene.remove("Job").look(5)
    assert (scene.status, len(scene.created)) == (before, 1)


def test_the_annotation_checks_again_once_the_data_are_right() -> None:
    scene = blocked().annotate("monday").look()
    assert len(scene.created) == 2
    scene.begin().succeed(result(1, quality=[HOLDS]))
    assert (scene.ready.status, scene.ready.reason) == ("True", "Published")
    assert (scene.fact("Stalled").status, quality(scene)) == ("False", ("True", "AllRulesHold"))


def test_rules_put_back_make_the_good_version_good_again() -> None:
    scene = blocked(good().edit(quality=OTHER)).edit(quality=RULES).look()
    assert (len(scene.created), scene.ready.reason) == (2, "Published")
    assert quality(scene) == ("Unknown", "NotChecked")


def test_rules_taken_away_are_said_no_more() -> None:
    scene = blocked(done().edit(quality=RULES)).edit(quality=None).look()
    assert "quality" not in scene.status
    assert (scene.ready.reason, scene.fact("Stalled").status) == ("Published", "False")


def test_a_warning_is_published_and_said() -> None:
    scene = features(spec={"quality": {**RULES, "onFailure": "Warn"}}).look().begin()
    scene.succeed(result(quality=[HOLDS, FAILS]))
    assert (scene.ready.status, scene.ready.reason, scene.fact("Stalled").status) == ("True", "Published", "False")
    assert quality(scene) == ("False", "RulesFailed")
    assert scene.fact("QualityPassed").message.startswith("version 1: 1 of 2 quality rules fails: person_id is unique")


def test_rules_that_no_run_has_checked_are_unknown() -> None:
    assert quality(features(spec={"quality": RULES}).look()) == ("Unknown", "NotChecked")
    assert quality(good().edit(quality=OTHER).look().begin("reading census")) == ("Unknown", "NotChecked")
    assert quality(good().annotate("monday").look().begin()) == ("True", "AllRulesHold")


def test_what_was_found_is_found_again_after_the_status_is_lost() -> None:
    scene = blocked()
    before = scene.status
    scene.forget_status().look(3)
    assert {**scene.status, "runs": []} == {**before, "runs": []}
    assert len(scene.created) == 1


def test_fifty_long_rules_fit_into_messages() -> None:
    long = {**FAILS, "rule": "x" * 500, "found": "y" * 500}
    scene = features(spec={"quality": {"rules": [{"minRows": 1}] * 50}}).look().begin()
    scene.succeed({**blocked_result(), "quality": [long] * 50})
    assert len(scene.status["quality"]["rules"]) == 50
    assert len(scene.fact("Stalled").message) < MESSAGE_LENGTH
    assert "and 45 more, see status.quality; put the data right" in scene.fact("Stalled").message


def training_on(body: dict[str, Any]) -> Scene:
    return Scene(make.modeltraining(), body).look()


def test_blocked_rows_are_never_trained_on() -> None:
    target = {"name": "employed", "type": "int64"}
    waiting = training_on(blocked().owner)
    assert (waiting.created, waiting.ready.status) == ([], "False")
    columns = [{"name": "AGEP", "type": "float32"}, target]
    scene = features(spec={"quality": RULES}).look().begin().succeed(result(1, quality=[HOLDS], columns=columns))
    learning = training_on(blocked(scene.annotate("monday")).owner)
    assert learning.task["data"]["version"] == 1
