"""Components: proven once, used by trainings and FeatureSets by version, and never another under the same one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.access import EXAMPLE, Body, Tenant, changed, condition, example_features, example_training, says
from tests.e2e.conftest import furnish

FEATURES, TRAINING = example_features(), example_training()
BANDS = "create macro age_band(age) as case when age < 25 then 0 when age < 55 then 1 else 2 end"
BANDED: Body = {
    "input": {"AGEP": [16, 25, 54, 55]},
    "query": "select age_band(AGEP) as band from input",
    "output": {"band": [0, 1, 1, 2]},
}
CLEAN = """
import pyarrow.compute as pc

def clean(table):
    place = table.column_names.index("AGEP")
    return table.set_column(place, "AGEP", pc.min_element_wise(table["AGEP"], 90.0))
"""


@pytest.fixture(scope="module")
def furnished(tenants: Callable[[str], Tenant]) -> Tenant:
    """A tenant with census records in its store and the example's component."""
    tenant = furnish(tenants("components"))
    tenant.apply(EXAMPLE / "components.yaml")
    return tenant


def component(name: str, **spec: object) -> Body:
    """A Component."""
    body = {"apiVersion": "merkhet.dev/v1alpha1", "kind": "Component", "metadata": {"name": name}}
    return {**body, "spec": {"version": "1", **spec}}


def capped(*wanted: float, source: str = CLEAN) -> Body:
    """The python component that caps ages."""
    python = {"entrypoint": "clean", "source": source}
    return component(
        "cap-ages", python=python, examples=[{"input": {"AGEP": [30.5, 95.0]}, "output": {"AGEP": [*wanted]}}]
    )


def features(name: str, *, query: str, uses: str) -> Body:
    """The example's FeatureSet with a component, and nothing of others."""
    named = [{"name": uses, "version": "1"}]
    return changed(FEATURES, {"metadata.name": name, "spec.query": query, "spec.components": named})


def training(name: str, learns_from: str) -> Body:
    """The example's ModelTraining with a component before its last step."""
    pipeline = [{"component": {"name": "census-preparation", "version": "1"}}, *TRAINING["spec"]["pipeline"]]
    return changed(
        TRAINING,
        {
            "metadata.name": name,
            "spec.model": name,
            "spec.data.featureSet": {"name": learns_from},
            "spec.pipeline": pipeline,
        },
    )


def test_a_training_uses_steps_and_its_lineage_says_which(furnished: Tenant) -> None:
    prepared = furnished.settled("components", "census-preparation")
    furnished.apply(FEATURES, training("prepared", "employment"))
    furnished.settled("modeltrainings", "prepared")
    record = (furnished.get("modelversions", "prepared-v1") or {})["spec"]["record"]
    digest = prepared["status"]["digest"]
    assert record["lineage"]["components"] == [{"name": "census-preparation", "version": "1", "digest": digest}]
    furnished.until(
        "components",
        "census-preparation",
        lambda body: {"kind": "ModelTraining", "name": "prepared", "version": "1"} in body["status"]["usedBy"],
        "says that prepared uses it",
    )


def test_a_query_uses_macros(furnished: Tenant) -> None:
    furnished.apply(component("age-bands", sql={"macros": BANDS}, examples=[BANDED]))
    bands = furnished.settled("components", "age-bands")
    query = "select *, age_band(AGEP) as band from census where AGEP >= 16"
    furnished.apply(features("banded", query=query, uses="age-bands"))
    status = furnished.settled("featuresets", "banded")["status"]
    assert "band" in {column["name"] for column in status["columns"]}
    assert [one["digest"] for one in status["components"]] == [bands["status"]["digest"]]


def test_a_wrong_example_is_told_and_a_corrected_one_stands_and_is_used(furnished: Tenant) -> None:
    furnished.apply(capped(30.5, 91.0))
    assert "column AGEP row 2 is 90, wanted 91" in furnished.stalls("components", "cap-ages", "ExamplesFailed")
    furnished.apply(features("capped", query="select * from census where AGEP >= 16", uses="cap-ages"))
    furnished.stalls("featuresets", "capped", "ComponentStalled")
    furnished.apply(capped(30.5, 90.0))
    furnished.settled("components", "cap-ages")
    status = furnished.settled("featuresets", "capped")["status"]
    assert [one["name"] for one in status["components"]] == ["cap-ages"]


def test_another_source_under_a_standing_version_is_refused(furnished: Tenant) -> None:
    furnished.apply(capped(30.5, 90.0))
    furnished.settled("components", "cap-ages")
    assert "this version stands" in furnished.refused(capped(30.5, 90.0, source=CLEAN.replace("90.0", "80.0")))


def test_a_deleted_component_stays_in_use_and_its_version_stays_taken(furnished: Tenant) -> None:
    furnished.apply(component("doubled", sql={"macros": "create macro twice(a) as 2 * a"}, examples=[_twice(4)]))
    digest = furnished.settled("components", "doubled")["status"]["digest"]
    furnished.kubectl("delete", "component", "doubled", "--wait=true")
    query = "select *, twice(AGEP) as twice_as_old from census where AGEP >= 16"
    furnished.apply(features("pinned", query=query, uses="doubled"))
    body = furnished.settled("featuresets", "pinned")
    assert "component doubled was deleted; version 1 stays in use" in condition(body, "Ready")["message"]
    assert [one["digest"] for one in body["status"]["components"]] == [digest]
    furnished.apply(component("doubled", sql={"macros": "create macro twice(a) as 3 * a"}, examples=[_twice(6)]))
    assert digest in furnished.stalls("components", "doubled", "VersionTaken")
    furnished.until("featuresets", "pinned", lambda body: says(body, "Ready", "True"), "stays Ready")


def _twice(wanted: int) -> Body:
    return {"input": {"a": [2]}, "query": "select twice(a) as b from input", "output": {"b": [wanted]}}
