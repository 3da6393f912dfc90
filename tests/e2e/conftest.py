"""The cluster of the session, and tenants: one with a trained model for all, fresh ones for what changes things."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.access import EXAMPLE, Cluster, Tenant, example_training


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster with the operator installed."""
    found = Cluster()
    found.kubectl("--namespace", "merkhet-system", "rollout", "status", "deployment/merkhet", "--timeout=120s")
    return found


@pytest.fixture(scope="module")
def tenants(cluster: Cluster) -> Iterator[Callable[[str], Tenant]]:
    """Makes tenants that are taken away when the file's tests are through."""
    made: list[Tenant] = []

    def make(word: str) -> Tenant:
        made.append(Tenant.make(cluster, f"e2e-{word}-{secrets.token_hex(3)}"))
        return made[-1]

    yield make
    for tenant in made:
        tenant.remove()


@pytest.fixture(scope="module")
def tenant(tenants: Callable[[str], Tenant]) -> Tenant:
    """An empty tenant for the tests of a file."""
    return tenants("empty")


def furnish(tenant: Tenant, *, years: str = "2018") -> Tenant:
    """Put census records into the tenant's store."""
    files = sorted(str(file) for file in EXAMPLE.glob(f"data/census-{years}.parquet"))
    tenant.merkhet("put", *files, "store://raw/employment/")
    return tenant


def train(tenant: Tenant) -> Tenant:
    """A tenant with one version of the example's model, waiting for approval."""
    furnish(tenant)
    tenant.apply(EXAMPLE / "features.yaml", example_training())
    tenant.settled("modeltrainings", "employment")
    return tenant


@pytest.fixture(scope="module")
def trained(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with a version of the example's model."""
    return train(tenants("trained"))


@pytest.fixture(scope="module")
def serving(trained: Tenant) -> Tenant:
    """A tenant whose model is approved and served."""
    trained.merkhet("approve", "employment-v1", "--yes")
    trained.apply(EXAMPLE / "serving.yaml")
    trained.serves("employment", 1)
    return trained
