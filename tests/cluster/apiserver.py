"""An API server of the tests' own, with its etcd: real validation, CEL rules, RBAC and policies, but no nodes.

No controller runs: nothing collects garbage, and a deleted namespace stays for ever, so each test takes a new one.
"""

import atexit
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster import binaries, pki
from tests.cluster.machine import ClusterProblem, Progress, wait_for, write
from tests.cluster.processes import last_lines

ADMIN = "admin"
ADMINS = "system:masters"
ATTEMPTS = 3


class ApiServer:
    """etcd and kube-apiserver on free loopback ports, gone with the interpreter at the latest.

    `users` maps a user's name to their groups; each has a token and a kubeconfig. Start it from the main thread: the
    kernel ends the processes with the thread that started them, so that not even SIGKILL leaves them behind.
    """

    def __init__(self, directory: Path, users: Mapping[str, Sequence[str]] | None = None) -> None:
        self.directory = directory
        self.users: dict[str, Sequence[str]] = {ADMIN: (ADMINS,), **(users or {})}
        self.url = ""
        self._tokens = {name: secrets.token_hex(16) for name in self.users}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> Path:
        """Start both and return the administrator's kubeconfig.

        Raises: ClusterProblem when they do not answer.
        """
        atexit.register(self.stop)
        path = binaries.ensure(binaries.API_SERVER, Progress())
        self.directory.mkdir(parents=True, exist_ok=True)
        pki.make_signing_key(self._file("service-account.key"))
        rows = [f'{self._tokens[name]},{name},{name},"{",".join(groups)}"\n' for name, groups in self.users.items()]
        write(self._file("tokens.csv"), "".join(rows), mode=0o600)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start_on_free_ports(path)
                break
            except ClusterProblem:
                # A free port may be taken by another between the look and the start.
                self._end()
                if attempt == ATTEMPTS:
                    raise
        for name in self.users:
            text = pki.kubeconfig(self.url, self.authority.read_bytes(), f"{{token: {self._tokens[name]}}}")
            write(self.kubeconfig(name), text, mode=0o600)
        return self.kubeconfig(ADMIN)

    def stop(self) -> None:
        """End both; what they stored goes, too."""
        atexit.unregister(self.stop)
        self._end()

    @property
    def authority(self) -> Path:
        """The certificate by which a client knows the server."""
        return self._file("certificates") / "apiserver.crt"

    def token(self, user: str = ADMIN) -> str:
        return self._tokens[user]

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The kubeconfig with which a client acts as a user."""
        return self._file(f"{user}.kubeconfig")

    def _start_on_free_ports(self, path: Path) -> None:
        client, peer, secure = _free_ports(3)
        etcd, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        self.url = f"https://127.0.0.1:{secure}"
        self._run(
            path / "etcd",
            f"--data-dir={self._file('etcd')}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        self._run(
            path / "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={secure}",
            f"--cert-dir={self.authority.parent}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._file('service-account.key')}",
            f"--service-account-signing-key-file={self._file('service-account.key')}",
            f"--token-auth-file={self._file('tokens.csv')}",
            "--authorization-mode=RBAC",
            # Without controllers no namespace has a ServiceAccount, and every pod would be refused.
            "--disable-admission-plugins=ServiceAccount",
            # Its own address as the one endpoint of `kubernetes` would be refused: it is loopback.
            "--endpoint-reconciler-type=none",
        )
        wait_for("API server ready", self._is_ready, seconds=60)

    def _is_ready(self) -> bool:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise ClusterProblem(f"{name} ended at the start:\n{last_lines(self._file(f'{name}.log'))}")
        if not self.authority.exists():
            return False
        request = urllib.request.Request(f"{self.url}/readyz", headers={"Authorization": f"Bearer {self.token()}"})
        try:
            with urllib.request.urlopen(request, context=self._trust(), timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority))

    def _run(self, program: Path, *arguments: str) -> None:
        bound = ("setpriv", "--pdeathsig=KILL") if shutil.which("setpriv") else ()
        with self._file(f"{program.name}.log").open("ab") as output:
            self._processes[program.name] = subprocess.Popen(
                [*bound, str(program), *arguments],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C in the terminal is for the tests, which end these in their turn
            )

    def _end(self) -> None:
        for process in self._processes.values():
            # Nothing of theirs is kept, so nothing need be put in order.
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._processes.clear()
        for folder in ("etcd", "certificates"):
            shutil.rmtree(self._file(folder), ignore_errors=True)

    def _file(self, name: str) -> Path:
        return self.directory / name


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports
