"""Tensors as bytes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

from merkhet.workloads.server import binary
from merkhet.workloads.server.datatypes import DATATYPES

VALUES: dict[str, list[Any]] = {
    "FP32": [1.5, -2.0], "FP64": [0.1, 1e300], "FP16": [0.5, -1.0], "INT64": [-(2**62), 3], "INT32": [-5, 2**30],
    "INT16": [-3, 7], "INT8": [-128, 127], "UINT64": [2**63, 1], "UINT32": [2**31, 1], "UINT16": [65535, 0],
    "UINT8": [255, 0], "BOOL": [True, False], "BYTES": ["", "Größe 🙂"],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(DATATYPES))
def test_each_datatype_comes_back_as_it_went(name: str) -> None:
    datatype = DATATYPES[name]
    blob = binary.encode(np.array(VALUES[name], datatype.numpy), datatype)
    assert binary.decode(b"xyz" + blob, 3, len(blob), datatype).tolist() == VALUES[name]


@pytest.mark.parametrize(
    ("name", "blob", "words"),
    [
        ("BOOL", b"\x02", "a BOOL is a byte 0 or 1"),
        ("INT64", b"1234567", "no whole number of INT64"),
        ("BYTES", b"\x01", "element 0 is cut off in its length"),
        ("BYTES", struct.pack("<I", 9) + b"abc", "element 0 says it has 9 bytes and 3 are left"),
        ("BYTES", struct.pack("<I", 1) + b"\xff", "element 0 is not UTF-8"),
    ],
    ids=["no boolean", "no whole element", "length cut off", "text cut off", "no UTF-8"],
)
def test_other_bytes_are_refused(name: str, blob: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        binary.decode(blob, 0, len(blob), DATATYPES[name])
