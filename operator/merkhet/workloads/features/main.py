"""``merkhet features``: from sources and a query to a version; ``merkhet features rows`` shows one."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from merkhet.contract.features import CheckedBias, CheckedRule, FeaturesManifest, FeaturesResult, FeaturesTask
from merkhet.errors import Refused
from merkhet.store import claims, paths
from merkhet.store.port import Store
from merkhet.workloads import cgroup, run
from merkhet.workloads.features import online, rows, steps, tables
from merkhet.workloads.features.bias import Comparer, is_beyond
from merkhet.workloads.features.blobs import Files, Written, write
from merkhet.workloads.features.contract import select
from merkhet.workloads.features.duplicates import see_once_each, unique_keys
from merkhet.workloads.features.imports import Imports, lineage, marked, take
from merkhet.workloads.features.pointintime import add_joins
from merkhet.workloads.features.profile import Profiler
from merkhet.workloads.features.quality import Checker
from merkhet.workloads.features.sources import Located, locate
from merkhet.workloads.features.tables import Database, Telling
from merkhet.workloads.features.versions import manifest_at, published_numbers
from merkhet.workloads.run import Places, Progress

Findings = tuple[CheckedRule, ...] | None  # None: there are no rules


def main(argv: Sequence[str]) -> int:
    """Do the task of the environment, or show rows; the exit code."""
    if argv:
        return rows.main(argv)
    places = Places.from_environment()
    return run.main(FeaturesTask, partial(make_version, places=places, now=datetime.now(UTC)), places)


def make_version(
    task: FeaturesTask, store: Store, progress: Progress, *, places: Places, now: datetime
) -> FeaturesResult:
    """Materialise the rows, and publish them where they differ from the latest version's and no rule blocks them."""
    scratch = places.scratch / f"features-{uuid.uuid4().hex}"
    scratch.mkdir(parents=True)
    try:
        imports = take(task, store, progress)
        task = marked(steps.pinned(task, store), imports, [*task.entity, task.timestamp or ""])
        personal = bool(imports.personal) or any(column.personal for column in task.columns)
        telling = tables.Telling(places.store, personal=personal)
        files = Files(store)
        written, findings, bias = _materialise(Checker(task, scratch, telling, now), imports, files, progress)
        profiler = Profiler(scratch, telling, quality=findings, bias=bias, of=written.digest)
        desk = online.Desk(files, scratch, telling, progress)
        if not _is_kept_back(task, profiler):
            online.check(task, written.columns, written.blobs, desk)
        return online.offer(task, _publish(task, written, profiler, files, progress), desk)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _materialise(
    checker: Checker, imports: Imports, files: Files, progress: Progress
) -> tuple[Written, Findings, CheckedBias | None]:
    task, scratch, telling = checker.task, checker.scratch, checker.telling
    progress(f"reading {len(task.sources)} source{'s' if len(task.sources) > 1 else ''}")
    found = [
        locate(source, telling.store_root, scratch, progress) for source in task.sources if source.features is None
    ]
    components = steps.resolve(task.components, files.store)
    known = imports.personal | {column.name for column in task.columns if column.personal}
    room = steps.Room(files.store, scratch, cgroup.limits(), telling.personal, progress, known)
    sources = [*found, *imports.located()]
    with _opened(task, sources, components, room, telling) as (database, query):
        statement = add_joins(query, task.timestamp, imports.joins, database)
        transformed = components.transform(statement, database, room)
        statement, task = transformed.statement, transformed.contract(task)
        columns = database.columns_of(statement)
        wanted = select(marked(task, imports, [name for name, _ in columns]), columns)
        checks = checker.prepare(wanted.columns)
        comparer = Comparer(task, scratch, telling)
        comparison = comparer.prepare(wanted.columns)
        progress("running the query")
        # The same input is to give the same bytes; what only selects does so by itself, and is quicker unsorted.
        sql = wanted.sql if database.keeps_order(statement) else wanted.ordered
        pieces = database.rows(statement, sql, wanted.failing)
        written = write(pieces, wanted.columns, files.store, progress, keys=unique_keys(task))
    files.saw(written.blobs)
    findings = None
    if checks:
        progress(f"checking {len(checks)} quality rule{'s' if len(checks) > 1 else ''}")
        findings = tuple(checker.judge(checks, written.columns, files.of(written.blobs)))
    # A refusal tells of itself alone: what the rules say of rows that they keep back comes before it.
    if _breaks_quality(task, findings):
        return written, findings, None  # rows that are kept back as they are wrong say nothing of people
    if written.keys_may_repeat:
        see_once_each(task, written.columns, files.of(written.blobs), scratch, telling)
    if comparison is None:
        return written, findings, None
    progress("comparing groups")
    return written, findings, comparer.judge(comparison, written.columns, files.of(written.blobs))


@contextmanager
def _opened(
    task: FeaturesTask, sources: Sequence[Located], components: steps.Components, room: steps.Room, telling: Telling
) -> Iterator[tuple[Database, str]]:
    """The database and the query's statement; with one thread where the turns of several would show in the rows."""
    query = task.query or _only_source(task)
    for limits in (room.limits, replace(room.limits, cpus=1.0)):
        with tables.database(sources, limits, room.scratch, telling, later=[room.file]) as database:
            components.define(database)
            statement = database.statement(query)
            if limits.threads == 1 or not database.shows_turns(statement):
                yield database, statement
                return


def _only_source(task: FeaturesTask) -> str:
    if len(task.sources) != 1:
        raise Refused(
            f"FeatureSet {task.feature_set} has {len(task.sources)} sources and no query; write `query`, "
            f"which says how {', '.join(source.name for source in task.sources)} become one table"
        )
    return f"select * from {tables.quoted(task.sources[0].name)}"  # noqa: S608 - quoted


def _publish(
    task: FeaturesTask, written: Written, profiler: Profiler, files: Files, progress: Progress
) -> FeaturesResult:
    store = files.store
    folder = paths.feature_sets(task.feature_set)
    claimed = claims.number_of(store, folder, task.run.key)
    published = published_numbers(store, task.feature_set)
    # What an earlier try of this run published before it died stays, however old its newest row is by now.
    if claimed not in published and _is_kept_back(task, profiler):
        broken = _breaks_quality(task, profiler.quality)
        progress(f"a {'quality rule' if broken else 'limit on bias'} does not hold: the rows are not published")
        return FeaturesResult(
            rows=written.rows,
            columns=written.columns,
            created=_now(),
            quality=profiler.quality,
            bias=profiler.bias,
        )
    if claimed is None:
        latest = next(iter(published), None)
        if latest is not None:
            manifest = manifest_at(store, task.feature_set, latest)
            if manifest == _manifest(task, written, latest, manifest):
                progress(f"the rows are those of version {latest}")
                profile = profiler.keep(manifest, files, progress)
                return _result(manifest, store, profiler, profile, unchanged=True)
        claimed = claims.claim_number(store, folder, task.run.key)
    if claimed not in published:
        manifest = _manifest(task, written, claimed)
        profiler.keep(manifest, files, progress)
        progress(f"publishing version {claimed}")
        store.add(manifest.dump().encode())
        store.create(paths.feature_manifest(task.feature_set, claimed), manifest.dump().encode())
    # An earlier try of this run may have published before it died: what stands there holds.
    manifest = manifest_at(store, task.feature_set, claimed)
    return _result(manifest, store, profiler, profiler.keep(manifest, files, progress), unchanged=False)


def _is_kept_back(task: FeaturesTask, profiler: Profiler) -> bool:
    return _breaks_quality(task, profiler.quality) or is_beyond(task.bias, profiler.bias)


def _breaks_quality(task: FeaturesTask, findings: Findings) -> bool:
    blocks = task.quality is not None and task.quality.on_failure == "Block"
    return blocks and not all(rule.passed for rule in findings or ())


def _manifest(
    task: FeaturesTask, written: Written, number: int, same: FeaturesManifest | None = None
) -> FeaturesManifest:
    """The manifest of what was written; with the blobs of ``same`` where that holds the same rows.

    Another version of the parquet library writes the same rows as other bytes.
    """
    blobs = same.blobs if same is not None and same.data_digest == written.digest else written.blobs
    return FeaturesManifest(
        feature_set=task.feature_set,
        number=number,
        data_digest=written.digest,
        rows=written.rows,
        columns=written.columns,
        entity=task.entity,
        timestamp=task.timestamp,
        arrival=task.arrival,
        blobs=blobs,
        # The same rows are the same version, whatever versions they were made from.
        inputs=lineage(task) if same is None else same.inputs,
        components=task.components if same is None else same.components,
    )


def _result(
    manifest: FeaturesManifest, store: Store, profiler: Profiler, profile: str, *, unchanged: bool
) -> FeaturesResult:
    return FeaturesResult(
        number=manifest.number,
        digest=store.add(manifest.dump().encode()),
        rows=manifest.rows,
        columns=manifest.columns,
        created=_now(),
        unchanged=unchanged,
        quality=profiler.quality,
        bias=profiler.bias,
        profile=profile,
        components=manifest.components,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
