"""What keeps a Component from being tried: faults that can be seen without running anything."""

from __future__ import annotations

from collections.abc import Iterator

from merkhet.contract.component import ComponentTask
from merkhet.contract.estimators import ALLOWED
from merkhet.kinds.component.observe import Component, Seen
from merkhet.kinds.component.types import ComponentSpec
from merkhet.kinds.run import Block
from merkhet.kinds.steps import faults_of_estimator, faults_of_order

# The kernel takes 128 KiB for a variable of a process, its name and the end included.
LONGEST_TASK = 128 * 1024 - 64


def block(component: Component, seen: Seen, task: ComponentTask | None) -> Block | None:
    """The first thing that keeps a run from starting; ``task`` is what its pod would be asked."""
    if seen.source.lack is not None:
        return seen.source.lack
    return next(_faults_of_steps(component.spec), None) or (_too_large(task) if task is not None else None)


def _faults_of_steps(spec: ComponentSpec) -> Iterator[Block]:
    steps = spec.sklearn or ()
    for position, step in enumerate(steps, 1):
        where = f"step {position} of spec.sklearn: "
        yield from faults_of_estimator(where, step.estimator, step.parameters)
        yield from faults_of_order(where, steps, position)
        if step.estimator in ALLOWED and (kind := ALLOWED[step.estimator].kind) != "transformer":
            message = f"{where}{step.estimator} is a {kind}; a component prepares rows: put it into a pipeline"
            yield Block("MisplacedPredictor", message, stalls=True)


def _too_large(task: ComponentTask) -> Block | None:
    size = len(task.dump().encode())
    if size <= LONGEST_TASK:
        return None
    message = (
        f"source and examples have {size} bytes together, at most {LONGEST_TASK} reach a pod: shorten the examples"
    )
    return Block("TooLarge", message, stalls=True)
