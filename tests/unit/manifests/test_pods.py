"""Pods pass the restricted Pod Security Standard whatever people say about them."""

from __future__ import annotations

from typing import Any

import pytest

from merkhet.kinds.apis import CONFIGMAP
from merkhet.manifests import names, pods, runs, volumes
from merkhet.manifests.labels import STORE
from tests import make
from tests.unit.kinds.featureset.test_online import ONLINE
from tests.unit.kinds.runs.scene import Scene
from tests.unit.kinds.runs.test_runs import result


def templates() -> dict[str, dict[str, Any]]:
    """The pods of the kinds that run or hold things."""
    features = Scene(make.featureset()).look()
    training = Scene(make.modeltraining(), make.featureset(status=make.featureset_status(1))).look()
    published = Scene(make.featureset(spec=ONLINE)).look().begin().succeed(result(online=True))
    store = Scene(make.body(CONFIGMAP, names.STORE)).look(1)
    return {
        "features": features.job["spec"]["template"],
        "look-ups": published.bodies["Deployment", "employment-online"]["spec"]["template"],
        "training": training.job["spec"]["template"],
        "store": store.bodies["StatefulSet", names.STORE]["spec"]["template"],
    }


TEMPLATES = templates()


@pytest.fixture(params=list(TEMPLATES.values()), ids=list(TEMPLATES))
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    chosen: dict[str, Any] = request.param
    return chosen


def containers(template: dict[str, Any]) -> list[dict[str, Any]]:
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def test_a_pod_is_nobody_and_has_no_token_by_itself(template: dict[str, Any]) -> None:
    spec = template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == pods.USER
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_container_can_do_nothing_beyond_its_work(template: dict[str, Any]) -> None:
    for container in containers(template):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}


def test_a_container_has_requests_and_limits_for_both(template: dict[str, Any]) -> None:
    for container in containers(template):
        assert set(container["resources"]["requests"]) == set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_volumes_are_of_the_allowed_types_and_all_are_mounted(template: dict[str, Any]) -> None:
    named = {volume["name"] for volume in template["spec"]["volumes"]}
    mounted = {mount["name"] for container in containers(template) for mount in container["volumeMounts"]}
    types = {word for volume in template["spec"]["volumes"] for word in volume if word != "name"}
    assert named == mounted
    assert types <= {"persistentVolumeClaim", "emptyDir", "projected", "configMap", "secret"}


def test_only_the_reporter_sees_a_token() -> None:
    spec = TEMPLATES["training"]["spec"]
    reporter, work = spec["initContainers"][0], spec["containers"][0]
    assert reporter["restartPolicy"] == "Always"
    assert "token" in {mount["name"] for mount in reporter["volumeMounts"]}
    assert "token" not in {mount["name"] for mount in work["volumeMounts"]}
    assert "store" not in {mount["name"] for mount in reporter["volumeMounts"]}


def test_under_read_write_once_all_pods_stand_beside_the_store() -> None:
    term = TEMPLATES["training"]["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert term["labelSelector"] == {"matchLabels": {STORE: "true"}}
    assert TEMPLATES["store"]["metadata"]["labels"][STORE] == "true"
    assert "affinity" not in TEMPLATES["store"]["spec"]


def test_under_read_write_many_pods_stand_anywhere() -> None:
    scene = Scene(make.featureset(), store_access="ReadWriteMany").look()
    assert "affinity" not in scene.job["spec"]["template"]["spec"]


def test_peoples_affinity_is_kept_beside_ours() -> None:
    wished: dict[str, Any] = {
        "nodeAffinity": {"x": 1},
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"a": 1}]},
    }
    template = pods.pod(labels={}, containers=[], template={"affinity": wished}, beside_store=True)
    affinity = template["spec"]["affinity"]
    assert affinity["nodeAffinity"] == {"x": 1}
    assert len(affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]) == 2
    assert len(wished["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]) == 1


def test_our_labels_win_over_peoples() -> None:
    template = pods.pod(labels={"app": "ours"}, containers=[], template={"labels": {"app": "theirs", "team": "a"}})
    assert template["metadata"]["labels"] == {"app": "ours", "team": "a"}


def test_what_nobody_said_is_not_there() -> None:
    assert set(pods.pod(labels={"a": "b"}, containers=[{"name": "x"}])["spec"]) == {
        "automountServiceAccountToken",
        "containers",
        "enableServiceLinks",
        "restartPolicy",
        "securityContext",
        "terminationGracePeriodSeconds",
    }


def test_servers_see_blobs_alone_and_cannot_write() -> None:
    assert volumes.blobs_mount() == {"name": "store", "mountPath": "/store/blobs", "readOnly": True, "subPath": "blobs"}


def test_a_pod_may_touch_its_one_config_map() -> None:
    rules = runs.role("employment", "mt")["rules"]
    assert rules == [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["employment-mt-report"],
            "verbs": ["get", "patch"],
        }
    ]


NAMES = {
    "a short one": (names.job("employment", "0123456789abcdef", "fedcba98"), "employment-0123456789-fedc"),
    "a second try": (names.job("employment", "0123456789abcdef", "fedcba98", 2), "employment-0123456789-fedc-2"),
    "a version": (names.version("employment", 3), "employment-v3"),
    "an account": (names.account("employment", "mt"), "employment-mt"),
}


@pytest.mark.parametrize(("name", "wanted"), NAMES.values(), ids=NAMES)
def test_names_are_made_from_the_owners(name: str, wanted: str) -> None:
    assert name == wanted


def test_a_name_that_would_be_too_long_ends_in_a_digest_of_it() -> None:
    one, other = names.bounded("a" * 70, "x"), names.bounded("a" * 70, "y")
    assert len(one) == len(other) == names.LABEL_LENGTH
    assert one != other
