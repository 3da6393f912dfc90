"""Components of a FeatureSet: macros that its query calls, steps that its rows go through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from merkhet.contract.component import ComponentDocument, OnnxStep, PythonStep
from merkhet.contract.features import ComponentUse
from merkhet.contract.training import Step
from merkhet.errors import Missing, Refused
from merkhet.workloads import cgroup
from merkhet.workloads.cgroup import Limits
from merkhet.workloads.components import document as documents
from merkhet.workloads.components import onnx
from merkhet.workloads.features import steps
from tests.unit.workloads.features.making import Workshop, workshop

CENSUS = {"census": "store://raw/census.parquet"}
NOW = "2026-11-22T12:00:00Z"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setattr(cgroup, "limits", lambda: Limits(memory=1024**3, cpus=2.0))
    made = workshop(tmp_path)
    made.put("census.parquet", {"id": [3, 1, 2], "age": [30, 41, None], "name": ["Ada", "Bo", "Cy"]})
    return made


def keep(shop: Workshop, name: str, version: str = "1", **content: Any) -> dict[str, Any]:
    """A component in the store, and how a FeatureSet names it."""
    flavour = "sql" if "macros" in content else next(iter(content))
    if flavour == "steps":
        flavour = "sklearn"
    document = ComponentDocument(name=name, version=version, flavour=flavour, **content)
    return {"name": name, "version": version, "digest": documents.keep(shop.store, document, NOW)}


def macros(shop: Workshop, text: str, name: str = "words") -> dict[str, Any]:
    return keep(shop, name, macros=text)


def function(shop: Workshop, *lines: str, name: str = "clean", version: str = "1") -> dict[str, Any]:
    """A function whose last line may change ``table``."""
    source = "\n    ".join(["import pyarrow as pa, pyarrow.compute as pc", "def f(table):"])
    source = "\n".join([source.replace("\n    def", "\ndef"), *(f"    {line}" for line in lines), "    return table"])
    return keep(shop, name, version, python=PythonStep(entrypoint="f", source=source))


def graph(shop: Workshop, name: str = "double", column: str = "n", output: str = "twice") -> dict[str, Any]:
    """Adds a column that is twice another one."""
    sides = [[helper.make_tensor_value_info(each, TensorProto.FLOAT, [None])] for each in (column, output)]
    node = helper.make_node("Mul", [column, "two"], [output])
    body = helper.make_graph([node], "g", *sides, [numpy_helper.from_array(np.array([2], np.float32), "two")])
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return keep(shop, name, onnx=OnnxStep(digest=shop.store.add(model.SerializeToString())))


def test_a_query_calls_the_macros_of_its_components(shop: Workshop) -> None:
    uses = [
        macros(shop, "create macro grown(age) as age >= 41"),
        macros(shop, "create macro yes(x) as grown(x)", "more"),
    ]
    shop.make(CENSUS, query="select id, yes(age) as adult from census", components=uses)
    assert {row["id"]: row["adult"] for row in shop.table().to_pylist()} == {1: True, 2: None, 3: False}


def test_steps_run_in_their_order_after_the_query(shop: Workshop) -> None:
    add = function(shop, "table = table.append_column('n', pc.add(table['age'], 1))")
    more = function(shop, "table = table.set_column(0, 'id', pc.multiply(table['id'], 10))", name="more")
    shop.make(CENSUS, query="select id, age from census", components=[add, graph(shop), more])
    assert shop.table().select(["id", "age", "n"]).to_pylist() == [
        {"id": 10, "age": 41, "n": 42},
        {"id": 20, "age": None, "n": None},
        {"id": 30, "age": 30, "n": 31},
    ]
    twice = shop.table()["twice"].to_pylist()
    assert (twice[0], twice[2]) == (84.0, 62.0)
    assert np.isnan(twice[1])
    assert [column.type for column in shop.manifest().columns] == ["int64", "int64", "int64", "float32"]
    assert [said for said in shop.said if said.startswith("running component")] == [
        *("running component clean 1", "running component double 1", "running component more 1")
    ]


def test_the_contract_holds_after_the_steps(shop: Workshop) -> None:
    drop = function(shop, "table = table.drop_columns(['age'])")
    with pytest.raises(Refused, match="column age, named in `columns`, is not in the result, which has id"):
        shop.make(CENSUS, query="select id, age from census", components=[drop], columns=[{"name": "age"}])


def test_digests_stand_in_manifest_and_result(shop: Workshop) -> None:
    use = function(shop, "pass")
    without = {"name": use["name"], "version": use["version"]}
    result = shop.make(CENSUS, components=[without])
    assert result.components == shop.manifest().components == (ComponentUse(**use),)


def test_the_same_rows_by_another_component_are_no_new_version(shop: Workshop) -> None:
    first = shop.make(CENSUS, components=[function(shop, "pass")])
    second = shop.make(CENSUS, components=[function(shop, "table = table", version="2")])
    assert (second.number, second.unchanged, second.digest) == (first.number, True, first.digest)


def test_what_a_function_makes_of_the_order_of_rows_is_the_same_each_time(shop: Workshop) -> None:
    number = function(shop, "table = table.append_column('n', [range(len(table))])")
    shop.put("census.csv", "id\n" + "\n".join(str(n * 7919 % 5000) for n in range(5000)))
    source = {"census": "store://raw/census.csv"}
    assert not shop.make(source, components=[number]).unchanged
    assert shop.make(source, query="select id from census order by hash(id)", components=[number]).unchanged
    assert shop.table()["n"].to_pylist() == list(range(5000))


def test_types_that_only_the_database_has_go_through(shop: Workshop) -> None:
    query = """select sum(id) as total, 1.5::decimal(4, 1) as price, 'a'::enum('a', 'b') as letter, true as yes,
        '11111111-2222-3333-4444-555555555555'::uuid as key, date '2024-01-01' as day, timestamptz '2024-01-01' as at
        from census"""
    without = shop.make(CENSUS, query=query)
    through = shop.make(CENSUS, query=query, components=[function(shop, "pass")])
    assert through.columns == without.columns
    assert through.unchanged


@pytest.mark.parametrize("value", ["interval 1 day", "'x'::union(n int, s varchar)"])
def test_a_type_that_no_file_has_is_refused_behind_a_graph(shop: Workshop, value: str) -> None:
    with pytest.raises(Refused, match=r"column x is .*, which a feature cannot be"):
        shop.make(CENSUS, query=f"select age::float as n, {value} as x from census", components=[graph(shop)])


def test_rows_go_through_a_graph_in_pieces(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "BATCH_ROWS", 1000)
    query = "select n::float as n from range(100000) r(n)"
    shop.make(CENSUS, query=query, components=[graph(shop)], entity=["n"])
    assert shop.table()["twice"].to_pylist() == [2.0 * n for n in range(100_000)]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        pytest.param(["table['nope']"], "component clean 1, line 3: KeyError", id="raises"),
        pytest.param(["table = [1]"], "component clean 1: f gives a list, wanted a pyarrow Table", id="gives a list"),
        pytest.param(["table = table.slice(0, 0)"], "component clean 1 leaves no row", id="gives no row"),
        pytest.param(["import socket", "socket.socket()"], "line 4: PermissionError", id="opens a socket"),
    ],
)
def test_a_step_that_fails_is_named(shop: Workshop, lines: list[str], words: str) -> None:
    with pytest.raises(Refused) as caught:
        shop.make(CENSUS, components=[function(shop, *lines)])
    assert words in str(caught.value)
    assert list(shop.store.list("featuresets/adults")) == []


def test_a_step_reads_nothing_of_the_store(shop: Workshop) -> None:
    file = shop.places.store / "raw" / "census.parquet"
    with pytest.raises(Refused, match="PermissionError"):
        shop.make(CENSUS, components=[function(shop, f"open({str(file)!r})")])


def test_values_of_personal_columns_are_not_told(shop: Workshop) -> None:
    fails = function(shop, "raise ValueError(table['name'][0].as_py())")
    with pytest.raises(Refused) as caught:
        shop.make(CENSUS, components=[fails], columns=[{"name": "name", "personal": True}])
    assert str(caught.value) == "component clean 1, line 3: ValueError"


RENAMES = ("table = table.append_column('who', table['name'])", "table = table.append_column('n', table['age'])")
PERSONAL = {"name": "name", "personal": True}
MARKS: dict[str, tuple[list[str], list[dict[str, Any]], dict[str, bool]]] = {
    "a new name": (["python"], [PERSONAL], {"id": False, "age": False, "name": True, "who": True, "n": True}),
    "a new name that is declared": (
        ["python"],
        [PERSONAL, {"name": "n", "type": "float64"}],
        {"id": False, "age": False, "name": True, "who": True, "n": False},
    ),
    "a new name of a new name": (
        ["python", "graph"],
        [PERSONAL],
        {"id": False, "age": False, "name": True, "who": True, "n": True, "twice": True},
    ),
    "an output of a graph that takes none of them": (
        ["graph of age"], [PERSONAL], {"id": False, "age": False, "name": True, "twice": False}
    ),
    "nothing personal": (
        ["python", "graph"], [], {"id": False, "age": False, "name": False, "who": False, "n": False, "twice": False}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("named", "columns", "marked"), MARKS.values(), ids=MARKS)
def test_what_comes_of_a_personal_column_is_personal_unless_somebody_says_what_it_is(
    shop: Workshop, named: list[str], columns: list[dict[str, Any]], marked: dict[str, bool]
) -> None:
    made = {
        "python": lambda: function(shop, *RENAMES),
        "graph": lambda: graph(shop),
        "graph of age": lambda: graph(shop, column="age"),
    }
    shop.make(CENSUS, components=[made[one]() for one in named], columns=columns)
    assert {column.name: column.personal for column in shop.manifest().columns} == marked


def test_a_query_of_no_row_runs_no_step(shop: Workshop) -> None:
    with pytest.raises(Refused, match="the query gives no row"):
        shop.make(CENSUS, query="select id from census where id > 9", components=[function(shop, "pass")])


def test_two_columns_of_one_name_reach_no_step(shop: Workshop) -> None:
    with pytest.raises(Refused, match="more than one column id"):
        shop.make(CENSUS, query="select id, age as ID from census", components=[function(shop, "pass")])


def test_an_sklearn_component_is_nothing_for_rows(shop: Workshop) -> None:
    use = keep(shop, "scale", steps=(Step(estimator="sklearn.preprocessing.StandardScaler"),))
    with pytest.raises(Refused, match="component scale 1 is of flavour sklearn") as refused:
        shop.make(CENSUS, components=[use])
    assert refused.value.reason == "ComponentMisplaced"


def test_a_component_that_is_not_there_is_missing(shop: Workshop) -> None:
    with pytest.raises(Missing, match="component nobody has no version 9"):
        shop.make(CENSUS, components=[{"name": "nobody", "version": "9"}])


def test_macros_that_are_none_are_told_with_component_and_place(shop: Workshop) -> None:
    with pytest.raises(Refused, match=r"component words 1: the macros, line 2, column 1: DROP stands"):
        shop.make(CENSUS, components=[macros(shop, "create macro f(x) as x;\ndrop macro f")])


def test_the_query_reads_no_file_of_the_steps(shop: Workshop) -> None:
    """It is allowed beforehand, and not there before the query has run."""
    with pytest.raises(Refused):
        shop.make(CENSUS, query=f"from '{shop.places.scratch}/{steps.FILE}'", components=[function(shop, "pass")])


def test_scratch_is_empty_afterwards(shop: Workshop) -> None:
    shop.make(CENSUS, components=[function(shop, "pass")])
    assert list(shop.places.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("personal", "words"),
    [
        pytest.param(False, "column w is string with the value x, which is no int64 without a loss", id="with a value"),
        pytest.param(True, "column w is string with a value which is no int64 without a loss", id="without a value"),
    ],
)
def test_a_type_that_cannot_be_says_of_how_many_rows(shop: Workshop, personal: bool, words: str) -> None:
    shop.put("w.csv", "w\n1\nx\n2\nx\n1.5\n")
    columns = [{"name": "w", "type": "int64", "personal": personal}]
    with pytest.raises(Refused) as caught:
        shop.make({"w": "store://raw/w.csv"}, columns=columns)
    assert words in str(caught.value)
    assert str(caught.value).endswith("(rows with such a value: 3 of 5)")
