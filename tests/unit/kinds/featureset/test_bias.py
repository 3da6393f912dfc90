"""What is said of limits on bias, and what blocked rows leave as it was."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from merkhet.api.conditions import MESSAGE_LENGTH
from merkhet.kinds.featureset.plan import trigger_of
from merkhet.kinds.featureset.types import FeatureSetSpec
from tests import make
from tests.unit.kinds.featureset.test_quality import FAILS, HOLDS, RULES
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import done, features, result

BIAS = {
    "sensitive": [{"column": "SEX"}, {"column": "AGEP", "bins": [25, 45, 65]}],
    "population": {"SEX": {"1": 0.49, "2": 0.51}},
    "label": "employed",
    "limits": {"demographic_parity_difference": 0.2, "min_group_share": 0.01},
}
OTHER = {**BIAS, "limits": {"demographic_parity_difference": 0.3}}


def finding(outcome: str, metric: str = "demographic_parity_difference", **more: Any) -> dict[str, Any]:
    """A figure on groups as the pod tells it."""
    usual = {"metric": metric, "column": "SEX", "result": outcome, "value": 0.25, "low": 0.21, "high": 0.29}
    return {**usual, "limit": 0.2, "message": "0.25 (95 %: 0.21 to 0.29), at most 0.2 is asked", **more}


def group(column: str, name: str, **more: Any) -> dict[str, Any]:
    return {"column": column, "group": name, "rows": 500, "share": 0.5, "rate": 0.6, "low": 0.55, "high": 0.64,
            "small": False, **more}  # fmt: skip


FAILED = finding("Failed")
UNSURE = finding(
    "Inconclusive",
    "demographic_parity_ratio",
    value=0.779,
    low=0.72,
    high=0.834,
    limit=0.8,
    message="0.779 (95 %: 0.72 to 0.834), at least 0.8 is asked: the figure misses it, its interval lies on both sides",
)
PASSED = finding(
    "Passed",
    "min_group_share",
    value=0.5,
    low=0.47,
    high=0.53,
    limit=0.01,
    message="0.5 (95 %: 0.47 to 0.53), at least 0.01 is asked",
)
REPORTED = {**finding("Reported", "proxy_auc"), "message": "0.25"}
REPORTED.pop("limit")
GROUPS = [group("SEX", "1"), group("SEX", "2")]


def found(*findings: dict[str, Any], groups: list[dict[str, Any]] = GROUPS) -> dict[str, Any]:
    """What the pod says of groups."""
    return {"findings": list(findings), "groups": [{**one, "missing": {"SCHL": 3}} for one in groups]}


def compared(*findings: dict[str, Any], scene: Scene | None = None, number: int = 1) -> Scene:
    """A FeatureSet whose groups were compared with these findings, and published."""
    scene = (scene or features(spec={"bias": BIAS})).look().begin()
    return scene.succeed(result(number, bias=found(*findings)))


def blocked_result(**more: Any) -> dict[str, Any]:
    """What a Job answers whose rows are beyond a limit."""
    made = result(bias=found(FAILED, PASSED), **more)
    return {word: value for word, value in made.items() if word not in ("number", "digest")}


def blocked(scene: Scene | None = None) -> Scene:
    """A FeatureSet whose rows were kept back."""
    blocking = {"bias": {**BIAS, "onFailure": "Block"}}
    return (scene or features(spec=blocking)).look().begin().succeed(blocked_result())


def acceptable(scene: Scene) -> tuple[str, str]:
    fact = scene.fact("BiasAcceptable")
    return fact.status, fact.reason


def test_the_task_says_what_is_compared() -> None:
    assert features(spec={"bias": {**BIAS, "positive": "yes", "minGroupSize": 30}}).look().task["bias"] == {
        "sensitive": [{"column": "SEX", "bins": []}, {"column": "AGEP", "bins": [25.0, 45.0, 65.0]}],
        "population": {"SEX": {"1": 0.49, "2": 0.51}},
        "label": "employed",
        "positive": "yes",
        "minGroupSize": 30,
        "limits": {"demographic_parity_difference": 0.2, "min_group_share": 0.01},
        "onFailure": "Warn",
    }


def test_without_a_wish_neither_task_nor_trigger_nor_condition_knows_of_it() -> None:
    scene = done()
    assert "bias" not in scene.task
    assert "bias" not in scene.status
    assert "BiasAcceptable" not in [condition["type"] for condition in scene.status["conditions"]]
    spec = FeatureSetSpec.model_validate(make.featureset()["spec"])
    assert trigger_of(spec) == "spec/e5fab621ba7acfd98547", "as it was before there were limits"


CHANGES: dict[str, Any] = {
    "other limits": OTHER,
    "what happens beyond them": {**BIAS, "onFailure": "Block"},
    "other groups": {**BIAS, "sensitive": [{"column": "SEX"}]},
    "another least size": {**BIAS, "minGroupSize": 10},
    "nothing": None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_compared_decides_the_result(change: Any) -> None:
    assert len(compared(PASSED).edit(bias=change).look().created) == 2


def test_a_default_written_out_is_no_other_wish() -> None:
    assert len(compared(PASSED).edit(bias={**BIAS, "minGroupSize": 50, "onFailure": "Warn"}).look().created) == 1


OUTCOMES: dict[str, tuple[list[dict[str, Any]], tuple[str, str]]] = {
    "all within": ([PASSED, REPORTED], ("True", "WithinLimits")),
    "one beyond": ([FAILED, UNSURE, PASSED], ("False", "LimitsExceeded")),
    "one undecided": ([UNSURE, PASSED], ("Unknown", "Inconclusive")),
    "no limit at all": ([REPORTED], ("Unknown", "NotChecked")),
}


@pytest.mark.parametrize(("findings", "said"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_is_found_is_said_and_never_touches_readiness(
    findings: list[dict[str, Any]], said: tuple[str, str]
) -> None:
    scene = compared(*findings)
    assert acceptable(scene) == said
    assert (scene.ready.status, scene.ready.reason, scene.fact("Stalled").status) == ("True", "Published", "False")
    assert scene.status["bias"] == {"run": scene.status["runs"][0]["key"], "findings": findings, "groups": GROUPS}


def test_the_worst_is_told_in_words() -> None:
    assert compared(FAILED, UNSURE, REPORTED).fact("BiasAcceptable").message == (
        "version 1: 1 of 2 figures on groups is beyond its limit: demographic_parity_difference of SEX: "
        "0.25 (95 %: 0.21 to 0.29), at most 0.2 is asked"
    )


def test_blocked_rows_without_a_good_version_are_not_ready() -> None:
    scene = blocked()
    assert (scene.ready.status, scene.ready.reason) == ("False", "BiasBlocked")
    assert (scene.fact("Stalled").status, scene.fact("Stalled").reason) == ("True", "BiasBlocked")
    assert acceptable(scene) == ("False", "LimitsExceeded")
    assert "demographic_parity_difference of SEX: 0.25 (95 %: 0.21 to 0.29)" in scene.fact("Stalled").message
    assert "or change spec.bias" in scene.fact("Stalled").message
    assert "latest" not in scene.status
    assert "version" not in scene.status["runs"][0]


def test_blocked_rows_leave_the_last_good_version() -> None:
    good = compared(PASSED, scene=features(spec={"bias": {**BIAS, "onFailure": "Block"}}))
    scene = blocked(good.annotate("monday"))
    assert (scene.ready.status, scene.ready.reason) == ("True", "BiasBlocked")
    assert scene.ready.message == "version 1 of FeatureSet people/employment stays in use"
    assert scene.fact("Stalled").reason == "BiasBlocked"
    assert [version["version"] for version in scene.status["versions"]] == [1]
    before = scene.status
    assert (scene.look(5).status, len(scene.created)) == (before, 2)


def test_rows_that_break_a_quality_rule_are_blocked_by_that() -> None:
    blocking = {"quality": RULES, "bias": {**BIAS, "onFailure": "Block"}}
    made = {word: value for word, value in result(quality=[HOLDS, FAILS]).items() if word not in ("number", "digest")}
    scene = features(spec=blocking).look().begin().succeed(made)
    assert (scene.fact("Stalled").reason, acceptable(scene)) == ("QualityBlocked", ("Unknown", "NotChecked"))


def test_rows_with_a_warning_about_quality_may_be_blocked_by_bias() -> None:
    spec = {"quality": {**RULES, "onFailure": "Warn"}, "bias": {**BIAS, "onFailure": "Block"}}
    scene = features(spec=spec).look().begin().succeed({**blocked_result(), "quality": [FAILS]})
    assert scene.fact("Stalled").reason == "BiasBlocked"


def test_what_no_run_has_compared_is_unknown() -> None:
    assert acceptable(features(spec={"bias": BIAS}).look()) == ("Unknown", "NotChecked")
    assert acceptable(compared(PASSED).edit(bias=OTHER).look().begin("reading census")) == ("Unknown", "NotChecked")
    assert acceptable(compared(FAILED).annotate("monday").look().begin()) == ("False", "LimitsExceeded")


def test_limits_taken_away_are_said_no_more() -> None:
    scene = blocked(done().edit(bias={**BIAS, "onFailure": "Block"})).edit(bias=None).look()
    assert "bias" not in scene.status
    assert (scene.ready.reason, scene.fact("Stalled").status) == ("Published", "False")


def test_what_was_found_is_found_again_after_the_status_is_lost() -> None:
    scene = blocked()
    before = scene.status
    scene.forget_status().look(3)
    assert {**scene.status, "runs": []} == {**before, "runs": []}


def test_groups_of_a_personal_column_are_never_listed() -> None:
    told = found(PASSED, groups=[*GROUPS, group("person_id", "Dana"), group("friend", "Erik")])
    columns = [{"name": "friend", "type": "string", "personal": True}]  # marked by the FeatureSet that it comes from
    scene = features(spec={"bias": BIAS}).look().begin().succeed(result(bias=told, columns=columns))
    assert not any(name in str(scene.status) for name in ("Dana", "Erik"))
    assert scene.status["bias"]["groups"] == GROUPS


def test_many_long_findings_fit_into_status_and_messages() -> None:
    long = finding("Failed", message="y" * 512, column="c" * 128)
    told = found(*[long] * 96, groups=[group("SEX", "g" * 500)] * 100)
    made = {**blocked_result(), "bias": told}
    scene = features(spec={"bias": {**BIAS, "onFailure": "Block"}}).look().begin().succeed(made)
    assert (len(scene.status["bias"]["findings"]), len(scene.status["bias"]["groups"])) == (64, 64)
    assert len(scene.fact("Stalled").message) < MESSAGE_LENGTH
    assert "and 91 more, see status.bias" in scene.fact("Stalled").message


REFUSED: dict[str, dict[str, Any]] = {
    "no sensitive column": {"sensitive": []},
    "an unknown limit": {"limits": {"equalized_odds": 0.1}},
    "a limit above one": {"limits": {"min_group_share": 1.1}},
    "an area that says nothing": {"limits": {"proxy_auc": 0.4}},
    "a share below nought": {"population": {"SEX": {"1": -0.1}}},
    "a group of one": {"minGroupSize": 1},
    "an unknown way to fail": {"onFailure": "Ignore"},
}


@pytest.mark.parametrize("more", REFUSED.values(), ids=REFUSED)
def test_a_spec_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FeatureSetSpec.model_validate(make.featureset(spec={"bias": {**BIAS, **more}})["spec"])
