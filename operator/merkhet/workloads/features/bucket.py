"""Files of an S3-compatible bucket: fetched with credentials that only the run's pod sees."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from merkhet.contract.features import SECRETS_PATH, Source
from merkhet.errors import MerkhetError, Missing, Refused, Unavailable
from merkhet.workloads.features.download import CHUNK, LARGEST
from merkhet.workloads.run import Progress, RefusedForNow

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
USUAL_REGION = "us-east-1"  # what servers that know no regions call theirs
MOST_FILES = 10_000
_BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")
_WILD = re.compile(r"[*?]")
_CODE = re.compile(r"AWS Error ([A-Z_]+)")
# Answers that the SDK has no word for; 408 and 429 ask to come again.
_REFUSAL = re.compile(r"HTTP status (?!408|429)4\d\d\).*?Message: (.*?)(?: \(Request ID|$)", re.DOTALL)
# The SDK's words for what another try with the same credentials would not change.
FORBIDDEN = {"ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID"}
GONE = {"NO_SUCH_BUCKET", "NO_SUCH_KEY", "RESOURCE_NOT_FOUND"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a Secret says of a bucket; without keys it is read without a name."""

    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    region: str = USUAL_REGION
    endpoint: str | None = None  # None: Amazon's own

    @classmethod
    def of(cls, source: Source, folder: Path) -> Credentials:
        """Those mounted for a source; raises ``RefusedForNow`` where the Secret lacks one."""
        if not source.secret:
            return cls()
        access, secret = (_said(folder / word) for word in ("accessKeyId", "secretAccessKey"))
        if access is None or secret is None:
            lacking = " and ".join(
                word for word, value in (("accessKeyId", access), ("secretAccessKey", secret)) if value is None
            )
            raise RefusedForNow(
                f"source {source.name}: its Secret is not there or has no {lacking}; make it with accessKeyId, "
                "secretAccessKey and, where needed, endpoint, region and sessionToken",
                reason="CredentialsMissing",
            )
        return cls(
            access,
            secret,
            _said(folder / "sessionToken"),
            _said(folder / "region") or USUAL_REGION,
            _said(folder / "endpoint"),
        )


def fetch(source: Source, scratch: Path, progress: Progress, *, secrets: Path = Path(SECRETS_PATH)) -> list[Path]:
    """The objects that a source's address names, as files in the order of their keys.

    Raises: ``Missing`` where there is none, ``Refused`` for what cannot be meant, ``Unavailable`` for what may work
    later.
    """
    bucket, pattern = _address(source)
    credentials = Credentials.of(source, secrets / source.name)
    try:
        system = _system(source, credentials)
        found = sorted(_matching(system, bucket, pattern), key=lambda one: str(one.path))
        _see(source, found)
        return [_copy(system, one, scratch / f"{source.name}-{at}{_ending(one.path)}", progress, source)
                for at, one in enumerate(found, 1)]  # fmt: skip
    except OSError as error:
        raise _meaning(error, source, credentials) from error


def _address(source: Source) -> tuple[str, str]:
    """The bucket and the pattern of keys in it."""
    uri = source.uri or ""
    parts = urlsplit(uri)
    key = uri.removeprefix(f"s3://{parts.netloc}").lstrip("/")
    if not _BUCKET.fullmatch(parts.netloc) or not key:
        raise Refused(f"source {source.name}: {uri} names no bucket and key; write s3://bucket/path/*.parquet")
    if "[" in key:
        raise Refused(f"source {source.name}: {uri} has [, which stands for nothing here; use * and ?")
    return parts.netloc, key


def _system(source: Source, credentials: Credentials) -> Any:
    scheme, override = "https", None
    if credentials.endpoint is not None:
        parts = urlsplit(credentials.endpoint if "//" in credentials.endpoint else f"https://{credentials.endpoint}")
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise RefusedForNow(
                f"source {source.name}: its Secret says the endpoint {credentials.endpoint!r}; wanted something like "
                "https://minio.example.com:9000",
                reason="CredentialsInvalid",
            )
        scheme, override = parts.scheme, parts.netloc
    return fs.S3FileSystem(
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.session_token,
        anonymous=credentials.access_key is None,
        region=credentials.region,
        scheme=scheme,
        endpoint_override=override,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
    )


def _matching(system: Any, bucket: str, pattern: str) -> Iterator[Any]:
    """The objects whose key fits; ``*`` and ``?`` stay within a folder, ``**`` does not."""
    wild = _WILD.search(pattern)
    if wild is None:
        found = system.get_file_info(f"{bucket}/{pattern}")
        yield from (one for one in (found,) if one.type == fs.FileType.File)
        return
    fits = re.compile(_expression(pattern))
    top = pattern[: wild.start()].rpartition("/")[0]
    selector = fs.FileSelector(f"{bucket}/{top}".rstrip("/"), recursive=True)
    for one in system.get_file_info(selector):
        if one.type == fs.FileType.File and fits.fullmatch(one.path.removeprefix(f"{bucket}/")):
            yield one


def _expression(pattern: str) -> str:
    r"""The pattern as a regular expression.

    Example:
        >>> _expression("a/**/b-*.csv")
        'a/(?:.*/)?b\\-[^/]*\\.csv'

    """
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(words.get(word) or re.escape(word) for word in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", pattern))


def _see(source: Source, found: list[Any]) -> None:
    size = sum(one.size for one in found)
    if not found:
        raise Missing(f"source {source.name}: no object matches {source.uri}; put one there or correct the address")
    if len(found) > MOST_FILES or size > LARGEST:
        raise RefusedForNow(
            f"source {source.name}: {source.uri} matches {len(found)} objects of {size / 1e9:.1f} GB; at most "
            f"{MOST_FILES} of {LARGEST / 1e9:.0f} GB can be read at once: name fewer"
        )


def _copy(system: Any, one: Any, to: Path, progress: Progress, source: Source) -> Path:
    progress(f"downloading {source.name}: {PurePosixPath(one.path).name}, {one.size / 1e6:.1f} MB")
    with system.open_input_stream(one.path) as answer, to.open("wb") as file:
        shutil.copyfileobj(answer, file, CHUNK)
    if to.stat().st_size != one.size:
        raise Unavailable(f"source {source.name}: s3://{one.path} ended after {to.stat().st_size} of {one.size} bytes")
    return to


def _meaning(error: OSError, source: Source, credentials: Credentials) -> MerkhetError:
    """What an answer of the bucket means to the user; it holds no credentials."""
    text = str(error)
    code = match[1] if (match := _CODE.search(text)) else ""
    where = f"source {source.name}: {source.uri}"
    refusal = _REFUSAL.search(text)
    if code in FORBIDDEN or refusal is not None:
        who = "anybody" if credentials.access_key is None else "the credentials of its Secret"
        advice = "name a Secret in secretName" if credentials.access_key is None else "correct the Secret"
        said = refusal[1][:200] if refusal is not None else code
        return RefusedForNow(f"{where} may not be read by {who} ({said}); {advice}", reason="SourceForbidden")
    if code in GONE or isinstance(error, FileNotFoundError):
        return Missing(f"{where} is not there ({code or 'not found'}); correct the address")
    if code == "" and error.errno is not None:
        return Unavailable(f"{where} cannot be kept: {error.strerror}", reason="ScratchFull")
    return Unavailable(f"{where} does not answer as it should ({code or 'unknown'}); it is asked again",
                       reason="SourceUnavailable")  # fmt: skip


def _said(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def _ending(path: str) -> str:
    """The endings of a key, as they tell the format; what a database would read as a pattern is no ending."""
    return "".join(ending for ending in PurePosixPath(path).suffixes[-2:] if ending[1:].isalnum())
