"""What people read in a terminal, and what they are told when they write something wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from merkhet.errors import MerkhetError
from merkhet.plugin import approve, predict, transfer, validate, why
from merkhet.plugin.kubectl import Kubectl, KubectlFailed, names
from merkhet.plugin.main import main, parser

METADATA: dict[str, Any] = {
    "name": "m",
    "inputs": [{"name": "input", "datatype": "FP32", "shape": [-1, 2], "parameters": {"columns": ["age", "pay"]}}],
}
PER_COLUMN: dict[str, Any] = {
    "name": "m",
    "inputs": [
        {"name": "age", "datatype": "FP32", "shape": [-1, 1]},
        {"name": "region", "datatype": "BYTES", "shape": [-1, 1]},
    ],
}


def test_rows_become_one_tensor_in_the_models_order() -> None:
    body = predict.request(METADATA, [{"pay": 2, "age": 1}, {"age": 3, "pay": 4}])
    assert body == {"inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 3, 4]}]}


def test_a_column_left_out_is_missing() -> None:
    assert predict.request(METADATA, [{"age": 1}])["inputs"][0]["data"] == [1, None]


def test_inputs_of_one_column_each_are_filled() -> None:
    body = predict.request(PER_COLUMN, [{"age": 1, "region": "north"}])
    assert [tensor["data"] for tensor in body["inputs"]] == [[1], ["north"]]


def test_an_unknown_column_is_named_with_those_there_are() -> None:
    with pytest.raises(MerkhetError, match="no column wages; it has age, pay"):
        predict.request(METADATA, [{"wages": 1}])


def test_answers_come_by_row() -> None:
    outputs = [
        {"name": "label", "shape": [2], "data": [1, 0]},
        {"name": "probabilities", "shape": [2, 2], "data": [0.1, 0.9, 0.7, 0.3]},
    ]
    assert predict.by_row({"outputs": outputs}) == [
        {"label": 1, "probabilities": [0.1, 0.9]},
        {"label": 0, "probabilities": [0.7, 0.3]},
    ]


NO_ROWS = {"a broken object": "{", "a list of numbers": "[1]", "nothing": "[]", "a word": '"a"'}


@pytest.mark.parametrize("text", NO_ROWS.values(), ids=NO_ROWS)
def test_what_is_no_row_is_refused_with_what_was_wanted(text: str) -> None:
    with pytest.raises(MerkhetError, match="wanted"):
        predict.read_rows(text)


ADDRESSES = {
    "no scheme": "raw/a",
    "outside raw": "store://blobs/a",
    "a way up": "store://raw/../a",
    "a path": "/etc/passwd",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_what_is_no_address_of_the_store_is_refused(address: str) -> None:
    with pytest.raises(MerkhetError, match="store://raw/"):
        transfer.store_path(address)


def body(kind: str, conditions: list[dict[str, Any]], **status: Any) -> dict[str, Any]:
    meta = {"name": "a", "namespace": "n", "generation": 1}
    return {"kind": kind, "metadata": meta, "status": {"observedGeneration": 1, "conditions": conditions, **status}}


def fact(type_: str, status: str, reason: str = "Because", message: str = "") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message}


HEADLINES = {
    "is ready": [fact("Ready", "True")],
    "is on its way": [fact("Ready", "False"), fact("Reconciling", "True")],
    "needs somebody": [fact("Ready", "False"), fact("Stalled", "True")],
    "is ready, and its last change needs somebody": [fact("Ready", "True"), fact("Stalled", "True")],
    "waits for a person": [fact("Ready", "False", "AwaitingApproval"), fact("Stalled", "False")],
}


@pytest.mark.parametrize(("words", "conditions"), HEADLINES.items(), ids=HEADLINES)
def test_a_state_has_a_headline(words: str, conditions: list[dict[str, Any]]) -> None:
    assert why.headline(body("ModelDeployment", conditions)) == words


def test_the_story_goes_down_to_what_the_pod_says() -> None:
    waiting = {"name": "work", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}
    pod = {"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": [waiting]}}
    story = "\n".join(why.told(body("FeatureSet", [fact("Ready", "False", "ImagePullFailed", "cannot")]), [pod], []))
    assert "Ready is False (ImagePullFailed)" in story
    assert "work waits: ImagePullBackOff no such image" in story


def test_a_spec_the_operator_has_not_seen_is_said_to_be_so() -> None:
    unseen = body("FeatureSet", [])
    unseen["metadata"]["generation"] = 2
    assert any("has not looked" in line for line in why.told(unseen, [], []))


def test_what_is_decided_about_is_shown() -> None:
    record = {
        "model": "m",
        "version": 3,
        "metrics": [{"name": "roc_auc", "value": 0.9, "low": 0.8, "high": 0.95}],
        "gates": [{"name": "parity", "result": "Passed"}],
        "lineage": {"author": "dana@example.com", "data": [{"featureSet": "f", "version": 2}]},
    }
    shown = approve.summary({"spec": {"record": record}})
    for words in ("m version 3", "dana@example.com", "0.9000  (0.800 to 0.950)", "Passed", "f version 2"):
        assert words in shown


INVALID = {
    "an unknown field": ("kind: ModelDeployment\nspec: {model: {name: a}, replica: 2}", "spec.replica"),
    "a number out of bounds": ("kind: ModelDeployment\nspec: {model: {name: a}, replicas: -1}", "spec.replicas"),
    "an unknown kind": ("kind: ModelServing\nspec: {}", "ModelServing"),
    "a field that has to be there": ("kind: FeatureSet\nspec: {}", "spec.sources"),
}


@pytest.mark.parametrize(("text", "names_it"), INVALID.values(), ids=INVALID)
def test_an_invalid_object_is_told_by_field(tmp_path: Path, text: str, names_it: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"apiVersion: merkhet.dev/v1alpha1\nmetadata: {{name: a}}\n{text}\n")
    [(_, complaints)] = validate.check(file)
    assert any(names_it in complaint for complaint in complaints), complaints


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: [")
    assert main(["validate", str(file)]) == 1
    assert "is not YAML" in capsys.readouterr().err


def test_objects_of_others_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n")
    assert list(validate.check(file)) == []


def test_kind_and_name_are_told_apart() -> None:
    assert names(["mt/a"]) == ("mt", "a")
    assert names(["mt", "a"]) == ("mt", "a")
    with pytest.raises(MerkhetError, match="KIND/NAME"):
        names(["mt"])


def test_kubectl_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("KUBECTL", raising=False)
    with pytest.raises(KubectlFailed, match="not on the PATH"):
        Kubectl().run("version")


def test_every_command_has_help() -> None:
    actions = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    commands = "init validate put get ls open why lineage predict approve export import version"
    assert set(actions[0].choices) == set(commands.split())
    assert all(choice.help for choice in actions[0]._choices_actions)
