"""The cluster where Docker runs: kind, one cluster for each checkout, its node stopped and kept by `down`."""

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.machine import CHECKOUT, KUBECONFIG, Progress, run, run_long, succeeds, wait_for


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

    @property
    def _node(self) -> str:
        return f"{cluster_name(self.checkout)}-control-plane"

    def up(self, *, take_over: bool) -> None:
        """Make the cluster, or start its stopped node; nobody else's is ever in the way."""
        if not self.is_healthy():
            if self._exists():
                self.progress.say(f"starting {self.name}")
                run("docker", "start", self._node)
            else:
                create = ("create", "cluster", "--name", cluster_name(self.checkout), "--wait", "180s")
                run_long(self.progress, f"making {self.name}", self._kind(), *create, "--kubeconfig", self.kubeconfig)
            # A node that was started anew may have another port on the host.
            export = ("export", "kubeconfig", "--name", cluster_name(self.checkout), "--kubeconfig", self.kubeconfig)
            run(self._kind(), *export)
            self.kubeconfig.chmod(0o600)
            wait_for("API server ready", self.is_healthy)
        self.progress.say(f"cluster is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, *, purge: bool) -> None:
        if purge:
            run(self._kind(), "delete", "cluster", "--name", cluster_name(self.checkout))
            self.kubeconfig.unlink(missing_ok=True)
        elif self._exists():
            run("docker", "stop", self._node)
        self.progress.say("cluster is down")

    def is_healthy(self) -> bool:
        kubectl = binaries.ensure(("kubectl",), self.progress) / "kubectl"
        ready = ("get", "--raw", "/readyz", "--request-timeout=5s")
        return self.kubeconfig.exists() and succeeds(kubectl, "--kubeconfig", self.kubeconfig, *ready)

    def status(self) -> str:
        return f"{self.name}: {'ready' if self.is_healthy() else 'not ready'}"

    def has_image(self, image: str) -> bool:
        images = run("docker", "exec", self._node, "ctr", "-n", "k8s.io", "images", "ls", "-q").split()
        return f"docker.io/{image}" in images

    def load(self, archive: Path) -> None:
        run(self._kind(), "load", "image-archive", archive, "--name", cluster_name(self.checkout))

    def _exists(self) -> bool:
        return succeeds("docker", "container", "inspect", self._node)

    def _kind(self) -> Path:
        installed = shutil.which("kind")
        return Path(installed) if installed else binaries.ensure(("kind",), self.progress) / "kind"
