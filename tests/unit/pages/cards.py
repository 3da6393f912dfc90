"""Model versions as a page gets them: really trained on scikit-learn's own data, with everything, and with nothing."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_diabetes, load_wine

from merkhet.contract.card import Card
from merkhet.contract.evaluation import Evaluation, ImportanceReport
from merkhet.contract.features import Blob, Column, FeaturesManifest
from merkhet.contract.profile import Profile
from merkhet.contract.runs import Origin, Run, RunReport
from merkhet.contract.training import Case, Champion, DataVersion, Lineage, TrainingResult, TrainingTask
from merkhet.pages.card import Decision, Known
from merkhet.store import paths
from merkhet.store.volume import Volume
from merkhet.workloads.features.profile import Profiler
from merkhet.workloads.features.tables import Telling
from merkhet.workloads.trainer import trial
from merkhet.workloads.trainer.train import train

PERSONAL, PERSONAL_VALUE = "patient_name", "Ada Quill"
WRITTEN = {
    "intendedUse": "To plan visits: who needs another one within the year.\n\nNot more than a second opinion.",
    "outOfScope": "Decisions about treatment or insurance.",
    "limitations": "442 patients of one clinic.",
    "contact": "team@example.com",
}
GATES: Mapping[str, Any] = {
    "metrics": [
        {"name": "roc_auc", "min": 0.75, "source": "policy"},
        {"name": "accuracy", "min": 0.7, "confidence": 0.95},
    ],
    "groups": [{"metric": "recall", "by": "sex", "min": 0.85}],
    "fairness": [{"metric": "equal_opportunity_difference", "by": "sex", "max": 0.2, "source": "policy"}],
    "min_group_size": 20,
}
STEPS: tuple[Mapping[str, Any], ...] = (
    {"estimator": "sklearn.preprocessing.StandardScaler"},
    {"estimator": "sklearn.linear_model.LogisticRegression", "parameters": {"max_iter": 500}},
)
FOREST = {"estimator": "sklearn.ensemble.HistGradientBoostingRegressor", "parameters": {"max_iter": 30}}


@dataclass(frozen=True)
class Made:
    """A version, and what it was made of."""

    task: TrainingTask
    manifest: FeaturesManifest
    known: Known


@cache
def binary() -> Made:
    """Two classes, with all there can be: groups, a champion, a search, tests, limits, written words."""
    columns = patients()
    columns["worse"] = (columns.pop("progression") > 140).astype(np.int64)
    return _made(
        columns,
        target="worse",
        positive=1,
        exclude=("sex",),
        sensitive=("sex", "age"),
        gates=GATES,
        threshold={"maximise": "f1"},
        search={"metric": "roc_auc", "trials": 8, "space": {"C": {"log_uniform": [0.001, 100.0]}}},
        tests=(
            Case(name="very ill", input={"bmi": 40, "s5": 6.0}, expect={"label": 1, "probability": {"min": 0.8}}),
            Case(name="well", input={"bmi": 19, "s5": 3.5, "bp": 70}, expect={"label": 0}),
        ),
        champion=True,
    )


@cache
def classes() -> Made:
    """Three classes named by text."""
    found = load_wine()
    columns = dict(zip(found.feature_names[:3], found.data.T[:3], strict=True))  # with all 13 there is no mistake
    cultivar = np.array(["Barolo", "Grignolino", "Barbera"])[found.target]
    return _made({**columns, "cultivar": cultivar}, target="cultivar", split={"test_fraction": 0.4})


@cache
def amounts() -> Made:
    """A regression with groups and a category."""
    columns = patients()
    columns["ward"] = np.array(["north", "south", "<b>east</b>"])[np.arange(len(columns["bmi"])) % 3]
    encoder = {"estimator": "sklearn.preprocessing.OrdinalEncoder", "columns": {"type": "categorical"}}
    return _made(
        columns, task="Regression", target="progression", sensitive=("sex",), pipeline=(encoder, FOREST),
        gates={"metrics": [{"name": "r2", "min": 0.3}], "min_group_size": 20},
    )  # fmt: skip


def patients() -> dict[str, Any]:
    """442 patients with their measurements, and a name that is personal."""
    found = load_diabetes(scaled=False)
    columns = dict(zip(found.feature_names, found.data.T, strict=True))
    rows = len(found.target)
    return {
        "patient": np.arange(rows),
        PERSONAL: np.array([f"{PERSONAL_VALUE} {row}" for row in range(rows)]),
        **columns,
        "sex": np.where(columns["sex"] == 1, "female", "male"),
        "progression": found.target,
    }


def older() -> Known:
    """A version of which nothing is known but its record."""
    full = binary().known
    record = full.record.model_copy(update={"reports": {}, "search": None})
    return Known(name=full.name, record=record)


def brought() -> Known:
    """A version of which not even that is known."""
    return Known(
        name="stranger-v7", record=TrainingResult(model="stranger", number=7, lineage=Lineage(training={}, data=()))
    )


def awkward(evil: str) -> Known:
    """A version in which everything that others wrote wants to be markup."""
    known = binary().known
    assert known.evaluation is not None
    assert known.card is not None
    body = known.evaluation.body()
    spoilt = Evaluation.model_validate(_spoilt(body, evil, ("name", "message", "group", "by", "target", "how")))
    card = Card.model_validate(_spoilt(known.card.body(), evil, ("stated", "author", "license", "column", "split")))
    decision = Decision("Approved", "Pending", by=evil, reason=evil)
    lineage = known.record.lineage.model_copy(update={"author": evil, "revision": evil, "packages": {evil: evil}})
    record = known.record.model_copy(update={"model": evil, "warnings": (evil,), "lineage": lineage})
    return replace(known, record=record, evaluation=spoilt, card=card, decision=decision, served_by=(evil,))


def _spoilt(value: Any, evil: str, names: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: evil if key in names and isinstance(one, str) else _spoilt(one, evil, names)
                for key, one in value.items()}  # fmt: skip
    return [_spoilt(one, evil, names) for one in value] if isinstance(value, list) else value


def _made(columns: Mapping[str, Any], *, champion: bool = False, **fields: Any) -> Made:
    with tempfile.TemporaryDirectory() as folder:
        store = Volume(Path(folder))
        manifest, digest = _manifest(pa.table(dict(columns)), store)
        told = {"task": "Classification", "pipeline": STEPS, "card": WRITTEN, "author": "ada@example.com", **fields}
        task = TrainingTask.model_validate(
            {
                "run": _run("1"),
                "training": "visits",
                "model": "visits",
                "data": DataVersion(feature_set="patients", version=1, digest=digest),
                **told,
            }
        )
        if champion:
            plain = task.model_copy(update={"run": _run("0"), "search": None})
            first = train(plain, store, lambda _: None)
            assert first.artifact is not None
            store.create(paths.run_record(plain.run.key), _record(plain.run, first))
            held = Champion(number=first.number or 0, digest=first.artifact.digest, run=plain.run.key)
            task = task.model_copy(update={"champion": held})
        for number in range(task.search.trials if task.search else 0):
            trial.attempt(task, number, store)
        result = train(task, store, lambda _: None)
        return Made(task, manifest, _known(result, manifest, store, Path(folder)))


def _record(run: Run, result: TrainingResult) -> bytes:
    return RunReport(key=run.key, phase="Succeeded", result=result.body()).dump().encode()


def _known(result: TrainingResult, manifest: FeaturesManifest, store: Volume, scratch: Path) -> Known:
    def document(name: str) -> bytes:
        with store.open(result.reports[name]) as stream:
            return stream.read()

    return Known(
        name=f"{result.model}-v{result.number}",
        record=result,
        decision=Decision("Approved", "Approved", by="gwen@example.com", reason="Looked at with the clinic."),
        served_by=("visits",),
        made="2026-11-22T11:41:00Z",
        card=Card.load(document("card")),
        evaluation=Evaluation.load(document("evaluation")),
        importance=ImportanceReport.load(document("importance")),
        profile=_profile(manifest, store, scratch),
    )


def _profile(manifest: FeaturesManifest, store: Volume, scratch: Path) -> Profile:
    profiler = Profiler(scratch, Telling(scratch, personal=True))
    return profiler.make(manifest, [store.fetch(blob.digest) for blob in manifest.blobs])


def _manifest(table: pa.Table, store: Volume) -> tuple[FeaturesManifest, str]:
    content = io.BytesIO()
    pq.write_table(table, content)
    blob = Blob(digest=store.add(content.getvalue()), size=len(content.getvalue()), rows=table.num_rows)
    manifest = FeaturesManifest(
        feature_set="patients",
        number=1,
        data_digest="sha256:" + "0" * 64,
        rows=table.num_rows,
        columns=tuple(Column(name=name, type=_type(table.schema.field(name).type), personal=name == PERSONAL)
                      for name in table.column_names),
        entity=("patient",) if "patient" in table.column_names else (),
        blobs=(blob,),
    )  # fmt: skip
    return manifest, store.add(manifest.dump().encode())


def _type(found: pa.DataType) -> str:
    return {"double": "float64"}.get(str(found), str(found))


def _run(digit: str) -> Run:
    origin = Origin(kind="ModelTraining", namespace="clinic", name="visits", uid="u-1")
    return Run(key=digit * 20, trigger="spec/1", origin=origin, image="merkhet/trainer:1")
