"""What the chart renders is valid, hardened, the same each time, and as reviewed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart import schemas
from tests.chart.conftest import CHART, EVERYTHING, NAMESPACED, ROOT, Helm, Objects, Render
from tests.cluster.apiserver import ApiServer
from tests.cluster.machine import wait_for

GOLDEN = ROOT / "tests" / "golden" / "chart"
CRDS = sorted((ROOT / "crds").glob("*.yaml"))
# Kinds of the Prometheus operator, which no API server of ours knows.
FOREIGN = "ServiceMonitor,PrometheusRule"
# Spread by topologySpreadConstraints, which this does not know of.
NOT_FOR_US = ("deployment-has-host-podantiaffinity",)
NAMED: dict[str, tuple[str, ...]] = {"default": (), "everything": EVERYTHING, "namespaced": NAMESPACED}
SCOPES = pytest.mark.parametrize("values", NAMED.values(), ids=NAMED.keys())


@pytest.fixture(scope="module")
def schema_folder(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Schemas of everything that an API server with our CRDs knows."""
    folder = tmp_path_factory.mktemp("schemas")
    with ApiServer(tmp_path_factory.mktemp("apiserver")) as server:
        kubectl = (str(programs / "kubectl"), "--kubeconfig", str(server.kubeconfig()))
        subprocess.run([*kubectl, "apply", "-f", str(ROOT / "crds")], check=True, capture_output=True, timeout=120)

        def is_published() -> bool:
            schemas.write(server, folder)
            return all((folder / f"merkhet.dev-v1alpha1-{path.stem[:-1]}.json").exists() for path in CRDS)

        wait_for("our kinds to be published", is_published, seconds=120, interval=1)
    return folder


def test_helm_has_nothing_to_say_against_it(helm: Helm) -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


@SCOPES
def test_every_object_is_valid(programs: Path, schema_folder: Path, render: Render, values: tuple[str, ...]) -> None:
    location = f"{schema_folder}/{schemas.LOCATION}"
    command = [
        str(programs / "kubeconform"),
        "-strict",
        "-summary",
        "-skip",
        FOREIGN,
        "-schema-location",
        location,
        "-",
    ]
    done = subprocess.run(command, input=render(*values), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid(programs: Path, schema_folder: Path, path: Path) -> None:
    location = f"{schema_folder}/{schemas.LOCATION}"
    command = [str(programs / "kubeconform"), "-strict", "-schema-location", location, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubeconform_refuses_an_unknown_field(programs: Path, schema_folder: Path) -> None:
    body = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nautomountServiceAccountTokens: false\n"
    command = [str(programs / "kubeconform"), "-strict", "-schema-location", f"{schema_folder}/{schemas.LOCATION}", "-"]
    done = subprocess.run(command, input=body, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("values", [EVERYTHING, NAMESPACED], ids=["everything", "namespaced"])
def test_kube_score_finds_nothing_critical(programs: Path, render: Render, values: tuple[str, ...]) -> None:
    ignored = [word for name in NOT_FOR_US for word in ("--ignore-test", name)]
    command = [str(programs / "kube-score"), "score", "--exit-one-on-warning", *ignored, "-"]
    done = subprocess.run(command, input=render(*values), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


@SCOPES
def test_rendering_twice_gives_the_same_but_for_the_key(render: Render, values: tuple[str, ...]) -> None:
    assert without_key(render(*values)) == without_key(render(*values))


@pytest.mark.parametrize("name", NAMED)
def test_it_renders_as_reviewed(render: Render, request: pytest.FixtureRequest, name: str) -> None:
    reviewed, rendered = GOLDEN / f"{name}.yaml", without_crds(render(*NAMED[name]))
    if request.config.getoption("--update-golden"):
        reviewed.parent.mkdir(parents=True, exist_ok=True)
        reviewed.write_text(rendered, encoding="utf-8")
    assert rendered == reviewed.read_text(encoding="utf-8")


def without_crds(rendered: str) -> str:
    """The CRDs stand in the repository anyhow, as generated."""
    documents = without_key(rendered).split("\n---\n")
    kept = [document.strip("\n") for document in documents if "\nkind: CustomResourceDefinition\n" not in document]
    return "\n---\n".join(kept).removeprefix("---\n") + "\n"


def without_key(rendered: str) -> str:
    """Outside a cluster the key of each rendering is another."""
    return re.sub(r"(?m)^  key: [A-Za-z0-9+/=]{64}$", "  key: MADE-AT-INSTALL", rendered)


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body for body in objects if body["kind"] == kind]


def test_crds_outlive_the_release_unless_told_otherwise(objects: Objects) -> None:
    kept = {"helm.sh/resource-policy": "keep", "argocd.argoproj.io/sync-options": "Prune=false"}
    crds = of_kind(objects(), "CustomResourceDefinition")
    assert len(crds) == len(CRDS)
    assert all(crd["metadata"]["annotations"] == kept for crd in crds)
    gone = of_kind(objects("crds.keep=false"), "CustomResourceDefinition")
    assert not any("annotations" in crd["metadata"] for crd in gone)


def test_crds_can_be_left_to_somebody_else(objects: Objects) -> None:
    assert of_kind(objects("crds.install=false"), "CustomResourceDefinition") == []


def test_the_operator_runs_under_the_restricted_standard(objects: Objects) -> None:
    (deployment,) = of_kind(objects(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_without_the_policy_nobody_approves_automatically(objects: Objects) -> None:
    bodies = objects("approvals.enabled=false")
    assert of_kind(bodies, "ValidatingAdmissionPolicy") == []
    operator = next(body for body in of_kind(bodies, "ClusterRole") if body["metadata"]["name"] == "merkhet-operator")
    assert all("approve" not in rule["verbs"] for rule in operator["rules"])


def test_the_operator_knows_itself_by_the_name_the_api_server_has_for_it(objects: Objects) -> None:
    (deployment,) = of_kind(objects("serviceAccount.name=mason"), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    said = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert said["MERKHET_ACCOUNT"] == "system:serviceaccount:merkhet-system:mason"
