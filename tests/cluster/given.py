"""The cluster that KUBECONFIG names: used as it is, neither started nor stopped, its images its owner's care."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import binaries
from tests.cluster.machine import ClusterProblem, Progress, run


@dataclass(frozen=True, slots=True)
class Given:
    """Somebody's cluster."""

    kubeconfig: Path
    progress: Progress = field(default_factory=Progress)

    @property
    def name(self) -> str:
        return f"the cluster of KUBECONFIG={self.kubeconfig}"

    def up(self, *, take_over: bool) -> None:
        """Look whether it answers.

        Raises: ClusterProblem when it does not.
        """
        kubectl = binaries.ensure(("kubectl",), self.progress) / "kubectl"
        try:
            run(kubectl, "--kubeconfig", self.kubeconfig, "get", "--raw", "/readyz", "--request-timeout=10s")
        except ClusterProblem as problem:
            message = f"{self.name} does not answer; unset KUBECONFIG for a local one\n{problem}"
            raise ClusterProblem(message) from problem
        self.progress.say(f"{self.name} answers")

    def down(self, *, purge: bool) -> None:
        self.progress.say(f"{self.name} is left as it is")

    def status(self) -> str:
        return self.name

    def has_image(self, image: str) -> bool:
        """Never known: only its nodes can tell."""
        return False

    def load(self, archive: Path) -> None:
        """Nothing that can be done from outside.

        Raises: ClusterProblem, always.
        """
        raise ClusterProblem(
            f"{self.name}: images cannot be put on its nodes from here; push them to a registry that it pulls from "
            "and write their names to .cluster/images.json"
        )
