"""``merkhet call NAME [--infer]``: ask a deployment of this namespace and print status and body as one JSON object."""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from merkhet.contract.online import PREFIX

NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")
SECONDS = 30.0


def main(argv: Sequence[str]) -> int:
    """Metadata of the model, with ``--infer`` the answer to the request on stdin, with ``--features`` look-ups."""
    parser = argparse.ArgumentParser(prog="merkhet call")
    parser.add_argument("name", help="of the ModelDeployment, whose Service has the same name, or of the FeatureSet")
    parser.add_argument("--infer", action="store_true")
    parser.add_argument("--features", action="store_true", help='look up {"entities": […]} of stdin in a FeatureSet')
    asked = parser.parse_args(argv)
    if not NAME.match(asked.name):
        parser.error(f"{asked.name!r} is no name of a ModelDeployment or FeatureSet")
    body = sys.stdin.buffer.read() if asked.infer or asked.features else None
    path = features_path(asked.name) if asked.features else model_path(asked.name, infer=asked.infer)
    sys.stdout.write(json.dumps(ask(path, body)))
    return 0


def model_path(name: str, *, infer: bool) -> str:
    """Where a model tells of itself, or answers."""
    return f"{name}/v2/models/{name}{'/infer' if infer else ''}"


def features_path(name: str) -> str:
    """Where many entities of a FeatureSet are looked up."""
    return f"{name}-online{PREFIX}/{name}:lookup"


def ask(path: str, body: bytes | None) -> dict[str, Any]:
    """One request; what the server says is told as it is, also where it says no."""
    request = urllib.request.Request(f"http://{path}", data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - http and a checked name
            return {"status": answer.status, "body": _parsed(answer.read())}
    except urllib.error.HTTPError as refused:
        return {"status": refused.code, "body": _parsed(refused.read())}
    except OSError as found:
        return {"status": 503, "body": {"error": f"no server answers at {path.partition('/')[0]}: {found}"}}


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
