"""People at an API server, each with a kubectl of their own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from merkhet.api.meta import Body

OPERATOR = "system:serviceaccount:merkhet-system:merkhet"
# User: the ClusterRoles that are bound to them in each test's namespace. No controller is there to aggregate `edit`.
ROLES: Mapping[str, Sequence[str]] = {
    OPERATOR: (),
    "edith": ("merkhet-aggregate-to-view", "merkhet-aggregate-to-edit"),
    "dana": ("merkhet-data-scientist",),
    "emil": ("merkhet-ml-engineer",),
    "gwen": ("merkhet-governance",),
    "gina": ("merkhet-governance",),
    "pat": ("merkhet-platform-engineer",),
    "vera": ("merkhet-viewer",),
}


@dataclass(frozen=True)
class Person:
    """Somebody, or something, with a token."""

    name: str
    program: Path
    kubeconfig: Path

    def tries(self, *words: str, body: Body | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl; a body is its standard input."""
        command = [str(self.program), "--kubeconfig", str(self.kubeconfig), *words]
        given = None if body is None else json.dumps(body)
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, check=False)

    def does(self, *words: str, body: Body | None = None) -> str:
        """What kubectl prints; fails unless it succeeds."""
        done = self.tries(*words, body=body)
        assert done.returncode == 0, f"{self.name} may not, or cannot: kubectl {' '.join(words)}\n{done.stderr}"
        return done.stdout

    def is_refused(self, *words: str, body: Body | None = None) -> str:
        """What the API server says against it; fails if it is let through."""
        done = self.tries(*words, body=body)
        assert done.returncode != 0, f"{self.name} was let through: kubectl {' '.join(words)}"
        return done.stderr

    def reads(self, *words: str) -> Any:
        """An object or list as JSON."""
        return json.loads(self.does("get", *words, "-o", "json"))


def fresh(body: Body, namespace: str) -> Body:
    """An object of tests/make.py as a person writes it: without what the API server adds."""
    meta = {key: value for key, value in body["metadata"].items() if key in ("name", "labels", "annotations")}
    return {
        **{key: value for key, value in body.items() if key != "status"},
        "metadata": {**meta, "namespace": namespace},
    }
