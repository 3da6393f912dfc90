"""A model that somebody brings is judged by a run before any decision counts, and then counts as a trained one."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.contract.runs import REPORT_KEY
from merkhet.kinds.apis import CONFIGMAP
from merkhet.kinds.modelversion import KIND, registered
from merkhet.kinds.modelversion.registered import Registered, champion_of
from merkhet.kinds.policy import KEY, NAME
from tests import make
from tests.unit.kinds.modeldeployment.scene import observed, policy
from tests.unit.kinds.modeltraining.test_training import features
from tests.unit.kinds.runs.scene import Scene

URI = "store://raw/imported/model.onnx"
BLOB = f"blobs/sha256/{make.DIGEST[7:]}"
PASSED = {"name": "roc_auc", "result": "Passed", "value": 0.9, "limit": 0.85}
FAILED = {"name": "recall", "result": "Failed", "value": 0.7, "limit": 0.8, "message": "recall is 0.7, 0.8 was wanted"}
JUDGING = {
    "featureSet": {"name": "employment"},
    "target": "employed",
    "gates": {"metrics": [{"name": "roc_auc", "min": 0.85}]},
}


def brought(
    number: int = 3, *, decision: str = "Pending", evaluation: Body | None = JUDGING, lineage: Body | None = None
) -> Body:
    """A ModelVersion as `kubectl merkhet import` makes it."""
    artifact = {"digest": make.DIGEST, "size": 1724233, "format": "onnx", "uri": URI}
    unknown = dict.fromkeys(("metrics", "gates", "reports", "parameters", "usage"))
    record = {"artifact": artifact, "lineage": lineage or {"author": "dana@example.com"}, **unknown}
    body = make.modelversion(number, decision=decision, record=record)
    if evaluation is not None:
        body["spec"]["evaluation"] = evaluation
    return body


def scene(body: Body | None = None, *bodies: Body, **settings: Any) -> Scene:
    """A version that was brought, in a namespace with its rows and a cluster where approvals are guarded."""
    return Scene(body or brought(), *policy(), *(bodies or (features(1),)), **settings)


def answer(at_work: Scene, **more: Any) -> Body:
    """What the pod answers."""
    result = make.training_result(3)
    key = at_work.job["metadata"]["labels"]["merkhet.dev/run"]
    result["lineage"] |= {"training": {"run": key}}
    result["reports"]["evaluation"] = "sha256:" + "c" * 64
    return {**result, **more}


def judged(body: Body | None = None, *, gates: tuple[Body, ...] = (PASSED,), **more: Any) -> Scene:
    """A version whose run ended well."""
    at_work = scene(body).look().begin()
    return at_work.succeed(answer(at_work, gates=list(gates), **more))


def decide(version: Scene, decision: str) -> Scene:
    """A person decides."""
    approval = {"decision": decision, "by": "gwen@example.com", "reason": ""}
    return version.edit(approval=approval).look()


def test_a_run_judges_it_on_the_rows_that_are_named() -> None:
    version = scene().look()
    task = version.task
    assert task["data"] == {"featureSet": "employment", "version": 1, "digest": f"sha256:{1:064x}"}
    assert (task["target"], task["model"], task["task"]) == ("employed", "employment", "Classification")
    assert task["gates"]["metrics"] == [{"name": "roc_auc", "min": 0.85, "source": "spec"}]
    assert (task["pipeline"], task["author"]) == ([], "dana@example.com")
    given = task["brought"]
    assert (given["number"], given["uri"], given["digest"], given["size"]) == (3, URI, make.DIGEST, 1724233)
    assert given["signature"]["classes"] == [0, 1]
    [container, *_] = version.job["spec"]["template"]["spec"]["containers"]
    assert "train" in [*container.get("command", []), *container.get("args", [])]


def test_it_waits_for_its_rows() -> None:
    version = Scene(brought(), *policy()).look()
    assert (version.created, version.ready.status, version.ready.reason) == ([], "False", "FeatureSetMissing")
    version.bodies["FeatureSet", "employment"] = features(1)
    assert len(version.look().created) == 1


def test_what_is_found_stands_in_its_status() -> None:
    version = judged()
    found = version.status["evaluation"]
    assert found["metrics"][0]["value"] == 0.905
    assert [(gate["name"], gate["result"]) for gate in found["gates"]] == [("roc_auc", "Passed")]
    assert found["rows"] == {"train": 750, "test": 250}
    assert found["data"] == [{"featureSet": "employment", "version": 1, "digest": f"sha256:{1:064x}"}]
    assert found["run"] == version.status["runs"][0]["key"]
    assert (version.status["figure"], version.ready.reason) == ("0.905", "Registered")
    assert version.ready.message == "version 3 of employment is registered, roc_auc 0.905"
    assert (version.status["runs"][0]["version"], version.status["runs"][0]["settled"]) == (3, True)


@pytest.mark.parametrize("decision", ["Pending", "Approved", "Rejected"])
def test_nobody_decides_before_it_is_judged(decision: str) -> None:
    version = scene(brought(decision=decision)).look().begin("judging its answers")
    assert (version.status["decision"], version.fact("Approved").reason) == ("Pending", "NotEvaluated")
    assert "is judged before anybody may approve it" in version.fact("Approved").message


@pytest.mark.parametrize("decision", ["Pending", "Approved"])
def test_a_failed_gate_rejects_whatever_a_person_says(decision: str) -> None:
    version = decide(judged(gates=(PASSED, FAILED)), decision)
    assert (version.status["decision"], version.fact("Approved").reason) == ("Rejected", "GateFailed")
    assert "recall is 0.7, 0.8 was wanted" in version.fact("Approved").message


def test_a_person_decides_about_one_that_passed() -> None:
    version = judged()
    assert (version.status["decision"], version.fact("Approved").reason) == ("Pending", "AwaitingApproval")
    assert decide(version, "Approved").status["decision"] == "Approved"
    assert decide(version, "Rejected").status["decision"] == "Rejected"
    assert len(version.created) == 1


def test_without_the_policy_nothing_counts() -> None:
    version = decide(judged(), "Approved").remove("ValidatingAdmissionPolicy").look()
    assert (version.status["decision"], version.fact("Approved").reason) == ("Pending", "PolicyMissing")


@pytest.mark.parametrize("decision", ["Pending", "Approved"])
def test_one_that_nobody_asks_to_judge_is_registered_and_never_served(decision: str) -> None:
    version = scene(brought(evaluation=None, decision=decision)).look()
    assert (version.created, version.ready.status) == ([], "True")
    assert (version.status["decision"], version.fact("Approved").reason) == ("Pending", "NotEvaluated")
    assert "spec.evaluation" in version.fact("Approved").message
    assert [kind for kind, _ in version.bodies if kind in {"Job", "ConfigMap", "ServiceAccount"}] == []


def test_an_evaluation_that_is_added_later_is_done() -> None:
    version = scene(brought(evaluation=None)).look().edit(evaluation=JUDGING)
    assert len(version.look().created) == 1


def test_a_trained_one_is_not_judged_again() -> None:
    trained = make.modelversion(3, decision="Approved")
    trained["spec"]["evaluation"] = JUDGING
    version = scene(trained).look()
    assert (version.created, version.status["decision"]) == ([], "Approved")
    assert {kind for kind, _ in version.bodies} == {"FeatureSet", *(body["kind"] for body in policy())}
    assert "evaluation" not in version.status


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [({"name": "best"}, "Misnamed"), ({"labels": {}}, "Mislabelled")],
    ids=["another name", "another label"],
)
def test_nothing_is_judged_that_nobody_would_find(metadata: Body, reason: str) -> None:
    body = brought()
    body["metadata"] |= metadata
    version = scene(body).look()
    assert (version.created, version.fact("Stalled").reason) == ([], reason)


def governed(text: str, body: Body | None = None) -> Scene:
    """In a namespace with a policy."""
    return scene(body, features(1), make.body(CONFIGMAP, NAME, data={KEY: text}))


def test_the_limits_of_the_policy_hold_for_it_too() -> None:
    gates = governed("gates: {metrics: [{name: recall, min: 0.8}], latency: {p99Milliseconds: 5}}").look().task["gates"]
    assert [(one["name"], one["min"], one["source"]) for one in gates["metrics"]] == [
        ("roc_auc", 0.85, "spec"),
        ("recall", 0.8, "policy"),
    ]
    assert gates["latency"] == {"p99Milliseconds": 5, "source": "policy"}


ASKED: dict[str, tuple[str, Body, str, str]] = {
    "limitations": ("card: [limitations]", JUDGING, "CardIncomplete", "spec.card.limitations"),
    "an author": ("author: true", JUDGING, "AuthorMissing", "author"),
    "figures by group": (
        "gates: {groups: [{metric: recall, by: SEX, min: 0.5}]}",
        JUDGING,
        "SensitiveMissing",
        "figures by SEX",
    ),
    "what cannot be read": ("gates: 3", JUDGING, "PolicyInvalid", "is no policy"),
}


@pytest.mark.parametrize(("text", "judging", "reason", "words"), ASKED.values(), ids=ASKED)
def test_nothing_is_judged_while_the_policy_asks_for(text: str, judging: Body, reason: str, words: str) -> None:
    version = governed(text, brought(evaluation=judging, lineage={"revision": "abc"})).look()
    assert (version.created, version.fact("Stalled").reason) == ([], reason)
    assert words in version.fact("Stalled").message


def test_the_champion_is_another_version() -> None:
    body = brought(3, decision="Approved")
    others = (make.modelversion(2), make.modelversion(5, decision="Rejected"))
    version = scene(body, features(1), body, *others).look()
    assert version.task["champion"] == {"number": 2, "digest": make.DIGEST, "run": "0" * 20}


def test_there_is_no_champion_where_it_is_the_only_version() -> None:
    body = brought(3, decision="Approved")
    version = scene(body, features(1), body).look()
    assert version.task.get("champion") is None


def as_registered(version: Scene) -> Registered:
    """What a ModelDeployment takes it for."""
    found = registered.registered(version.owner, policy_in_force=True)
    assert isinstance(found, Registered), found
    return found


def test_deployments_get_the_whole_record() -> None:
    version = decide(judged(), "Approved")
    found = as_registered(version)
    assert found.decision.name == "Approved"
    assert (found.record.artifact.uri, found.record.artifact.digest) == (BLOB, make.DIGEST)
    assert found.record.reports["golden"] == "sha256:" + "b" * 64
    assert found.record.metrics[0].name == "roc_auc"
    assert found.record.gates[0].result == "Passed"
    assert [one.feature_set for one in found.record.lineage.data] == ["employment"]


def test_before_it_is_judged_deployments_see_that_it_is_not() -> None:
    found = as_registered(scene(brought(decision="Approved")).look())
    assert (found.decision.name, found.decision.reason) == ("Pending", "NotEvaluated")


def test_what_it_learned_from_is_unknown_to_the_next_candidate() -> None:
    champion = champion_of(as_registered(decide(judged(), "Approved")).record)
    assert champion is not None
    assert (champion.number, champion.run) == (3, None)


SPOILT: dict[str, Body] = {
    "of another run": {"lineage": {"training": {"run": "f" * 20}, "data": []}},
    "of another number": {"number": 4},
    "of another model": {"model": "income"},
    "of other bytes": {"artifact": {"digest": "sha256:" + "d" * 64, "size": 1, "uri": "blobs/sha256/" + "d" * 64}},
    "without a model": {"artifact": None},
}


@pytest.mark.parametrize("more", SPOILT.values(), ids=SPOILT)
def test_a_result_is_of_no_use(more: Body) -> None:
    version = judged(**more).look(4)
    assert version.fact("Stalled").reason == "ResultUnreadable"
    assert "evaluation" not in version.status
    assert version.status["decision"] == "Pending"
    assert len(version.created) == 1


def test_a_result_that_cannot_be_read_is_of_no_use() -> None:
    version = scene().look().begin()
    version.succeed({"model": 3})
    assert (version.fact("Stalled").reason, version.status["decision"]) == ("ResultUnreadable", "Pending")


def test_a_refusal_is_said_and_the_version_stays_undecided() -> None:
    version = scene(brought(decision="Approved")).look().begin()
    version.refuse("NumberTaken", "number 3 of model employment is another version's")
    assert (version.fact("Stalled").reason, version.status["decision"]) == ("NumberTaken", "Pending")
    assert len(version.look(4).created) == 1


MEANS: dict[str, Body] = {
    "memory": {"resources": {"limits": {"memory": "9Gi"}}},
    "a deadline": {"deadline": "2h"},
}


@pytest.mark.parametrize("more", MEANS.values(), ids=MEANS)
def test_a_failed_run_is_tried_again_with_more(more: Body) -> None:
    version = scene().look().begin().fail({"terminated": {"exitCode": 1}})
    assert len(version.look(4).created) == 1
    assert len(version.edit(**more).look().created) == 2


@pytest.mark.parametrize("more", MEANS.values(), ids=MEANS)
def test_what_decides_nothing_judges_nothing_again(more: Body) -> None:
    assert len(judged().edit(**more).look(4).created) == 1


def test_a_suspended_version_is_not_judged_until_it_goes_on() -> None:
    version = scene().edit(suspend=True).look()
    assert (version.created, version.ready.reason) == ([], "Suspended")
    assert len(version.edit(suspend=False).look().created) == 1


def test_a_run_by_annotation_judges_it_again_under_the_same_claim() -> None:
    version = judged()
    before = version.task["brought"]["claim"]
    version.annotate("again").look()
    assert len(version.created) == 2
    assert version.task["brought"]["claim"] == before
    assert version.task["run"]["key"] != before
    assert (version.status["decision"], version.status["evaluation"]["metrics"][0]["value"]) == ("Pending", 0.905)


def test_a_judgement_made_again_counts_instead_of_the_first() -> None:
    version = decide(judged(), "Approved").annotate("again").look().begin()
    version.succeed(answer(version, gates=[FAILED]))
    assert (version.status["decision"], version.fact("Approved").reason) == ("Rejected", "GateFailed")


def test_a_job_made_again_works_on_the_rows_it_began_with() -> None:
    version = scene().look().begin()
    version.bodies["FeatureSet", "employment"] = features(1, 2)
    version.remove("Job").remove("Pod").look()
    assert version.task["data"]["version"] == 1


def test_a_lost_status_is_found_again_in_the_report() -> None:
    version = decide(judged(), "Approved").forget_status().look(2)
    assert version.status["decision"] == "Approved"
    assert len(version.created) == 1
    assert REPORT_KEY in version.bodies["ConfigMap", "employment-v3-mv-report"]["data"]


def test_a_version_without_a_run_reads_no_rows() -> None:
    resource = make.resource(KIND, make.modelversion(3))
    assert observed(KIND, resource, make.world(features(1))).features == {}
