"""``merkhet store``: what people do with the files of a store, from inside its pod."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from merkhet.errors import MerkhetError, Missing, Refused
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.gateway.main import GRACE, STORE_PATH
from merkhet.workloads.gateway.parts import Upload, partial_size

DONE, FAILED = 0, 1
BLOB = f"{paths.BLOBS}/"


def main(argv: Sequence[str]) -> int:
    """Do one thing; what went wrong is told on standard error, with exit code 1."""
    asked = _arguments(argv)
    act: Callable[[Path, argparse.Namespace], int] = asked.act
    try:
        return act(Path(os.environ.get("MERKHET_STORE", STORE_PATH)), asked)
    except MerkhetError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except BrokenPipeError:
        # The reader went away; the interpreter must not fail again while it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def put(root: Path, asked: argparse.Namespace) -> int:
    """Take a part of a file from standard input and say how much of it is there."""
    upload = Upload.of(root, asked.path, asked.size, asked.digest)
    here = upload.take(sys.stdin.buffer, asked.offset)
    _say({"path": upload.path, "size": here, "wanted": upload.size, "digest": upload.digest})
    return DONE


def stat(root: Path, asked: argparse.Namespace) -> int:
    """Size and digest of a file, nulls where there is none, and how much has come of one that is being put."""
    path = paths.raw(asked.path)
    file = root / path
    found = {"size": file.stat().st_size, "digest": _digest(file)} if file.is_file() else {"size": None, "digest": None}
    _say({"path": path, **found, "partial": partial_size(root, path, asked.content)})
    return DONE


def get(root: Path, asked: argparse.Namespace) -> int:
    """Write a file to standard output; a blob is verified before its first byte."""
    path = _path(asked.path)
    with _opened(root, path) as content:
        shutil.copyfileobj(content, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return DONE


def ls(root: Path, asked: argparse.Namespace) -> int:
    """One line of JSON a file, sorted."""
    for path in Volume(root).list(_path(asked.prefix) if asked.prefix else ""):
        status = (root / path).stat()
        modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        _say({"path": path, "size": status.st_size, "modified": modified})
    return DONE


def rm(root: Path, asked: argparse.Namespace) -> int:
    """Take a user's file away."""
    path = paths.raw(asked.path)
    if not Volume(root).exists(path):
        raise Missing(f"{path} is not in the store; `merkhet store ls raw` lists what is")
    Volume(root).delete(path)
    return DONE


def collect(root: Path, asked: argparse.Namespace) -> int:
    """Let go what nothing uses any more, as the pod itself does from time to time; 1 where something stops it."""
    from merkhet.workloads.gateway.collect import collect_once  # noqa: PLC0415 - the other commands load much less

    return FAILED if collect_once(root, asked.grace).stopped else DONE


def status(root: Path, _asked: argparse.Namespace) -> int:
    """How full the store is, what the collector's last pass did, and what stopped it; 1 where something did."""
    from merkhet.store.collector import last_collection  # noqa: PLC0415 - the other commands load much less

    usage, last = shutil.disk_usage(root), last_collection(Volume(root))
    free = f"{usage.free / 2**30:.1f} of {usage.total / 2**30:.1f} GiB are free"
    if last is None:
        sys.stdout.write(f"{free}\nthe collector has made no pass yet, or nobody can read what it left\n")
        return DONE
    at = datetime.fromtimestamp(last.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    did = (
        f"{len(last.retired)} versions and {len(last.released)} roots went, and {last.blobs} blobs of {last.bytes} "
        f"bytes; {len(last.unmarked)} blobs that nothing names wait for their time"
    )
    stopped = f"\nit was stopped, and nothing more goes until that is put right: {last.stopped}" if last.stopped else ""
    sys.stdout.write(f"{free}\nthe collector's last pass, {at}: {did}{stopped}\n")
    return FAILED if last.stopped else DONE


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="merkhet store", description=__doc__)
    acts = parser.add_subparsers(required=True)

    def command(act: Callable[[Path, argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = acts.add_parser(act.__name__, description=act.__doc__, help=act.__doc__)
        added.set_defaults(act=act)
        return added

    putting = command(put)
    putting.add_argument("path", help="store://raw/… or raw/…")
    putting.add_argument("--size", type=int, required=True, help="bytes of the whole file")
    putting.add_argument("--digest", required=True, help="sha256:… of the whole file")
    putting.add_argument("--offset", type=int, default=0, help="bytes that came before; 0 begins anew")
    stating = command(stat)
    stating.add_argument("path")
    stating.add_argument("--for", dest="content", help="sha256:… of the content that is being put; default: any")
    for act in (get, rm):
        command(act).add_argument("path")
    command(ls).add_argument("prefix", nargs="?", default="")
    command(status)
    command(collect).add_argument("--grace", default=GRACE, help="how long nothing may have used a blob")
    return parser.parse_args(argv)


def _path(address: str) -> str:
    path = address.removeprefix(paths.SCHEME).rstrip("/")
    return paths.check(path)


def _opened(root: Path, path: str) -> IO[bytes]:
    if path.startswith(BLOB):
        return Volume(root).open(f"sha256:{path.removeprefix(BLOB)}")
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()):
        raise Refused(f"{path} is a link out of the store")
    try:
        return file.open("rb")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise Missing(f"{path} is not a file in the store; `merkhet store ls` lists them") from error


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}"


def _say(body: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(body, ensure_ascii=False) + "\n")
