"""``predict``: one or several rows through a served model, asked from inside the cluster."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from merkhet.errors import MerkhetError, Missing
from merkhet.plugin.kubectl import Kubectl


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("predict", parents=[shared], help="ask a served model")
    command.add_argument("name", help="of the ModelDeployment")
    command.add_argument(
        "rows", nargs="?", default="-", help="a JSON object (or a list of them) of columns; -: from stdin"
    )
    command.add_argument("-o", "--output", choices=["table", "json"], default="table")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Turn rows into a request of the model's own inputs, ask, and print an answer a row."""
    name = asked.name.removeprefix("md/")
    if kubectl.find("modeldeployments.merkhet.dev", name) is None:
        raise Missing(f"ModelDeployment {kubectl.current_namespace()}/{name} does not exist")
    rows = read_rows(sys.stdin.read() if asked.rows == "-" else asked.rows)
    metadata = call(kubectl, name, None)
    answer = call(kubectl, name, request(metadata, rows))
    answers = by_row(answer)
    if asked.output == "json":
        print(json.dumps(answers, indent=2))
        return 0
    for number, found in enumerate(answers):
        words = "  ".join(f"{key} {_short(value)}" for key, value in found.items())
        print(f"{number + 1:>4}  {words}")
    print(f"model {answer['model_name']} version {answer.get('model_version', '?')}", file=sys.stderr)
    return 0


def read_rows(text: str) -> list[dict[str, Any]]:
    """The rows of a JSON object or list of objects."""
    try:
        value = json.loads(text)
    except ValueError as found:
        raise MerkhetError(f"the row is not JSON ({found}); wanted something like '{{\"AGEP\": 34}}'") from found
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise MerkhetError("wanted a JSON object of column names and values, or a list of such objects")
    return rows


def request(metadata: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """An inference request of rows; raises where a column is unknown or has to be there."""
    inputs = metadata["inputs"]
    columns = [column for tensor in inputs for column in columns_of(tensor)]
    unknown = sorted({column for row in rows for column in row} - set(columns))
    if unknown:
        raise MerkhetError(f"{metadata['name']} has no column {', '.join(unknown)}; it has {', '.join(columns)}")
    return {"inputs": [_tensor(tensor, rows) for tensor in inputs]}


def columns_of(tensor: dict[str, Any]) -> list[str]:
    """The columns an input holds: those it names, or itself."""
    named = (tensor.get("parameters") or {}).get("columns")
    return list(named) if named else [tensor["name"]]


def _tensor(tensor: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = columns_of(tensor)
    numbers = [row.get(column) for row in rows for column in columns]
    return {
        "name": tensor["name"],
        "datatype": tensor["datatype"],
        "shape": [len(rows), len(columns)],
        "data": numbers,
    }


def call(kubectl: Kubectl, name: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """Ask the deployment from the store's pod: metadata without a body, predictions with one."""
    asked = kubectl.inside("call", name, *(["--infer"] if body is not None else []), stdin=json.dumps(body).encode())
    answer: dict[str, Any] = json.loads(asked)
    if answer["status"] != 200:
        error = answer["body"].get("error", answer["body"]) if isinstance(answer["body"], dict) else answer["body"]
        raise MerkhetError(f"ModelDeployment {kubectl.current_namespace()}/{name} answered {answer['status']}: {error}")
    found: dict[str, Any] = answer["body"]
    return found


def by_row(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of each row, by name."""
    count = answer["outputs"][0]["shape"][0]
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for output in answer["outputs"]:
        width = len(output["data"]) // count
        for number, row in enumerate(rows):
            values = output["data"][number * width : (number + 1) * width]
            row[output["name"]] = values[0] if width == 1 else values
    return rows


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
