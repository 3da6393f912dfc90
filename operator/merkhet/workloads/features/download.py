"""A file over https: verified, bounded in size and time, never redirected to where nobody verifies."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from merkhet.errors import Missing, Refused, Unavailable
from merkhet.workloads.run import Progress, RefusedForNow

LARGEST = 50 * 1024**3  # bytes; a pod's own room is the tighter bound in practice
SILENCE_SECONDS = 60.0
LONGEST_SECONDS = 4 * 3600.0
PROGRESS_SECONDS = 5.0
CHUNK = 1 << 20  # bytes
GONE = (401, 403, 404, 410)
LATER = (408, 425, 429)


def download(url: str, to: Path, progress: Progress, *, name: str, largest: int = LARGEST) -> Path:
    """Fetch into a file.

    Raises: ``Missing`` where nothing is there, ``Refused`` for what cannot be meant, ``Unavailable`` for what may work
    later.
    """
    if urlsplit(url).username is not None or urlsplit(url).password is not None:
        raise Refused(f"source {name}: an address with a password would be told in statuses; use one without")
    client = urllib.request.build_opener(_OnlyHttps, urllib.request.HTTPSHandler(context=ssl.create_default_context()))
    request = urllib.request.Request(url, headers={"User-Agent": "merkhet"})  # noqa: S310 - https only
    try:
        with client.open(request, timeout=SILENCE_SECONDS) as answer, to.open("wb") as file:
            _copy(answer, file, _Course(name, url, largest, progress))
    except urllib.error.HTTPError as error:
        raise _meaning(error, name, url) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Unavailable(f"source {name}: {url} does not answer: {cause}", reason="SourceUnavailable") from error
    return to


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0917 - the library's signature
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Follow to https alone."""
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise RefusedForNow(f"{req.full_url} redirects to {newurl}, which is not https; name an https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Course:
    """How far a download has come, and whether it may go on."""

    def __init__(self, name: str, url: str, largest: int, progress: Progress) -> None:
        self.name, self.url, self.largest, self.progress = name, url, largest, progress
        self.started = self.told = time.monotonic()

    def at(self, size: int, expected: int | None) -> None:
        """Note how much has come; raises where that is too much or too slow."""
        now = time.monotonic()
        if max(size, expected or 0) > self.largest:
            raise RefusedForNow(
                f"source {self.name}: {self.url} has more than {self.largest} bytes; put it into the store by parts"
            )
        if now - self.started > LONGEST_SECONDS:
            raise Unavailable(f"source {self.name}: {self.url} took more than {LONGEST_SECONDS / 3600:.0f} hours")
        if now - self.told > PROGRESS_SECONDS:
            self.told = now
            of = f" of {expected / 1e6:.0f}" if expected else ""
            self.progress(f"downloading {self.name}: {size / 1e6:.0f}{of} MB")


def _copy(answer: http.client.HTTPResponse, file: IO[bytes], course: _Course) -> None:
    length = answer.headers.get("Content-Length")
    expected = int(length) if length is not None and length.isdigit() else None
    course.at(0, expected)
    size = 0
    while chunk := answer.read(CHUNK):
        size += len(chunk)
        course.at(size, expected)
        file.write(chunk)
    if expected is not None and size != expected:
        raise Unavailable(f"source {course.name}: {course.url} ended after {size} of {expected} bytes")


def _meaning(error: urllib.error.HTTPError, name: str, url: str) -> Missing | Unavailable | RefusedForNow:
    said = f"source {name}: {url} answers {error.code} {error.reason}"
    error.close()
    if error.code in GONE:
        return Missing(f"{said}; name an address that answers without a login")
    if error.code >= 500 or error.code in LATER:
        return Unavailable(f"{said}; it is asked again", reason="SourceUnavailable")
    return RefusedForNow(f"{said}; wanted 200")
