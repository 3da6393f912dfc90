"""``import PLACE --model NAME``: a model that was made elsewhere becomes the next ModelVersion, for a person to decide.

What it takes and answers is written down where a record of Merkhet comes with it. Figures are never brought along: they
speak of other data; the evaluation that ``--evaluate`` asks for finds them anew.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from merkhet import GROUP, VERSION
from merkhet.api.fields import Name
from merkhet.contract.base import canonical
from merkhet.contract.training import Signature
from merkhet.errors import MerkhetError, Missing, Refused
from merkhet.manifests import names
from merkhet.manifests.labels import MODEL
from merkhet.plugin.brought import Brought, found
from merkhet.plugin.init import written
from merkhet.plugin.kubectl import Kubectl
from merkhet.plugin.transfer import SCHEME, put
from merkhet.store import paths

_EVALUATION = "featureSet=NAME[@VERSION],target=COLUMN"
_CLAIM = re.compile(r"/([1-9][0-9]{0,8})\.json$")


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "import",
        parents=[shared],
        help="bring a model that was made elsewhere",
        description="Makes the next ModelVersion of a model from an OCI image layout (CNCF ModelPack with one ONNX "
        "model), from a folder with one .onnx file, or from that file. A layout or folder that `export` wrote brings "
        "the model's signature along; for another, --signature says what the model takes and answers.",
    )
    command.add_argument("place", type=Path, metavar="DIR|FILE")
    command.add_argument("--model", required=True, help="name of the model in the registry")
    command.add_argument(
        "--evaluate", type=_evaluation, metavar="DATA", help=f"where its figures are found: {_EVALUATION}"
    )
    command.add_argument(
        "--signature", type=Path, metavar="FILE", help="what the model takes and answers: record.signature, as YAML"
    )
    command.add_argument("--tag", help="which model of a layout that has several")
    command.add_argument("--dry-run", action="store_true", help="print the ModelVersion; put and make nothing")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Verify the model, put it into the store, and make the ModelVersion that names it."""
    model = _model_name(asked.model)
    with tempfile.TemporaryDirectory(prefix="merkhet-") as scratch:
        brought = found(asked.place, asked.tag, Path(scratch))
        if not asked.dry_run:
            kubectl.gateway()
        signature = _said(asked.signature, brought)
        body = version(model, next_number(model, kubectl), brought, signature, asked.evaluate)
        if asked.dry_run:
            print(written([body]), end="")
            print(f"nothing was put: {address(brought)} is not there yet", file=sys.stderr)
            return 0
        put(brought.file, address(brought).removeprefix(SCHEME), kubectl)
    print(kubectl.run("create", "-f", "-", stdin=canonical(body).encode()).decode(), end="")
    if asked.evaluate is None:
        print("nobody can approve it before it is judged: name rows with --evaluate", file=sys.stderr)
    return 0


def next_number(model: str, kubectl: Kubectl) -> int:
    """One more than any number of the model that a ModelVersion has or that a training has claimed in the store."""
    versions = kubectl.json("get", f"modelversions.{GROUP}")["items"]
    records = [version["spec"]["record"] for version in versions]
    numbers = [record["version"] for record in records if record["model"] == model]
    if kubectl.find("configmap", "merkhet-store") is not None:
        listed = kubectl.inside("store", "ls", paths.models(model)).splitlines()
        claims = (_CLAIM.search(json.loads(line)["path"]) for line in listed)
        numbers += [int(claim[1]) for claim in claims if claim]
    return max(numbers, default=0) + 1


def version(
    model: str, number: int, brought: Brought, signature: dict[str, Any], evaluation: dict[str, Any] | None
) -> dict[str, Any]:
    """The ModelVersion of a brought model."""
    lineage = (brought.record or {}).get("lineage") or {}
    kept = {word: lineage[word] for word in ("revision", "author") if lineage.get(word)}
    record: dict[str, Any] = {
        "model": model,
        "version": number,
        "artifact": {
            "digest": brought.digest,
            "size": brought.size,
            "format": "onnx",
            "uri": address(brought),
        },
    }
    record["signature"] = signature
    record["lineage"] = {"training": {}, **kept}  # no training: it was brought
    spec: dict[str, Any] = {"record": record, "approval": {"decision": "Pending"}}
    if evaluation is not None:
        spec["evaluation"] = evaluation
    metadata = {"name": names.version(model, number), "labels": {MODEL: model}}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "ModelVersion", "metadata": metadata, "spec": spec}


def address(brought: Brought) -> str:
    """Where the model stands in the store."""
    return f"{SCHEME}raw/imported/{brought.digest.removeprefix('sha256:')}.onnx"


def _said(file: Path | None, brought: Brought) -> dict[str, Any]:
    """What the model takes and answers, by a file or by the record that came along."""
    if file is not None:
        try:
            return _signature(yaml.safe_load(file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise Missing(f"--signature {file} cannot be read: {error}") from error
    body = (brought.record or {}).get("signature")
    if not body:
        raise Refused(
            f"{brought.file.name} comes without a record, and nothing says what it takes and answers: give its "
            f"signature with --signature FILE, as docs/kinds/modelversion.md has it",
            reason="SignatureMissing",
        )
    return _signature(body)


def _signature(body: Any) -> dict[str, Any]:
    try:
        signature = Signature.model_validate(body)
    except ValidationError as error:
        raise Refused(f"the record's signature is none that this program understands: {error}") from error
    return signature.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _model_name(name: str) -> str:
    try:
        return str(TypeAdapter(Name).validate_python(name))
    except ValidationError as error:
        raise MerkhetError(f"--model {name!r} is no name; wanted up to 40 lower-case letters, digits and -") from error


def _evaluation(words: str) -> dict[str, Any]:
    """``spec.evaluation`` of its short form."""
    given = dict(word.partition("=")[::2] for word in words.split(","))
    name, _, number = given.get("featureSet", "").partition("@")
    known = set(given) <= {"featureSet", "target"}
    if not (known and name and given.get("target") and (number.isdecimal() or not number)):
        raise argparse.ArgumentTypeError(f"wanted {_EVALUATION}; found {words!r}")
    features = {"name": name, **({"version": int(number)} if number else {})}
    return {"featureSet": features, "target": given["target"]}
