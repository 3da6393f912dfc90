"""``put``, ``get`` and ``ls``: files between a person's machine and the namespace's store.

A file goes up in parts, each appended at a known offset; what breaks off goes on where it stopped, and the digest of
the whole is checked inside the cluster before the file appears under its name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from merkhet.errors import MerkhetError, Missing
from merkhet.plugin import rows
from merkhet.plugin.kubectl import Kubectl, KubectlFailed

SCHEME = "store://"
PART = 8 * 1024 * 1024  # bytes; small enough that a broken connection costs little
TRIES = 5


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the commands."""
    put = commands.add_parser("put", parents=[shared], help="put files into the namespace's store")
    put.add_argument("files", nargs="+", type=Path, metavar="FILE")
    put.add_argument("target", help="store://raw/…; ends with / for a folder")
    put.set_defaults(run=run_put)
    get = commands.add_parser("get", parents=[shared], help="rows of a FeatureSet (fs/NAME), or a file (store://…)")
    get.add_argument("what", metavar="fs/NAME|store://raw/…")
    get.add_argument("target", nargs="?", type=Path, help="where to write a file; default: its own name, here")
    get.add_argument("--version", type=int, help="of the FeatureSet; default: the latest")
    get.add_argument("--limit", type=int, default=20, help="how many rows")
    get.add_argument("-o", "--output", choices=["table", "json"], default="table")
    get.set_defaults(run=run_get)
    ls = commands.add_parser("ls", parents=[shared], help="files in the namespace's store")
    ls.add_argument("prefix", nargs="?", default="store://raw/")
    ls.add_argument("-o", "--output", choices=["table", "json"], default="table")
    ls.set_defaults(run=run_ls)


def run_put(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Put each file; what is there already with the same content is left alone."""
    target = store_path(asked.target)
    several = len(asked.files) > 1 or target.endswith("/")
    if len(asked.files) > 1 and not target.endswith("/"):
        raise MerkhetError(f"{len(asked.files)} files need a folder: end {asked.target} with /")
    for file in asked.files:
        if not file.is_file():
            raise Missing(f"{file} is not a file here")
    kubectl.gateway()
    for file in asked.files:
        put(file, f"{target}{file.name}" if several else target, kubectl)
    return 0


def put(file: Path, path: str, kubectl: Kubectl) -> None:
    """Put one file under a path of the store, going on where an earlier try stopped."""
    digest = digest_of(file)
    progress = Progress(f"{SCHEME}{path}", file.stat().st_size)
    for tries_left in reversed(range(TRIES)):
        try:
            if _put_once(file, path, digest, kubectl, progress):
                progress.done("put")
            else:
                progress.done("there already")
        except KubectlFailed:
            if tries_left == 0:
                raise
            time.sleep(1.0)
        else:
            return


def _put_once(file: Path, path: str, digest: str, kubectl: Kubectl, progress: Progress) -> bool:
    size = progress.size
    there = json.loads(kubectl.inside("store", "stat", path, "--for", digest))
    if there.get("digest") == digest:
        return False
    offset = min(int(there.get("partial") or 0), size)
    with file.open("rb") as content:
        content.seek(offset)
        while True:
            part = content.read(PART)
            kubectl.inside(
                "store", "put", path, "--size", str(size), "--digest", digest, "--offset", str(offset), stdin=part
            )
            offset += len(part)
            progress.show(offset)
            if offset >= size:
                return True


def run_get(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """A file of the store, or the rows of a FeatureSet."""
    if not asked.what.startswith(SCHEME):
        return rows.show(asked, kubectl)
    path = store_path(asked.what)
    target: Path = asked.target or Path(path.rsplit("/", 1)[-1])
    there = json.loads(kubectl.inside("store", "stat", path))
    if not there.get("digest"):
        raise Missing(f"{asked.what} is not in the store of namespace {kubectl.current_namespace()}")
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as partial:
        kubectl.stream(None, partial.fileno(), "store", "get", path)
    found = digest_of(Path(partial.name))
    if found != there["digest"]:
        Path(partial.name).unlink()
        raise MerkhetError(f"{asked.what} arrived as {found}, the store says {there['digest']}; try again")
    Path(partial.name).replace(target)
    print(f"{target}  {there['size']:,} bytes", file=sys.stderr)
    return 0


def run_ls(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """What stands under a prefix."""
    listed = [json.loads(line) for line in kubectl.inside("store", "ls", store_path(asked.prefix)).splitlines()]
    if asked.output == "json":
        print(json.dumps(listed, indent=2))
        return 0
    for entry in listed:
        print(f"{entry['size']:>14,}  {SCHEME}{entry['path']}")
    if not listed:
        print(f"nothing under {asked.prefix}", file=sys.stderr)
    return 0


def store_path(uri: str) -> str:
    """``raw/…`` of ``store://raw/…``."""
    path = uri.removeprefix(SCHEME)
    if path == uri or not path.startswith("raw/") or ".." in path.split("/"):
        raise MerkhetError(f"wanted an address like store://raw/folder/file.parquet; found {uri!r}")
    return path


def digest_of(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


class Progress:
    """How far a file is, on one line of a terminal; a line when it is done anywhere else."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size, self.begun = name, size, time.monotonic()

    def show(self, done: int) -> None:
        """Draw the line again."""
        if sys.stderr.isatty():
            share = 100 if not self.size else 100 * done // self.size
            print(f"\r{self.name}  {share:3d} %  {done:,} of {self.size:,} bytes", end="", file=sys.stderr)

    def done(self, how: str) -> None:
        """Say the end of it."""
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        seconds = time.monotonic() - self.begun
        print(f"{start}{self.name}  {how}, {self.size:,} bytes in {seconds:.1f} s", file=sys.stderr)
