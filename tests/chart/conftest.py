"""The chart as Helm renders it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import binaries
from tests.cluster.machine import Progress

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "merkhet"
# Everything that stands behind a switch, on.
EVERYTHING = (
    "replicas=2",
    "networkPolicy.enabled=true",
    "serviceMonitor.enabled=true",
    "prometheusRule.enabled=true",
    "approvals.fourEyes=true",
    "images.pullPolicy=Always",
)
NAMESPACED = (*EVERYTHING, "scope.namespaces={people,sales}")

Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., str]
Objects = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def programs() -> Path:
    return binaries.ensure(("etcd", "kube-apiserver", "kubectl", "helm", "kubeconform", "kube-score"), Progress())


@pytest.fixture(scope="session")
def helm(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    home = tmp_path_factory.mktemp("helm")
    places = {name: str(home / name) for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(programs / "helm"), *words]
        return subprocess.run(command, env=places, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture(scope="session")
def render(helm: Helm) -> Render:
    """The chart as YAML; fails unless Helm renders it."""

    def rendered(*values: str) -> str:
        given = [word for value in values for word in ("--set", value)]
        done = helm("template", "merkhet", str(CHART), "-n", "merkhet-system", *given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return rendered


@pytest.fixture(scope="session")
def objects(render: Render) -> Objects:
    """The chart's objects."""
    return lambda *values: [body for body in yaml.safe_load_all(render(*values)) if body]
