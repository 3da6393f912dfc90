"""A store, and components that are tried in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from merkhet.contract.component import ComponentResult, ComponentTask
from merkhet.contract.runs import run_key
from merkhet.store.volume import Volume
from merkhet.workloads.components.main import try_and_keep
from merkhet.workloads.run import Places

MEDIAN = {
    "estimator": "sklearn.impute.SimpleImputer",
    "parameters": {"strategy": "median"},
    "columns": {"names": ["AGEP"]},
}
ENCODER = {"estimator": "sklearn.preprocessing.OneHotEncoder", "columns": {"names": ["SCHL"]}}
PREPARED = {"input": {"AGEP": [30, None, 40], "SCHL": [1, 2, 1]}, "output": {"AGEP": [30, 35, 40], "SCHL_2": [0, 1, 0]}}


@dataclass(slots=True)
class Bench:
    """A store, and what was said while components were tried."""

    places: Places
    said: list[str] = field(default_factory=list)
    now: datetime = datetime(2024, 1, 3, tzinfo=UTC)

    @property
    def store(self) -> Volume:
        return Volume(self.places.store)

    def put(self, path: str, content: bytes) -> str:
        """A user's file, and its digest."""
        self.store.replace(f"raw/{path}", content)
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def task(self, *examples: dict[str, Any], uri: str | None = None, key: str = "", **document: Any) -> ComponentTask:
        """What is asked: version 1 of component ``preparation``, tried by these examples."""
        run = {
            "key": key or run_key("Component", "preparation", "spec/1"),
            "trigger": "spec/1",
            "origin": {"kind": "Component", "namespace": "people", "name": "preparation", "uid": "u"},
        }
        whole = {"name": "preparation", "version": "1", **document}
        return ComponentTask.model_validate({"run": run, "document": whole, "uri": uri, "examples": examples})

    def try_(self, *examples: dict[str, Any], **asked: Any) -> ComponentResult:
        """What comes of a task."""
        task = self.task(*examples, **asked)
        return try_and_keep(task, self.store, self.said.append, places=self.places, now=self.now)

    def sklearn(self, *examples: dict[str, Any], steps: Any = (MEDIAN, ENCODER), **more: Any) -> ComponentResult:
        """A component of scikit-learn's steps."""
        return self.try_(*(examples or (PREPARED,)), flavour="sklearn", steps=list(steps), **more)

    def sql(self, macros: str, *examples: dict[str, Any], **more: Any) -> ComponentResult:
        """A component of macros."""
        return self.try_(*examples, flavour="sql", macros=macros, **more)

    def python(self, source: str, *examples: dict[str, Any], **more: Any) -> ComponentResult:
        """A component of a function ``clean``."""
        step = {"entrypoint": "clean", "source": source, "timeout_seconds": 60.0}
        return self.try_(*examples, flavour="python", python=step, **more)

    def onnx(self, uri: str, digest: str, *examples: dict[str, Any], **more: Any) -> ComponentResult:
        """A component that is a graph."""
        return self.try_(*examples, flavour="onnx", onnx={"digest": digest}, uri=uri, **more)


def bench(folder: Path) -> Bench:
    places = Places(store=folder / "store", report=folder / "report", scratch=folder / "scratch")
    for place in (places.store, places.report, places.scratch):
        place.mkdir()
    return Bench(places)


def doubling(*, domain: str = "", beside: bool = False) -> bytes:
    """A graph that gives twice AGEP; of a foreign operator, or with its factor in a file beside it."""
    factor = helper.make_tensor("factor", TensorProto.FLOAT, [1], [2.0])
    if beside:
        factor.ClearField("float_data")
        factor.data_location = TensorProto.EXTERNAL
        entry = factor.external_data.add()
        entry.key, entry.value = "location", "../../runs/secret"
    node = helper.make_node("Mul", ["AGEP", "factor"], ["doubled"], domain=domain)
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])] for name in ("AGEP", "doubled")
    )
    graph = helper.make_graph([node], "doubling", inputs, outputs, [factor])
    opsets = [helper.make_opsetid("", 21), *([helper.make_opsetid(domain, 1)] if domain else [])]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    if not domain and not beside:
        onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
