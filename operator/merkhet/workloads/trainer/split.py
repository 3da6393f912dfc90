"""Which rows are for testing: by a seeded hash that does not change from one data version to the next, or by time.

A row is a test row where the first 8 bytes of BLAKE2b(seed, canonical text of its entity or group) are below the
fraction. Nothing else has a say, so that a row that one version was tested on is never learned from by the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from merkhet.contract.features import FeaturesManifest
from merkhet.contract.training import Split
from merkhet.errors import Refused

SEPARATOR = "\x1f"
NULL = "\x00"


def test_rows(split: Split, table: pa.Table, manifest: FeaturesManifest) -> npt.NDArray[np.bool_]:
    """True for the rows to test on; raises Refused where the method does not fit the rows."""
    if split.method == "Time":
        return _last(split, table, manifest)
    columns = hashed_columns(split, table, manifest)
    text = canonical_text(table, columns)
    if split.method == "Random" and manifest.entity and (repeated := len(text) - pc.count_distinct(text).as_py()):
        entity = ", ".join(manifest.entity)
        raise Refused(
            f"{repeated} rows of FeatureSet {manifest.feature_set} repeat an entity ({entity}), and a Random split "
            f"wants one row each; split by `method: Group, column: {manifest.entity[0]}`, or by Time",
            reason="RepeatedEntity",
        )
    return hashed_share(text, split.seed) < split.test_fraction


def clusters(table: pa.Table, manifest: FeaturesManifest, split: Split) -> npt.NDArray[np.int64] | None:
    """Which rows belong together, as numbers from 0: those of a group or an entity. None where each is alone."""
    columns = [split.column] if split.method == "Group" and split.column else list(manifest.entity)
    if split.method == "Random" or not columns:
        return None
    codes = pc.dictionary_encode(canonical_text(table, columns)).indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)


def hashed_share(text: pa.StringArray, seed: int) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each text, the same for the same text and seed."""
    encoded = pc.dictionary_encode(text)
    prefix = f"{seed}{SEPARATOR}".encode()
    digests = b"".join(
        hashlib.blake2b(prefix + word, digest_size=8).digest()
        for word in pc.cast(encoded.dictionary, pa.binary()).to_pylist()
    )
    shares = np.frombuffer(digests, dtype=">u8") / 2.0**64
    chosen: npt.NDArray[np.float64] = shares[encoded.indices.to_numpy(zero_copy_only=False)]
    return chosen


def canonical_text(table: pa.Table, columns: Sequence[str]) -> pa.StringArray:
    """One text a row from the values of some columns, the same whichever integer or float type holds them."""
    parts = [_text(table.column(name)) for name in columns]
    joined = pc.binary_join_element_wise(*parts, SEPARATOR) if len(parts) > 1 else parts[0]
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def hashed_columns(split: Split, table: pa.Table, manifest: FeaturesManifest) -> list[str]:
    """The columns whose values say on which side of the split a row is, under Random and Group."""
    if split.method == "Group":
        if split.column is None or split.column not in table.column_names:
            raise Refused(
                f"split.column is {split.column}, which FeatureSet {manifest.feature_set} does not have; name the "
                f"column that holds the group",
                reason="UnknownColumn",
            )
        return [split.column]
    # Without an entity a row is known by its content: all of it, so that leaving a feature out moves no row, and
    # nothing of what is joined, so that newer versions of that move none either.
    return list(manifest.entity) or sorted(column.name for column in manifest.columns)


def _last(split: Split, table: pa.Table, manifest: FeaturesManifest) -> npt.NDArray[np.bool_]:
    if manifest.timestamp is None:
        raise Refused(
            f"split by Time, and FeatureSet {manifest.feature_set} names no timestamp; set its `timestamp`, or split "
            f"by Random or Group",
            reason="NoTimestamp",
        )
    times = table.column(manifest.timestamp)
    if times.null_count:
        raise Refused(
            f"timestamp {manifest.timestamp} is missing in {times.null_count} rows; leave them out in the query",
            reason="NoTimestamp",
        )
    moments = times.to_numpy()
    position = min(len(moments) - 1, round(len(moments) * (1 - split.test_fraction)))
    # Rows of one moment stay together, on the side of the test.
    last: npt.NDArray[np.bool_] = moments >= np.partition(moments, position)[position]
    return last


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = pc.cast(column, kind.value_type), kind.value_type
    if pa.types.is_floating(kind) and _is_whole(column):
        column = pc.cast(column, pa.int64())
    if pa.types.is_timestamp(kind):
        column = pc.cast(column, pa.timestamp("us", tz=kind.tz), safe=False)
    try:
        return pc.fill_null(pc.cast(column, pa.string()), NULL)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise Refused(f"rows cannot be told apart by a column of type {kind}: {error}; set the FeatureSet's `entity`",
                      reason="MistypedColumn") from error  # fmt: skip


def _is_whole(column: pa.ChunkedArray) -> bool:
    small = pc.less(pc.abs(column), 2.0**53)
    return bool(pc.all(pc.and_(small, pc.equal(pc.trunc(column), column))).as_py())
