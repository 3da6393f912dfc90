"""The first YAML fits the file it was written for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from merkhet.contract.estimators import ALLOWED
from merkhet.errors import MerkhetError
from merkhet.plugin import init, validate
from tests.e2e.access import EXAMPLE


def first_yaml(file: Path, target: str) -> dict[str, Any]:
    bodies = init.objects("name", "store://raw/name/file.csv", init.read(file), target)
    return {body["kind"]: body["spec"] for body in bodies}


@pytest.fixture
def loans(tmp_path: Path) -> Path:
    file = tmp_path / "loans.csv"
    rows = [
        f"{n},{n % 7},{'ab'[n % 2]},2026-01-{1 + n % 28:02},{n * 1.5},{'yes' if n % 3 else 'no'}" for n in range(200)
    ]
    file.write_text("loan_id,years,region,asked_at,amount,granted\n" + "\n".join(rows) + "\n")
    return file


def test_a_word_to_predict_is_a_class_and_words_are_encoded(loans: Path) -> None:
    training = first_yaml(loans, "granted")["ModelTraining"]
    assert training["task"] == "Classification"
    assert [step["estimator"].rsplit(".", 1)[-1] for step in training["pipeline"]] == [
        "OneHotEncoder",
        "HistGradientBoostingClassifier",
    ]
    assert training["pipeline"][0]["columns"] == ["region"]


def test_a_number_with_many_values_is_regression(loans: Path) -> None:
    assert first_yaml(loans, "amount")["ModelTraining"]["task"] == "Regression"


def test_a_number_with_few_values_is_a_class(loans: Path) -> None:
    assert first_yaml(loans, "years")["ModelTraining"]["task"] == "Classification"


def test_the_column_that_names_rows_is_the_entity_and_personal(loans: Path) -> None:
    features = first_yaml(loans, "granted")["FeatureSet"]
    assert features["entity"] == ["loan_id"]
    assert features["columns"] == [{"name": "loan_id", "personal": True}]
    assert features["timestamp"] == "asked_at"


def test_what_is_written_is_valid(loans: Path, tmp_path: Path) -> None:
    written = tmp_path / "first.yaml"
    written.write_text(init.written(init.objects("loans", "store://raw/loans/loans.csv", init.read(loans), "granted")))
    assert [complaints for _, complaints in validate.check(written)] == [[], [], []]


def test_a_parquet_file_is_read_too() -> None:
    specs = first_yaml(EXAMPLE / "data" / "census-2018.parquet", "employed")
    assert specs["FeatureSet"]["entity"] == ["person_id"]
    assert specs["ModelTraining"]["task"] == "Classification"


def test_an_unknown_target_is_answered_with_the_columns_there_are(loans: Path) -> None:
    with pytest.raises(MerkhetError, match=r"no column 'wages'.*loan_id, years"):
        first_yaml(loans, "wages")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "poem.parquet"
    file.write_text("a poem")
    with pytest.raises(MerkhetError, match=r"poem\.parquet cannot be read"):
        init.read(file)


NAMES = {"Loan requests 2026": "loan-requests-2026", "__x__": "x", "A" * 60: "a" * 40}


@pytest.mark.parametrize(("words", "name"), NAMES.items(), ids=NAMES)
def test_a_file_name_becomes_a_label(words: str, name: str) -> None:
    assert init.label(words) == name


def test_a_name_of_nothing_is_refused() -> None:
    with pytest.raises(MerkhetError, match="--name"):
        init.label("___")


def test_the_example_is_valid() -> None:
    for file in sorted(EXAMPLE.glob("*.yaml")):
        found = list(validate.check(file))
        assert [complaints for _, complaints in found] == [[]], file.name
        assert yaml.safe_load(file.read_text())["kind"] in found[0][0]


def test_every_step_is_on_the_list_with_its_parameters(loans: Path) -> None:
    for target in ("granted", "amount"):
        for step in first_yaml(loans, target)["ModelTraining"]["pipeline"]:
            assert set(step.get("parameters", {})) <= set(ALLOWED[step["estimator"]].parameters)
