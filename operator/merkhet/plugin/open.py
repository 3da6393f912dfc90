"""``open KIND/NAME``: a data profile or a model card as a web page, made here from what the store holds."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from merkhet.contract.profile import Profile
from merkhet.errors import Corrupt, MerkhetError, Missing
from merkhet.pages import card, profile
from merkhet.plugin import documents
from merkhet.plugin.export import MODELVERSION
from merkhet.plugin.kubectl import Kubectl, KubectlFailed, names
from merkhet.plugin.rows import FEATURESET
from merkhet.store import paths

PRINTED = "-"
_MANIFEST = re.compile(r'/([1-9][0-9]*)\.manifest\.json"')


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "open", parents=[shared], help="look at a FeatureSet's data profile or a ModelVersion's card in a browser"
    )
    command.add_argument("what", metavar="fs/NAME|mv/NAME")
    command.add_argument("--version", type=int, help="of the FeatureSet; default: the latest")
    command.add_argument("-o", "--output", metavar="FILE", help="where to write the page; - prints it")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Write the page, and show it where there is a display."""
    title, page = _page(asked, kubectl)
    if asked.output == PRINTED:
        sys.stdout.buffer.write(page.encode())
        return 0
    file = Path(asked.output) if asked.output else Path(tempfile.mkdtemp(prefix="merkhet-")) / f"{title}.html"
    _write(file, page)
    if not (has_display(os.environ, sys.platform) and webbrowser.open(file.resolve().as_uri())):
        print("there is no browser to show it here; open the file in one", file=sys.stderr)
    print(file)
    return 0


def _page(asked: argparse.Namespace, kubectl: Kubectl) -> tuple[str, str]:
    """The page, and what its file is called."""
    kind, name = names([asked.what])
    if kind.lower() in MODELVERSION:
        if asked.version is not None:
            raise MerkhetError(f"{asked.what} is one version: leave --version out, or name another, as in mv/NAME-v3")
        return name, card.render(documents.known(name, kubectl))
    if kind.lower() in FEATURESET:
        number = _number(asked.version, name, kubectl)
        return f"{name}-{number}", profile.render(_profile(name, number, kubectl))
    raise MerkhetError(f"pages are those of a FeatureSet (fs/NAME) or ModelVersion (mv/NAME); found {asked.what!r}")


def has_display(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser would have a place to show itself: without one, some would take over the terminal."""
    return platform in {"darwin", "win32"} or any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _number(wanted: int | None, name: str, kubectl: Kubectl) -> int:
    where = f"FeatureSet {kubectl.current_namespace()}/{name}"
    body: Any = kubectl.find("featuresets.merkhet.dev", name)
    if body is None:
        raise Missing(f"{where} does not exist: kubectl get featuresets")
    number = wanted if wanted is not None else (body.get("status", {}).get("latest") or {}).get("version")
    if number is None:
        raise Missing(f"{where} has no version yet: kubectl merkhet why fs/{name}")
    return int(number)


def _profile(name: str, number: int, kubectl: Kubectl) -> Profile:
    path = paths.feature_profile(name, number)
    try:
        content = kubectl.inside("store", "get", path)
    except KubectlFailed as found:
        if path not in str(found):
            raise
        raise _absent(name, number, kubectl) from found
    try:
        return Profile.load(content)
    except ValidationError as error:
        raise Corrupt(f"{path} is no profile that this program understands; use the operator's version") from error


def _absent(name: str, number: int, kubectl: Kubectl) -> Missing:
    """What is not there: the version, or its profile alone."""
    where = f"FeatureSet {kubectl.current_namespace()}/{name}"
    listed = kubectl.inside("store", "ls", paths.feature_sets(name)).decode()
    known = sorted((int(found) for found in _MANIFEST.findall(listed)), reverse=True)
    if number not in known:
        some = ", ".join(map(str, known[:10])) or "none"
        return Missing(f"{where} has no version {number}; it has {some}")
    return Missing(
        f"version {number} of {where} has no profile: it was made before there were any. The next run makes one of the "
        f"latest version: kubectl annotate featureset {name} merkhet.dev/run=profile --overwrite"
    )


def _write(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise MerkhetError(f"{file} cannot be written: {error.strerror}; name another with -o") from error
