"""Mortgage applications: groups that differ are said with their figures, and kept back where that is asked for.

The figures are those of Wooldridge, Introductory Econometrics: 70.78 % of 308 non-white applicants were approved, and
90.84 % of 1,681 white ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.access import Body, Tenant, condition, example, says
from tests.e2e.loans import loans

FOUR_FIFTHS = {"demographic_parity_difference": 0.1, "demographic_parity_ratio": 0.8}


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with the applications in its store."""
    tenant = tenants("bias")
    tenant.merkhet("put", str(loans()), "store://raw/loans/")
    return tenant


def features(name: str, query: str = "select * from loans", **bias: Any) -> Body:
    """The applications as features, compared by ``white``."""
    return {
        "apiVersion": example("features.yaml")["apiVersion"],
        "kind": "FeatureSet",
        "metadata": {"name": name},
        "spec": {
            "sources": [{"name": "loans", "uri": "store://raw/loans/loanapp.csv"}],
            "query": query,
            "bias": {"sensitive": [{"column": "white"}], "label": "approve", "limits": FOUR_FIFTHS, **bias},
        },
    }


def compared(tenant: Tenant, name: str, status: str, reason: str) -> Body:
    """The FeatureSet once its groups have been compared with this outcome."""
    return tenant.until(
        "featuresets", name, lambda body: says(body, "BiasAcceptable", status, reason), f"says BiasAcceptable/{reason}"
    )


def finding(body: Body, metric: str) -> Body:
    """What was found of a figure."""
    return next(one for one in body["status"]["bias"]["findings"] if one["metric"] == metric)


def test_groups_that_differ_are_said_and_published(furnished: Tenant) -> None:
    furnished.apply(features("loans"))
    body = compared(furnished, "loans", "False", "LimitsExceeded")
    assert says(body, "Ready", "True", "Published")
    groups = {group["group"]: (group["rows"], round(group["rate"], 4)) for group in body["status"]["bias"]["groups"]}
    assert groups == {"0": (308, 0.7078), "1": (1681, 0.9084)}
    difference, ratio = (finding(body, metric) for metric in FOUR_FIFTHS)
    assert (round(difference["value"], 4), difference["result"]) == (0.2006, "Failed")
    # Beyond four fifths, which 308 applicants do not make sure: the interval has the limit in it.
    assert (round(ratio["value"], 3), ratio["limit"], ratio["result"]) == (0.779, 0.8, "Inconclusive")
    assert ratio["low"] < 0.8 < ratio["high"]
    assert "0.7078 (n=308) in group 0 and 0.9084 (n=1681) in group 1" in condition(body, "BiasAcceptable")["message"]


def test_what_is_not_sure_is_unknown(furnished: Tenant) -> None:
    furnished.apply(features("unsure", limits={"demographic_parity_ratio": 0.8}, onFailure="Block"))
    body = compared(furnished, "unsure", "Unknown", "Inconclusive")
    assert says(body, "Ready", "True", "Published")


def test_blocked_rows_leave_the_last_good_version(furnished: Tenant) -> None:
    approved = "select * from loans where approve = 1"
    furnished.apply(features("careful", approved, onFailure="Block"))
    furnished.settled("featuresets", "careful")
    compared(furnished, "careful", "True", "WithinLimits")
    furnished.apply(features("careful", onFailure="Block"))
    assert "demographic_parity_difference of white: 0.2006" in furnished.stalls("featuresets", "careful", "BiasBlocked")
    body = compared(furnished, "careful", "False", "LimitsExceeded")
    assert condition(body, "Ready")["status"] == "True"
    assert [version["version"] for version in body["status"]["versions"]] == [1]


def test_what_cannot_be_meant_is_refused_by_name(furnished: Tenant) -> None:
    furnished.apply(features("unmeant", sensitive=[{"column": "colour"}]))
    assert "column colour, named in `sensitive`" in furnished.stalls("featuresets", "unmeant", "MissingColumn")
    furnished.apply(features("nobody", positive=7))
    assert "the positive value 7 of the label approve" in furnished.stalls("featuresets", "nobody", "InvalidBias")
