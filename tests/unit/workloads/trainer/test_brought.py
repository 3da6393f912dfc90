"""A model that somebody brings is looked at before it runs, judged on rows, and registered under the number it has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline

from merkhet.contract.evaluation import Evaluation
from merkhet.contract.runs import DONE, REFUSED, RunReport
from merkhet.contract.training import (
    Brought,
    Case,
    Champion,
    Expectation,
    Gates,
    Golden,
    Importance,
    MetricLimit,
    Signature,
    Tensor,
    TrainingResult,
    TrainingTask,
)
from merkhet.errors import Missing, Refused
from merkhet.store import claims, paths
from merkhet.store.volume import Volume
from merkhet.workloads.run import RefusedForNow
from merkhet.workloads.server.model import Model
from merkhet.workloads.server.readiness import replay
from merkhet.workloads.trainer import export
from merkhet.workloads.trainer.brought import judge
from merkhet.workloads.trainer.features import Features
from merkhet.workloads.trainer.main import main
from merkhet.workloads.trainer.train import train

MakeTask = Callable[..., TrainingTask]
People = dict[str, Any]
Bring = Callable[..., TrainingTask]
Run = Callable[[TrainingTask], RunReport]

URI = "store://raw/imported/model.onnx"
NAMES = ("age", "school")
CLAIM, ANOTHER = "a" * 20, "b" * 20
SIGNATURE = Signature(
    inputs=(Tensor(name="input", datatype="FP32", shape=(-1, 2), columns=NAMES),),
    outputs=(
        Tensor(name="label", datatype="INT64", shape=(-1,)),
        Tensor(name="probabilities", datatype="FP32", shape=(-1, 2)),
    ),
    task="Classification",
    classes=(0, 1),
    threshold=0.5,
    positive=1,
)


def silent(_: str) -> None:
    """Nobody listens."""


def made(people: People, *, regression: bool = False) -> bytes:
    """A model of two columns, as somebody could make it elsewhere."""
    features = Features(NAMES, ("number", "number"), tuple(people[name].astype(np.float32) for name in NAMES))
    model = LinearRegression() if regression else LogisticRegression(max_iter=500)
    truth = 100.0 * people["age"] if regression else people["y"]
    return export.convert(Pipeline([("final", model.fit(features.frame(), truth))]), features)


@pytest.fixture
def bring(store: Volume, make_task: MakeTask, people: People) -> Bring:
    """A task to judge a model that was put into the store."""

    def task(content: bytes | None = None, *, columns: People | None = None, **fields: Any) -> TrainingTask:
        content = made(people) if content is None else content
        file = store.root / paths.raw(URI)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        given = {"number": 3, "claim": CLAIM, "uri": URI, "digest": digest, "size": len(content)}
        given |= {"signature": SIGNATURE, **fields.pop("given", {})}
        usual = {"training": "", "pipeline": (), "positive": 1, "importance": Importance(rows=200)}
        return make_task(columns or people, brought=Brought(**given), **{**usual, **fields})

    return task


def content(store: Volume, digest: str) -> bytes:
    with store.open(digest) as stream:
        return stream.read()


def test_a_good_model_is_judged_and_becomes_a_blob_under_its_number(bring: Bring, store: Volume) -> None:
    task = bring(
        gates=Gates(metrics=(MetricLimit(name="roc_auc", min=0.6), MetricLimit(name="recall", min=0.999))),
        sensitive=("school",),
        tests=(Case(name="old", input={"age": 89, "school": 20}, expect=Expectation(label=1)),),
    )
    result = judge(task, store, silent)
    assert task.brought is not None
    assert result.artifact is not None
    assert (result.number, result.artifact.digest) == (3, task.brought.digest)
    assert result.artifact.uri == paths.blob(task.brought.digest)
    assert content(store, task.brought.digest) == store.read(paths.raw(URI))
    judged = {gate.name: gate.result for gate in result.gates}
    assert (judged["roc_auc"], judged["recall"], judged["test old"]) == ("Passed", "Failed", "Passed")
    assert "parity" not in judged
    assert result.rows == {"train": 0, "test": 2000}
    assert set(result.reports) == {"golden", "evaluation", "importance", "card", "cardText", "heldOut"}
    assert "which rows it has learned from" in result.warnings[0]
    found = Evaluation.load(content(store, result.reports["evaluation"]))
    assert {one.by for one in found.groups} == {"school"}
    assert found.latency is not None


def test_a_server_replays_its_golden_answers(bring: Bring, store: Volume) -> None:
    result = judge(bring(), store, silent)
    assert result.artifact is not None
    assert result.signature is not None
    golden = Golden.load(content(store, result.reports["golden"]))
    model = Model(content(store, result.artifact.digest), result.signature, "it")
    assert replay(model, golden) >= 24


def test_a_regression_is_judged_by_its_own_figures(bring: Bring, store: Volume, people: People) -> None:
    signature = Signature(
        inputs=SIGNATURE.inputs,
        outputs=(Tensor(name="prediction", datatype="FP32", shape=(-1, 1)),),
        task="Regression",
        graph={"prediction": "variable"},
    )
    task = bring(
        made(people, regression=True),
        columns={**people, "y": 100.0 * people["age"]},
        task="Regression",
        positive=None,
        given={"signature": signature},
    )
    result = judge(task, store, silent)
    assert result.metrics[0].name == "r2"
    assert result.metrics[0].value == pytest.approx(1.0, abs=1e-4)


def test_rows_of_one_entity_are_drawn_together(bring: Bring, store: Volume, people: People) -> None:
    twice = {**people, "id": people["id"] // 4}
    found = Evaluation.load(content(store, judge(bring(columns=twice), store, silent).reports["evaluation"]))
    assert found.intervals.clusters == 500


def _signature(**more: Any) -> dict[str, Any]:
    return {"signature": SIGNATURE.model_copy(update=more)}


def _input(**more: Any) -> dict[str, Any]:
    return _signature(inputs=(SIGNATURE.inputs[0].model_copy(update=more),))


def _column(name: str) -> Tensor:
    return Tensor(name=name, datatype="FP32", shape=(-1, 1))


LABEL, PROBABILITIES = SIGNATURE.outputs
UNLIKE: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "an input of another name": (_input(name="X"), ("takes input", "wants X")),
    "an input of another width": (_input(shape=(-1, 3)), ("takes input (FP32 [-1, 2])", "wants input (FP32 [-1, 3])")),
    "an input of another type": (_input(datatype="FP64"), ("wants input (FP64",)),
    "an input for each column": (_signature(inputs=tuple(map(_column, NAMES))), ("wants age (FP32",)),
    "too few columns": (_input(columns=("age",)), ("1 columns named of 2", "wanted input, with the name of each")),
    "no columns": (_input(columns=()), ("0 columns named of 2",)),
    "a column that the rows do not have": (_input(columns=("age", "shool")), ("shool", "did you mean school")),
    "an output that is not there": (
        _signature(outputs=(LABEL, PROBABILITIES.model_copy(update={"name": "scores"}))),
        ("wants scores",),
    ),
    "outputs in another order": (_signature(outputs=(PROBABILITIES, LABEL)), ("label as the last output",)),
    "another number of probabilities": (
        _signature(
            outputs=(LABEL, PROBABILITIES.model_copy(update={"shape": (-1, 3)})),
            classes=(0, 1, 2),
            positive=None,
            threshold=None,
        ),
        ("3",),
    ),
    "classes that the rows do not have": (
        _signature(classes=(1, 2)),
        ("has the classes 1, 2", "target y has 0, 1", "rows with its own classes"),
    ),
}


@pytest.mark.parametrize(("given", "words"), UNLIKE.values(), ids=UNLIKE)
def test_a_signature_is_refused_that_has(
    bring: Bring, store: Volume, given: dict[str, Any], words: tuple[str, ...]
) -> None:
    with pytest.raises(Refused) as refused:
        judge(bring(given=given), store, silent)
    assert [part for part in words if part not in str(refused.value)] == []
    assert refused.value.reason in {"SignatureMismatch", "InvalidSignature", "UnknownColumn"}
    assert list(store.list("models")) == []


def test_a_personal_target_is_not_told(bring: Bring, store: Volume, people: People) -> None:
    task = bring(columns={**people, "y": people["y"] + 41}, personal=("y",), positive=None)
    with pytest.raises(Refused, match="target y has 2 others") as refused:
        judge(task, store, silent)
    assert "41" not in str(refused.value)


def _external(model: onnx.ModelProto) -> None:
    tensor = onnx.helper.make_tensor("elsewhere", onnx.TensorProto.FLOAT, [1], [0.0])
    tensor.ClearField("float_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    model.graph.initializer.append(tensor)


def _foreign(model: onnx.ModelProto) -> None:
    model.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    model.graph.node[0].domain = "com.example"


DANGEROUS = {"values in another file": (_external, "ExternalData"), "foreign operators": (_foreign, "ForeignOperators")}


@pytest.mark.parametrize(("spoil", "reason"), DANGEROUS.values(), ids=DANGEROUS)
def test_a_file_is_refused_that_has(
    bring: Bring, store: Volume, people: People, spoil: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    model = onnx.load_from_string(made(people))
    spoil(model)
    with pytest.raises(Refused) as refused:
        judge(bring(model.SerializeToString()), store, silent)
    assert refused.value.reason == reason


def test_a_pickle_is_no_model(bring: Bring, store: Volume) -> None:
    with pytest.raises(Refused, match="is no ONNX file"):
        judge(bring(b"\x80\x04\x95\x1f\x00\x00\x00"), store, silent)


def test_answers_that_are_no_probabilities_are_refused(bring: Bring, store: Volume, people: People) -> None:
    model = onnx.load_from_string(made(people))
    [classifier] = [node for node in model.graph.node if node.op_type == "LinearClassifier"]
    for node in [node for node in model.graph.node if node.op_type == "Normalizer"]:
        model.graph.node.remove(node)
    classifier.output[1] = "probabilities"
    [transform] = [one for one in classifier.attribute if one.name == "post_transform"]
    transform.s = b"NONE"
    with pytest.raises(Refused, match=r"are no probabilities in \d+ of 2000 rows") as refused:
        judge(bring(model.SerializeToString()), store, silent)
    assert refused.value.reason == "UnfitAnswers"


def test_rows_that_a_server_would_refuse_are_counted(bring: Bring, store: Volume, people: People) -> None:
    holes = {**people, "age": np.where(people["age"] > 80, np.nan, people["age"])}
    missing = int(np.isnan(holes["age"]).sum())
    with pytest.raises(Refused, match=f"refuses {missing} of 2000 rows for their age"):
        judge(bring(columns=holes), store, silent)


def test_another_file_than_the_record_says_is_tried_again_when_it_is_corrected(bring: Bring, store: Volume) -> None:
    task = bring(given={"digest": "sha256:" + "0" * 64})
    with pytest.raises(RefusedForNow, match="the record says") as refused:
        judge(task, store, silent)
    assert refused.value.reason == "DigestMismatch"


def test_a_file_that_was_not_put_there_is_missing(bring: Bring, store: Volume) -> None:
    task = bring()
    store.delete(paths.raw(URI))
    with pytest.raises(Missing, match=r"raw/imported/model\.onnx"):
        judge(task, store, silent)


def test_a_number_that_another_version_has_is_refused_with_the_next_one(bring: Bring, store: Volume) -> None:
    judge(bring(), store, silent)
    with pytest.raises(Refused, match=r"number 3 .* bring the model as version 4") as refused:
        judge(bring(given={"claim": ANOTHER}), store, silent)
    assert refused.value.reason == "NumberTaken"


def test_a_number_that_a_training_has_is_refused(
    bring: Bring, make_task: MakeTask, store: Volume, people: People
) -> None:
    number = train(make_task(people), store, silent).number
    with pytest.raises(Refused, match="bring the model as version 2"):
        judge(bring(given={"number": number}), store, silent)


def test_another_run_of_the_same_version_keeps_the_number(bring: Bring, store: Volume) -> None:
    first = judge(bring(), store, silent)
    task = bring()
    again = judge(task.model_copy(update={"run": task.run.model_copy(update={"key": ANOTHER})}), store, silent)
    assert (again.number, again.artifact, again.metrics) == (first.number, first.artifact, first.metrics)
    assert again.lineage.training == {"run": ANOTHER}
    assert claims.next_number(store, paths.models("employment")) == 4


def test_a_trained_champion_is_compared_on_rows_it_has_not_learned_from(
    bring: Bring, make_task: MakeTask, store: Volume, people: People, run: Run
) -> None:
    trained = TrainingResult.model_validate(run(make_task(people)).result)
    assert trained.artifact is not None
    assert trained.number is not None
    champion = Champion(number=trained.number, digest=trained.artifact.digest, run="0123456789abcdef0123")
    result = judge(bring(champion=champion), store, silent)
    found = Evaluation.load(content(store, result.reports["evaluation"])).champion
    assert result.champion == 1
    assert found is not None
    assert 400 < found.rows < 600


@pytest.fixture
def run(store: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A pod's run of a task, and what it reports."""
    monkeypatch.setenv("MERKHET_STORE", str(store.root))
    monkeypatch.setenv("MERKHET_REPORT", str(tmp_path))

    def once(task: TrainingTask) -> RunReport:
        monkeypatch.setenv("MERKHET_TASK", json.dumps(task.body()))
        code = main()
        report = RunReport.load((tmp_path / "report.json").read_text())
        assert code == (DONE if report.phase == "Succeeded" else REFUSED)
        return report

    return once


def test_the_same_run_twice_gives_the_same_record(bring: Bring, run: Run) -> None:
    task = bring()
    assert run(task) == run(task)


def test_a_wrong_file_is_not_recorded_and_a_wrong_signature_is(bring: Bring, store: Volume, run: Run) -> None:
    task = bring(given={"digest": "sha256:" + "0" * 64})
    assert run(task).reason == "DigestMismatch"
    assert claims.recorded(store, task.run.key) is None
    assert run(bring(given=_input(name="X"))).reason == "InvalidSignature"
    assert claims.recorded(store, task.run.key) is not None
