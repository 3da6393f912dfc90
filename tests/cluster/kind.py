"""The cluster where Docker runs: kind, one cluster for each checkout, its node stopped and kept by `down`."""

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import binaries, versions
from tests.cluster.machine import CHECKOUT, KUBECONFIG, Progress, run, run_long, succeeds, wait_for

MODULE = "sigs.k8s.io/kind"


def cluster_name(checkout: Path) -> str:
    """A name of the checkout's own, so that two checkouts have two clusters."""
    return f"merkhet-{hashlib.sha256(str(checkout).encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind cluster of one checkout."""

    checkout: Path = CHECKOUT
    kubeconfig: Path = KUBECONFIG
    progress: Progress = field(default_factory=Progress)

    @property
    def name(self) -> str:
        return f"kind cluster {cluster_name(self.checkout)}"

    def up(self, *, take_over: bool) -> None:
        """Make the cluster, or start its stopped node; nobody else's is ever in the way."""
        if not self.is_healthy():
            if self._exists() and self.was_finished():
                self.progress.say(f"starting {self.name}")
                run("docker", "start", self._node)
                # A file that others have written to meanwhile may name another cluster as the current one.
                self._run_kind("export", "kubeconfig")
            else:
                self._make()
            self.kubeconfig.chmod(0o600)
            wait_for("API server ready", self.is_healthy)
        self.progress.say(f"cluster is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, *, purge: bool) -> None:
        if purge:
            self._run_kind("delete", "cluster")
            self.kubeconfig.unlink(missing_ok=True)
        elif self._exists():
            run("docker", "stop", self._node)
        self.progress.say("cluster is down")

    def is_healthy(self) -> bool:
        kubectl = binaries.ensure(("kubectl",), self.progress) / "kubectl"
        # By its context: the same file serves the cluster that this checkout has where no Docker runs.
        where = ("--kubeconfig", self.kubeconfig, "--context", self._context)
        return self.was_finished() and succeeds(kubectl, *where, "get", "--raw", "/readyz", "--request-timeout=5s")

    def was_finished(self) -> bool:
        """Whether kind came to the end of making it, which is where it writes the context."""
        return self.kubeconfig.exists() and self._context in self.kubeconfig.read_text()

    def status(self) -> str:
        return f"{self.name}: {'ready' if self.is_healthy() else 'not ready'}"

    def has_image(self, image: str) -> bool:
        images = run("docker", "exec", self._node, "ctr", "-n", "k8s.io", "images", "ls", "-q").split()
        return f"docker.io/{image}" in images

    def load(self, archive: Path) -> None:
        run(self._kind(), "load", "image-archive", archive, "--name", cluster_name(self.checkout), env=_environment())

    @property
    def _node(self) -> str:
        return f"{cluster_name(self.checkout)}-control-plane"

    @property
    def _context(self) -> str:
        return f"kind-{cluster_name(self.checkout)}"

    def _make(self) -> None:
        # What an interrupted command has left is in the way of the next.
        self._run_kind("delete", "cluster")
        create = ("create", "cluster", "--wait", "180s", *self._which())
        run_long(self.progress, f"making {self.name}", self._kind(), *create, env=_environment())

    def _run_kind(self, *command: str) -> None:
        run(self._kind(), *command, *self._which(), env=_environment())

    def _which(self) -> tuple[str | Path, ...]:
        return ("--name", cluster_name(self.checkout), "--kubeconfig", self.kubeconfig)

    def _exists(self) -> bool:
        return succeeds("docker", "container", "inspect", self._node)

    def _kind(self) -> Path:
        installed = shutil.which("kind")
        if installed and is_new_enough(run(installed, "version", "--quiet"), versions.of_module(MODULE)):
            return Path(installed)
        return binaries.ensure(("kind",), self.progress) / "kind"


def is_new_enough(found: str, wanted: str) -> bool:
    """Whether a version is not older than another: an older kind makes nodes of an older Kubernetes."""
    return _numbers(found) >= _numbers(wanted)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", version)[:3]]


def _environment() -> dict[str, str]:
    return {**os.environ, "KIND_EXPERIMENTAL_PROVIDER": "docker"}
