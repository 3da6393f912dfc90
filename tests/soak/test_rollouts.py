"""Rollouts one after another under load, with pods and the operator killed at random: no request may fail.

``MERKHET_SOAK_ROLLOUTS`` says how many (default 100); a seed makes a run repeatable.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from tests.e2e import visitors
from tests.e2e.access import Tenant, changed, example, example_training, says
from tests.e2e.conftest import cluster, tenants, train
from tests.e2e.test_operator import kill

__all__ = ["cluster", "tenants"]  # fixtures
ROLLOUTS = int(os.environ.get("MERKHET_SOAK_ROLLOUTS", "100"))
SEED = int(os.environ.get("MERKHET_SOAK_SEED", "1"))
DEPLOYMENT = example("serving.yaml")


@pytest.fixture(scope="module")
def twice(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with two approved versions, three servers of the first."""
    tenant = train(tenants("soak"))
    simpler = {"spec.pipeline": [{"estimator": "sklearn.linear_model.LogisticRegression"}], "spec.gates.metrics": []}
    tenant.apply(changed(example_training(), simpler))
    tenant.until("modelversions", "employment-v2", lambda body: says(body, "Ready", "True"), "is registered")
    for number in (1, 2):
        tenant.merkhet("approve", f"employment-v{number}", "--yes")
    tenant.apply(changed(DEPLOYMENT, {"spec.model.version": 1, "spec.replicas": 3}))
    tenant.serves("employment", 1)
    return tenant


def test_rollouts_with_kills_fail_no_request(twice: Tenant) -> None:
    chance = random.Random(SEED)
    for number in range(ROLLOUTS):
        version = 2 - number % 2
        with visitors.crowd(twice, "employment") as met:
            twice.apply(changed(DEPLOYMENT, {"spec.model.version": version, "spec.replicas": 3}))
            if chance.random() < 0.3:
                kill(twice.cluster)
            twice.serves("employment", version)
        assert met.bad == [], f"rollout {number + 1} of {ROLLOUTS}, seed {SEED}"
        print(f"rollout {number + 1} of {ROLLOUTS}: {met.good} answers, {met.versions}", flush=True)
