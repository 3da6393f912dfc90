"""What a component is, by content, and what the Job that tries its examples is asked and answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from merkhet.contract.base import Message
from merkhet.contract.runs import Run
from merkhet.contract.training import Step

Flavour = Literal["sklearn", "sql", "python", "onnx"]


class PythonStep(Message):
    """A function from pyarrow Table to pyarrow Table. Units: seconds."""

    entrypoint: str  # the function's name in the source
    source: str
    network: bool = False
    timeout_seconds: float = 600.0


class OnnxStep(Message):
    """A graph of ONNX that adds its outputs as columns.

    Shapes: an input [-1, k] takes the k columns of ``columns``; otherwise each input, [-1] or [-1, 1], takes the column
    of its name. An output [-1] or [-1, 1] becomes a column of its name, one of [-1, k] the columns name_0 … name_k-1.
    """

    digest: str  # of the file's bytes, a blob of the store
    columns: tuple[str, ...] = ()


class Example(Message):
    """Rows that go in, and what must come out. Shapes: a list of values for each column, all of one length."""

    input: dict[str, list[Any]]
    output: dict[str, list[Any]]
    tolerance: float = 0.0
    query: str | None = None  # of a sql component: what is asked of the table ``input``


class ComponentDocument(Message):
    """A version of a component: a blob, canonical JSON, to which ``components/<name>/<version>.json`` points for ever.

    Of ``steps``, ``macros``, ``python`` and ``onnx`` the one that the flavour names is there.
    """

    format: Literal[1] = 1
    name: str
    version: str
    flavour: Flavour
    steps: tuple[Step, ...] = ()
    macros: str | None = None
    python: PythonStep | None = None
    onnx: OnnxStep | None = None


class ComponentTask(Message):
    """The whole task: see that the examples come out, then keep the document for ever.

    ``uri`` is where the file of an onnx component stands; the Job makes it a blob and checks its digest.
    """

    version: Literal[1] = 1
    run: Run
    document: ComponentDocument
    uri: str | None = None
    examples: tuple[Example, ...] = ()


class TriedExample(Message):
    """What came of an example."""

    number: int
    passed: bool
    message: str = Field(default="", max_length=512)


class KeptVersion(Message):
    """A version of a component that stands in the store for ever."""

    version: str
    digest: str  # of the document's bytes
    flavour: Flavour
    created: str  # RFC 3339


class ComponentPointer(Message):
    """What stands at ``components/<name>/<version>.json``: which document that version is."""

    digest: str
    created: str  # RFC 3339
    blobs: tuple[str, ...] = ()  # that the document names: what the collector must leave


class ComponentResult(Message):
    """What the Job answers; without a digest where an example did not come out."""

    version: str
    digest: str = ""  # of the document's bytes
    examples: tuple[TriedExample, ...] = Field(default=(), max_length=64)
    versions: tuple[KeptVersion, ...] = Field(default=(), max_length=64)  # all that the store has, newest first
