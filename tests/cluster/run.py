"""Runs a command with the cluster's KUBECONFIG and tools: `python3 -m tests.cluster.run kubectl get pods -A`."""

import os
import sys

from tests.cluster import binaries
from tests.cluster.machine import KUBECONFIG


def main() -> None:
    command = sys.argv[1:]
    if not command:
        sys.exit("usage: python3 -m tests.cluster.run COMMAND…")
    os.environ.update(environment())
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"{command[0]}: no such command on the PATH")


def environment() -> dict[str, str]:
    """This process's, with the cluster's kubeconfig (unless one is set) and the tools first on the PATH."""
    path = f"{binaries.folder()}:{os.environ.get('PATH', '')}"
    return {**os.environ, "KUBECONFIG": os.environ.get("KUBECONFIG") or str(KUBECONFIG), "PATH": path}


if __name__ == "__main__":
    main()
