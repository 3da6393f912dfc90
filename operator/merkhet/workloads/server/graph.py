"""Is an ONNX file self-contained, and of ONNX's own operators alone?

Read from the file's wire format, without the onnx package: the server's image does not have it, and ONNX Runtime
would read files beside the model before anybody could say no. Only what leads to a tensor or an operator is entered.
*Source:* field numbers of onnx.proto; Protocol Buffers' encoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from merkhet.errors import Refused

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DATA_LOCATION = 14  # of a tensor


@dataclass(slots=True)
class Findings:
    """What must not be in a model, in words."""

    foreign: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)


def check(model: bytes, name: str) -> None:
    """Refuse a model that reads other files or brings operators of others.

    *Raises* Refused naming the first such thing, or where the bytes are no ONNX.
    """
    found = Findings()
    try:
        _walk(memoryview(model), "Model", found)
    except (ValueError, IndexError) as error:
        raise Refused(f"{name} is no ONNX file: {error}", reason="InvalidModel") from None
    if found.external:
        raise Refused(
            f"{name} keeps tensor {found.external[0]!r} in another file; export it with all values inside",
            reason="ExternalData",
        )
    if found.foreign:
        wanted = ", ".join(sorted(domain for domain in DOMAINS if domain))
        raise Refused(
            f"{name} uses operators of the foreign domain {found.foreign[0]!r}; export it with those of {wanted} alone",
            reason="ForeignOperators",
        )


# Message → field number → the message in it. What is not named here is passed over.
PARTS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 8: "OperatorSet", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 9: "OperatorSet", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}


def _walk(message: memoryview, kind: str, found: Findings) -> None:
    parts = PARTS.get(kind, {})
    judge = JUDGES.get(kind)
    texts: dict[int, bytes] = {}
    numbers: dict[int, int] = {}
    for number, value in _fields(message):
        if isinstance(value, int):
            numbers[number] = max(value, numbers.get(number, 0))
        elif number in parts:
            _walk(value, parts[number], found)
        elif judge is not None:
            texts[number] = bytes(value[:4096])
    if judge is not None:
        judge(texts, numbers, found)


def _operator_set(texts: dict[int, bytes], _: dict[int, int], found: Findings) -> None:
    _judge_domain(texts.get(1, b""), found)


def _node(texts: dict[int, bytes], _: dict[int, int], found: Findings) -> None:
    _judge_domain(texts.get(7, b""), found)


def _tensor(texts: dict[int, bytes], numbers: dict[int, int], found: Findings) -> None:
    if numbers.get(DATA_LOCATION) or 13 in texts:  # inside the file is 0
        found.external.append(texts.get(8, b"").decode(errors="replace"))


def _judge_domain(domain: bytes, found: Findings) -> None:
    text = domain.decode(errors="replace")
    if text not in DOMAINS:
        found.foreign.append(text)


JUDGES: dict[str, Callable[[dict[int, bytes], dict[int, int], Findings], None]] = {
    "OperatorSet": _operator_set,
    "Node": _node,
    "Tensor": _tensor,
}


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a message's fields; runs of numbers (a forest's thresholds) count as one."""
    at, end = 0, len(message)
    while at < end:
        start = at
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise ValueError(f"field 0 at byte {start}")
        if kind == BYTES:
            length, at = _varint(message, at)
            if length > end - at:
                raise ValueError(f"a field of {length} bytes where {end - at} are left")
            yield number, message[at : at + length]
            at += length
        elif kind in {VARINT, FIXED32, FIXED64}:
            value = _varint(message, at)[0] if kind == VARINT else 0
            run = _run(bytes(message[start:at]), kind, single=number == DATA_LOCATION).match(message, start)
            if run is None:
                raise ValueError(f"a number is cut off at byte {start}")
            at = run.end()
            yield number, value
        else:
            raise ValueError(f"wire type {kind} at byte {start}")


def _run(key: bytes, kind: int, *, single: bool) -> re.Pattern[bytes]:
    """One or more fields of the same key, possessive: nothing is kept for going back. Single: each is looked at."""
    value = {VARINT: rb"[\x80-\xff]*+[\x00-\x7f]", FIXED32: rb".{4}", FIXED64: rb".{8}"}[kind]
    return re.compile(rb"(?:" + re.escape(key) + value + (rb")" if single else rb")++"), re.DOTALL)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = message[at]
        at += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number without an end at byte {at}")
