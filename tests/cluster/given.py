"""The cluster that KUBECONFIG names: used as it is, neither started nor stopped; a registry brings it images."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.cluster import binaries
from tests.cluster.machine import ClusterProblem, Progress, run


class Pusher(Protocol):
    """What sends an image to a registry under another name: a builder of images."""

    def push(self, name: str, target: str) -> None: ...


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
            # As a variable, which may name several files; an option names one.
            env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
            run(kubectl, "get", "--raw", "/readyz", "--request-timeout=10s", env=env)
        except ClusterProblem as problem:
            message = f"{self.name} does not answer; unset KUBECONFIG for a local one\n{problem}"
            raise ClusterProblem(message) from problem
        self.progress.say(f"{self.name} answers")

    def down(self, *, purge: bool) -> None:
        self.progress.say(f"{self.name} is left as it is")

    def status(self) -> str:
        return self.name

    def publish(self, names: Iterable[str], registry: str, builder: Pusher) -> dict[str, str]:
        """Push images to a registry that the cluster pulls from; the new names of those that were not named by it.

        Raises: ClusterProblem without a registry; CommandFailed when it does not take an image.
        """
        if not registry:
            raise ClusterProblem(
                f"{self.name}: images cannot be put on its nodes from here; "
                "name a registry that it pulls from, and that you may push to: REGISTRY=registry.example/team"
            )
        prefix = f"{registry.rstrip('/')}/"
        published = {name: f"{prefix}{name}" for name in names if not name.startswith(prefix)}
        for name, target in published.items():
            builder.push(name, target)
        return published
