"""The components that a pipeline names, in its place: the steps that each of them stands for."""

from __future__ import annotations

from merkhet.contract.features import ComponentUse
from merkhet.contract.training import Step, TrainingTask
from merkhet.errors import Refused
from merkhet.store.port import Store
from merkhet.workloads.components import document

Used = tuple[ComponentUse, ...]


def expanded(task: TrainingTask, store: Store) -> tuple[TrainingTask, Used]:
    """The task with the steps of components in their place, and which those are, by content.

    Raises: ``Refused`` for a component that has no steps of scikit-learn, ``Missing`` for one that was never kept.
    """
    parts = [_part(step, store) for step in task.pipeline]
    steps = tuple(step for part, _ in parts for step in part)
    used = {(use.name, use.version): use for _, uses in parts for use in uses}
    return task.model_copy(update={"pipeline": steps}), tuple(used.values())


def _part(step: Step, store: Store) -> tuple[tuple[Step, ...], Used]:
    """The steps that a step stands for."""
    named = step.component
    if named is None:
        return (step,), ()
    found, digest = document.resolve(store, named.name, named.version, named.digest)
    if found.flavour != "sklearn":
        raise Refused(
            f"component {named.name} version {named.version} is of {found.flavour}; a pipeline takes components of "
            "sklearn: name it in spec.components of a FeatureSet",
            reason="ComponentMisplaced",
        )
    return found.steps, (ComponentUse(name=named.name, version=named.version, digest=digest),)
