"""The file that answers look-ups of a version: the latest row of each entity, as JSON.

The values are those of the version: a float by the shortest digits that give it back, NaN as null and infinity, also of
dates and times, as the text ``Infinity`` (JSON has neither), times in UTC as RFC 3339 has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from merkhet.contract.features import Blob, Column, FeaturesManifest, FeaturesResult, FeaturesTask
from merkhet.contract.online import OnlinePointer
from merkhet.errors import Missing, Refused
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads import cgroup
from merkhet.workloads.features.blobs import Files
from merkhet.workloads.features.contract import FLOATS
from merkhet.workloads.features.sources import Located
from merkhet.workloads.features.tables import BATCH_ROWS, Telling, batches, database, quoted
from merkhet.workloads.features.versions import manifest_at
from merkhet.workloads.online import file as layout
from merkhet.workloads.online.file import FORMAT, FileColumn, prefixes
from merkhet.workloads.online.writer import Writer
from merkhet.workloads.run import Progress, RefusedForNow

TABLE = "features"
RANK = "\u241erank"  # no column can have this name
GROUP_VALUES = 1_000_000  # as text at a time
TO_ESCAPE = r'["\\\x00-\x1f]'
MICROSECONDS_PER_DAY = 86_400_000_000
LAST_DAY = (1 << 63) // MICROSECONDS_PER_DAY  # whose microseconds fit 64 bits
OUT_OF_CALENDAR = "<value out of range"  # what Arrow writes instead of a day that it has no name for


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the work is done: the store's files, room for others, how errors are told, and who is told of progress."""

    files: Files
    scratch: Path
    telling: Telling
    progress: Progress

    @property
    def store(self) -> Store:
        """Where the files stand."""
        return self.files.store


def check(task: FeaturesTask, columns: Sequence[Column], blobs: Sequence[Blob], desk: Desk) -> None:
    """See, before rows are published, that entities can be looked up in them; raises ``RefusedForNow``."""
    if not task.online:
        return
    if not task.entity:
        raise Refused(f"FeatureSet {task.feature_set} has `online` and no `entity`; name the columns it goes by")
    types = {column.name: column.type for column in columns}
    for name in task.entity:
        if types[name] in FLOATS:
            raise RefusedForNow(
                f"entity column {name} is {types[name]}, by which nothing is looked up: declare it as an integer or "
                "as string in `columns`, or take `online` away",
                reason="EntityNotExact",
            )
    if task.timestamp is None:
        _refuse_repeated(task, blobs, desk)


def offer(task: FeaturesTask, made: FeaturesResult, desk: Desk) -> FeaturesResult:
    """Make the file of a published version and lead look-ups to it; what is there already is not made again."""
    if not task.online or made.number is None:
        return made
    pointer = _pointer(desk.store, task.feature_set)
    if pointer is not None and pointer.number > made.number:
        desk.progress(f"look-ups stay with version {pointer.number}, which is newer")
        return made
    if pointer is None or not _is_of(pointer, made, desk.store):
        manifest = manifest_at(desk.store, task.feature_set, made.number)
        pointer = _made(manifest, made.digest, desk)
        desk.store.replace(paths.online_pointer(task.feature_set), pointer.dump().encode())
    return made.model_copy(update={"online": True})


def _is_of(pointer: OnlinePointer, made: FeaturesResult, store: Store) -> bool:
    same = (pointer.number, pointer.manifest, pointer.format) == (made.number, made.digest, FORMAT)
    return same and store.exists(paths.blob(pointer.digest))


def _pointer(store: Store, feature_set: str) -> OnlinePointer | None:
    """What look-ups go by; one that cannot be read is made anew."""
    try:
        return OnlinePointer.load(store.read(paths.online_pointer(feature_set)))
    except (Missing, ValidationError):
        return None


def _made(manifest: FeaturesManifest, digest: str, desk: Desk) -> OnlinePointer:
    """The file in the store, and the pointer to it."""
    desk.progress(f"making version {manifest.number} ready for look-ups")
    target, unsorted = desk.scratch / "online", desk.scratch / "online.entries"
    shown = _shown(manifest)
    with target.open("wb") as content:
        writer = Writer(content, unsorted)
        for piece in _asked(_latest(manifest, shown), manifest.blobs, desk):
            for rows in _slices(piece, len(shown)):
                _add(writer, rows, manifest, shown)
        writer.finish(
            feature_set=manifest.feature_set,
            number=manifest.number,
            manifest=digest,
            entity=manifest.entity,
            timestamp=manifest.timestamp,
            columns=tuple(FileColumn(name=column.name, type=column.type) for column in shown),
        )
    unsorted.unlink()
    size = target.stat().st_size
    stored = desk.store.add(target)
    target.unlink()
    desk.progress(f"{writer.entities:,} entities can be looked up in version {manifest.number}")
    return OnlinePointer(
        feature_set=manifest.feature_set,
        number=manifest.number,
        manifest=digest,
        digest=stored,
        size=size,
        format=FORMAT,
    )


def _shown(manifest: FeaturesManifest) -> list[Column]:
    """The columns of the answers: the entity's first; no personal ones but those."""
    by_name = {column.name: column for column in manifest.columns}
    others = (column for column in manifest.columns if column.name not in manifest.entity and not column.personal)
    return [*(by_name[name] for name in manifest.entity), *others]


# What the database is asked


def _refuse_repeated(task: FeaturesTask, blobs: Sequence[Blob], desk: Desk) -> None:
    names = ", ".join(map(quoted, task.entity))
    counted = f"select {names} from {TABLE} where {_named(task.entity)} group by {names} having count(*) > 1"  # noqa: S608 - quoted
    (table,) = _asked(f"select count(*) as many from ({counted})", blobs, desk)  # noqa: S608 - quoted
    repeated = table.column("many")[0].as_py()
    if repeated:
        raise RefusedForNow(
            f"{repeated:,} entities ({', '.join(task.entity)}) have more than one row, and without `timestamp` no row "
            "is the latest; set spec.timestamp, or keep one row of each in the query",
            reason="DuplicateEntity",
        )


def _latest(manifest: FeaturesManifest, shown: Sequence[Column]) -> str:
    """SQL of the latest row of each entity: by timestamp, then by arrival, then by all columns."""
    times = [name for name in (manifest.timestamp, manifest.arrival) if name is not None]
    ranks = dict.fromkeys([*times, *(column.name for column in manifest.columns)])
    order = ", ".join(f"{quoted(name)} desc nulls last" for name in ranks if name not in manifest.entity) or "1"
    entity, names = ", ".join(map(quoted, manifest.entity)), ", ".join(quoted(column.name) for column in shown)
    time = f", {quoted(manifest.timestamp)} as {quoted(RANK + 'time')}" if manifest.timestamp is not None else ""
    ranked = (
        f"select *, row_number() over (partition by {entity} order by {order}) as {quoted(RANK)} "  # noqa: S608 - quoted
        f"from {TABLE} where {_named(manifest.entity)}"
    )
    return f"select {names}{time} from ({ranked}) where {quoted(RANK)} = 1 order by {entity}"  # noqa: S608 - quoted


def _named(entity: Sequence[str]) -> str:
    """SQL of whether a row says what it is about."""
    return " and ".join(f"{quoted(name)} is not null" for name in entity)


def _asked(sql: str, blobs: Sequence[Blob], desk: Desk) -> Iterator[pa.Table]:
    """What a query over the rows of a version gives, a piece at a time."""
    files = tuple(desk.files.of(blobs))
    with database([Located(TABLE, TABLE, "parquet", files)], cgroup.limits(), desk.scratch, desk.telling) as opened:
        try:
            for batch in batches(opened.connection, sql, BATCH_ROWS):
                yield pa.Table.from_batches([batch])
        except duckdb.Error as error:
            raise desk.telling.meaning(error, "looking for the latest rows") from error


# From columns to JSON


def _slices(piece: pa.Table, columns: int) -> Iterator[pa.Table]:
    size = max(1, GROUP_VALUES // columns)
    for start in range(0, piece.num_rows, size):
        yield piece.slice(start, size).combine_chunks()


def _add(writer: Writer, rows: pa.Table, manifest: FeaturesManifest, shown: Sequence[Column]) -> None:
    """Write some rows."""
    words = [text_of(_array(rows, at), column.type) for at, column in enumerate(shown)]
    begins = [prefix.decode() for prefix in prefixes([column.name for column in shown])]
    width = len(manifest.entity)
    keys = _joined(begins[:width], words[:width], "", "")
    texts = _joined(begins, words, "{", "}")
    times = _times(_array(rows, len(shown))) if manifest.timestamp is not None else None
    sizes = np.asarray(pc.binary_length(texts)).astype(np.uint32)
    writer.add(keys.cast(pa.large_binary()).to_pylist(), _characters(texts), sizes, times)


def _joined(begins: Sequence[str], words: Sequence[Any], first: str, last: str) -> Any:
    """Each row's names and values as one text."""
    parts: list[Any] = []
    for at, (begin, word) in enumerate(zip(begins, words, strict=True)):
        parts += [pa.scalar((first if at == 0 else ",") + begin, pa.large_string()), word]
    return pc.binary_join_element_wise(*parts, pa.scalar(last, pa.large_string()), pa.scalar("", pa.large_string()))


def text_of(array: Any, type_: str) -> Any:
    """The values of a column as JSON has them."""
    kind = "integer" if "int" in type_ else "float" if type_ in FLOATS else type_
    return pc.fill_null(TEXTS[kind](array).cast(pa.large_string()), "null")


def _plain(array: Any) -> Any:
    return array.cast(pa.large_string())


def _float(array: Any) -> Any:
    # Arrow writes the fewest digits that give the value back, and 3.0 as 3.
    text = pc.replace_substring_regex(array.cast(pa.large_string()), r"^(-?\d+)$", r"\1.0")
    text = pc.if_else(pc.is_inf(array), pc.if_else(pc.less(array, 0), '"-Infinity"', '"Infinity"'), text)
    return pc.if_else(pc.is_nan(array), pa.scalar(None, text.type), text)


def _string(array: Any) -> Any:
    if pc.any(pc.match_substring_regex(array, TO_ESCAPE)).as_py():
        escaped = [None if value is None else json.dumps(value, ensure_ascii=False) for value in array.to_pylist()]
        return pa.array(escaped, pa.large_string())
    return _between_quotes(array, "")


def _date(array: Any) -> Any:
    text = array.cast(pa.large_string())
    return _within_calendar(_between_quotes(text, ""), text, array.view(pa.int32()))


def _timestamp(array: Any) -> Any:
    times = array.cast(pa.timestamp("us"))
    text = times.cast(pa.large_string())
    named = pc.replace_substring_regex(pc.replace_substring(text, " ", "T"), r"\.0+$", "")
    return _within_calendar(_between_quotes(named, "Z"), text, times.view(pa.int64()))


def _within_calendar(words: Any, text: Any, ticks: Any) -> Any:
    """The words, but for what lies beyond the calendar: before it or after it."""
    beyond = pc.starts_with(text, OUT_OF_CALENDAR)
    return pc.if_else(beyond, pc.if_else(pc.less(ticks, 0), '"-Infinity"', '"Infinity"'), words)


def _between_quotes(array: Any, end: str) -> Any:
    text = array.cast(pa.large_string())
    some = [pa.scalar(word, pa.large_string()) for word in ('"', f'{end}"', "")]
    return pc.binary_join_element_wise(some[0], text, some[1], some[2])


TEXTS: dict[str, Callable[[Any], Any]] = {
    "integer": _plain,
    "float": _float,
    "boolean": _plain,
    "string": _string,
    "date": _date,
    "timestamp": _timestamp,
}


def _times(array: Any) -> Any:
    """Units: microseconds since 1970; no time is earlier than all."""
    if pa.types.is_date32(array.type):
        days = array.view(pa.int32()).cast(pa.int64())
        within = pc.if_else(pc.greater(pc.abs(days), LAST_DAY), pc.multiply(pc.sign(days), LAST_DAY), days)
        times = pc.multiply(within.cast(pa.int64()), MICROSECONDS_PER_DAY)
    else:
        times = array.cast(pa.timestamp("us")).view(pa.int64())
    return np.asarray(pc.fill_null(times, layout.NEVER))


def _array(rows: pa.Table, at: int) -> Any:
    column = rows.column(at)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _characters(texts: Any) -> memoryview:
    _, offsets, characters = texts.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return memoryview(characters or b"")[ends[0] : ends[-1]]
