"""The local Kubernetes for demo and tests: which one it is, and the commands to start, stop and ask it.

With KUBECONFIG set it is that cluster; with Docker running, kind; else a one-node Kubernetes on this machine itself.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from images import build as images
from tests.cluster import binaries
from tests.cluster.given import Given
from tests.cluster.kind import Kind
from tests.cluster.machine import IMAGES, KUBECONFIG, ClusterProblem, Progress, succeeds, write
from tests.cluster.node import Node


class Cluster(Protocol):
    """What every kind of cluster can do."""

    @property
    def name(self) -> str: ...
    @property
    def kubeconfig(self) -> Path: ...
    def up(self, *, take_over: bool) -> None: ...
    def down(self, *, purge: bool) -> None: ...
    def status(self) -> str: ...


class Local(Cluster, Protocol):
    """What a cluster of ours can do besides."""

    def has_image(self, image: str) -> bool: ...
    def load(self, archive: Path) -> None: ...


def main() -> int:
    arguments = _arguments()
    progress = Progress()
    try:
        command: Callable[[argparse.Namespace, Progress], None] = arguments.command
        command(arguments, progress)
    except ClusterProblem as problem:
        progress.say(str(problem))
        return 2
    except KeyboardInterrupt:
        progress.say("interrupted; run it again to go on from here")
        return 130
    return 0


def chosen(progress: Progress) -> Given | Local:
    """The cluster that this checkout uses.

    Raises: ClusterProblem when there is no way to have one.
    """
    given = os.environ.get("KUBECONFIG", "")
    if given and Path(given).resolve() != KUBECONFIG:
        return Given(Path(given), progress)
    if succeeds("docker", "info"):
        return Kind(progress=progress)
    if sys.platform != "linux" or os.geteuid() != 0:
        raise ClusterProblem("no cluster to be had: start Docker, set KUBECONFIG, or run as root on Debian")
    return Node(progress=progress)


def up(arguments: argparse.Namespace, progress: Progress) -> None:
    cluster = chosen(progress)
    if arguments.purge:
        cluster.down(purge=True)
    # CI runs on a machine that an earlier checkout may still use, with nobody there to end its cluster.
    cluster.up(take_over=os.environ.get("CI") == "true")


def down(arguments: argparse.Namespace, progress: Progress) -> None:
    chosen(progress).down(purge=arguments.purge)


def status(arguments: argparse.Namespace, progress: Progress) -> None:
    print(chosen(progress).status())


def path(arguments: argparse.Namespace, progress: Progress) -> None:
    print(binaries.folder())


def tools(arguments: argparse.Namespace, progress: Progress) -> None:
    print(binaries.ensure(binaries.TOOLS, progress))


def load(arguments: argparse.Namespace, progress: Progress) -> None:
    known: dict[str, str] = json.loads(IMAGES.read_text())
    names: list[str] = arguments.image or list(known.values())
    cluster = chosen(progress)
    if isinstance(cluster, Given):
        published = cluster.publish(names, os.environ.get("REGISTRY", ""), images.builder(progress))
        write(IMAGES, json.dumps({role: published.get(name, name) for role, name in known.items()}, indent=2) + "\n")
    else:
        load_images(cluster, names, progress)


def load_images(cluster: Local, names: list[str], progress: Progress) -> None:
    """Put those images on the cluster's node that it does not have."""
    for name in names:
        if cluster.has_image(name):
            continue
        progress.say(f"putting {name} on the node")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder, "image.tar")
            images.builder(progress).save(name, archive)
            cluster.load(archive)
    progress.say(f"the node has {', '.join(names)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    table: tuple[tuple[Callable[[argparse.Namespace, Progress], None], str], ...] = (
        (up, "start the cluster, or what of it does not run"),
        (down, "stop it and give back all it took of the machine but its state"),
        (status, "what runs"),
        (path, "print the folder of the binaries, for PATH"),
        (tools, "build what the tests need, and print the folder"),
        (
            load,
            "put images that images/build.py made on the node, or into REGISTRY for a cluster that KUBECONFIG names",
        ),
    )
    for command, summary in table:
        sub = commands.add_parser(command.__name__, help=summary)
        sub.set_defaults(command=command)
        if command in {up, down}:
            sub.add_argument("--purge", action="store_true", help="delete its state: objects, volumes, images")
        if command is load:
            sub.add_argument("image", nargs="*", help="as in .cluster/images.json; all of it when none is named")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
