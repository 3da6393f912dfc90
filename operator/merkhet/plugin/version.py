"""``version``: which Merkhet this is, and which one the cluster runs."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from merkhet.errors import MerkhetError
from merkhet.plugin.kubectl import Kubectl


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("version", parents=[shared], help="which version this is, and the cluster's")
    command.set_defaults(run=run)


def run(_asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print both."""
    try:
        here = installed("merkhet")
    except PackageNotFoundError:
        here = "from source"
    print(f"kubectl-merkhet  {here}")
    try:
        found = kubectl.json(
            "get",
            "deployments",
            "--all-namespaces",
            "-l",
            "app.kubernetes.io/name=merkhet",
        )["items"]
    except MerkhetError as refused:
        print(f"operator         not known: {refused}")
        return 0
    for deployment in found:
        images = [container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]]
        print(f"operator         {', '.join(images)} in namespace {deployment['metadata']['namespace']}")
    if not found:
        print("operator         none found in this cluster; install it by Helm")
    return 0
