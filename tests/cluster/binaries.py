"""Builds the programs of the cluster and the tests from their Go modules into a cache, once for a set of versions."""

import os
import shutil
import tempfile
from pathlib import Path

from tests.cluster import versions
from tests.cluster.machine import ClusterProblem, Progress, cache, run_long

KUBERNETES = "k8s.io/kubernetes/cmd/"
# Packages that stand together are built in one go, so that they share what is compiled. The volume provisioner
# cannot stand with Kubernetes: the two spell one module's name differently.
BUILDS: tuple[dict[str, str], ...] = (
    {
        "kubectl": f"{KUBERNETES}kubectl",
        "kube-apiserver": f"{KUBERNETES}kube-apiserver",
        "kube-controller-manager": f"{KUBERNETES}kube-controller-manager",
        "kube-scheduler": f"{KUBERNETES}kube-scheduler",
        "kubelet": f"{KUBERNETES}kubelet",
        "kube-proxy": f"{KUBERNETES}kube-proxy",
        "helm": "helm.sh/helm/v4/cmd/helm",
        "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
        "kind": "sigs.k8s.io/kind",
        "pause": "./pause",
    },
    {"coredns": "./coredns", "local-path-provisioner": "github.com/rancher/local-path-provisioner"},
    {"etcd": "go.etcd.io/etcd/server/v3"},
)

TOOLS = ("kubectl", "helm", "kubeconform", "kube-score", "etcd", "kube-apiserver", "oras", "versitygw")
API_SERVER = ("etcd", "kube-apiserver", "kubectl")
NODE = (
    *("kubectl", "helm", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"),
    *("kube-proxy", "coredns", "local-path-provisioner", "pause"),
)


def folder() -> Path:
    """Where the binaries of these versions are, for PATH."""
    return cache("bin", versions.of_binaries())


def ensure(names: tuple[str, ...], progress: Progress) -> Path:
    """The folder, after building what it lacks of the named programs.

    Raises: ClusterProblem without a Go compiler; CommandFailed when a build fails.
    """
    target = folder()
    missing = [name for name in names if not (target / name).exists()]
    if not missing:
        return target
    if not shutil.which("go"):
        raise ClusterProblem(f"no `go` on the PATH to build {', '.join(missing)}; install Go 1.26 or newer")
    for build in BUILDS:
        wanted = {name: package for name, package in build.items() if name in missing}
        if wanted:
            _build(wanted, target, progress)
    for name in (name for name in versions.INSTALLED if name in missing):
        _install(name, target, progress)
    progress.say(f"binaries are in {target}")
    return target


def _build(wanted: dict[str, str], target: Path, progress: Progress) -> None:
    kubernetes = versions.of_module("k8s.io/kubernetes")
    major, minor, _ = kubernetes.split(".", 2)
    stamp = "k8s.io/component-base/version"
    flags = f"-s -w -X {stamp}.gitVersion=v{kubernetes} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
    with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
        # A single package's file may have another name than its program: etcd's is called "server".
        output = Path(fresh, next(iter(wanted))) if len(wanted) == 1 else f"{fresh}/"
        go = ("go", "build", "-trimpath", "-ldflags", flags, "-o", str(output), *wanted.values())
        run_long(progress, f"building {', '.join(wanted)}", *go, env=_environment(), cwd=versions.GO_MODULE)
        _move(Path(fresh), target)


def _install(name: str, target: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as fresh:
        go = ("go", "install", "-trimpath", "-ldflags", "-s -w", versions.INSTALLED[name])
        run_long(progress, f"building {name}", *go, env={**_environment(), "GOBIN": fresh}, cwd=Path(fresh))
        _move(Path(fresh), target)


def _move(built: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for binary in built.iterdir():
        binary.replace(target / binary.name)


def _environment() -> dict[str, str]:
    # Compilers are short-lived: collecting less garbage is a sixth of the time at some hundred MB of memory.
    return {"GOGC": "400", **os.environ, "CGO_ENABLED": "0"}
