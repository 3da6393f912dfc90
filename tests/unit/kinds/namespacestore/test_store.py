"""What exists because a namespace needs a store, and what is never touched again."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.api.meta import Body
from merkhet.kinds.apis import CLAIM, CONFIGMAP
from merkhet.kinds.namespacestore import stands_for_a_store
from tests import make
from tests.unit.kinds.runs.scene import Scene

OURS = {"app.kubernetes.io/managed-by": "merkhet"}
STORE = make.body(CONFIGMAP, "merkhet-store", metadata={"labels": OURS})


def claim(phase: str) -> Body:
    return make.body(CLAIM, "merkhet-store", status={"phase": phase})


def test_claim_and_gateway_are_made() -> None:
    scene = Scene(STORE, store_class="fast", store_size="20Gi").look()
    spec = scene.bodies["PersistentVolumeClaim", "merkhet-store"]["spec"]
    assert spec["storageClassName"] == "fast"
    assert spec["resources"] == {"requests": {"storage": "20Gi"}}
    assert ("StatefulSet", "merkhet-store") in scene.bodies


def test_without_a_class_the_clusters_default_is_taken() -> None:
    scene = Scene(STORE).look()
    assert "storageClassName" not in scene.bodies["PersistentVolumeClaim", "merkhet-store"]["spec"]


def test_the_claim_outlives_everything() -> None:
    scene = Scene(STORE).look()
    assert "ownerReferences" not in scene.bodies["PersistentVolumeClaim", "merkhet-store"]["metadata"]
    assert "ownerReferences" in scene.bodies["StatefulSet", "merkhet-store"]["metadata"]


def test_a_deleted_claim_is_made_again() -> None:
    scene = Scene(STORE).look().remove("PersistentVolumeClaim").look()
    assert ("PersistentVolumeClaim", "merkhet-store") in scene.bodies


PHASES = {"Bound": ("True", "Provided"), "Pending": ("False", "ClaimPending"), "Lost": ("False", "ClaimLost")}


@pytest.mark.parametrize(("phase", "said"), PHASES.items(), ids=PHASES)
def test_the_store_says_how_its_claim_is(phase: str, said: tuple[str, str]) -> None:
    scene = Scene(STORE, claim(phase)).look()
    assert (scene.ready.status, scene.ready.reason) == said


CONFIG_MAPS: dict[str, tuple[dict[str, Any], str, bool]] = {
    "ours": (OURS, "merkhet-store", True),
    "ours of another name": (OURS, "employment-fs-report", False),
    "a foreign one of that name": ({}, "merkhet-store", False),
}


@pytest.mark.parametrize(("labels", "name", "stands"), CONFIG_MAPS.values(), ids=CONFIG_MAPS)
def test_only_our_config_map_stands_for_a_store(labels: dict[str, str], name: str, stands: bool) -> None:
    assert stands_for_a_store(make.body(CONFIGMAP, name, metadata={"labels": labels})) is stands
