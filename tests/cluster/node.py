"""A real one-node Kubernetes on bare Debian, as root: `up` starts what does not run, `down` leaves nothing behind.

Everything is looked at anew each time, so that a start after a crash in the middle is the same as any other.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import binaries, cgroups, leftovers, network, owner, processes, settings, versions
from tests.cluster.archives import write_missing
from tests.cluster.machine import (
    CHECKOUT,
    KUBECONFIG,
    STATE,
    ClusterProblem,
    Progress,
    install_debian_packages,
    run,
    succeeds,
    wait_for,
)
from tests.cluster.pause import pause_image
from tests.cluster.pki import Pki

PACKAGES = (
    *("containerd", "runc", "containernetworking-plugins", "iptables", "nftables", "conntrack", "iproute2", "openssl"),
    *("busybox-static", "ca-certificates"),
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
API_SERVER = f"https://127.0.0.1:{settings.API_PORT}"
ETCD = f"http://127.0.0.1:{settings.ETCD_PORT}"
IMAGE_SOCKET = owner.RUN / "containerd.sock"

DATA_PLANE = ("kubelet", "kube-proxy", "coredns", "local-path-provisioner", "kube-scheduler", "kube-controller-manager")
CONTROL_PLANE = ("kube-apiserver", "containerd", "etcd")


@dataclass(frozen=True, slots=True)
class Node:
    """The cluster of one checkout, with its state in a folder of it."""

    checkout: Path = CHECKOUT
    state: Path = STATE / "node"
    kubeconfig: Path = KUBECONFIG
    progress: Progress = field(default_factory=Progress)

    name = "one-node Kubernetes on this machine"

    def up(self, *, take_over: bool) -> None:
        """Start what does not run and wait until pods can run.

        Raises: ClusterProblem when the machine's cluster is another checkout's, or something does not start.
        """
        if self.is_healthy():
            self.progress.say(f"cluster is up: export KUBECONFIG={self.kubeconfig}")
            return
        install_debian_packages(self.progress, *PACKAGES)
        binaries.ensure(binaries.NODE, self.progress)
        with owner.locked(self.progress):
            self._claim(take_over=take_over)
            self._start()
        self.progress.say(f"cluster is up: export KUBECONFIG={self.kubeconfig}")

    def down(self, *, purge: bool) -> None:
        """End the cluster, give back what it took of the machine; with purge its state goes, too."""
        with owner.locked(self.progress):
            recorded = owner.read()
            alive = {process.state for process in processes.marked()} | ({recorded.state} if recorded else set())
            if alive and str(self.state) not in alive:
                self.progress.say("this checkout's cluster does not run")
            else:
                end_cluster(str(self.state), self.progress, _binaries_path())
            if purge:
                shutil.rmtree(self.state, ignore_errors=True)
                self.kubeconfig.unlink(missing_ok=True)
                self.progress.say("its state is removed")

    def is_healthy(self) -> bool:
        """Whether every program runs and the API server calls the node ready."""
        recorded = owner.read()
        if recorded is None or recorded.state != str(self.state):
            return False
        wanted = {*DATA_PLANE, *CONTROL_PLANE}
        return wanted <= processes.running(str(self.state)) and self._node_is_ready(since="")

    def status(self) -> str:
        """What runs, in a few lines."""
        alive = processes.running(str(self.state))
        lines = [f"{name:<26}{'runs' if name in alive else 'does not run'}" for name in (*CONTROL_PLANE, *DATA_PLANE)]
        lines.append(f"{'node':<26}{'ready' if self.is_healthy() else 'not ready'}")
        recorded = owner.read()
        lines.append(f"{'owner':<26}{recorded.checkout if recorded else 'none'}")
        return "\n".join(lines)

    def has_image(self, image: str) -> bool:
        return f"docker.io/{image}" in self._ctr("images", "ls", "-q").split()

    def load(self, archive: Path) -> None:
        """Put the image of a docker-archive on the node."""
        slim = self.state / "import.tar"
        write_missing(archive, slim, set(self._ctr("content", "ls", "-q").split()))
        self._ctr("images", "import", str(slim))
        slim.unlink()

    def _claim(self, *, take_over: bool) -> None:
        ours = owner.Owner(str(self.checkout), str(self.state))
        recorded = owner.read()
        alive = {process.state for process in processes.marked()}
        owner_is_gone = recorded is not None and not Path(recorded.checkout).is_dir()
        match owner.claim(ours, recorded, alive, owner_is_gone=owner_is_gone, take_over=take_over):
            case owner.Claim.REFUSED:
                whose = recorded.checkout if recorded and recorded.state in alive else min(alive - {ours.state})
                raise ClusterProblem(
                    f"this machine's cluster is that of {whose}; end it there with `make cluster-down`, "
                    f"or use it: export KUBECONFIG={whose}/.cluster/kubeconfig"
                )
            case owner.Claim.CLEAR:
                left = {*alive, recorded.state} if recorded else alive
                for state in sorted(left - {ours.state}):
                    self.progress.say(f"ending the cluster that another checkout left, with its state in {state}")
                    end_cluster(state, self.progress, _binaries_path())
            case owner.Claim.START:
                pass
        owner.record(ours)

    def _start(self) -> None:
        since = run("date", "-u", "+%Y-%m-%dT%H:%M:%SZ").strip()
        self.state.mkdir(parents=True, exist_ok=True)
        pki = Pki(self.state / "pki")
        address = network.node_address()
        self._start_control_plane(pki, address)
        self._start_node(pki, address)
        self._start_services(address)
        self._wait("node ready", lambda: self._node_is_ready(since), "kubelet", "containerd")
        name = "kubernetes.default.svc.cluster.local"
        self._wait("cluster DNS answers", lambda: network.name_resolves(address, name), "coredns")
        account = ("-n", "default", "get", "serviceaccount", "default")
        self._wait("pods can be made", lambda: self._kubectl_succeeds(*account), "kube-controller-manager")

    def _start_control_plane(self, pki: Pki, address: str) -> None:
        alive = processes.running(str(self.state))
        pki.make_authority()
        if "kube-apiserver" not in alive:
            names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
            addresses = ("127.0.0.1", network.API_SERVICE, address)
            sans = ",".join([*(f"DNS:{name}" for name in names), *(f"IP:{ip}" for ip in addresses)])
            pki.issue("apiserver", "/CN=kube-apiserver", sans)
            pki.issue("admin", "/O=system:masters/CN=admin", "DNS:admin")
            pki.issue("front-proxy", f"/CN={settings.FRONT_PROXY}", "DNS:front-proxy")
            pki.write_kubeconfig(self.state / "admin.kubeconfig", API_SERVER, "admin")
            pki.write_kubeconfig(self.kubeconfig, API_SERVER, "admin")
        self._ensure("etcd", *settings.etcd(self.state, ETCD))
        self._ensure("kube-apiserver", *settings.api_server(pki, ETCD, address))
        ready = ("get", "--raw", "/readyz")
        self._wait("API server ready", lambda: self._kubectl_succeeds(*ready), "etcd", "kube-apiserver")
        self._ensure("kube-controller-manager", *settings.controller_manager(self.state, pki))
        self._ensure("kube-scheduler", *settings.scheduler(self.state))

    def _start_node(self, pki: Pki, address: str) -> None:
        cgroups.make()
        network.open_ways_out()
        for module in ("overlay", "br_netfilter"):
            succeeds("modprobe", "-q", module)
        if "kubelet" not in processes.running(str(self.state)):
            pki.issue("kubelet", f"/O=system:nodes/CN=system:node:{settings.NODE}", f"DNS:{settings.NODE},IP:{address}")
            pki.write_kubeconfig(self.state / "kubelet.kubeconfig", API_SERVER, "kubelet")
        network.write_pod_network(self.state / "cni", self.state)
        settings.write_containerd(self.state, IMAGE_SOCKET)
        settings.write_kubelet(self.state, pki, IMAGE_SOCKET, address)
        self._ensure("containerd", "--config", str(self.state / "containerd.toml"))
        self._wait("container runtime ready", lambda: succeeds("ctr", "-a", str(IMAGE_SOCKET), "version"), "containerd")
        if versions.PAUSE_IMAGE not in self._ctr("images", "ls", "-q").split():
            self.load(pause_image(self.state, binaries.folder()))
        self._ensure("kubelet", *settings.kubelet(self.state, address))
        self._ensure("kube-proxy", *settings.kube_proxy(self.state))

    def _start_services(self, address: str) -> None:
        settings.write_coredns(self.state, address)
        volumes = settings.write_local_path(self.state)
        self._kubectl(
            *("apply", "--server-side", "--force-conflicts", "-f", "-"),
            text=settings.system_objects(address, volumes, versions.PAUSE_IMAGE),
        )
        if "local-path-provisioner" not in processes.running(str(self.state)):
            # Its Lease is from the last run: waiting until it expires would hold back the first claims for a while.
            self._kubectl("-n", "kube-system", "delete", "lease", "rancher.io-local-path", "--ignore-not-found")
        self._ensure("coredns", "-conf", str(self.state / "Corefile"))
        self._ensure("local-path-provisioner", *settings.local_path(self.state, versions.PAUSE_IMAGE))

    def _ensure(self, program: str, *arguments: str) -> None:
        if program in processes.running(str(self.state)):
            return
        folder = _binaries_path()
        processes.start(program, *arguments, state=self.state, path=folder, log=self._log(program))

    def _wait(self, what: str, holds: Callable[[], bool], *needed: str) -> None:
        """Wait for what the needed programs bring about, no longer than they live."""

        def holds_or_cannot() -> bool:
            if holds():
                return True
            if dead := set(needed) - processes.running(str(self.state)):
                name = min(dead)
                raise ClusterProblem(f"{name} ended instead of: {what}\n{processes.last_lines(self._log(name))}")
            return False

        wait_for(what, holds_or_cannot)
        self.progress.say(what)

    def _node_is_ready(self, since: str) -> bool:
        """Whether the node said that it is ready, and not before a time: an old word may be from before a stop."""
        path = '{range .status.conditions[?(@.type=="Ready")]}{.status} {.lastHeartbeatTime}{end}'
        try:
            status, _, heartbeat = self._kubectl("get", "node", settings.NODE, "-o", f"jsonpath={path}").partition(" ")
        except ClusterProblem:
            return False
        return status == "True" and heartbeat >= since

    def _kubectl(self, *arguments: str, text: str = "") -> str:
        kubeconfig = ("--kubeconfig", str(self.state / "admin.kubeconfig"), "--request-timeout=10s")
        return run(binaries.folder() / "kubectl", *kubeconfig, *arguments, text=text)

    def _kubectl_succeeds(self, *arguments: str) -> bool:
        try:
            self._kubectl(*arguments)
        except ClusterProblem:
            return False
        return True

    def _ctr(self, *arguments: str) -> str:
        return run("ctr", "-a", str(IMAGE_SOCKET), "-n", "k8s.io", *arguments)

    def _log(self, program: str) -> Path:
        return self.state / "log" / f"{program}.log"


def end_cluster(state: str, progress: Progress, path: str) -> None:
    """End every process of a cluster and give back its mounts, namespaces, rules, groups and records."""
    processes.end(_named(state, DATA_PLANE), patience_seconds=5)
    progress.say("kubelet and controllers ended")
    cgroups.end()
    if "containerd" in processes.running(state):
        _remove_containers(path)
    processes.end(_named(state, CONTROL_PLANE), patience_seconds=3)
    processes.end(processes.marked(state), patience_seconds=0)
    progress.say("pods and control plane ended")
    leftovers.give_back(state)
    progress.say("cluster is down")


def _named(state: str, programs: tuple[str, ...]) -> list[processes.Marked]:
    return [process for process in processes.marked(state) if process.program in programs]


def _remove_containers(path: str) -> None:
    """Forget the containers, so that the next start makes new ones rather than looking for the old.

    A runtime that no longer answers keeps them; the kubelet then clears them away as after a power cut.
    """
    ctr = ("ctr", "-a", str(IMAGE_SOCKET), "-n", "k8s.io")
    env = {**os.environ, "PATH": path}
    if not succeeds(*ctr, "version", env=env):
        return
    tasks = run(*ctr, "tasks", "ls", "-q", env=env).split()
    for task in tasks:
        succeeds(*ctr, "tasks", "rm", "-f", task, env=env)
    if containers := run(*ctr, "containers", "ls", "-q", env=env).split():
        succeeds(*ctr, "containers", "rm", *containers, env=env)


def _binaries_path() -> str:
    return f"{binaries.folder()}:{SYSTEM_PATH}"
