"""How do tensors travel as bytes behind the JSON (the binary tensor data extension)?

Little-endian, row-major, without padding; BOOL one byte; an element of BYTES is its length as uint32, then its bytes.
*Source:* the extension's page in the Open Inference Protocol's reference server documentation.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from merkhet.workloads.server.datatypes import Datatype

LENGTH = struct.Struct("<I")


def decode(body: bytes, start: int, size: int, datatype: Datatype) -> np.ndarray[Any, Any]:
    """The elements in ``body[start:start + size]``, flat. Copies only what is not aligned.

    *Raises* ValueError in words, where the bytes are no elements of that datatype.
    """
    if datatype.name == "BYTES":
        return decode_strings(memoryview(body)[start : start + size])
    if size % datatype.size:
        msg = f"{size} bytes are no whole number of {datatype.name} elements of {datatype.size} bytes"
        raise ValueError(msg)
    count = size // datatype.size
    if start % datatype.size:
        body, start = body[start : start + size], 0
    if datatype.name == "BOOL":  # any other byte would be a boolean that is neither true nor false
        octets = np.frombuffer(body, np.uint8, count, start)
        if count and octets.max() > 1:
            raise ValueError("a BOOL is a byte 0 or 1")
    return np.frombuffer(body, datatype.numpy, count, start)


def decode_strings(octets: memoryview) -> np.ndarray[Any, Any]:
    """The strings of a BYTES tensor, flat."""
    found: list[str] = []
    at, end = 0, len(octets)
    while at < end:
        if end - at < LENGTH.size:
            raise ValueError(f"element {len(found)} is cut off in its length")
        (length,) = LENGTH.unpack_from(octets, at)
        at += LENGTH.size
        if length > end - at:
            raise ValueError(f"element {len(found)} says it has {length} bytes and {end - at} are left")
        try:
            found.append(str(octets[at : at + length], "utf-8"))
        except UnicodeDecodeError:
            raise ValueError(f"element {len(found)} is not UTF-8") from None
        at += length
    array = np.empty(len(found), object)
    array[:] = found
    return array


def encode(array: np.ndarray[Any, Any], datatype: Datatype) -> bytes:
    """The bytes of a tensor's elements."""
    if datatype.name != "BYTES":
        return array.astype(datatype.numpy, copy=False).tobytes()
    texts = [text if isinstance(text, bytes) else str(text).encode() for text in array.ravel().tolist()]
    return b"".join(LENGTH.pack(len(text)) + text for text in texts)
