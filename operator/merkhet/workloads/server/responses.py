"""How is an answer written: in JSON, or with its tensors as bytes behind the JSON?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from merkhet.contract.training import Signature
from merkhet.workloads.server import binary
from merkhet.workloads.server.datatypes import DATATYPES
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.requests import Call

Array = np.ndarray[Any, Any]

NUMPY = orjson.OPT_SERIALIZE_NUMPY


class Writer:
    """Writes the answers of one model."""

    def __init__(self, model: str, version: str, signature: Signature) -> None:
        self.head = {"model_name": model, "model_version": version}
        self.datatypes = {tensor.name: DATATYPES[tensor.datatype] for tensor in signature.outputs}

    def write(self, call: Call, answers: dict[str, Array]) -> tuple[bytes, int | None]:
        """The body, and the length of its JSON where bytes follow it. JSON has no NaN: it is written as null."""
        document: dict[str, Any] = dict(self.head)
        if call.id is not None:
            document["id"] = call.id
        blobs: list[bytes] = []
        forms: Sequence[tuple[str, bool]] = call.outputs or [(name, False) for name in answers]
        document["outputs"] = [
            self._output(name, answers[name], blobs if as_bytes else None) for name, as_bytes in forms
        ]
        text = orjson.dumps(document, option=NUMPY)
        if not blobs:
            return text, None
        return b"".join((text, *blobs)), len(text)

    def _output(self, name: str, array: Array, blobs: list[bytes] | None) -> dict[str, Any]:
        datatype = self.datatypes[name]
        output: dict[str, Any] = {"name": name, "datatype": datatype.name, "shape": array.shape}
        if blobs is not None:
            blob = binary.encode(array, datatype)
            blobs.append(blob)
            output["parameters"] = {"binary_data_size": len(blob)}
        elif datatype.letter is not None:
            output["data"] = array.ravel()
        elif datatype.name == "BYTES":
            output["data"] = array.ravel().tolist()
        else:
            raise Refusal(f"output {name} is {datatype.name}, which has no form in JSON; ask for it as binary data")
        return output


def error(message: str) -> bytes:
    """The body of an error, as the protocol has it."""
    return orjson.dumps({"error": message})
