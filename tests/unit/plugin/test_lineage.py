"""``kubectl merkhet lineage``: both ways, in the same order each time, and open about what is not known."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.plugin.main import main
from tests import make
from tests.unit.plugin.cluster import Cluster, installed


def run(version: int, *inputs: tuple[str, int]) -> Body:
    """A run of a FeatureSet that the status still tells of."""
    used = [{"name": name, "version": number, "digest": f"sha256:{number:064x}"} for name, number in inputs]
    return {"key": "0" * 20, "phase": "Succeeded", "version": version, "inputs": used}


def model(number: int, data: int, **lineage: Any) -> Body:
    entry = {"featureSet": "employment", "version": data, "digest": f"sha256:{data:064x}"}
    training = {"name": "employment", "uid": "u", "run": "1" * 20, "trigger": "tick/2026-11-22T03:00:00Z"}
    usual = {"training": training, "data": [entry], "image": "merkhet/trainer:1"}
    status = {"observedGeneration": 1, "decision": "Approved"}
    return make.modelversion(number, record={"lineage": {**usual, **lineage}}, status=status)


def objects() -> list[Body]:
    """Persons from files, employment made of persons, models made of employment; one of them serves."""
    uses = {"name": "preparation", "version": "1", "digest": f"sha256:{1:064x}"}
    serving = {"version": 2, "candidate": {"version": 10}}
    return [
        make.featureset("persons", status=make.featureset_status(1, 2)),
        make.featureset(
            "employment",
            spec={
                "sources": [{"name": "p", "featureSet": {"name": "persons"}}],
                "components": [{"name": "cleaning", "version": "2"}],
            },
            status=make.featureset_status(
                1,
                2,
                3,
                runs=[run(3, ("persons", 2)), run(2, ("persons", 1))],
                components=[{"name": "cleaning", "version": "2", "digest": f"sha256:{2:064x}"}],
            ),
        ),
        make.component("preparation", status=make.component_status("1")),
        make.component("cleaning", status=make.component_status("1", "2", flavour="sql")),
        model(1, 1),
        model(2, 2, components=[uses], author="dana@example.com", revision="5e51e01"),
        model(10, 3, components=[uses]),
        make.modelversion(11, record={"lineage": {"training": {}}}),
        make.modeldeployment("employment", status={"observedGeneration": 1, **serving}),
    ]


TREES: dict[str, tuple[str, str]] = {
    "a model version": (
        "mv/employment-v2",
        """\
ModelVersion employment-v2  sha256:aaaaaaaaaaaa  Approved
├─ made by ModelTraining employment  run 11111111111111111111, trigger tick/2026-11-22T03:00:00Z
├─ author dana@example.com
├─ revision 5e51e01
├─ image merkhet/trainer:1
├─ from FeatureSet employment version 2  sha256:000000000000
│  ├─ from FeatureSet persons version 1  sha256:000000000000
│  │  └─ from store://raw/employment/census.parquet  (by its spec of today)
│  └─ with Component cleaning version 2  sha256:000000000000  (by its spec of today)
├─ with Component preparation version 1  sha256:000000000000
└─ served by ModelDeployment employment""",
    ),
    "a model version that was brought": (
        "modelversions/employment-v11",
        """\
ModelVersion employment-v11  sha256:aaaaaaaaaaaa
└─ brought from elsewhere""",
    ),
    "a version of data, used through another FeatureSet": (
        "fs/persons@1",
        """\
FeatureSet persons version 1  sha256:000000000000
├─ from store://raw/employment/census.parquet  (by its spec of today)
├─ used by FeatureSet employment version 2  sha256:000000000000
│  └─ used by ModelVersion employment-v2
│     └─ served by ModelDeployment employment
└─ used by FeatureSet employment  (by its spec of today)
   └─ used by ModelVersion employment-v1  of version 1""",
    ),
    "all versions of data, newest models last": (
        "featureset/employment",
        """\
FeatureSet employment
├─ from FeatureSet persons  (by its spec of today)
│  └─ from store://raw/employment/census.parquet  (by its spec of today)
├─ with Component cleaning version 2  sha256:000000000000  (by its spec of today)
├─ used by ModelVersion employment-v1  of version 1
├─ used by ModelVersion employment-v2  of version 2
│  └─ served by ModelDeployment employment
└─ used by ModelVersion employment-v10  of version 3
   └─ to be served by ModelDeployment employment""",
    ),
    "the newest version, whose components are known": (
        "fs/employment@3",
        """\
FeatureSet employment version 3  sha256:000000000000
├─ from FeatureSet persons version 2  sha256:000000000000
│  └─ from store://raw/employment/census.parquet  (by its spec of today)
├─ with Component cleaning version 2  sha256:000000000000
└─ used by ModelVersion employment-v10
   └─ to be served by ModelDeployment employment""",
    ),
    "a component of a pipeline": (
        "comp/preparation@1",
        """\
Component preparation version 1  sha256:000000000000
├─ used by ModelVersion employment-v2
│  └─ served by ModelDeployment employment
└─ used by ModelVersion employment-v10
   └─ to be served by ModelDeployment employment""",
    ),
    "a component of data": (
        "comp/cleaning",
        """\
Component cleaning
├─ used by FeatureSet employment version 3  sha256:000000000000
│  └─ used by ModelVersion employment-v10
│     └─ to be served by ModelDeployment employment
└─ used by FeatureSet employment  (by its spec of today)
   ├─ used by ModelVersion employment-v1  of version 1
   └─ used by ModelVersion employment-v2  of version 2
      └─ served by ModelDeployment employment""",
    ),
}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    made = installed(monkeypatch, tmp_path)
    made.objects.extend(objects())
    return made


@pytest.mark.parametrize(("what", "tree"), TREES.values(), ids=TREES)
def test_a_tree_has_what_made_it_and_what_was_made_with_it(
    cluster: Cluster, what: str, tree: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lineage", what]) == 0
    assert capsys.readouterr().out.rstrip("\n") == tree


@pytest.mark.parametrize(("what", "tree"), TREES.values(), ids=TREES)
def test_the_order_is_not_that_of_the_answer(
    cluster: Cluster, what: str, tree: str, capsys: pytest.CaptureFixture[str]
) -> None:
    random.Random(0).shuffle(cluster.objects)
    main(["lineage", what])
    assert capsys.readouterr().out.rstrip("\n") == tree


def test_json_has_whole_digests_and_says_what_only_the_spec_tells(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["lineage", "fs/persons@1", "-o", "json"])
    tree = json.loads(capsys.readouterr().out)
    assert (tree["kind"], tree["name"], tree["version"], tree["digest"]) == (
        "FeatureSet",
        "persons",
        1,
        f"sha256:{1:064x}",
    )
    by = {(child["relation"], child.get("version")): child.get("by") for child in tree["children"]}
    assert by == {("from", None): "spec", ("usedBy", 2): None, ("usedBy", None): "spec"}


def test_data_of_another_namespace_is_named_with_it(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    shared = {"name": "p", "featureSet": {"name": "persons", "namespace": "census"}}
    cluster.objects.append(make.featureset("wages", spec={"sources": [shared], "components": None}))
    main(["lineage", "fs/wages"])
    assert "from FeatureSet census/persons" in capsys.readouterr().out
    main(["lineage", "fs/persons"])
    assert "wages" not in capsys.readouterr().out


def test_specs_that_lead_in_a_circle_end(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    for name, other in (("egg", "hen"), ("hen", "egg")):
        source = {"name": "s", "featureSet": {"name": other}}
        cluster.objects.append(make.featureset(name, spec={"sources": [source]}))
    assert main(["lineage", "fs/egg"]) == 0
    assert capsys.readouterr().out.count("egg") == 2


def test_what_was_used_and_deleted_is_still_told_of(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.objects[:] = [body for body in cluster.objects if body["metadata"]["name"] != "preparation"]
    assert main(["lineage", "comp/preparation@1"]) == 0
    assert "used by ModelVersion employment-v2" in capsys.readouterr().out


WRONG = {
    "a version that does not exist": ("mv/employment-v9", "people/employment-v9 is not there"),
    "data that does not exist": ("fs/nothing", "FeatureSet people/nothing is not there"),
    "a number that nothing knows": ("fs/persons@9", "people/persons version 9 is not there"),
    "a component that does not exist": ("comp/nothing@1", "Component people/nothing version 1 is not there"),
    "a number that is none": ("fs/persons@latest", "wanted mv/NAME"),
    "another kind": ("md/employment", "wanted mv/NAME"),
    "no kind": ("employment", "KIND/NAME"),
}


@pytest.mark.parametrize(("what", "said"), WRONG.values(), ids=WRONG)
def test_what_is_not_there_is_said(cluster: Cluster, what: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lineage", what]) == 1
    assert said in capsys.readouterr().err
