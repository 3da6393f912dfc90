"""kubectl as a function: the user's own cluster, context and rights, nothing of ours in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from merkhet.errors import MerkhetError, Missing

GATEWAY = "merkhet-store-0"
# What asks for a namespace's store; the operator watches what carries its label.
WISH = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "merkhet-store", "labels": {"app.kubernetes.io/managed-by": "merkhet"}},
}


class KubectlFailed(MerkhetError):
    """kubectl said no; the message is its own."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One cluster and namespace, as the person's flags and kubeconfig have it."""

    namespace: str | None = None
    context: str | None = None

    def command(self, *words: str) -> list[str]:
        """The command line for these words."""
        program = os.environ.get("KUBECTL") or shutil.which("kubectl")
        if program is None:
            raise KubectlFailed("kubectl is not on the PATH; install it, or name it in the variable KUBECTL")
        where = ["--namespace", self.namespace] if self.namespace else []
        return [program, *(["--context", self.context] if self.context else []), *where, *words]

    def run(self, *words: str, stdin: bytes | None = None) -> bytes:
        """What kubectl prints; raises ``KubectlFailed`` with what it complained of."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, check=False)
        if done.returncode:
            text = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
            raise KubectlFailed(text.removeprefix("Error from server ").removeprefix("error: ") or "kubectl failed")
        return done.stdout

    def json(self, *words: str) -> Any:
        """What kubectl prints as JSON."""
        return json.loads(self.run(*words, "-o", "json"))

    def find(self, *words: str) -> Any | None:
        """An object, or None where there is none."""
        printed = self.run("get", *words, "--ignore-not-found", "-o", "json")
        return json.loads(printed) if printed.strip() else None

    def current_namespace(self) -> str:
        """The namespace that commands go to."""
        if self.namespace:
            return self.namespace
        chosen = self.run("config", "view", "--minify", "-o", "jsonpath={..namespace}").decode()
        return chosen or "default"

    def inside(self, *words: str, stdin: bytes | None = None) -> bytes:
        """Run ``merkhet …`` in the pod that holds the namespace's store open."""
        self.gateway()
        flags = ["-i"] if stdin is not None else []
        return self.run("exec", *flags, GATEWAY, "-c", "store", "--", "merkhet", *words, stdin=stdin)

    def stream(self, source: IO[bytes] | None, target: IO[bytes] | int, *words: str) -> None:
        """Like ``inside``, for content that does not fit into memory."""
        flags = ["-i"] if source is not None else []
        command = self.command("exec", *flags, GATEWAY, "-c", "store", "--", "merkhet", *words)
        done = subprocess.run(
            command, stdin=source or subprocess.DEVNULL, stdout=target, stderr=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise KubectlFailed(done.stderr.decode(errors="replace").strip())

    def gateway(self) -> None:
        """Ask for the namespace's store and wait until its pod is there; nothing happens where it is already."""
        if self._gateway_is_ready():
            return
        if self.find("configmap", "merkhet-store") is None:
            self.run("create", "-f", "-", stdin=json.dumps(WISH).encode())
        self._await("get", "pod", GATEWAY, what="the store's pod was not made")
        self._await("wait", "--for=condition=Ready", f"pod/{GATEWAY}", "--timeout=180s", what="the store did not start")

    def _gateway_is_ready(self) -> bool:
        pod = self.find("pod", GATEWAY)
        conditions = (pod or {}).get("status", {}).get("conditions", [])
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def _await(self, *words: str, what: str) -> None:
        if words[0] == "get":
            words = ("wait", "--for=create", "/".join(words[1:]), "--timeout=60s")
        try:
            self.run(*words)
        except KubectlFailed as found:
            place = self.current_namespace()
            raise Missing(
                f"Namespace {place}: {what} ({found}); see `kubectl describe pod {GATEWAY} -n {place}` "
                "and whether the operator runs"
            ) from found


def names(words: Sequence[str]) -> tuple[str, str]:
    """Kind and name of ``KIND/NAME``, or of two words."""
    parts = words[0].split("/", 1) if len(words) == 1 else list(words)
    if len(parts) != 2 or not all(parts):
        raise MerkhetError(f"wanted KIND/NAME, as in mt/employment; found {' '.join(words)!r}")
    return parts[0], parts[1]
