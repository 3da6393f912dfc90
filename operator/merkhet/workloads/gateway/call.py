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

NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$")
SECONDS = 30.0


def main(argv: Sequence[str]) -> int:
    """Metadata of the model, or with ``--infer`` the answer to the request on stdin."""
    parser = argparse.ArgumentParser(prog="merkhet call")
    parser.add_argument("name", help="of the ModelDeployment, whose Service has the same name")
    parser.add_argument("--infer", action="store_true")
    asked = parser.parse_args(argv)
    if not NAME.match(asked.name):
        parser.error(f"{asked.name!r} is no name of a ModelDeployment")
    body = sys.stdin.buffer.read() if asked.infer else None
    sys.stdout.write(json.dumps(ask(asked.name, body)))
    return 0


def ask(name: str, body: bytes | None) -> dict[str, Any]:
    """One request; what the server says is told as it is, also where it says no."""
    path = f"http://{name}/v2/models/{name}" + ("/infer" if body is not None else "")
    request = urllib.request.Request(path, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 - http and a checked name
            return {"status": answer.status, "body": _parsed(answer.read())}
    except urllib.error.HTTPError as refused:
        return {"status": refused.code, "body": _parsed(refused.read())}
    except OSError as found:
        return {"status": 503, "body": {"error": f"no server answers at {name}: {found}"}}


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode(errors="replace")
