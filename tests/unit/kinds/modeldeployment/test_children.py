"""What the objects of a ModelDeployment look like."""

from __future__ import annotations

from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.serving import ServingTask
from merkhet.kinds.kind import Child
from tests.make import DIGEST, modelversion
from tests.unit.kinds.modeldeployment.scene import Scene


def first_pass(spec: Body | None = None, **settings: Any) -> dict[str, Child]:
    """The children of a ModelDeployment's first pass, by kind."""
    scene = Scene(modelversion(3), spec=spec, **settings)
    scene.step()
    return {child.api.kind: child for child in scene.plan.children}


def template(spec: Body | None = None, **settings: Any) -> Body:
    pods: Body = first_pass(spec, **settings)["Deployment"].body["spec"]["template"]
    return pods


def server(spec: Body | None = None, **settings: Any) -> Body:
    containers: list[Body] = template(spec, **settings)["spec"]["containers"]
    assert [container["name"] for container in containers] == ["server"]
    return containers[0]


def task() -> ServingTask:
    return ServingTask.load(next(one["value"] for one in server()["env"] if one["name"] == "MERKHET_TASK"))


def test_the_server_is_told_which_bytes_to_serve_under_the_name_of_the_deployment() -> None:
    told = task()
    assert (told.model, told.registry_model, told.number) == ("employment", "employment", 3)
    assert (told.digest, told.size) == (DIGEST, 1724233)
    assert told.golden == "sha256:" + "b" * 64
    assert [tensor.name for tensor in told.signature.inputs] == ["input"]
    assert told.signature.threshold == 0.5


def test_the_service_reaches_the_server_at_the_usual_port_of_the_web() -> None:
    service = first_pass()["Service"]
    assert service.body["spec"]["ports"] == [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}]
    assert service.exact == (("spec", "selector"), ("spec", "ports"))


def test_the_service_chooses_the_pods_of_one_revision_by_labels_they_carry() -> None:
    children = first_pass()
    chosen = children["Service"].body["spec"]["selector"]
    deployment = children["Deployment"].body
    assert deployment["spec"]["selector"]["matchLabels"] == chosen
    assert chosen.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert deployment["metadata"]["name"] == f"employment-{chosen['merkhet.dev/revision'][:8]}"


def test_a_revision_is_written_once_and_then_only_scaled() -> None:
    assert first_pass()["Deployment"].rule == "scale"


def test_the_budget_lets_one_serving_pod_go_at_a_time() -> None:
    children = first_pass()
    budget = children["PodDisruptionBudget"].body["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"]["matchLabels"] == children["Service"].body["spec"]["selector"]


def test_the_server_sees_blobs_alone_and_only_to_read() -> None:
    mounts = {mount["mountPath"]: mount for mount in server()["volumeMounts"]}
    assert mounts.keys() == {"/store/blobs", "/tmp"}
    assert mounts["/store/blobs"]["readOnly"]
    assert mounts["/store/blobs"]["subPath"] == "blobs"


def test_the_namespaces_store_is_asked_for_and_never_owned() -> None:
    store = first_pass()["ConfigMap"]
    assert (store.name, store.owned, store.shared) == ("merkhet-store", False, True)


def test_the_server_keeps_to_the_restricted_standard() -> None:
    pods, container = template()["spec"], server()
    assert pods["securityContext"]["runAsNonRoot"]
    assert pods["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pods["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_server_without_wishes_gets_requests_and_limits() -> None:
    assert server()["resources"] == {
        "requests": {"cpu": "250m", "memory": "192Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }


def test_wishes_of_the_spec_stand_in_the_pod() -> None:
    spec = {
        "resources": {"limits": {"memory": "2Gi"}},
        "podTemplate": {"nodeSelector": {"disk": "fast"}, "labels": {"team": "people"}},
    }
    assert server(spec)["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    assert template(spec)["spec"]["nodeSelector"] == {"disk": "fast"}
    assert template(spec)["metadata"]["labels"]["team"] == "people"


def test_the_kubelet_asks_at_the_port_that_no_service_leads_to() -> None:
    container = server()
    for probe, path in {"startupProbe": "/ready", "readinessProbe": "/ready", "livenessProbe": "/live"}.items():
        assert container[probe]["httpGet"] == {"path": path, "port": 8081}
    assert container["readinessProbe"]["periodSeconds"] == 1


def test_a_pod_that_ends_goes_on_serving_while_others_learn_of_it() -> None:
    told, pods, container = task(), template()["spec"], server()
    still = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert still == 5
    assert still + told.drain_seconds < pods["terminationGracePeriodSeconds"]


def test_no_pod_ends_before_another_one_has_taken_its_place() -> None:
    strategy = first_pass()["Deployment"].body["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_servers_stand_on_the_stores_node_where_its_volume_is_for_one_node() -> None:
    pods = template(store_access="ReadWriteOnce")["spec"]
    near = pods["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert near[0]["labelSelector"]["matchLabels"] == {"merkhet.dev/store": "true"}
    assert "topologySpreadConstraints" not in pods


def test_servers_are_spread_over_nodes_where_the_volume_is_for_many() -> None:
    pods = template(store_access="ReadWriteMany")["spec"]
    assert "affinity" not in pods
    assert pods["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"


def test_image_and_pull_settings_are_the_installations() -> None:
    settings: dict[str, Any] = {
        "server_image": "registry/server@sha256:1",
        "pull_policy": "Never",
        "pull_secrets": ("pull",),
    }
    assert (server(**settings)["image"], server(**settings)["imagePullPolicy"]) == ("registry/server@sha256:1", "Never")
    assert template(**settings)["spec"]["imagePullSecrets"] == [{"name": "pull"}]


def test_a_second_plan_of_a_settled_deployment_is_the_first_one() -> None:
    scene = Scene(modelversion(3))
    scene.settle()
    before = scene.plan
    assert scene.step().status == scene.step().status
    assert scene.plan == before
