"""``merkhet share``: gives other namespaces the versions of FeatureSets that are shared with them, and nothing else.

Whoever asks shows a token; names and digests are all that can be asked for. It sees the blobs alone, and only to read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
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

AT_ONCE = 16  # answers with bytes; whoever asks then is told to come later
CONNECTIONS = 24  # the kubelet is answered beside them; whoever connects then is hung up on
SILENCE_SECONDS = 60.0
QUESTION_SECONDS = 10.0  # that a whole question may take, else whoever asks slowly keeps others out
ANSWER_SECONDS = 60.0  # that an answer may take, and then what its bytes take at SLOWEST
SLOWEST = 256 << 10  # bytes a second
LONGEST_LINE = 300  # characters of a question that the log shows
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
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], root: Path, grants: Path) -> None:
        super().__init__(address, _Asked)
        self.root, self._grants = root, grants
        self.room = threading.BoundedSemaphore(AT_ONCE)
        self._connections = threading.BoundedSemaphore(CONNECTIONS)

    def granted(self) -> Grants:
        """Who may have what, as the kubelet brought it last; nobody anything where that cannot be read."""
        try:
            return Grants.load(self._grants.read_bytes())
        except FileNotFoundError:
            return Grants()
        except (OSError, ValidationError):
            logger.exception("nothing is given: %s cannot be read", self._grants)
            return Grants()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Answer in a thread of its own, or hang up where too many have one."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was made
            self._connections.release()
            raise

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: object, client_address: Any) -> None:  # noqa: ARG002 - the library's words
        """One that goes in the middle stops no other."""
        logger.info("a connection ended early: %s", sys.exc_info()[1])


class _Asked(BaseHTTPRequestHandler):
    server: Giver
    timeout = SILENCE_SECONDS
    path = ""  # where the first line is none

    def handle(self) -> None:
        """One question, which has to come in time."""
        with self._in_time(QUESTION_SECONDS) as self.late:
            super().handle()

    def do_GET(self) -> None:
        """The answer; the connection ends with it."""
        self.late.cancel()
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
        if not self.server.room.acquire(blocking=False):
            self._say(503, "too many are being given to; come later")
            return
        try:
            self._look_for(name, f"sha256:{manifest}", rows and f"sha256:{rows}")
        finally:
            self.server.room.release()

    def _look_for(self, name: str, manifest: str, rows: str | None) -> None:
        try:
            with opened(Volume(self.server.root), name, manifest, rows) as content:
                self._give(content)
        except Missing as error:
            self._say(404, str(error))
        except (Corrupt, OSError) as error:
            logger.exception("%s was not given", self.path)
            self._say(500, f"the store cannot give it: {type(error).__name__}")

    @contextlib.contextmanager
    def _in_time(self, seconds: float) -> Iterator[threading.Timer]:
        """Hang up where it takes longer."""
        late = threading.Timer(seconds, self._hang_up)
        late.daemon = True
        late.start()
        try:
            yield late
        finally:
            late.cancel()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.connection.shutdown(SHUT_RDWR)

    def _token(self) -> str:
        said = self.headers.get("Authorization", "")
        return said.removeprefix(_SCHEME) if said.startswith(_SCHEME) else ""

    def _give(self, content: IO[bytes]) -> None:
        size = os.fstat(content.fileno()).st_size
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        with self._in_time(ANSWER_SECONDS + size / SLOWEST):
            try:
                shutil.copyfileobj(content, self.wfile, 1 << 20)
            except OSError:
                logger.info("%s: whoever asked is gone, or takes it too slowly", self.path)
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
            logger.info("%s %s", self.address_string(), (format % args)[:LONGEST_LINE])


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
