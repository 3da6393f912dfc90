"""A real S3 server on loopback: versitygw over a folder, with one account."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from tests.cluster import binaries
from tests.cluster.machine import Progress

ACCESS, SECRET = "test-access-key", "test-secret-key"
START_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """Where it answers."""

    endpoint: str

    @property
    def files(self) -> fs.S3FileSystem:
        """The server as a file system that may do everything."""
        return fs.S3FileSystem(
            access_key=ACCESS,
            secret_key=SECRET,
            region="us-east-1",
            scheme="http",
            endpoint_override=self.endpoint.removeprefix("http://"),
            allow_bucket_creation=True,
        )

    def put(self, path: str, content: bytes) -> None:
        """Write an object, and its bucket where there is none."""
        files = self.files
        files.create_dir(path.partition("/")[0], recursive=False)
        with files.open_output_stream(path) as stream:
            stream.write(content)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server that keeps its objects below a folder, until the end of the block."""
    program = binaries.ensure(("versitygw",), Progress()) / "versitygw"
    objects, metadata = folder / "objects", folder / "metadata"
    objects.mkdir()
    metadata.mkdir()
    address = f"127.0.0.1:{free_port()}"
    command = (str(program), "--quiet", "--port", address, "posix", "--sidecar", str(metadata), str(objects))
    account = {"ROOT_ACCESS_KEY": ACCESS, "ROOT_SECRET_KEY": SECRET}
    process = subprocess.Popen(
        command, env={**os.environ, **account}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_answers(f"http://{address}", process)
        yield Server(f"http://{address}")
    finally:
        process.terminate()
        process.wait(10)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            return  # it answers: nobody may list buckets without a name
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"versitygw does not answer at {endpoint}; it ended with {process.poll()}")
