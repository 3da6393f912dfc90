"""What a pydantic model reads like as a structural schema, and what is refused before it reaches a cluster."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from merkhet.api.base import Part, StatusPart
from merkhet.api.conditions import Condition
from merkhet.api.fields import Name
from merkhet.api.schema import SchemaError, structural

Word = Annotated[str, Field(max_length=9)]


def field(type_: Any, **options: Any) -> dict[str, Any]:
    """The schema of one field ``x`` of this type."""
    options.setdefault("description", "What it is for.")
    holder = type("Holder", (Part,), {"__annotations__": {"x": type_}, "x": Field(**options), "__doc__": "A holder."})
    schema: dict[str, Any] = structural(holder, name="spec")["properties"]["x"]
    schema.pop("description", None)
    return schema


class Leaf(Part):
    """A leaf."""

    size: int = Field(default=3, ge=1, description="How many.")
    label: Word | None = Field(default=None, description="What it says.")


@pytest.mark.parametrize(
    ("type_", "options", "schema"),
    [
        pytest.param(Word, {}, {"type": "string", "maxLength": 9}, id="a bounded string"),
        pytest.param(Word | None, {"default": None}, {"type": "string", "maxLength": 9}, id="null is left out"),
        pytest.param(int, {"gt": 0}, {"type": "integer", "format": "int64", "minimum": 0, "exclusiveMinimum": True},
                     id="an exclusive bound is a flag beside the bound"),
        pytest.param(float | int, {}, {"type": "number"}, id="any number"),
        pytest.param(Literal["Random"], {"default": "Random"},
                     {"type": "string", "enum": ["Random"], "default": "Random"}, id="one word"),
        pytest.param(Annotated[int, Field(ge=1)] | Literal["Latest"], {"default": "Latest"},
                     {"x-kubernetes-int-or-string": True, "minimum": 1, "pattern": "^(Latest)$", "maxLength": 6,
                      "default": "Latest"}, id="a number or a word"),
        pytest.param(bool | int | float | str, {}, {"x-kubernetes-preserve-unknown-fields": True},
                     id="any scalar"),
        pytest.param(Any, {}, {"x-kubernetes-preserve-unknown-fields": True}, id="any value"),
        pytest.param(dict[str, int], {"max_length": 5},
                     {"type": "object", "maxProperties": 5,
                      "additionalProperties": {"type": "integer", "format": "int64"}}, id="a mapping"),
        pytest.param(dict[Name, int], {"max_length": 5},
                     {"type": "object", "maxProperties": 5,
                      "additionalProperties": {"type": "integer", "format": "int64"}}, id="checked keys"),
        pytest.param(dict[str, Any], {"max_length": 5},
                     {"type": "object", "maxProperties": 5, "x-kubernetes-preserve-unknown-fields": True},
                     id="a mapping to anything"),
        pytest.param(tuple[Word, ...], {"max_length": 4, "default": ()},
                     {"type": "array", "maxItems": 4, "items": {"type": "string", "maxLength": 9}},
                     id="a list whose empty default says nothing"),
    ],
)  # fmt: skip
def test_a_field_becomes_structural(type_: Any, options: dict[str, Any], schema: dict[str, Any]) -> None:
    assert field(type_, **options) == schema


def test_a_part_is_inlined_with_its_defaults() -> None:
    schema = field(Leaf, default=Leaf())
    assert schema == {
        "type": "object",
        "default": {"size": 3},
        "properties": {
            "size": {"type": "integer", "format": "int64", "minimum": 1, "default": 3, "description": "How many."},
            "label": {"type": "string", "maxLength": 9, "description": "What it says."},
        },
    }


def test_no_default_stands_inside_a_list() -> None:
    schema = field(list[Leaf], max_length=3)
    assert "default" not in schema["items"]["properties"]["size"]


def test_conditions_are_a_list_keyed_by_type() -> None:
    schema = field(tuple[Condition, ...], max_length=8, default=())
    assert schema["x-kubernetes-list-type"] == "map"
    assert schema["x-kubernetes-list-map-keys"] == ["type"]
    assert schema["items"]["required"] == ["type", "status", "reason"]


def test_a_status_has_no_defaults() -> None:
    class Seen(StatusPart):
        """What was seen."""

        rows: int = Field(default=7, description="How many rows.")

    assert "default" not in structural(Seen, name="status", defaults=False)["properties"]["rows"]


class Endless(Part):
    """A part that contains itself."""

    inner: Endless | None = Field(default=None, description="The same again.")


@pytest.mark.parametrize(
    ("type_", "options", "message"),
    [
        pytest.param(str, {}, "spec.x is a string without a bound", id="an endless string"),
        pytest.param(list[int], {}, "spec.x is a list without a bound", id="an endless list"),
        pytest.param(list[str], {"max_length": 2}, r"spec.x.\[\] is a string without a bound", id="endless items"),
        pytest.param(dict[str, int], {}, "spec.x is a mapping without a bound", id="an endless mapping"),
        pytest.param(int, {"description": ""}, "spec.x has no description", id="nothing to explain"),
        pytest.param(int, {"alias": "on"}, "spec.on is named on", id="a boolean's name"),
        pytest.param(Literal["No", "Maybe"], {}, "spec.x has the value No", id="a boolean's name as a value"),
        pytest.param(tuple[int, Word], {"max_length": 2}, "spec.x is a tuple of several types", id="a mixed tuple"),
        pytest.param(Endless, {}, "is nested too deeply", id="a part that contains itself"),
    ],
)
def test_what_cannot_be_a_crd_is_refused_by_its_path(type_: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        field(type_, **options)


def test_a_model_without_a_docstring_is_refused() -> None:
    class Bare(Part):
        size: int = Field(description="How many.")

    with pytest.raises(SchemaError, match="give class Bare a docstring"):
        structural(Bare, name="spec")
