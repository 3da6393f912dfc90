"""What a model has to keep: limits of its author and of the namespace's policy, and what is told where it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e import applicants
from tests.e2e.access import Body, Tenant, changed, condition, says

PARITY_OF_SEXES = {"metric": "demographic_parity_difference", "by": "sex", "max": 0.2}
POLICY = {"gates": {"fairness": [PARITY_OF_SEXES]}, "card": ["intendedUse"]}
GOVERNED = {"spec.data.sensitive": ["sex"], "spec.card.intendedUse": "Tests of gates; no loan depends on it."}
BESIDE_THE_CHAMPION = "roc_auc against the champion"
REPAID = applicants.training(
    "repaid",
    "repaid",
    {
        **GOVERNED,
        "spec.gates": {
            "metrics": [{"name": "roc_auc", "min": 0.55}, {"name": "roc_auc", "maxDropFromChampion": 0.03}],
            "groups": [{"metric": "recall", "by": "sex", "min": 0.5}],
        },
    },
)
# The code gives the decision away, and women are refused: nobody should want this model.
GRANTED = applicants.training(
    "granted",
    "granted",
    {
        "spec.data.sensitive": ["sex"],
        "spec.data.exclude": ["repaid", "always", "once"],
        "spec.gates.metrics": [{"name": "roc_auc", "min": 0.6}],
        "spec.tests": [
            {"name": "code 40 is a refusal", "input": {"decision_code": 40}, "expect": {"label": 0}},
            {"name": "code 17 is a refusal", "input": {"decision_code": 17}, "expect": {"label": 0}},
        ],
    },
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files of applicants."""
    return tmp_path_factory.mktemp("rows")


@pytest.fixture(scope="module")
def governed(tenants: Callable[[str], Tenant], rows: Path) -> Tenant:
    """Applicants in a namespace with a policy, and trainings at work on them."""
    tenant = tenants("gates")
    # First of all: whoever has seen that there is none looks again after a minute.
    text = {"policy.yaml": yaml.safe_dump(POLICY)}
    tenant.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "merkhet-policy"}, "data": text})
    applicants.put(tenant, rows, applicants.people(3000), "first")
    tenant.apply(applicants.features())
    tenant.settled("featuresets", applicants.NAME)
    tenant.apply(GRANTED, REPAID, *(applicants.training(name, name, GOVERNED) for name in ("always", "once")))
    return tenant


def record(tenant: Tenant, version: str) -> Body:
    """The record of a version."""
    found: Body = tenant.settled("modelversions", version)["spec"]["record"]
    return found


def gates(record: Body) -> dict[str, Body]:
    """Its gates by name; where two have one name, the last one."""
    return {gate["name"]: gate for gate in record["gates"]}


@pytest.fixture(scope="module")
def rejected(governed: Tenant) -> Body:
    """The version that fails, once its card says what the policy asks for."""
    said = governed.stalls("modeltrainings", "granted", "CardIncomplete")
    assert "spec.card.intendedUse" in said
    assert governed.find("jobs", "merkhet.dev/name=granted") == [], "nothing runs before that"
    governed.apply(changed(GRANTED, {"spec.card.intendedUse": "None: it shows what is refused."}))
    governed.settled("modeltrainings", "granted")
    return governed.settled("modelversions", "granted-v1")


def test_a_failed_gate_of_the_policy_registers_a_rejected_version_with_figures(
    governed: Tenant, rejected: Body
) -> None:
    gate = gates(rejected["spec"]["record"])["demographic_parity_difference by sex"]
    assert (gate["result"], gate["source"], gate["limit"]) == ("Failed", "policy", 0.2)
    assert gate["value"] > 0.4
    assert "where sex is 2" in gate["message"]
    assert rejected["spec"]["approval"]["decision"] == rejected["status"]["decision"] == "Rejected"
    assert "demographic_parity_difference" in rejected["spec"]["approval"]["reason"]
    training = governed.settled("modeltrainings", "granted")
    assert says(training, "GatesPassed", "False", "GateFailed")
    assert "granted-v1 is registered as Rejected" in condition(training, "Ready")["message"]
    assert any("demographic_parity_difference by sex" in words for words in training["status"]["policy"])


def test_the_authors_own_gates_are_judged_beside_it(rejected: Body) -> None:
    gate = gates(rejected["spec"]["record"])["roc_auc"]
    assert (gate["result"], gate.get("source", "spec")) == ("Passed", "spec")


def test_a_test_of_the_business_fails_by_its_name(rejected: Body) -> None:
    found = gates(rejected["spec"]["record"])
    assert found["test code 40 is a refusal"]["result"] == "Passed"
    assert found["test code 17 is a refusal"]["result"] == "Failed"
    assert "the model answers 1, 0 was expected" in found["test code 17 is a refusal"]["message"]


def test_a_feature_that_tells_the_target_is_warned_of_by_name(governed: Tenant, rejected: Body) -> None:
    told = [words for words in rejected["spec"]["record"]["warnings"] if "alone tells the target" in words]
    assert [words.split()[1] for words in told] == ["decision_code"]
    assert set(told) <= set(governed.settled("modeltrainings", "granted")["status"]["warnings"])


@pytest.fixture(scope="module")
def champion(governed: Tenant, rows: Path) -> Body:
    """The record of version 1, approved, and the FeatureSet with a fifth more rows behind it."""
    governed.settled("modeltrainings", "repaid")
    first = record(governed, "repaid-v1")
    assert {gate["result"] for gate in first["gates"]} == {"Passed"}
    assert "there is no champion yet" in gates(first)[BESIDE_THE_CHAMPION]["message"]
    governed.merkhet("approve", "repaid-v1", "--yes")
    applicants.put(governed, rows, applicants.people(600, first=3000), "second")
    governed.kubectl("annotate", "featureset", applicants.NAME, "merkhet.dev/run=second", "--overwrite")
    applicants.published(governed, 2)
    governed.until("modeltrainings", "repaid", lambda body: body["status"].get("champion") == 1, "knows its champion")
    return first


def test_a_retrain_on_a_fifth_more_rows_is_not_refused(governed: Tenant, champion: Body) -> None:
    governed.kubectl("annotate", "modeltraining", "repaid", "merkhet.dev/run=second", "--overwrite")
    _registered(governed, 2)
    again = record(governed, "repaid-v2")
    assert again["lineage"]["data"][0]["version"] == 2
    assert again["rows"]["train"] > champion["rows"]["train"]
    assert again["champion"] == 1
    gate = gates(again)[BESIDE_THE_CHAMPION]
    assert gate["result"] == "Passed"
    assert gate["value"] < 0.03
    rest = governed.blob(again["reports"]["evaluation"])["champion"]
    assert rest["rows"] > champion["rows"]["test"], "the new rows that were not learned from count, too"
    assert (governed.get("modelversions", "repaid-v2") or {})["status"]["decision"] == "Pending"


def test_a_retrain_that_has_unlearned_is_rejected(governed: Tenant, champion: Body) -> None:
    assert champion
    without = [*REPAID["spec"]["data"]["exclude"], "income", "debt"]
    governed.apply(changed(REPAID, {"spec.data.exclude": without}))
    _registered(governed, 3)
    gate = gates(record(governed, "repaid-v3"))[BESIDE_THE_CHAMPION]
    assert gate["result"] == "Failed"
    assert gate["value"] > 0.2
    assert "the champion, version 1" in gate["message"]
    body = governed.settled("modelversions", "repaid-v3")
    assert body["status"]["decision"] == "Rejected"
    assert "the champion, version 1" in body["spec"]["approval"]["reason"]


def _registered(tenant: Tenant, number: int) -> None:
    tenant.until(
        "modeltrainings",
        "repaid",
        lambda body: says(body, "Ready", "True") and body["status"].get("latestVersion") == number,
        f"has registered version {number}",
    )


HOPELESS = {
    "a target that is always the same": ("always", "ConstantTarget", "is 1 in every row"),
    "a class that is nowhere to be learned": ("once", "TooFewRows", "once = 1"),
}


@pytest.mark.parametrize(("target", "reason", "words"), HOPELESS.values(), ids=HOPELESS)
def test_rows_that_teach_nothing_are_told_and_no_version_is_made(
    governed: Tenant, target: str, reason: str, words: str
) -> None:
    assert words in governed.stalls("modeltrainings", target, reason)
    assert governed.find("modelversions", f"merkhet.dev/model={target}") == []
    assert governed.listed(f"models/{target}") == {}
