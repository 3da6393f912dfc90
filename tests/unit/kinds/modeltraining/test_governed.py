"""What the namespace's policy and the champion do to a training."""

from __future__ import annotations

from typing import Any

from merkhet.api.meta import Body
from merkhet.kinds.apis import CONFIGMAP, MODELVERSION
from merkhet.kinds.kind import Problem
from tests import make
from tests.unit.kinds.modeldeployment.scene import policy as guard
from tests.unit.kinds.modeltraining.test_training import answer, done, features, training, version
from tests.unit.kinds.runs.scene import Scene


def policy(text: str) -> Body:
    """The ConfigMap that governance owns."""
    return make.body(CONFIGMAP, "merkhet-policy", data={"policy.yaml": text})


def governed(text: str, spec: Body | None = None, **settings: Any) -> Scene:
    """A training in a namespace with a policy."""
    return Scene(make.modeltraining(spec=spec), features(1), policy(text), **settings)


def gates_of(scene: Scene) -> list[tuple[str, float, str]]:
    return [(one["name"], one["min"], one["source"]) for one in scene.look().task["gates"]["metrics"]]


def test_the_pod_is_told_the_limits_of_spec_and_policy() -> None:
    own = {"gates": {"metrics": [{"name": "roc_auc", "min": 0.7}]}}
    scene = governed("gates: {metrics: [{name: roc_auc, min: 0.8}]}", own)
    assert gates_of(scene) == [("roc_auc", 0.7, "spec"), ("roc_auc", 0.8, "policy")]
    assert scene.status["policy"] == ["roc_auc at least 0.8"]


def test_a_changed_policy_starts_no_run_of_its_own() -> None:
    scene = done()
    before = scene.created[:]
    scene.bodies["ConfigMap", "merkhet-policy"] = policy("gates: {metrics: [{name: roc_auc, min: 0.99}]}")
    scene.look()
    assert scene.created == before


def test_automatic_approval_gives_way_to_a_policy_that_wants_a_person() -> None:
    for text, decision in (("approval: Manual", "Pending"), ("approval: Automatic", "Approved")):
        scene = governed(text, {"approval": "Automatic"}).look().begin()
        key = scene.job["metadata"]["labels"]["merkhet.dev/run"]
        result = make.training_result(1)
        result["lineage"]["training"]["run"] = key
        scene.succeed(result)
        assert version(scene)["spec"]["approval"]["decision"] == decision


def test_nothing_is_trained_until_the_card_says_what_the_policy_asks() -> None:
    scene = governed("card: [limitations]").look()
    assert not scene.jobs
    assert (scene.ready.status, scene.ready.reason) == ("False", "CardIncomplete")
    scene.edit(card={"limitations": "few rows"}).look()
    assert scene.jobs


def test_an_experiment_needs_no_card() -> None:
    assert governed("card: [limitations]", {"register": False}).look().jobs


def test_a_policy_that_cannot_be_read_starts_nothing_and_keeps_what_is_there() -> None:
    scene = done()
    scene.bodies["ConfigMap", "merkhet-policy"] = policy("approval: Perhaps")
    scene.annotate("again").look()
    assert scene.ready.reason == "PolicyInvalid"
    assert scene.ready.status == "True"
    assert "employment-v1" in scene.ready.message
    assert len(scene.created) == 1


def test_the_next_run_is_compared_with_the_highest_approved_version() -> None:
    scene = training()
    for body in guard():
        scene.bodies[body["kind"], body["metadata"]["name"]] = body
    scene.bodies["ModelVersion", "employment-v2"] = make.modelversion(2, decision="Approved")
    scene.bodies["ModelVersion", "employment-v3"] = make.modelversion(3, decision="Rejected")
    champion = scene.look().task["champion"]
    assert champion == {"number": 2, "digest": make.DIGEST, "run": "0" * 20}
    assert scene.status["champion"] == 2


def test_more_gates_than_a_record_holds_start_nothing() -> None:
    def limits(offset: float) -> list[Body]:
        return [{"name": "roc_auc", "min": offset + i / 1000, "max": 1, "maxDropFromChampion": 0.1} for i in range(32)]

    asked = ", ".join(f"{{name: roc_auc, min: 0.{i:03}, max: 1}}" for i in range(32))
    scene = governed(f"gates: {{metrics: [{asked}]}}", {"gates": {"metrics": limits(0.5)}}).look()
    assert (scene.jobs, scene.ready.reason) == ([], "TooManyGates")
    assert "161 gates" in scene.ready.message
    assert "holds 128" in scene.ready.message
    assert scene.edit(gates={"metrics": limits(0.5)[:10]}).look().jobs


def test_a_version_that_somebody_brought_under_that_name_is_not_taken_for_the_runs_own() -> None:
    scene = training().look().begin()
    result = answer(scene)
    scene.bodies["ModelVersion", "employment-v1"] = make.modelversion(1, record={"lineage": {"training": None}})
    scene.problems = (Problem(MODELVERSION, "employment-v1", "NameTaken", "it belongs to somebody else"),)
    scene.succeed(result)
    assert (scene.ready.reason, scene.status["runs"][0]["settled"]) == ("NameTaken", False)
    scene.problems = ()
    scene.remove("ModelVersion").look()
    assert scene.status["runs"][0]["settled"]
    assert version(scene)["spec"]["record"]["lineage"]["training"]["run"] == scene.status["runs"][0]["key"]
