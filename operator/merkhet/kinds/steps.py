"""Steps of scikit-learn as a spec writes them, in a pipeline or in a component, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, Field

from merkhet.api.base import Part
from merkhet.api.fields import AnyValue
from merkhet.contract import training as contract
from merkhet.contract.estimators import fault_of
from merkhet.kinds.run import Block

ESTIMATOR = "Import path of a scikit-learn estimator whose ONNX form is known to agree with it."
PARAMETERS = (
    "Its parameters by scikit-learn's names; what is left out has its default. "
    "An estimator inside of another is written {estimator: its path, parameters: its own}."
)
COLUMNS = (
    "Columns that the step takes: a list of names, or {type: numeric} or {type: categorical}; left out: all. "
    "Steps with columns come first."
)


def _is_a_choice(value: Any) -> Any:
    named = isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value)
    typed = isinstance(value, dict) and value in ({"type": "numeric"}, {"type": "categorical"})
    if value is not None and not named and not typed:
        raise ValueError(f"columns is {value!r}; write a list of names, {{type: numeric}} or {{type: categorical}}")
    return value


EstimatorPath = Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$")]
Parameters = Annotated[dict[Annotated[str, Field(max_length=128)], AnyValue], Field(max_length=64)]
ColumnChoice = Annotated[AnyValue, AfterValidator(_is_a_choice)]


class EstimatorStep(Part):
    """One step of scikit-learn."""

    estimator: EstimatorPath = Field(description=ESTIMATOR)
    parameters: Parameters = Field(default_factory=dict, description=PARAMETERS)
    columns: ColumnChoice = Field(default=None, description=COLUMNS)


class Chooses(Protocol):
    """A step that may name columns; one that is a component does not, and brings its own."""

    @property
    def estimator(self) -> str | None:
        """None: the step is a component."""

    @property
    def columns(self) -> Any:
        """None: all."""


def chosen(columns: Any) -> contract.Columns | None:
    """The columns as the pod is told them."""
    if columns is None:
        return None
    if isinstance(columns, dict):
        return contract.Columns(type=columns["type"])
    return contract.Columns(names=tuple(columns))


def faults_of_estimator(where: str, estimator: str, parameters: Mapping[str, Any]) -> Iterator[Block]:
    """Whether an estimator may be named, with these parameters; ``where`` begins the sentence."""
    fault = fault_of(estimator, parameters)
    if fault is not None:
        yield Block(fault.reason, where + fault.message, stalls=True)


def faults_of_order(where: str, steps: Sequence[Chooses], position: int) -> Iterator[Block]:
    """Whether the step at a position may name columns there; what a component's steps take, the pod knows."""
    before = steps[position - 2] if position > 1 else None
    if steps[position - 1].columns is not None and before is not None and before.estimator and before.columns is None:
        message = f"{where}steps with columns come first, and step {position - 1} has none: put this one before it"
        yield Block("InvalidPipeline", message, stalls=True)
