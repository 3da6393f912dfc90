"""``merkhet share``: gives other namespaces the versions of FeatureSets that are shared with them, and nothing else.

Whoever asks shows a token; names and digests are all that can be asked for. It sees the blobs alone, and only to read.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from typing import IO, Any

from pydantic import ValidationError

from merkhet.contract.features import FeaturesManifest
from merkhet.contract.runs import STORE_PATH
from merkhet.contract.sharing import GRANTS_FILE, GRANTS_PATH, PORT, Grants
from merkhet.errors import Corrupt, Missing
from merkhet.store import paths
from merkhet.store.port import Store
from merkhet.store.volume import Volume
from merkhet.workloads import log

AT_ONCE = 16  # connections; whoever comes then is told to come later
SILENCE_SECONDS = 60.0
READY = "/ready"
_PATH = re.compile(r"/featuresets/([a-z0-9][-a-z0-9]{0,62})/([0-9a-f]{64})(?:/([0-9a-f]{64}))?")
_SCHEME = "Bearer "

logger = logging.getLogger(__name__)


def main(argv: Sequence[str] = ()) -> int:
    """Give until the process is ended."""
    if argv:
        sys.stderr.write(f"merkhet share takes no arguments, got {' '.join(argv)}\n")
        return 2
    log.start(role="share")
    root = Path(os.environ.get("MERKHET_STORE", STORE_PATH))
    grants = Path(os.environ.get("MERKHET_GRANTS", GRANTS_PATH)) / GRANTS_FILE
    port = int(os.environ.get("MERKHET_SHARE_PORT", PORT))
    with Giver(("", port), root, grants) as giver:
        logger.info("giving at port %d", giver.server_port)
        giver.serve_forever()
    return 0


class Giver(ThreadingHTTPServer):
    """The server: a thread for each connection, and no more than so many."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], root: Path, grants: Path) -> None:
        super().__init__(address, _Asked)
        self.root, self._grants = root, grants
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def granted(self) -> Grants:
        """Who may have what, as the kubelet brought it last; nobody anything where that cannot be read."""
        try:
            return Grants.load(self._grants.read_bytes())
        except FileNotFoundError:
            return Grants()
        except (OSError, ValidationError):
            logger.exception("nothing is given: %s cannot be read", self._grants)
            return Grants()

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Answer, or hang up where too many ask at once."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()


class _Asked(BaseHTTPRequestHandler):
    server: Giver
    timeout = SILENCE_SECONDS

    def do_GET(self) -> None:
        """One question; the connection ends with the answer."""
        if self.path == READY:
            self._say(200 if (self.server.root / paths.BLOBS).is_dir() else 503, "the store")
            return
        asked = _PATH.fullmatch(self.path)
        if asked is None:
            self._say(404, "ask for /featuresets/NAME/MANIFEST or /featuresets/NAME/MANIFEST/ROWS")
            return
        name, manifest, rows = asked.groups()
        if not self.server.granted().gives(self._token(), name):
            self._say(403, f"FeatureSet {name} is not shared with whoever shows this token")
            return
        try:
            with opened(Volume(self.server.root), name, f"sha256:{manifest}", rows and f"sha256:{rows}") as content:
                self._give(content)
        except Missing as error:
            self._say(404, str(error))
        except (Corrupt, OSError) as error:
            logger.exception("%s was not given", self.path)
            self._say(500, f"the store cannot give it: {type(error).__name__}")

    def _token(self) -> str:
        said = self.headers.get("Authorization", "")
        return said.removeprefix(_SCHEME) if said.startswith(_SCHEME) else ""

    def _give(self, content: IO[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(os.fstat(content.fileno()).st_size))
        self.end_headers()
        try:
            shutil.copyfileobj(content, self.wfile, 1 << 20)
        except OSError:
            logger.info("%s: whoever asked is gone", self.path)
            self.close_connection = True

    def _say(self, status: int, words: str) -> None:
        body = f"{words}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Who asked what, and the answer; never the token."""
        if self.path != READY:
            logger.info("%s %s", self.address_string(), format % args)


def opened(store: Store, name: str, manifest: str, rows: str | None) -> IO[bytes]:
    """The manifest of a version, or rows that it names; raises ``Missing`` for what that FeatureSet has not."""
    with store.open(manifest) as content:
        try:
            known = FeaturesManifest.load(content.read())
        except ValidationError as error:
            raise Missing(f"{manifest} is no version of FeatureSet {name}") from error
    if known.feature_set != name or (rows is not None and rows not in {blob.digest for blob in known.blobs}):
        raise Missing(f"{rows or manifest} is of no version of FeatureSet {name}")
    return store.open(rows or manifest)
