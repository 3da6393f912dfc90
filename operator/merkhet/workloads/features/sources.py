"""Where the files of a source are: in the store by path or glob, or fetched from a bucket or over https."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

from merkhet.contract.features import Source
from merkhet.errors import InvalidSpec, Missing, Refused
from merkhet.store import paths
from merkhet.workloads.features.bucket import fetch
from merkhet.workloads.features.download import download
from merkhet.workloads.run import Progress, RefusedForNow

Format = Literal["parquet", "csv", "json"]
FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
COMPRESSIONS = (".gz", ".zst")
PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class Located:
    """A source whose files are at hand."""

    name: str
    uri: str
    format: Format
    files: tuple[Path, ...]


def locate(source: Source, store_root: Path, scratch: Path, progress: Progress) -> Located:
    """Find or fetch the files and see that they look like what they are said to be; raises ``Refused``, ``Missing``."""
    uri = source.uri or ""
    scheme = urlsplit(uri).scheme
    if scheme == "store":
        files = _in_store(source, store_root)
    elif scheme == "https":
        files = [download(uri, scratch / f"{source.name}{_ending(uri)}", progress, name=source.name)]
    elif scheme == "s3":
        files = fetch(source, scratch, progress)
    else:
        raise Refused(
            f"source {source.name}: {uri} begins with {scheme or 'no scheme'}; use store://, s3:// or https://"
        )
    found = Located(source.name, uri, source.format or _format(source, files), tuple(files))
    if found.format == "parquet":
        _see_parquet(found, store_root)
    return found


def _in_store(source: Source, root: Path) -> list[Path]:
    try:
        pattern = paths.raw(source.uri or "")
    except InvalidSpec as error:
        raise Refused(f"source {source.name}: {error}") from error
    raw = (root / paths.RAW).resolve()
    matches = sorted(glob.glob(str(root / pattern), recursive=True))  # noqa: PTH207 - as dot files must not match
    files = [Path(match) for match in matches if Path(match).is_file()]
    for file in files:
        _see_name(source, file, root)
        if not file.resolve().is_relative_to(raw):
            raise RefusedForNow(
                f"source {source.name}: {_address(file, root)} is a link out of the store; put the file itself"
            )
    if not files:
        raise Missing(
            f"source {source.name}: no file matches {source.uri}; store://raw/ holds {_holdings(raw)}; "
            f"`kubectl merkhet put FILE {source.uri}` puts one there"
        )
    return files


def _see_name(source: Source, file: Path, root: Path) -> None:
    """The database would take such a name for a glob again, and read rows of other files, or twice."""
    try:
        paths.file(_address(file, root))
    except InvalidSpec as error:
        raise RefusedForNow(f"source {source.name}: {error}") from error


def _holdings(raw: Path) -> str:
    """A few of the files there, for a message."""
    names = (file.relative_to(raw) for file in raw.rglob("*") if file.is_file()) if raw.is_dir() else iter(())
    shown = sorted(name for name in names if not any(word.startswith(".") for word in name.parts))
    if not shown:
        return "nothing"
    return ", ".join(map(str, shown[:5])) + (" …" if len(shown) > 5 else "")


def _format(source: Source, files: Sequence[Path]) -> Format:
    found = {FORMATS.get(_ending(file.name).removesuffix(".gz").removesuffix(".zst")) for file in files}
    first = next(iter(found))
    if len(found) > 1 or first is None:
        raise Refused(
            f"source {source.name}: the ending of {source.uri} does not say one format ({', '.join(FORMATS)}, "
            "also with .gz or .zst); write `format: parquet`, csv or json"
        )
    return first


def _see_parquet(source: Located, root: Path) -> None:
    """Parquet begins and ends with the same four letters; a page of HTML saved under that name does not."""
    for file in source.files:
        with file.open("rb") as content:
            head = content.read(24)
            content.seek(max(0, file.stat().st_size - 4))
            tail = content.read()
        where = _address(file, root) if source.uri.startswith(paths.SCHEME) else source.uri
        if not head.startswith(PARQUET_MAGIC):
            raise RefusedForNow(
                f"source {source.name}: {where} is no parquet file: it begins with {head!r}, wanted {PARQUET_MAGIC!r}; "
                "put a parquet file there, or say `format`"
            )
        if tail != PARQUET_MAGIC or file.stat().st_size < 12:
            raise RefusedForNow(
                f"source {source.name}: {where} is cut short: it ends with {tail!r}, wanted {PARQUET_MAGIC!r}; "
                "put it there again"
            )


def _ending(name: str) -> str:
    """What a name says about its content: ``.csv.gz``."""
    endings = [ending.lower() for ending in PurePosixPath(urlsplit(name).path).suffixes]
    return "".join(endings[-2:] if endings[-1:] and endings[-1] in COMPRESSIONS else endings[-1:])


def _address(file: Path, root: Path) -> str:
    return f"{paths.SCHEME}{file.relative_to(root).as_posix()}"
