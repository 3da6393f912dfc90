"""The components of a FeatureSet: macros that its query may call, and steps that its rows go through afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from merkhet.contract.component import ComponentDocument
from merkhet.contract.features import ColumnContract, ComponentUse, FeaturesTask
from merkhet.errors import Refused
from merkhet.store.port import Store
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.components import document as documents
from merkhet.workloads.components import python, sql
from merkhet.workloads.features.contract import see_names_differ
from merkhet.workloads.features.tables import READERS, RESULT, Database, literal, quoted
from merkhet.workloads.run import Progress, RefusedForNow

if TYPE_CHECKING:
    from merkhet.workloads.components.onnx import Graph

FILE = "steps.parquet"
# What DuckDB counts and Arrow has no integer for. Beyond 64 bits the cast stops the run.
INTEGERS = {"HUGEINT": "BIGINT", "UHUGEINT": "UBIGINT"}
TEXTS = ("UUID", "ENUM", "JSON")
Pieces = Iterator[pa.Table]


@dataclass(frozen=True, slots=True)
class Components:
    """The components in their order, as the store has them; ``uses`` have their digests."""

    documents: tuple[ComponentDocument, ...]
    uses: tuple[ComponentUse, ...]

    def define(self, database: Database) -> None:
        """Define the macros in the locked database; raises ``Refused`` naming the component."""
        for document in self.documents:
            if document.macros is not None:
                try:
                    sql.define(database.connection, document.macros)
                except Refused as error:
                    raise Refused(f"{named(document)}: {error}", reason=error.reason) from error

    def transform(self, statement: str, database: Database, room: Room) -> Transformed:
        """The rows of ``statement`` after all steps, from a file; the statement itself where there is none."""
        steps = [document for document in self.documents if document.python or document.onnx]
        if not steps:
            return Transformed(statement)
        columns = database.columns_of(statement)
        names, pieces = _see_rows(database.rows(statement, _ordered(columns)), "the query gives")
        marked = room.marked
        for document in steps:
            room.progress(f"running {named(document)}")
            graph = _graph(document, room)
            taken = names if graph is None else names & graph.takes
            made = _made_by(document, pieces, room) if graph is None else _with_outputs(graph, pieces)
            given, pieces = _see_rows(made, f"{named(document)} leaves")
            marked |= given - names if taken & marked else frozenset()
            names = given
        _write(pieces, room.file)
        select = f"select * from {READERS['parquet'].format(files=f'[{literal(str(room.file))}]')}"  # noqa: S608 - quoted
        return Transformed(select, marked & names)


@dataclass(frozen=True, slots=True)
class Transformed:
    """Rows after all steps. ``marked``: columns that are personal where nobody says what they are.

    A step may put what it takes under any name: where a personal column goes in, each column of a new name is marked.
    """

    statement: str
    marked: frozenset[str] = frozenset()

    def contract(self, task: FeaturesTask) -> FeaturesTask:
        """The task, whose ``columns`` have those that are marked and that it does not name itself."""
        said = {column.name for column in task.columns}
        more = tuple(ColumnContract(name=name, personal=True) for name in sorted(self.marked - said))
        return task.model_copy(update={"columns": (*task.columns, *more)})


@dataclass(frozen=True, slots=True)
class Room:
    """Where steps run and with what.

    ``personal``: values may be somebody's, so no message has any. ``marked``: the columns that are.
    """

    store: Store
    scratch: Path
    limits: Limits
    personal: bool
    progress: Progress
    marked: frozenset[str] = frozenset()

    @property
    def file(self) -> Path:
        """What the rows become; the database must be told of it before it is locked."""
        return self.scratch / FILE


def resolve(uses: Sequence[ComponentUse], store: Store) -> Components:
    """Find the components; raises ``Missing``, and ``Refused`` for one that is nothing for rows of a FeatureSet."""
    found = [documents.resolve(store, use.name, use.version, use.digest) for use in uses]
    for document, _ in found:
        if document.flavour == "sklearn":
            raise Refused(
                f"{named(document)} is of flavour sklearn, which learns from rows; name it in a ModelTraining's "
                "`pipeline`, a FeatureSet takes sql, python and onnx",
                reason="ComponentMisplaced",
            )
    known = tuple(use.model_copy(update={"digest": digest}) for use, (_, digest) in zip(uses, found, strict=True))
    return Components(tuple(document for document, _ in found), known)


def pinned(task: FeaturesTask, store: Store) -> FeaturesTask:
    """The task with the digests of its components."""
    return task.model_copy(update={"components": resolve(task.components, store).uses})


def named(document: ComponentDocument) -> str:
    """A component in messages."""
    return f"component {document.name} {document.version}"


def _ordered(columns: Sequence[tuple[str, str]]) -> str:
    """All rows of the query, in the same order each time: what a function makes of them may depend on it."""
    see_names_differ([name for name, _ in columns])
    return f"select {', '.join(_column(*column) for column in columns)} from {quoted(RESULT)} order by all"  # noqa: S608 - quoted


def _column(name: str, kind: str) -> str:
    wanted = INTEGERS.get(kind) or ("VARCHAR" if kind.startswith(TEXTS) and not kind.endswith("]") else None)
    return quoted(name) if wanted is None else f"{quoted(name)}::{wanted} as {quoted(name)}"


def _graph(document: ComponentDocument, room: Room) -> Graph | None:
    if document.onnx is None:
        return None
    from merkhet.workloads.components.onnx import Graph  # noqa: PLC0415 - its libraries take long, and few need them

    return Graph.open(document.onnx, room.store, named(document))


def _with_outputs(graph: Graph, pieces: Pieces) -> Pieces:
    """The rows with the outputs of a graph, as they come."""
    from merkhet.workloads.components.onnx import batches  # noqa: PLC0415 - as above

    for piece in pieces:
        yield from (graph.add(batch) for batch in batches(piece, graph))


def _made_by(document: ComponentDocument, pieces: Pieces, room: Room) -> Pieces:
    """What a function makes of all rows. They wait in a file, which takes none of the memory that the function has."""
    assert document.python is not None
    file = room.scratch / "rows.arrow"
    first = next(pieces)
    with pa.ipc.new_file(str(file), first.schema) as writer:
        for piece in chain((first,), pieces):
            writer.write_table(piece)
    with pa.memory_map(str(file)) as stream:
        table = pa.ipc.open_file(stream).read_all()
        file.unlink()
        yield python.apply(document.python, table, room.limits, what=named(document), personal=room.personal)


def _see_rows(pieces: Pieces, what: str) -> tuple[frozenset[str], Pieces]:
    """The names of the columns, and the same pieces but empty ones; raises ``RefusedForNow`` where no row is left."""
    first = next((piece for piece in pieces if piece.num_rows), None)
    if first is None:
        raise RefusedForNow(f"{what} no row; look at the sources and conditions", reason="NoRows")
    return frozenset(first.column_names), chain((first,), (piece for piece in pieces if piece.num_rows))


def _write(pieces: Pieces, file: Path) -> None:
    first = next(pieces)
    for column in first.schema:
        if pa.types.is_interval(column.type) or pa.types.is_union(column.type):  # the file has neither
            raise RefusedForNow(
                f"column {column.name} is {column.type}, which a feature cannot be; cast it or take its parts in the "
                "query",
                reason="ColumnMismatch",
            )
    with pq.ParquetWriter(file, first.schema, compression="zstd", compression_level=1) as writer:
        for piece in chain((first,), pieces):
            writer.write_table(piece)
