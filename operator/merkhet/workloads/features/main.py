"""``merkhet features``: from sources and a query to a version; ``merkhet features rows`` shows one."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from merkhet.contract.features import CheckedRule, FeaturesManifest, FeaturesResult, FeaturesTask
from merkhet.errors import Refused
from merkhet.store import claims, paths
from merkhet.store.port import Store
from merkhet.workloads import cgroup, run
from merkhet.workloads.features import rows, tables
from merkhet.workloads.features.blobs import Written, write
from merkhet.workloads.features.contract import select
from merkhet.workloads.features.quality import Checker
from merkhet.workloads.features.sources import locate
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
    telling = tables.Telling(places.store, personal=any(column.personal for column in task.columns))
    try:
        return _publish(task, *_materialise(Checker(task, scratch, telling, now), store, progress), store, progress)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _materialise(checker: Checker, store: Store, progress: Progress) -> tuple[Written, Findings]:
    task, scratch, telling = checker.task, checker.scratch, checker.telling
    progress(f"reading {len(task.sources)} source{'s' if len(task.sources) > 1 else ''}")
    found = [locate(source, telling.store_root, scratch, progress) for source in task.sources]
    with tables.database(found, cgroup.limits(), scratch, telling) as database:
        statement = database.statement(task.query or _only_source(task))
        wanted = select(task, database.columns_of(statement))
        checks = checker.prepare(wanted.columns)
        progress("running the query")
        written = write(database.rows(statement, wanted.sql), wanted.columns, store, scratch, progress)
    if not checks:
        return written, None
    progress(f"checking {len(checks)} quality rule{'s' if len(checks) > 1 else ''}")
    return written, tuple(checker.judge(checks, written.columns, [store.fetch(blob.digest) for blob in written.blobs]))


def _only_source(task: FeaturesTask) -> str:
    if len(task.sources) != 1:
        raise Refused(
            f"FeatureSet {task.feature_set} has {len(task.sources)} sources and no query; write `query`, "
            f"which says how {', '.join(source.name for source in task.sources)} become one table"
        )
    return f"select * from {tables.quoted(task.sources[0].name)}"  # noqa: S608 - quoted


def _publish(
    task: FeaturesTask, written: Written, findings: Findings, store: Store, progress: Progress
) -> FeaturesResult:
    folder = paths.feature_sets(task.feature_set)
    claimed = claims.number_of(store, folder, task.run.key)
    published = published_numbers(store, task.feature_set)
    # What an earlier try of this run published before it died stays, however old its newest row is by now.
    if claimed not in published and _is_blocked(task, findings):
        progress("a quality rule does not hold: the rows are not published")
        return FeaturesResult(rows=written.rows, columns=written.columns, created=_now(), quality=findings)
    if claimed is None:
        latest = next(iter(published), None)
        if latest is not None:
            manifest = manifest_at(store, task.feature_set, latest)
            if manifest == _manifest(task, written, latest, manifest):
                progress(f"the rows are those of version {latest}")
                return _result(manifest, store, findings, unchanged=True)
        claimed = claims.claim_number(store, folder, task.run.key)
    progress(f"publishing version {claimed}")
    manifest = _manifest(task, written, claimed)
    store.add(manifest.dump().encode())
    store.create(paths.feature_manifest(task.feature_set, claimed), manifest.dump().encode())
    # An earlier try of this run may have published before it died: what stands there holds.
    return _result(manifest_at(store, task.feature_set, claimed), store, findings, unchanged=False)


def _is_blocked(task: FeaturesTask, findings: Findings) -> bool:
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
        blobs=blobs,
    )


def _result(manifest: FeaturesManifest, store: Store, findings: Findings, *, unchanged: bool) -> FeaturesResult:
    return FeaturesResult(
        number=manifest.number,
        digest=store.add(manifest.dump().encode()),
        rows=manifest.rows,
        columns=manifest.columns,
        created=_now(),
        unchanged=unchanged,
        quality=findings,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
