"""Which versions the local cluster and its tools have; Go programs stand in tools/go.mod, the rest here."""

import hashlib
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.machine import ClusterProblem

GO_MODULE = Path(__file__).with_name("tools")

# In modules of their own: kube-score needs API types that Kubernetes has since dropped, oras (which reads OCI layouts)
# and versitygw (an S3 server) share nothing with Kubernetes.
INSTALLED = {
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score@v1.20.0",
    "oras": "oras.land/oras/cmd/oras@v1.3.6",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
}
DEBIAN_SUITE = "trixie"  # its python3 is 3.13, as in the official image that the Dockerfiles name
PAUSE_IMAGE = "localhost/pause:2"


def of_module(module: str, go_mod: str | None = None) -> str:
    """The version that go.mod requires of a module, without its "v".

    Raises: ClusterProblem when the module is not required.
    """
    text = (GO_MODULE / "go.mod").read_text() if go_mod is None else go_mod
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", text, re.MULTILINE)
    if found is None:
        raise ClusterProblem(f"{GO_MODULE / 'go.mod'} requires no {module}")
    return found[1]


def key(parts: Iterable[bytes]) -> str:
    """Twelve hex digits that change when any part does, or when bytes move from one part to the next."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]


def of_binaries() -> str:
    """The name of the folder for binaries of exactly these sources on this kind of machine."""
    sources = sorted(path for path in GO_MODULE.rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    machine = f"{platform.system()}-{platform.machine()}-{sorted(INSTALLED.values())}"
    return f"{of_module('k8s.io/kubernetes')}-{key([machine.encode(), *(path.read_bytes() for path in sources)])}"
