"""A search: pods of an Indexed Job that lose their own trial alone, and one winner however many work at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e import applicants
from tests.e2e.access import Body, Tenant, changed, condition, until

BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
TRIALS = 4
ITERATIONS = 300  # long enough that three pods are at work at once
SPACE = {"learning_rate": {"logUniform": [0.02, 0.3]}, "max_leaf_nodes": {"integers": [3, 31]}}
# At a thousand trees a second this one takes a quarter of an hour, and the two others no second.
SLOW, FAST = 1_000_000, (5, 20)
# Three quarters of it are the search's; the last quarter has to be enough for one fit in a pod of its own.
DEADLINE = "120s"
# Little is asked for, so that the pods of all searches find room, and one core is used, so that none takes all.
AMOUNTS = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
INDEX = "batch.kubernetes.io/job-completion-index"


def searching(name: str, **search: Any) -> Body:
    """A ModelTraining with a search of two folds."""
    step = {"estimator": BOOSTING, "parameters": {"max_iter": ITERATIONS}}
    asked = {"folds": 2, "seed": 5, **search}
    more = {"spec.pipeline": [step], "spec.search": asked, "spec.resources": AMOUNTS}
    return applicants.training(name, "repaid", more)


def pods_of_trials(tenant: Tenant, name: str) -> list[Body]:
    """The pods of a training's search."""
    return tenant.find("pods", f"merkhet.dev/name={name},merkhet.dev/role=try")


def index(pod: Body) -> int:
    """Which trial a pod does."""
    return int(pod["metadata"]["annotations"][INDEX])


def running(pods: list[Body]) -> list[Body]:
    """Those that are at work."""
    stay = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
    return [pod for pod in stay if pod["status"].get("phase") == "Running"]


def names(pods: list[Body]) -> dict[int, str]:
    """Pods by their trials."""
    return {index(pod): pod["metadata"]["name"] for pod in pods}


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant], tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    """Applicants, and three searches: three trials at a time, the same one by one, and one whose time is short."""
    tenant = tenants("search")
    applicants.put(tenant, tmp_path_factory.mktemp("rows"), applicants.people(3000), "first")
    tenant.apply(applicants.features())
    tenant.settled("featuresets", applicants.NAME)
    tenant.apply(searching("together", space=SPACE, trials=TRIALS, parallelism=3))
    return tenant


@pytest.fixture(scope="module")
def lost(furnished: Tenant) -> dict[int, str]:
    """The pods of the first three trials by name, of which the last one was deleted while it worked."""
    first = until(
        lambda: running(pods_of_trials(furnished, "together")), lambda pods: len(pods) == 3, "three trials run at once"
    )
    victim = max(first, key=index)
    furnished.kubectl("delete", "pod", victim["metadata"]["name"], "--grace-period=1", "--wait=false")
    grid = searching("hurried", method="Grid", space={"max_iter": {"values": [*FAST, SLOW]}}, parallelism=3)
    furnished.apply(
        searching("alone", space=SPACE, trials=TRIALS, parallelism=1), changed(grid, {"spec.deadline": DEADLINE})
    )
    return names(first)


@pytest.fixture(scope="module")
def record(furnished: Tenant, lost: dict[int, str]) -> Body:
    """The record of the version that came of the search with three pods at a time."""
    assert len(lost) == 3
    furnished.settled("modeltrainings", "together")
    found: Body = (furnished.get("modelversions", "together-v1") or {})["spec"]["record"]
    return found


def test_trials_are_pods_of_one_indexed_job(furnished: Tenant, record: Body) -> None:
    [job] = furnished.find("jobs", "merkhet.dev/name=together,merkhet.dev/part=search")
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", TRIALS, 3)
    assert job["status"]["succeeded"] == record["search"]["finished"] == TRIALS


def test_a_lost_pod_loses_its_own_trial_alone_and_that_is_made_again(
    furnished: Tenant, lost: dict[int, str], record: Body
) -> None:
    ended = [pod for pod in pods_of_trials(furnished, "together") if pod["status"]["phase"] == "Succeeded"]
    last = names(ended)
    assert set(last) == set(range(TRIALS)), "each trial has a pod that ended well"
    victim = max(lost)
    assert last[victim] != lost[victim]
    others = {trial: name for trial, name in lost.items() if trial != victim}
    assert {trial: last[trial] for trial in others} == others, "nobody else was started again"
    assert record["search"]["trials"] == record["search"]["finished"]


def test_the_status_has_the_search_in_short_and_the_store_in_full(furnished: Tenant, record: Body) -> None:
    training = furnished.settled("modeltrainings", "together")
    told, found = training["status"]["search"], record["search"]
    assert {name: told[name] for name in found} == found
    assert told["run"] == record["lineage"]["training"]["run"]
    trials = furnished.blob(record["reports"]["evaluation"])["search"]["trials"]
    assert [trial["number"] for trial in trials] == list(range(TRIALS))
    best = max(trials, key=lambda trial: trial["value"])
    assert (best["number"], best["value"], best["parameters"]) == (found["best"], found["value"], found["parameters"])
    assert len({trial["parameters"]["learning_rate"] for trial in trials}) == TRIALS
    kept = [path.removesuffix(".json").rpartition("-")[2] for path in furnished.listed(f"trials/{told['run']}")]
    assert sorted(map(int, kept)) == list(range(TRIALS)), "each was found once, by whichever pod"


def test_the_winner_is_trained(record: Body) -> None:
    [step] = record["parameters"]["pipeline"]
    assert step["parameters"] == {"max_iter": ITERATIONS, **record["search"]["parameters"]}


def test_one_pod_at_a_time_finds_the_same_winner(furnished: Tenant, record: Body) -> None:
    furnished.settled("modeltrainings", "alone")
    alone = (furnished.get("modelversions", "alone-v1") or {})["spec"]["record"]["search"]
    together = record["search"]
    assert (alone["best"], alone["parameters"]) == (together["best"], together["parameters"])
    assert alone["value"] == pytest.approx(together["value"], abs=1e-9), "threads add up in any order"


@pytest.mark.usefixtures("lost")
def test_a_deadline_gives_the_best_so_far_and_says_so(furnished: Tenant) -> None:
    training = furnished.settled("modeltrainings", "hurried")
    told = training["status"]["search"]
    assert (told["trials"], told["finished"]) == (3, 2)
    assert told["parameters"]["max_iter"] in FAST
    assert "2 of 3 trials ended before the deadline" in told["message"]
    assert "2 of 3 trials ended before the deadline" in condition(training, "Ready")["message"]
    assert any("2 of 3 trials" in warning for warning in training["status"]["warnings"])
    assert [run["phase"] for run in training["status"]["runs"]] == ["Succeeded"]
