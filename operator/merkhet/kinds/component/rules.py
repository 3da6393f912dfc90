"""What the API server checks of a Component: it is one thing, proven, and its versions stay what they are."""

from __future__ import annotations

from merkhet.kinds.component.types import FLAVOURS
from merkhet.kinds.kind import Cel
from merkhet.kinds.rules import lasts_a_second, stays_inside

_GIVEN = ", ".join(f"has(self.{flavour})" for flavour in FLAVOURS)


def _unchanged(field: str, at: str = "spec") -> str:
    """Whether a field is as it was, there or not; CEL's optional values would say so, at no known cost."""
    now, before = f"self.{at}", f"oldSelf.{at}"
    there = f"has({now}.{field}) && has({before}.{field})"
    return f"has({now}.{field}) == has({before}.{field}) && (!({there}) || {now}.{field} == {before}.{field})"


_OF_A_GRAPH = f"self.spec.onnx.digest == oldSelf.spec.onnx.digest && {_unchanged('columns', 'spec.onnx')}"
# Where the file of a graph stands is not what it is.
_SAME = " && ".join(
    (
        *(f"({_unchanged(flavour)})" for flavour in FLAVOURS if flavour != "onnx"),
        "has(self.spec.onnx) == has(oldSelf.spec.onnx)",
        f"(!has(self.spec.onnx) || !has(oldSelf.spec.onnx) || ({_OF_A_GRAPH}))",
    )
)
# A version that does not stand yet may still be corrected, and so may a content that is not the one of the version; the
# Job refuses what comes in between.
_STANDS = "has(self.status) && has(self.status.version) && self.status.version == self.spec.version"

COMPONENT = (
    Cel(
        f"[{_GIVEN}].exists_one(given, given)",
        "a component is one thing: write exactly one of sklearn, sql, python and onnx",
    ),
    Cel(
        "has(self.onnx) || (has(self.examples) && size(self.examples) > 0)",
        "a component is proven by an example: write at least one under examples",
    ),
    Cel(
        "!has(self.examples) || self.examples.all(example, has(example.query) == has(self.sql))",
        "query asks the macros of sql: each example of sql has one, no other has",
    ),
    Cel(
        "has(self.source) != has(self.configMap)",
        "the source stands in one place: write either source or configMap",
        at=("spec", "python"),
    ),
    stays_inside("spec", "onnx", "uri"),
    lasts_a_second("timeout", "30s or 10m", "spec", "python"),
    Cel(
        f"self.spec.version != oldSelf.spec.version || !({_STANDS}) || ({_SAME})",
        "this version stands, and what it is never changes: give spec.version another name for another content, or put "
        "the former content back (description, examples and resources may change)",
        at=(),
    ),
)
