"""The example's FeatureSet as it stands in its file, on the example's records."""

from __future__ import annotations

from pathlib import Path

import yaml

from merkhet.contract.features import FeaturesTask
from merkhet.workloads.features.main import make_version
from tests import make
from tests.unit.kinds.runs.scene import Scene
from tests.unit.workloads.features.making import workshop

EXAMPLE = Path(__file__).resolve().parents[4] / "examples" / "employment"


def test_its_rules_hold_and_its_limits_tell_of_age_alone(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    # A year is enough for what is asked here; the whole is made on a cluster.
    shop.put("employment/census-2018.parquet", (EXAMPLE / "data" / "census-2018.parquet").read_bytes())
    file = yaml.safe_load((EXAMPLE / "features.yaml").read_text(encoding="utf-8"))
    usual = make.featureset(file["metadata"]["name"])
    task = FeaturesTask.model_validate(Scene({**usual, "spec": file["spec"]}).look().task)
    made = make_version(task, shop.store, shop.said.append, places=shop.places, now=shop.now)
    assert (made.number, made.rows) == (1, 59_129)
    assert made.quality is not None
    assert [rule.rule for rule in made.quality if not rule.passed] == []
    assert made.bias is not None
    judged = {(one.metric, one.column): one.result for one in made.bias.findings if one.limit is not None}
    rates = {(metric, "AGEP") for metric in ("demographic_parity_difference", "demographic_parity_ratio")}
    assert judged == {key: "Failed" if key in rates else "Passed" for key in judged}
    assert {column for _, column in judged} == {"SEX", "AGEP"}
