"""An API server that knows the engine's gadgets."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.apiserver import ApiServer
from tests.cluster.machine import Progress

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tmp_path_factory.mktemp("apiserver")) as running:
        kubectl(running, "apply", "-f", str(Path(__file__).with_name("gadgets.yaml")))
        kubectl(running, "wait", "--for=condition=Established", "--timeout=60s", "crd/gadgets.bench.test")
        yield running


@pytest.fixture
def namespace(server: ApiServer) -> str:
    """A namespace of the test's own; nothing deletes it, as no controller runs."""
    name = f"engine-{next(NUMBERS)}"
    kubectl(server, "create", "namespace", name)
    return name


def kubectl(server: ApiServer, *words: str) -> str:
    """What kubectl prints."""
    program = binaries.ensure(("kubectl",), Progress()) / "kubectl"
    command = [str(program), f"--kubeconfig={server.kubeconfig()}", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
