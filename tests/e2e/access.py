"""A cluster and a tenant as the end-to-end tests use them: kubectl, waiting for facts, and asking models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from merkhet.store import paths

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "employment"
OPERATOR_NAMESPACE = "merkhet-system"
# Shared machines are slow at times; a wait ends as soon as what it waits for is there.
PATIENCE = 240.0

T = TypeVar("T")
Body = dict[str, Any]
Check = Callable[[Body], bool]


class Failed(AssertionError):
    """A command failed or a wait ended; the message says what was seen last."""


@dataclass(frozen=True)
class Cluster:
    """The cluster that KUBECONFIG names."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(self, *command: str, stdin: str | None = None, fails: bool = False) -> str:
        """What a program prints; with ``fails`` what it complains of, and it has to."""
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=dict(self.environment), cwd=ROOT
        )
        if bool(done.returncode) is not fails:
            raise Failed(
                f"{' '.join(command)} ended with {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stderr + done.stdout if fails else done.stdout

    def kubectl(self, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """What kubectl prints."""
        return self.run("kubectl", *words, stdin=stdin, fails=fails)


def until(found: Callable[[], T], reached: Callable[[T], bool], what: str, seconds: float = PATIENCE) -> T:
    """What is found once it is as wanted; raises with what was found last."""
    deadline = time.monotonic() + seconds
    while True:
        last = found()
        if reached(last):
            return last
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds:.0f} s still not: {what}; last seen:\n{_shown(last)}")
        time.sleep(0.2)


def _shown(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False)[-6000:] if isinstance(value, (dict, list)) else str(value)[-6000:]


@dataclass(frozen=True)
class Tenant:
    """A namespace of the cluster, with the restricted Pod Security Standard enforced."""

    cluster: Cluster
    name: str

    @classmethod
    def make(cls, cluster: Cluster, name: str) -> Tenant:
        """A new namespace."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted", "merkhet.dev/test": "true"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return cls(cluster, name)

    def remove(self) -> None:
        """Take the namespace and all in it away; the cluster does so on its own time."""
        self.cluster.kubectl("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")

    def kubectl(self, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """kubectl in this namespace."""
        return self.cluster.kubectl("--namespace", self.name, *words, stdin=stdin, fails=fails)

    def merkhet(self, command: str, *words: str, stdin: str | None = None, fails: bool = False) -> str:
        """``kubectl merkhet`` in this namespace."""
        program = (sys.executable, "-m", "merkhet.plugin.main", command, "--namespace", self.name, *words)
        return self.cluster.run(*program, stdin=stdin, fails=fails)

    def apply(self, *bodies: Body | Path) -> None:
        """Apply objects or files."""
        for body in bodies:
            if isinstance(body, Path):
                self.kubectl("apply", "-f", str(body))
            else:
                self.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    def refused(self, body: Body) -> str:
        """What the API server says to an object that it does not take."""
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(body), fails=True)

    def find(self, plural: str, selector: str | None = None) -> list[Body]:
        """Objects of a kind."""
        words = ["-l", selector] if selector else []
        found: list[Body] = json.loads(self.kubectl("get", plural, *words, "-o", "json"))["items"]
        return found

    def get(self, plural: str, name: str) -> Body | None:
        """An object, or None."""
        printed = self.kubectl("get", plural, name, "--ignore-not-found", "-o", "json")
        return json.loads(printed) if printed.strip() else None

    def until(self, plural: str, name: str, reached: Check, what: str, seconds: float = PATIENCE) -> Body:
        """The object once it is as wanted."""
        return until(
            lambda: self.get(plural, name) or {},
            lambda body: bool(body) and reached(body),
            f"{plural}/{name} {what}",
            seconds,
        )

    def settled(self, plural: str, name: str) -> Body:
        """The object once it is Ready, said of its spec as it stands."""
        return self.until(plural, name, lambda body: says(body, "Ready", "True"), "is Ready")

    def stalls(self, plural: str, name: str, reason: str) -> str:
        """The message of an object that is Stalled for this reason."""
        body = self.until(plural, name, lambda body: says(body, "Stalled", "True", reason), f"is Stalled/{reason}")
        return str(condition(body, "Stalled")["message"])

    def waits(self, plural: str, name: str, reason: str) -> str:
        """The message of an object that is not Ready for this reason, and not at fault either."""
        body = self.until(plural, name, lambda body: says(body, "Ready", "False", reason), f"waits with {reason}")
        assert condition(body, "Stalled").get("status") != "True"
        return str(condition(body, "Ready")["message"])

    def store(self, *words: str, stdin: str | None = None) -> str:
        """``merkhet …`` in the pod that holds the store open."""
        return self.kubectl("exec", "-i", "merkhet-store-0", "-c", "store", "--", *words, stdin=stdin)

    def blob(self, digest: str) -> Body:
        """A document of the store, by digest."""
        document: Body = json.loads(self.store("merkhet", "store", "get", paths.blob(digest)))
        return document

    def listed(self, folder: str) -> dict[str, Body]:
        """The files below a folder of the store, by path."""
        lines = map(json.loads, self.store("merkhet", "store", "ls", folder).splitlines())
        return {entry["path"]: entry for entry in lines}

    def ask(self, name: str, body: Body | None = None) -> Body:
        """Status and body of the model's metadata, or of its answer to a request, asked inside the cluster."""
        words = ["call", name, *(["--infer"] if body is not None else [])]
        answer: Body = json.loads(self.store("merkhet", *words, stdin=json.dumps(body)))
        return answer

    def serves(self, name: str, version: int) -> Body:
        """The deployment once callers are answered by this version; Services follow a little after readiness."""
        number = str(version)
        body = self.until(
            "modeldeployments",
            name,
            lambda body: says(body, "Ready", "True") and body["status"].get("version") == version,
            f"is Ready with version {version}",
        )
        until(
            lambda: self.ask(name),
            lambda found: number in found["body"].get("versions", []) if found["status"] == 200 else False,
            f"callers of {name} reach version {version}",
        )
        return body


def condition(body: Body, type_: str) -> Body:
    """A condition of an object, empty where it is not said."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == type_), {})


def says(body: Body, type_: str, status: str, reason: str | None = None) -> bool:
    """Whether the object says so of its spec as it stands."""
    found = condition(body, type_)
    current = found.get("observedGeneration") == body["metadata"]["generation"]
    return current and found.get("status") == status and reason in {None, found.get("reason")}


def example(name: str) -> Body:
    """One of the example's objects, to be changed by a test."""
    body: Body = yaml.safe_load((EXAMPLE / name).read_text(encoding="utf-8"))
    return body


def example_features() -> Body:
    """The example's FeatureSet for tests that take other rows: its rules and limits are about its own."""
    return changed(example("features.yaml"), {"spec.quality": None, "spec.bias": None})


def example_training() -> Body:
    """The example's ModelTraining for tests of other things: one fit, and gates that some of its rows keep, too."""
    plain = dict.fromkeys(("spec.search", "spec.threshold", "spec.tests", "spec.data.sensitive"))
    gates = {"metrics": [{"name": "roc_auc", "min": 0.85}], "parity": {"maxDifference": 0.0001}}
    return changed(example("training.yaml"), {**plain, "spec.gates": gates})


def changed(body: Body, changes: Mapping[str, Any]) -> Body:
    """A copy with values set at dotted paths; None takes a field away."""
    copy: Body = json.loads(json.dumps(body))
    for path, value in changes.items():
        *way, last = path.split(".")
        place = copy
        for word in way:
            place = place.setdefault(word, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return copy
