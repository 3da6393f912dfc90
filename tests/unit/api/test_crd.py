"""What a kind reads like as a CustomResourceDefinition."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.crd import definition
from merkhet.api.meta import Api
from merkhet.api.schema import SchemaError
from merkhet.kinds.kind import Cel, Column, Kind, Plan, Report


class Stone(Part):
    """A stone."""

    weight: int = Field(ge=1, description="In kilograms.")


class PyramidSpec(Part):
    """What is to be built."""

    replicas: int = Field(default=1, description="How many.")
    stones: tuple[Stone, ...] = Field(default=(), max_length=10, description="Out of what.")


class PyramidStatus(StatusPart):
    """What stands."""

    height: int = Field(default=0, description="In metres.")


async def observe(_resource: Any, _world: Any) -> None:
    """Nothing."""


def kind(**options: Any) -> Kind:
    return Kind(
        api=Api("merkhet.dev", "v1alpha1", "Pyramid", "pyramids"),
        short="py",
        purpose="A building that must be plumb.",
        spec=PyramidSpec,
        status=PyramidStatus,
        observe=observe,
        plan=lambda *_: Plan(),
        report=lambda *_: Report(PyramidStatus(), ()),
        **options,
    )


def version(**options: Any) -> dict[str, Any]:
    only: dict[str, Any] = definition(kind(**options))["spec"]["versions"][0]
    return only


def root(**options: Any) -> dict[str, Any]:
    schema: dict[str, Any] = version(**options)["schema"]["openAPIV3Schema"]
    return schema


def test_names_follow_the_api() -> None:
    crd = definition(kind())
    assert crd["metadata"]["name"] == "pyramids.merkhet.dev"
    assert crd["spec"]["names"] == {
        "kind": "Pyramid",
        "listKind": "PyramidList",
        "plural": "pyramids",
        "singular": "pyramid",
        "shortNames": ["py"],
        "categories": ["merkhet"],
    }


def test_a_fresh_object_says_that_nobody_has_seen_it() -> None:
    assert root()["properties"]["status"]["default"] == {"observedGeneration": -1}


def test_every_status_has_conditions_and_the_generation_it_speaks_of() -> None:
    properties = root()["properties"]["status"]["properties"]
    assert list(properties) == ["observedGeneration", "conditions", "height"]


def test_the_age_is_the_last_column() -> None:
    columns = version(columns=[Column("Height", ".status.height", "integer", wide=True)])["additionalPrinterColumns"]
    assert columns == [
        {"name": "Height", "type": "integer", "jsonPath": ".status.height", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]


def test_the_name_is_limited_to_what_childrens_names_leave() -> None:
    (rule,) = root(name_length=52)["x-kubernetes-validations"]
    assert rule["rule"] == "size(self.metadata.name) <= 52 && !self.metadata.name.contains('.')"
    assert "at most 52 characters" in rule["message"]


@pytest.mark.parametrize(
    ("at", "where"),
    [
        pytest.param(("spec",), lambda root: root["properties"]["spec"], id="at the spec"),
        pytest.param(
            ("spec", "stones"), lambda root: root["properties"]["spec"]["properties"]["stones"], id="at a list"
        ),
        pytest.param(
            ("spec", "stones", "[]"),
            lambda root: root["properties"]["spec"]["properties"]["stones"]["items"],
            id="at its items",
        ),
        pytest.param(
            ("spec", "stones", "weight"),
            lambda root: root["properties"]["spec"]["properties"]["stones"]["items"]["properties"]["weight"],
            id="at a field of its items",
        ),
    ],
)
def test_a_rule_stands_where_it_says(at: tuple[str, ...], where: Any) -> None:
    schema = root(rules=[Cel("self == self", "never", at=at)])
    assert where(schema)["x-kubernetes-validations"] == [{"rule": "self == self", "message": "never"}]


def test_a_rule_at_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"Pyramid: a rule stands at spec\.mortar, and there is no field mortar"):
        root(rules=[Cel("true", "never", at=("spec", "mortar"))])


def test_a_kind_that_scales_says_by_which_fields() -> None:
    paths = (".spec.replicas", ".status.replicas", ".status.selector")
    assert version(scale=paths)["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }
