"""A version of another namespace's FeatureSet: fetched from its store once, and from then on ours by digest."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from merkhet.contract.features import FeaturesManifest, FeaturesVersion
from merkhet.contract.sharing import TOKENS_VARIABLE, Tokens, manifest_path, rows_path
from merkhet.errors import Corrupt, Missing, Refused, Unavailable
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.workloads.run import Progress

LARGEST_MANIFEST = 16 << 20  # bytes
SILENCE_SECONDS = 60.0
# The kubelet takes up to a minute and a half to bring a new grant to the store that gives.
PATIENCE_SECONDS = 180.0
AGAIN_SECONDS = 3.0
CHUNK = 1 << 20  # bytes

Hold = Callable[[Iterable[str]], None]  # keeps blobs from the collector


def fetch(
    version: FeaturesVersion,
    store: Store,
    progress: Progress,
    *,
    hold: Hold = lambda _: None,
    patience: float = PATIENCE_SECONDS,
) -> None:
    """Have the manifest and all rows of a version in our own store.

    ``hold`` is told what rows the version has before any is looked for: one that is here already, and that nothing of
    ours names any more, might else be let go meanwhile.

    Raises: ``Missing`` where the giver has it no more, ``Corrupt`` for other bytes than were asked for,
    ``Unavailable`` where the giver does not answer, or does not share it. Units: seconds.
    """
    if version.fetch is None or _is_here(version, store):
        return
    giver = _Giver(version, _token(version), time.monotonic() + patience)
    progress(f"fetching {giver.words}")
    manifest = _take(giver, manifest_path(version.name, version.digest), version.digest, LARGEST_MANIFEST, store)
    known = _parsed(giver.words, store, manifest)
    hold(blob.digest for blob in known.blobs)
    for number, blob in enumerate(known.blobs, 1):
        if not store.exists(paths.blob(blob.digest)):
            progress(f"fetching {giver.words}: part {number} of {len(known.blobs)}")
            _take(giver, rows_path(version.name, version.digest, blob.digest), blob.digest, blob.size, store)


class _Giver:
    """The store of another namespace, asked until it answers or patience ends."""

    def __init__(self, version: FeaturesVersion, token: str, deadline: float) -> None:
        self.words = f"version {version.version} of FeatureSet {version.namespace}/{version.name}"
        self._address, self._token, self._deadline = version.fetch or "", token, deadline
        self._whose = version.namespace

    def get(self, path: str, take: Callable[[IO[bytes]], None]) -> None:
        """Ask for a path; ``take`` is given what comes."""
        request = urllib.request.Request(  # noqa: S310 - the operator's address
            f"{self._address}{path}", headers={"Authorization": f"Bearer {self._token}", "User-Agent": "merkhet"}
        )
        # No proxy: the token is for the store alone.
        client = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Straight)
        while True:
            try:
                with client.open(request, timeout=SILENCE_SECONDS) as answer:
                    take(answer)
                    if answer.length:
                        raise ConnectionResetError(f"{answer.length} bytes did not come")
                return
            except (OSError, http.client.HTTPException) as error:
                fault = self._meaning(error)
                if time.monotonic() + AGAIN_SECONDS > self._deadline:
                    raise fault from error
            time.sleep(AGAIN_SECONDS)

    def _meaning(self, error: Exception) -> Unavailable:
        """What to say when patience ends; raises ``Missing`` at once where waiting is of no use."""
        if isinstance(error, urllib.error.HTTPError):
            error.close()
            if error.code == 404:
                raise Missing(
                    f"{self.words} is not in the store of {self._whose} any more; pin none, or a newer one"
                ) from error
            if error.code == 403:
                message = f"the store of {self._whose} does not give {self.words} to this namespace: it is not shared"
                return Unavailable(message, reason="NotShared")
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        message = f"the store of {self._whose} does not answer for {self.words}: {cause}"
        return Unavailable(message, reason="SourceUnavailable")


class _Straight(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Nowhere: a store gives itself."""


def _take(giver: _Giver, path: str, digest: str, largest: int, store: Store) -> str:
    """Fetch a blob, see that it is the one, and store it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part"

        def take(content: IO[bytes]) -> None:
            with file.open("wb") as part:
                _copy(giver.words, content, part, largest)

        giver.get(path, take)
        with file.open("rb") as part:
            found = f"sha256:{hashlib.file_digest(part, 'sha256').hexdigest()}"
        if found != digest:
            raise Corrupt(f"{giver.words} came with the digest {found}, wanted {digest}; run again")
        return store.add(file)


def _copy(words: str, content: IO[bytes], to: IO[bytes], largest: int) -> None:
    taken = 0
    while chunk := content.read(CHUNK):
        taken += len(chunk)
        if taken > largest:
            raise Corrupt(f"{words}: more than {largest} bytes came where no more were to; run again")
        to.write(chunk)


def _is_here(version: FeaturesVersion, store: Store) -> bool:
    if not store.exists(paths.blob(version.digest)):
        return False
    known = _parsed(version.name, store, version.digest)
    return all(store.exists(paths.blob(blob.digest)) for blob in known.blobs)


def _parsed(words: str, store: Store, digest: str) -> FeaturesManifest:
    with store.open(digest) as content:
        try:
            return FeaturesManifest.load(content.read())
        except ValidationError as error:
            raise Corrupt(f"the manifest of {words} cannot be read: {error.errors()[0]['msg']}") from error


def _token(version: FeaturesVersion) -> str:
    try:
        tokens = Tokens.load(os.environ.get(TOKENS_VARIABLE) or "{}").tokens
    except ValidationError as error:
        raise Refused(f"{TOKENS_VARIABLE} cannot be read; use one version for all images") from error
    return tokens.get(f"{version.namespace}/{version.name}", "")
