"""The Job that tries a Component's examples."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.api.quantities import duration
from merkhet.contract import component as contract
from merkhet.contract import training
from merkhet.contract.runs import Run
from merkhet.kinds.apis import COMPONENT
from merkhet.kinds.component.observe import SHORT, Component, Seen
from merkhet.kinds.component.types import Onnx, Python
from merkhet.kinds.run import State
from merkhet.kinds.runs import digest_of_means, run_of
from merkhet.kinds.steps import chosen
from merkhet.manifests import runs as manifests

ROLE = "component"


def job(component: Component, seen: Seen, state: State, means: manifests.Means) -> Body | None:
    """The Job of a run; None where its source is not there."""
    asked = task(component, seen, run_of(COMPONENT.kind, component.meta, state, means.image))
    if asked is None:
        return None
    return manifests.job(
        name=state.job or "",
        short=SHORT,
        role=ROLE,
        run=asked.run,
        spec=state.spec,
        attempt=state.attempt,
        task=asked.dump(),
        means=means,
        digest=digest_of_means(means),
    )


def task(component: Component, seen: Seen, run: Run) -> contract.ComponentTask | None:
    """What the pod is asked; None where its source is not there."""
    spec = component.spec
    if spec.python is not None and seen.source.text is None:
        return None
    return contract.ComponentTask(
        run=run,
        document=contract.ComponentDocument(
            name=component.meta.name,
            version=spec.version,
            flavour=spec.flavour,
            steps=tuple(
                training.Step(estimator=step.estimator, parameters=step.parameters, columns=chosen(step.columns))
                for step in spec.sklearn or ()
            ),
            macros=None if spec.sql is None else spec.sql.macros,
            python=None if spec.python is None else _python(spec.python, seen.source.text or ""),
            onnx=None if spec.onnx is None else _onnx(spec.onnx),
        ),
        uri=None if spec.onnx is None else spec.onnx.uri,
        examples=tuple(
            contract.Example(
                input={name: list(values) for name, values in example.input.items()},
                output={name: list(values) for name, values in example.output.items()},
                tolerance=example.tolerance,
                query=example.query,
            )
            for example in spec.examples
        ),
    )


def _python(python: Python, source: str) -> contract.PythonStep:
    seconds = duration(python.timeout).total_seconds()
    return contract.PythonStep(
        entrypoint=python.entrypoint, source=source, network=python.network, timeout_seconds=seconds
    )


def _onnx(onnx: Onnx) -> contract.OnnxStep:
    return contract.OnnxStep(digest=onnx.digest, columns=onnx.columns)
