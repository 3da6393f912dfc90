"""One replica of the operator for gadgets, beside a real API server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[3]
DEADLINE = 120.0  # seconds; noisy machines take long, working code does not


class Replica:
    """A process, ended for sure at the end of the test."""

    def __init__(self, kubeconfig: Path, log: Path, name: str, namespace: str, **settings: str) -> None:
        self.log = log
        self._port = _free_port()
        self._environment = {
            **{word: value for word, value in os.environ.items() if not word.startswith("MERKHET_")},
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}",
            "MERKHET_IDENTITY": name,
            "MERKHET_NAMESPACE": namespace,
            "MERKHET_PORT": str(self._port),
            **{f"MERKHET_{word}": value for word, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.api.engine.operator_of_gadgets"],
                cwd=ROOT,
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """End it as the kubelet does; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=DEADLINE)

    def answer(self, path: str) -> tuple[int, str]:
        """What a probe sees; code 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def measured(self, start: str) -> float:
        """The sum of the measurements whose lines begin so."""
        lines = self.answer("metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(start))

    def leads(self) -> bool:
        """Whether it says that it leads and knows the cluster."""
        return self.measured("merkhet_leader ") == 1 and self.answer("ready")[0] == 200


def eventually(what: str, holds: Callable[[], bool], log: Path | None = None) -> None:
    """Wait until something holds.

    Raises: AssertionError.
    """
    end = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > end:
            told = log.read_text()[-4000:] if log is not None else ""
            raise AssertionError(f"never: {what}\n{told}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
