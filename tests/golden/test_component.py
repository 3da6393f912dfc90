"""A Component in each state that a person may meet."""

from __future__ import annotations

from merkhet.kinds.component import KIND
from tests import make
from tests.golden.conftest import Golden
from tests.unit.kinds.component.test_component import DIGEST, MAPPED, component, done, failed
from tests.unit.kinds.runs.scene import Scene


def _golden(golden: Golden, name: str, scene: Scene) -> None:
    golden(KIND, name, scene.owner, *scene.bodies.values(), now=scene.now, settings=scene.settings)


def test_its_job(golden: Golden) -> None:
    owner = make.component(spec={"description": "impute", "resources": {"limits": {"memory": "2Gi"}}})
    golden(KIND, "starting", owner, *make.channel(owner, "comp"), full=True)


def test_running(golden: Golden) -> None:
    _golden(golden, "running", component().look().begin("trying example 1 of 1"))


def test_registered(golden: Golden) -> None:
    users = make.featureset(spec={"components": [{"name": "preparation", "version": "1"}]})
    scene = done()
    scene.bodies["FeatureSet", "employment"] = users
    _golden(golden, "registered", scene.look())


def test_examples_failed(golden: Golden) -> None:
    scene = component().look().begin().succeed(failed("example 1: column AGEP row 2 is 35, wanted 36"))
    _golden(golden, "examples_failed", scene)


def test_version_taken(golden: Golden) -> None:
    message = f"version 1 of component preparation is taken: it stands for {DIGEST} and this is another"
    _golden(golden, "version_taken", component().look().begin().refuse("VersionTaken", message))


def test_waiting_for_its_source(golden: Golden) -> None:
    _golden(golden, "config_map_missing", component(MAPPED).look())
