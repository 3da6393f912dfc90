"""What is a datatype of the Open Inference Protocol to numpy, to ONNX Runtime and in JSON?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Datatype:
    """A datatype, its numpy twin, the letter `struct` packs it by (none: not from JSON), its name in ONNX Runtime.

    ``exact`` is the integer up to which each integer is kept exactly.
    """

    name: str
    numpy: np.dtype[Any]
    letter: str | None
    onnxruntime: str
    exact: int | None = None

    @property
    def size(self) -> int:
        """Bytes of an element; 0 where it varies."""
        return 0 if self.name == "BYTES" else self.numpy.itemsize


DATATYPES: dict[str, Datatype] = {
    row.name: row
    for row in (
        Datatype("FP32", np.dtype("<f4"), "f", "tensor(float)", exact=2**24),
        Datatype("FP64", np.dtype("<f8"), "d", "tensor(double)", exact=2**53),
        Datatype("FP16", np.dtype("<f2"), None, "tensor(float16)"),  # JSON has no half floats: binary only
        Datatype("INT64", np.dtype("<i8"), "q", "tensor(int64)"),
        Datatype("INT32", np.dtype("<i4"), "i", "tensor(int32)"),
        Datatype("INT16", np.dtype("<i2"), "h", "tensor(int16)"),
        Datatype("INT8", np.dtype("i1"), "b", "tensor(int8)"),
        Datatype("UINT64", np.dtype("<u8"), "Q", "tensor(uint64)"),
        Datatype("UINT32", np.dtype("<u4"), "I", "tensor(uint32)"),
        Datatype("UINT16", np.dtype("<u2"), "H", "tensor(uint16)"),
        Datatype("UINT8", np.dtype("u1"), "B", "tensor(uint8)"),
        Datatype("BOOL", np.dtype("?"), "?", "tensor(bool)"),
        Datatype("BYTES", np.dtype("O"), None, "tensor(string)"),
    )
}
BY_ONNXRUNTIME: dict[str, Datatype] = {row.onnxruntime: row for row in DATATYPES.values()}
