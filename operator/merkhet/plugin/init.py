"""``init FILE --target COLUMN``: a first FeatureSet, ModelTraining and ModelDeployment that fit a file."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from merkhet import GROUP, VERSION
from merkhet.errors import MerkhetError, Missing
from merkhet.plugin.kubectl import Kubectl

# A number with at most so many different values is taken for a class.
CLASSES = 20


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("init", parents=[shared], help="write a first YAML for a parquet or CSV file")
    command.add_argument("file", type=Path)
    command.add_argument("--target", required=True, help="the column to predict")
    command.add_argument("--name", help="of the objects; default: from the file's name")
    command.add_argument("-o", "--output", type=Path, help="a file to write; default: print")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, _kubectl: Kubectl) -> int:
    """Look at the file and write the three objects."""
    table = read(asked.file)
    name = asked.name or label(asked.file.stem)
    address = f"store://raw/{name}/{label(asked.file.stem)}{asked.file.suffix.lower()}"
    text = written(objects(name, address, table, asked.target))
    if asked.output is None:
        print(text, end="")
    elif asked.output.exists():
        raise MerkhetError(f"{asked.output} exists already; nothing was written")
    else:
        asked.output.write_text(text, encoding="utf-8")
    where = asked.output or "FILE.yaml"
    print(f"next: kubectl merkhet put {shlex.quote(str(asked.file))} {address}", file=sys.stderr)
    print(f"      kubectl apply -f {where}", file=sys.stderr)
    return 0


@dataclass(frozen=True, slots=True)
class Column:
    """What there is to know of a column before it is used."""

    name: str
    numeric: bool
    time: bool
    distinct: int
    missing: int


@dataclass(frozen=True, slots=True)
class Table:
    """A file, as far as the first YAML depends on it."""

    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """The column of this name."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(column.name for column in self.columns)
        raise MerkhetError(f"the file has no column {name!r}; it has {known}")


def read(file: Path) -> Table:
    """Types and counts of all columns, computed by DuckDB, which reads what the cluster's Job will read."""
    if not file.is_file():
        raise Missing(f"{file} is not a file here")
    try:
        import duckdb  # noqa: PLC0415 - only this command needs it
    except ImportError as found:
        raise MerkhetError("init looks into the file with DuckDB: pip install 'merkhet[trainer]'") from found
    database = duckdb.connect()
    try:
        table = database.sql(f"select * from '{_quoted(file)}'")  # noqa: S608 - the person's own file on their own machine
        counts = [f'count(distinct "{name}"), count(*) - count("{name}")' for name in table.columns]
        [figures] = table.aggregate(", ".join(["count(*)", *counts])).fetchall()
    except duckdb.Error as found:
        raise MerkhetError(f"{file} cannot be read as parquet, CSV or JSON lines: {found}") from found
    kinds = [str(kind) for kind in table.types]
    columns = tuple(
        Column(name, _is_number(kind), kind.startswith(("DATE", "TIMESTAMP")), figures[1 + 2 * i], figures[2 + 2 * i])
        for i, (name, kind) in enumerate(zip(table.columns, kinds, strict=True))
    )
    return Table(rows=figures[0], columns=columns)


def _quoted(file: Path) -> str:
    return str(file).replace("'", "''")


def _is_number(kind: str) -> bool:
    return bool(re.match(r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL|REAL)", kind))


def objects(name: str, address: str, table: Table, target: str) -> list[dict[str, Any]]:
    """The three objects."""
    aim = table.column(target)
    entity, time = _entity(table, target), next((column.name for column in table.columns if column.time), None)
    features: dict[str, Any] = {"sources": [{"name": "rows", "uri": address}]}
    if entity:
        features |= {"entity": [entity]}
        features |= {"columns": [{"name": entity, "personal": True}]}
    if time:
        features |= {"timestamp": time}
    training = _training(name, table, aim, {target, entity, time})
    serving = {"model": {"name": name, "version": "LatestApproved"}, "replicas": 1}
    return [
        _object("FeatureSet", name, features),
        _object("ModelTraining", name, training),
        _object("ModelDeployment", name, serving),
    ]


def _training(name: str, table: Table, aim: Column, left_out: set[str | None]) -> dict[str, Any]:
    classes = not aim.numeric or aim.distinct <= CLASSES
    family = "Classifier" if classes else "Regressor"
    words = [column.name for column in table.columns if column.name not in left_out and not column.numeric]
    pipeline: list[dict[str, Any]] = []
    if words:
        encoder = {"handle_unknown": "ignore"}
        pipeline.append({"estimator": "sklearn.preprocessing.OneHotEncoder", "parameters": encoder, "columns": words})
    pipeline.append({"estimator": f"sklearn.ensemble.HistGradientBoosting{family}"})
    data = {
        "featureSet": {"name": name},
        "target": aim.name,
        "split": {"method": "Random", "testFraction": 0.25, "seed": 1},
    }
    task = "Classification" if classes else "Regression"
    return {"model": name, "task": task, "data": data, "pipeline": pipeline, "approval": "Manual"}


def _entity(table: Table, target: str) -> str | None:
    """A column that names each row: unique, complete, and called like one."""
    for column in table.columns:
        unique = column.distinct == table.rows and column.missing == 0
        if column.name != target and unique and re.search(r"(^|_)(id|key|uuid)$", column.name, re.IGNORECASE):
            return column.name
    return None


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def written(bodies: list[dict[str, Any]]) -> str:
    """YAML as a person would write it."""
    return yaml.safe_dump_all(bodies, sort_keys=False, allow_unicode=True, width=120)


def label(words: str) -> str:
    """A DNS label of at most 40 characters from a file's name."""
    name = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40].strip("-")
    if not name:
        raise MerkhetError(f"no name can be made of {words!r}; say --name")
    return name
