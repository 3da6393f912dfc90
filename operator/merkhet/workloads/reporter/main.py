"""``merkhet report``: carries the report that the work leaves into the object's ConfigMap, until told to end.

It runs beside the work of every run and must stay small: the standard library alone, not even our own messages,
whose classes need pydantic.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The same as in contract/runs.py and manifests/runs.py, which cannot be imported here; a test holds them together.
TOKEN_PATH = "/var/run/secrets/merkhet"  # noqa: S105 - a folder
REPORT_FOLDER = "/report"
REPORT_FILE = "report.json"
REPORT_KEY = "report"
CONFIGMAP_VARIABLE = "MERKHET_REPORT_TO"

POLL_SECONDS = 0.2
REQUEST_SECONDS = 10.0
FIRST_DELAY_SECONDS, LAST_DELAY_SECONDS = 0.5, 15.0
GRACE_SECONDS = 50.0  # pods of runs have sixty from SIGTERM to SIGKILL


def main(argv: Sequence[str] = ()) -> int:
    """Carry reports until SIGTERM; 0 also where none came, for the Job judges the work and not us."""
    if argv:
        sys.stderr.write(f"merkhet report takes no arguments, got {' '.join(argv)}\n")
        return 2
    ending = threading.Event()
    _listen(ending)
    name = os.environ.get(CONFIGMAP_VARIABLE)
    if not name:
        _log("error", f"{CONFIGMAP_VARIABLE} is not set: nobody will be told")
        return 2
    report = Path(os.environ.get("MERKHET_REPORT", REPORT_FOLDER)) / REPORT_FILE
    _log("info", f"waiting for {report}, to tell ConfigMap {name}")
    carry(report, ConfigMap.of_pod(name), ending)
    return 0


def _listen(ending: threading.Event) -> None:
    """Set the event on SIGTERM, in a thread: a handler might interrupt ``wait`` where that holds the event's lock."""
    numbers = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def listen() -> None:
        signal.sigwait(numbers)
        ending.set()

    threading.Thread(target=listen, daemon=True).start()


def carry(report: Path, to: ConfigMap, ending: threading.Event, grace_seconds: float = GRACE_SECONDS) -> None:
    """Deliver each new report, the newest first, and the last one on ending for as long as there is time."""
    told = b""
    seen: tuple[int, ...] = ()
    delay = FIRST_DELAY_SECONDS
    while not ending.wait(POLL_SECONDS):
        if (now := _state(report)) == seen:
            continue
        content = _news(report, told)
        if content is None or _delivered(to, content):
            told, seen, delay = content or told, now, FIRST_DELAY_SECONDS
        else:
            ending.wait(delay)
            delay = min(delay * 2, LAST_DELAY_SECONDS)
    _finish(report, to, told, grace_seconds)


def _finish(report: Path, to: ConfigMap, told: bytes, grace_seconds: float) -> None:
    deadline = time.monotonic() + grace_seconds
    delay = FIRST_DELAY_SECONDS
    while (content := _news(report, told)) is not None and not _delivered(to, content):
        if time.monotonic() + delay > deadline:
            _log("error", "the last report was not delivered; the store has the record, and the next pod reports it")
            return
        time.sleep(delay)
        delay = min(delay * 2, 4.0)


def _delivered(to: ConfigMap, content: bytes) -> bool:
    try:
        to.patch(REPORT_KEY, content.decode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        _log("warning", f"ConfigMap {to.name} was not written: {error}; trying again")
        return False
    _log("info", f"ConfigMap {to.name} has the report of {len(content)} bytes")
    return True


def _state(report: Path) -> tuple[int, ...]:
    """What changes with each new report; empty where there is none."""
    try:
        status = report.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _news(report: Path, told: bytes) -> bytes | None:
    """What the report says now; None where that is nothing, or was told."""
    try:
        content = report.read_bytes()
    except OSError:
        return None
    return content if content and content != told else None


@dataclass(slots=True)
class ConfigMap:
    """A ConfigMap as the pod's own token may write it."""

    name: str
    host: str
    port: int
    secrets: Path

    @classmethod
    def of_pod(cls, name: str) -> ConfigMap:
        """In the namespace and with the API server of this pod."""
        return cls(
            name=name,
            host=os.environ.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc"),
            port=int(os.environ.get("KUBERNETES_SERVICE_PORT", "443")),
            secrets=Path(os.environ.get("MERKHET_TOKEN", TOKEN_PATH)),
        )

    def patch(self, key: str, value: str) -> None:
        """Set one key; raises ``OSError`` or ``HTTPException`` where the API server does not take it."""
        # Read each time: the kubelet renews the token, and may renew the authority.
        token = (self.secrets / "token").read_text().strip()
        namespace = (self.secrets / "namespace").read_text().strip()
        tls = ssl.create_default_context(cafile=str(self.secrets / "ca.crt"))
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=REQUEST_SECONDS, context=tls)
        try:
            connection.request(
                "PATCH",
                f"/api/v1/namespaces/{namespace}/configmaps/{self.name}?fieldManager=merkhet-reporter",
                body=json.dumps({"data": {key: value}}, ensure_ascii=False).encode(),
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/merge-patch+json",
                    "User-Agent": "merkhet-reporter",
                },
            )
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            message = f"{answer.status} {answer.reason}: {_message(said)}"
            raise ConnectionError(message)


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said[:200].decode(errors="replace")


def _log(level: str, message: str) -> None:
    line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": level, "message": message}
    sys.stderr.write(json.dumps({**line, "pod": socket.gethostname()}) + "\n")
    sys.stderr.flush()
