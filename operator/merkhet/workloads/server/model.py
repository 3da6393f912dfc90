"""How is the model run: which session, in which thread, with what answers?"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from merkhet.contract.training import Signature, Tensor
from merkhet.errors import Refused
from merkhet.workloads.server import graph
from merkhet.workloads.server.datatypes import BY_ONNXRUNTIME, DATATYPES

Array = np.ndarray[Any, Any]

# A run below this is done on the event loop; handing it to another thread costs about as much.
INLINE_SECONDS = 0.0001
# Where one row takes longer than this, more threads pay for their coordination.
PARALLEL_SECONDS = 0.001


class Model:
    """A loaded model. ``inline_rows``: up to how many rows a run belongs on the event loop; see ``readiness``."""

    def __init__(self, content: bytes, signature: Signature, name: str, threads: int = 1) -> None:
        graph.check(content, name)
        self.name = name
        self.signature = signature
        self.session = session(content, name, threads)
        # The public method checks the feed once more, which our reader has done: a fifth of a small model's time.
        self._run = getattr(self.session, "_sess", self.session).run
        self.decision = Decision.of(signature)
        self.outputs = {tensor.name: Output.of(tensor, signature) for tensor in signature.outputs}
        check_signature(self.session, self)
        self.everything = Plan.of(self.outputs, tuple(self.outputs))
        self.inline_rows = 0
        self.seconds_per_run = 0.0

    def run(self, feed: dict[str, Array], wanted: Sequence[str] | None = None) -> dict[str, Array]:
        """The outputs of that name, in that order; all without names. Shapes: as the signature says."""
        plan = self.everything if wanted is None else Plan.of(self.outputs, wanted)
        found = self._run(plan.sources, feed, None)
        return {output.name: output.value(found[at]) for output, at in plan.outputs}


def session(content: bytes, name: str, threads: int) -> Any:
    """A session that takes the cores it is given and no more, and returns the memory it borrowed."""
    options = onnxruntime.SessionOptions()
    # By default: a pool of the host's cores that spins, pinned to cores the container may not have, and an arena
    # that never shrinks.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors: warnings are of no use to who serves
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refused(f"{name} cannot be loaded: {error}", reason="InvalidModel") from error


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule by which a binary model's label follows from its score: positive means score >= threshold."""

    threshold: float
    position: int  # of the positive class among the probabilities
    source: str  # the graph's name of the probabilities
    labels: Array  # negative, positive

    @classmethod
    def of(cls, signature: Signature) -> Decision | None:
        """None where the graph's own label is right."""
        if signature.threshold is None:
            return None
        scores = next((tensor for tensor in signature.outputs if tensor.shape[1:] == (2,)), None)
        label = next((tensor for tensor in signature.outputs if len(tensor.shape) == 1), None)
        classes = list(signature.classes)
        if scores is None or label is None or len(classes) != 2 or signature.positive not in classes:
            raise Refused(
                f"the signature has threshold {signature.threshold}, and classes {classes} with positive "
                f"{signature.positive!r} and outputs {[tensor.name for tensor in signature.outputs]}; a threshold "
                "wants two classes, one of them positive, a label and both probabilities",
                reason="InvalidSignature",
            )
        position = classes.index(signature.positive)
        labels = np.array([classes[1 - position], classes[position]], DATATYPES[label.datatype].numpy)
        return cls(signature.threshold, position, signature.graph.get(scores.name, scores.name), labels)

    def labelled(self, probabilities: Array) -> Array:
        """The labels of rows. Shapes: [rows, 2] → [rows]."""
        return self.labels[(probabilities[:, self.position] >= self.threshold).view(np.int8)]


@dataclass(frozen=True, slots=True)
class Output:
    """One output as callers see it, and how it comes from the graph's."""

    name: str
    source: str  # the graph's name of it, or of what it is decided by
    datatype: np.dtype[Any]
    shape: tuple[int, ...]  # the first dimension is -1
    rank: int
    decision: Decision | None = None

    @classmethod
    def of(cls, tensor: Tensor, signature: Signature) -> Output:
        """The output that a tensor of the signature describes."""
        decision = Decision.of(signature) if len(tensor.shape) == 1 else None
        source = decision.source if decision else signature.graph.get(tensor.name, tensor.name)
        return cls(
            tensor.name, source, DATATYPES[tensor.datatype].numpy, (-1, *tensor.shape[1:]), len(tensor.shape), decision
        )

    def value(self, found: Array) -> Array:
        """What callers see of what the graph gave."""
        if self.decision is not None:
            return self.decision.labelled(found)
        return found if found.ndim == self.rank else found.reshape(self.shape)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to ask the graph for some outputs: its names, and for each output which of them it comes from."""

    sources: list[str]
    outputs: list[tuple[Output, int]]

    @classmethod
    def of(cls, outputs: dict[str, Output], wanted: Sequence[str]) -> Plan:
        """For the outputs of these names, in this order."""
        sources = list(dict.fromkeys(outputs[name].source for name in wanted))
        return cls(sources, [(outputs[name], sources.index(outputs[name].source)) for name in wanted])


def check_signature(loaded: Any, model: Model) -> None:
    """Refuse a graph that takes or gives something else than the signature says.

    *Raises* Refused with both sides.
    """
    wanted = {tensor.name: (tensor.datatype, tensor.shape) for tensor in model.signature.inputs}
    found = {node.name: _described(node, model.name) for node in loaded.get_inputs()}
    if wanted.keys() != found.keys() or not all(_same_input(wanted[name], found[name]) for name in wanted):
        _refuse_signature(model.name, "takes", _in_words(found), _in_words(wanted))
    given = {node.name: _described(node, model.name) for node in loaded.get_outputs()}
    asked = {output.source: output for output in model.outputs.values() if output.decision is None}
    if model.decision is not None:
        asked.setdefault(model.decision.source, Output(model.decision.source, "", np.dtype("<f4"), (-1, 2), 2))
    for source, output in asked.items():
        if source not in given or not _same_output(output, given[source]):
            described = f"{source} ({output.datatype} {list(output.shape)})"
            _refuse_signature(model.name, "gives", _in_words(given), described)


def _described(node: Any, name: str) -> tuple[str, tuple[int, ...]]:
    datatype = BY_ONNXRUNTIME.get(node.type)
    if datatype is None:
        raise Refused(
            f"{name}: {node.name} is a {node.type}, and only tensors can be served; export it with zipmap off",
            reason="InvalidSignature",
        )
    return datatype.name, tuple(size if isinstance(size, int) else -1 for size in node.shape)


def _same_input(wanted: tuple[str, tuple[int, ...]], found: tuple[str, tuple[int, ...]]) -> bool:
    return wanted[0] == found[0] and len(wanted[1]) == len(found[1]) and wanted[1][1:] == found[1][1:]


def _same_output(wanted: Output, found: tuple[str, tuple[int, ...]]) -> bool:
    datatype, shape = found
    sizes = [size for size in shape[1:] if size != -1]  # converters leave some sizes open
    same_size = len(sizes) < len(shape) - 1 or math.prod(sizes) == math.prod(wanted.shape[1:])
    return DATATYPES[datatype].numpy == wanted.datatype and same_size


def _in_words(tensors: dict[str, tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} ({datatype} {list(shape)})" for name, (datatype, shape) in tensors.items())


def _refuse_signature(name: str, verb: str, found: str, wanted: str) -> None:
    raise Refused(f"{name} {verb} {found}; its signature wants {wanted}", reason="InvalidSignature")


def fastest(model: Model, feed: dict[str, Array], tries: int = 5) -> float:
    """The shortest of some runs. Units: seconds."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        model.run(feed)
        times.append(time.perf_counter() - start)
    return min(times)
