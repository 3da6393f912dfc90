"""``merkhet component``: a component is tried by its examples, and kept for ever where all of them come out."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from merkhet.contract.component import ComponentDocument, ComponentResult, ComponentTask
from merkhet.errors import Refused
from merkhet.store.port import Store
from merkhet.workloads import cgroup, run
from merkhet.workloads.components import document as documents
from merkhet.workloads.components import examples, graph, onnx, python, sklearn, sql
from merkhet.workloads.features import tables
from merkhet.workloads.run import Places, Progress
from merkhet.workloads.trainer import pipeline

INPUT = "input"  # the table that a sql component's example asks


def main(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - everything stands in the task
    """Do the task of the environment and give the exit code."""
    places = Places.from_environment()
    return run.main(ComponentTask, partial(try_and_keep, places=places, now=datetime.now(UTC)), places)


def try_and_keep(
    task: ComponentTask, store: Store, progress: Progress, *, places: Places, now: datetime
) -> ComponentResult:
    """See that the examples come out, then keep the document; without a digest where one does not.

    Raises: ``Refused`` where no example is to blame: the component cannot be meant, or its version is taken.
    """
    document = task.document
    # Before the examples: where they fail, what is said of a version that stands is said of this content.
    documents.see_not_taken(store, document)
    scratch = places.scratch / f"component-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        if document.onnx is not None:
            graph.admit(document, task.uri or "", store, places=places, progress=progress)
        apply = _BY_FLAVOUR[document.flavour](document, store, scratch)
        count = len(task.examples)
        tried = []
        for number, example in enumerate(task.examples, 1):
            progress(f"trying example {number} of {count}")
            tried.append(examples.tried(number, example, apply))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    digest = ""
    if all(one.passed for one in tried):
        progress(f"keeping version {document.version}")
        digest = documents.keep(store, document, now.isoformat(timespec="seconds").replace("+00:00", "Z"))
    return ComponentResult(
        version=document.version,
        digest=digest,
        examples=tuple(tried),
        versions=documents.versions(store, document.name),
    )


def _sklearn(document: ComponentDocument, _store: Store, _scratch: Path) -> examples.Apply:
    pipeline.check_preparation(document.steps)
    return lambda _, table: sklearn.apply(document.steps, table)


def _sql(document: ComponentDocument, _store: Store, scratch: Path) -> examples.Apply:
    def ask(query: str | None, table: pa.Table) -> pa.Table:
        telling = tables.Telling(scratch, personal=False)
        with tables.database([], cgroup.limits(), scratch, telling) as database:
            sql.define(database.connection, document.macros or "")
            if query is None:
                return table
            database.connection.register(INPUT, table)
            statement = database.statement(query)
            columns = database.columns_of(statement)
            rows = list(database.rows(statement, f"select * from {tables.quoted(tables.RESULT)}"))  # noqa: S608 - quoted
            return pa.concat_tables(rows) if rows else pa.table({name: [] for name, _ in columns})

    ask(None, pa.table({}))  # macros that cannot be defined are no example's fault
    return lambda example, table: ask(example.query, table)


def _python(document: ComponentDocument, _store: Store, _scratch: Path) -> examples.Apply:
    step = document.python
    if step is None:
        raise Refused(f"component {document.name} is said to be of python and has none; use one version for all images")
    return lambda _, table: python.apply(step, table, cgroup.limits(), what=f"component {document.name}")


def _onnx(document: ComponentDocument, store: Store, _scratch: Path) -> examples.Apply:
    step = document.onnx
    if step is None:
        raise Refused(f"component {document.name} is said to be of onnx and has none; use one version for all images")
    return lambda _, table: onnx.apply(step, table, store, what=f"component {document.name}")


_BY_FLAVOUR: dict[str, Callable[[ComponentDocument, Store, Path], examples.Apply]] = {
    "sklearn": _sklearn,
    "sql": _sql,
    "python": _python,
    "onnx": _onnx,
}
