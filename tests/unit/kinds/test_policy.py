"""The namespace's policy beside the spec: the stricter holds, each limit says whose it is, a broken one stops all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from merkhet.api.meta import Api, Body
from merkhet.contract import training as contract
from merkhet.kinds import policy
from merkhet.kinds.policy import Policy, SeenPolicy
from merkhet.kinds.run import Block
from tests import make


class World:
    """A namespace with a policy or none."""

    def __init__(self, body: Body | None) -> None:
        self.body = body

    async def read(self, _api: Api, _namespace: str | None, name: str) -> Body | None:
        assert name == "merkhet-policy"
        return self.body


def seen(text: str | None, key: str = "policy.yaml") -> SeenPolicy:
    body = None if text is None else {"metadata": {"name": "merkhet-policy"}, "data": {key: text}}
    world: Any = World(body)
    return asyncio.run(policy.observe(make.NAMESPACE, world))


def read(text: str) -> Policy:
    found = seen(text)
    assert not found.fault
    return found.policy


def _faults(found: SeenPolicy, card: dict[str, str]) -> list[Block]:
    return list(policy.faults(found, card, None, (), "Classification"))


def test_without_a_policy_nothing_more_is_asked() -> None:
    own = contract.Gates(metrics=(contract.MetricLimit(name="roc_auc", min=0.8),))
    assert seen(None) == SeenPolicy()
    assert policy.merged(own, Policy(), "Classification") == own
    assert not policy.words(SeenPolicy(), "Classification")


def test_limits_of_the_policy_stand_beside_the_specs_and_say_whose_they_are() -> None:
    own = contract.Gates(metrics=(contract.MetricLimit(name="roc_auc", min=0.7),))
    both = policy.merged(own, read("gates: {metrics: [{name: roc_auc, min: 0.8}]}"), "Classification")
    assert [(one.min, one.source) for one in both.metrics] == [(0.7, "spec"), (0.8, "policy")]


def test_what_the_spec_says_word_for_word_is_not_asked_twice() -> None:
    own = contract.Gates(metrics=(contract.MetricLimit(name="roc_auc", min=0.8),))
    assert policy.merged(own, read("gates: {metrics: [{name: roc_auc, min: 0.8}]}"), "Classification") == own


@pytest.mark.parametrize(
    ("spec", "text", "holds"),
    [
        (0.0001, "0.00001", (0.00001, "policy")),
        (0.00001, "0.0001", (0.00001, "spec")),
    ],
    ids=["the policy's is stricter", "the spec's is stricter"],
)
def test_of_two_bounds_of_parity_the_smaller_holds(spec: float, text: str, holds: tuple[float, str]) -> None:
    own = contract.Gates(parity=contract.ParityLimit(max_difference=spec))
    found = policy.merged(own, read(f"gates: {{parity: {{maxDifference: {text}}}}}"), "Classification").parity
    assert (found.max_difference, found.source) == holds


def test_a_policy_that_says_nothing_of_parity_leaves_the_specs() -> None:
    own = contract.Gates(parity=contract.ParityLimit(max_difference=0.01))
    assert policy.merged(own, read("approval: Manual"), "Classification").parity == own.parity


def test_a_latency_that_only_the_policy_names_is_asked() -> None:
    found = policy.merged(contract.Gates(), read("gates: {latency: {p99Milliseconds: 5}}"), "Regression").latency
    assert found == contract.LatencyLimit(p99_milliseconds=5, source="policy")


def test_a_regression_is_not_asked_what_only_a_classification_has() -> None:
    text = (
        "gates: {metrics: [{name: roc_auc, min: 0.8}, {name: r2, min: 0.3}], "
        "fairness: [{metric: demographic_parity_difference, by: SEX, max: 0.2}]}"
    )
    found = policy.merged(contract.Gates(), read(text), "Regression")
    assert [one.name for one in found.metrics] == ["r2"]
    assert not found.fairness


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("approval: Sometimes", "approval: Input should be 'Manual' or 'Automatic'"),
        ("gates: {metrics: [{name: roc_auc, least: 1}]}", "gates.metrics.0.least: Extra inputs are not permitted"),
        ("gates: [", "while parsing"),
        ("just words", "Input should be a valid dictionary"),
        ("[]", "Input should be a valid dictionary"),
        ("approval: 2026-13-45", "month must be in 1..12"),
        ("[" * 5000, "nested too deeply"),
        ("card: [contact, contact, contact, contact, contact, contact, contact]", "card: Tuple should have at most 6"),
        ("gates: {metrics: [{name: roc-auc, min: 0.8}]}", "gates: there is no figure roc-auc; there are roc_auc, acc"),
        ("gates: {groups: [{metric: recal, by: SEX, min: 0.8}]}", "there is no figure recal;"),
        ("gates: {metrics: [{name: roc_auc}]}", "the limit on roc_auc lets everything pass"),
        ("gates: {groups: [{metric: recall, by: SEX}]}", "the limit on recall by SEX lets everything pass"),
        (
            "gates: {fairness: [{metric: demographic_parity_ratio, by: SEX, max: 0.8}]}",
            "the limit on demographic_parity_ratio by SEX: a difference has a max, a ratio a min, and no other",
        ),
        ("gates: {metrics: [{name: roc_auc, min: .nan}]}", "a limit is infinite or no number"),
        ("gates: {latency: {p99Milliseconds: .inf}}", "a limit is infinite or no number"),
    ],
    ids=[
        "a wrong value",
        "an unknown field",
        "no YAML",
        "no object",
        "an empty list",
        "a date that is none",
        "too deep",
        "the same over and over",
        "a misspelt figure",
        "a misspelt figure of groups",
        "a limit without ends",
        "a limit of groups without ends",
        "a ratio with the wrong end",
        "a limit that is no number",
        "a limit without end",
    ],
)
def test_a_policy_that_cannot_be_read_stops_trainings_and_lets_nothing_go(text: str, said: str) -> None:
    found = seen(text)
    assert said in found.fault
    assert "merkhet-policy" in found.fault
    (block,) = policy.faults(found, {}, None, (), "Classification")
    assert (block.reason, block.stalls) == ("PolicyInvalid", True)
    assert found.versions_kept > 1_000_000


def test_a_policy_under_another_key_is_missed() -> None:
    assert "has no key policy.yaml" in seen("approval: Manual", key="policy").fault


def test_what_the_policy_asks_of_the_spec_is_said_before_anything_runs() -> None:
    found = seen(
        "card: [intendedUse, limitations]\nauthor: true\n"
        "gates: {fairness: [{metric: demographic_parity_difference, by: SEX, max: 0.2}]}"
    )
    reasons = {block.reason: block.message for block in _faults(found, {"intendedUse": "x"})}
    assert set(reasons) == {"CardIncomplete", "AuthorMissing", "SensitiveMissing"}
    assert "spec.card.limitations" in reasons["CardIncomplete"]
    assert "intendedUse" not in reasons["CardIncomplete"]
    assert "SEX" in reasons["SensitiveMissing"]
    complete = {"intendedUse": "x", "limitations": "y"}
    assert not list(policy.faults(found, complete, "dana@example.com", ("SEX",), "Classification"))


def test_groups_are_asked_for_where_they_are_judged_alone() -> None:
    found = seen("gates: {fairness: [{metric: demographic_parity_difference, by: SEX, max: 0.2}]}")
    assert [block.reason for block in _faults(found, {})] == ["SensitiveMissing"]
    assert not list(policy.faults(found, {}, None, (), "Regression"))


def test_an_empty_policy_asks_for_nothing() -> None:
    assert seen("# nothing yet") == SeenPolicy()


def test_the_status_says_in_words_what_the_policy_adds() -> None:
    found = seen(
        "approval: Manual\ncard: [contact]\ngates:\n  metrics: [{name: recall, min: 0.5, maxDropFromChampion: 0.01}]\n"
        "  fairness: [{metric: demographic_parity_ratio, by: SEX, min: 0.8}]\n  parity: {maxDifference: 0.00001}\n"
    )
    assert policy.words(found, "Classification") == (
        "recall at least 0.5 and at most 0.01 worse than the champion",
        "demographic_parity_ratio by SEX at least 0.8",
        "parity at most 1e-05",
        "approval by a person",
        "card.contact",
    )
