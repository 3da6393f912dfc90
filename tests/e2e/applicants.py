"""People who ask for a loan, made up: few columns whose part in each answer is known, so that gates are certain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.e2e.access import Body, Tenant, changed

NAME = "applicants"
FOLDER = f"store://raw/{NAME}/"
# Whoever is asked one of these is told none of the others.
ANSWERS = ("repaid", "granted", "decision_code", "always", "once")
FEATURES = ("age", "income", "debt", "sex")
API = "merkhet.dev/v1alpha1"


def people(count: int, first: int = 0) -> pa.Table:
    """Applicants from number ``first`` on; the same numbers are the same people each time.

    ``repaid`` depends on income, debt and age; ``granted`` on income and, strongly, on sex; ``decision_code`` is
    ``granted`` in other words; ``always`` is 1, and ``once`` is 1 of applicant 0 alone.
    """
    random = np.random.default_rng((11, first))
    sex = random.integers(1, 3, count)
    age = random.integers(18, 80, count)
    income, debt = random.gamma(4.0, 10.0, count), random.gamma(2.0, 10.0, count)
    repaid = income / 10 + age / 40 - debt / 8 + random.logistic(size=count) > 2.5
    granted = income / 10 + 4.0 * (sex == 1) + random.logistic(size=count) > 6.0
    number = np.arange(first, first + count)
    columns = {
        "applicant_id": number,
        "age": age.astype(np.int32),
        "income": income.astype(np.float32),
        "debt": debt.astype(np.float32),
        "sex": sex.astype(np.int32),
        "repaid": repaid.astype(np.int32),
        "granted": granted.astype(np.int32),
        "decision_code": np.where(granted, 17, 40).astype(np.int32),
        "always": np.ones(count, dtype=np.int32),
        "once": (number == 0).astype(np.int32),
    }
    return pa.table(columns)


def put(tenant: Tenant, folder: Path, table: pa.Table, name: str) -> None:
    """Put applicants into the tenant's store as one more file of theirs."""
    file = folder / f"{name}.parquet"
    pq.write_table(table, file)
    tenant.merkhet("put", str(file), FOLDER)


def features() -> Body:
    """The FeatureSet of all files of theirs."""
    spec = {
        "sources": [{"name": NAME, "uri": f"{FOLDER}*.parquet"}],
        "query": f"select * from {NAME}",
        "entity": ["applicant_id"],
    }
    return {"apiVersion": API, "kind": "FeatureSet", "metadata": {"name": NAME}, "spec": spec}


def published(tenant: Tenant, number: int) -> Body:
    """The FeatureSet once it has this version."""
    return tenant.until(
        "featuresets",
        NAME,
        lambda body: ((body.get("status") or {}).get("latest") or {}).get("version") == number,
        f"has version {number}",
    )


def training(name: str, target: str, changes: Mapping[str, Any] | None = None) -> Body:
    """A ModelTraining on them: a logistic regression, with changes at dotted paths."""
    spec = {
        "task": "Classification",
        "positive": 1,
        "data": {
            "featureSet": {"name": NAME},
            "target": target,
            "exclude": [answer for answer in ANSWERS if answer != target],
            "split": {"method": "Random", "testFraction": 0.25, "seed": 3},
        },
        "pipeline": [
            {"estimator": "sklearn.preprocessing.StandardScaler"},
            {"estimator": "sklearn.linear_model.LogisticRegression"},
        ],
        "approval": "Manual",
    }
    body = {"apiVersion": API, "kind": "ModelTraining", "metadata": {"name": name}, "spec": spec}
    return changed(body, changes or {})
