"""A FeatureSet reads a real bucket with credentials that only its pod sees, and says in words what keeps it out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import binaries
from tests.cluster.machine import Progress
from tests.e2e.access import EXAMPLE, OPERATOR_NAMESPACE, Body, Cluster, Tenant, changed, example_features, until

FEATURES = example_features()
ACCESS, SECRET = "census-reader", "not-to-be-told"
WRONG = {"accessKeyId": ACCESS, "secretAccessKey": "of another"}
# versitygw serves the folders below /tmp/objects as buckets; it comes into the pod after the pod has started.
START = (
    "until [ -e /tmp/complete ]; do sleep 0.2; done; "
    "exec /tmp/versitygw --quiet --port :9000 posix --sidecar /tmp/metadata /tmp/objects"
)


def trainer_image(cluster: Cluster) -> str:
    """An image with a shell that the node has."""
    printed = cluster.kubectl("--namespace", OPERATOR_NAMESPACE, "get", "deployment", "merkhet", "-o", "json")
    variables = json.loads(printed)["spec"]["template"]["spec"]["containers"][0]["env"]
    return next(str(one["value"]) for one in variables if one["name"] == "MERKHET_TRAINER_IMAGE")


def server_pod(image: str) -> Body:
    """A pod that becomes an S3 server."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "s3"},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "s3",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/bin/sh", "-c", START],
                    "env": [
                        {"name": "ROOT_ACCESS_KEY", "value": ACCESS},
                        {"name": "ROOT_SECRET_KEY", "value": SECRET},
                    ],
                    "volumeMounts": [{"name": "room", "mountPath": "/tmp"}],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
            "volumes": [{"name": "room", "emptyDir": {}}],
        },
    }


def copy(tenant: Tenant, file: Path, to: str) -> None:
    """Put a file into the server's pod."""
    folder = to.rpartition("/")[0]
    command = f"mkdir -p {folder} && cat > {to} && chmod 755 {to}"
    with file.open("rb") as content:
        subprocess.run(
            ("kubectl", "--namespace", tenant.name, "exec", "-i", "s3", "--", "/bin/sh", "-c", command),
            stdin=content,
            check=True,
            capture_output=True,
        )


@pytest.fixture(scope="module")
def bucket(cluster: Cluster, tenants: Callable[[str], Tenant]) -> tuple[Tenant, str]:
    """A tenant with an S3 server in it, and the server's address."""
    tenant = tenants("bucket")
    tenant.apply(server_pod(trainer_image(cluster)))
    tenant.kubectl("wait", "--for=condition=Ready", "pod/s3", "--timeout=120s")
    copy(tenant, EXAMPLE / "data" / "census-2018.parquet", "/tmp/objects/people/census/2018.parquet")
    copy(tenant, binaries.ensure(("versitygw",), Progress()) / "versitygw", "/tmp/versitygw")
    tenant.kubectl("exec", "s3", "--", "mkdir", "-p", "/tmp/metadata", "/tmp/complete")
    pod = tenant.get("pods", "s3") or {}
    listening = "import socket; socket.create_connection(('127.0.0.1', 9000), 5)"
    until(lambda: answers(tenant, listening), lambda found: found, "the S3 server listens")
    return tenant, f"http://{pod['status']['podIP']}:9000"


def answers(tenant: Tenant, program: str) -> bool:
    """Whether a little program in the server's pod ends well."""
    command = ("kubectl", "--namespace", tenant.name, "exec", "s3", "--", "python3", "-c", program)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def secret(name: str, **values: str) -> Body:
    """A Secret with these keys."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def features(name: str, **source: str) -> Body:
    """The example's FeatureSet over a bucket."""
    source = {"name": "census", "uri": "s3://people/census/*.parquet", **source}
    return changed(FEATURES, {"metadata.name": name, "spec.sources": [source]})


def test_a_bucket_is_read_with_the_secret_that_is_named(bucket: tuple[Tenant, str]) -> None:
    tenant, endpoint = bucket
    tenant.apply(secret("reader", accessKeyId=ACCESS, secretAccessKey=SECRET, endpoint=endpoint, other="hidden"))
    tenant.apply(features("bucket", secretName="reader"))
    body = tenant.settled("featuresets", "bucket")
    assert body["status"]["latest"]["rows"] > 10_000
    assert SECRET not in json.dumps(body)


@pytest.mark.parametrize(
    ("name", "values", "reason", "words"),
    [
        pytest.param("wrong", WRONG, "SourceForbidden", "correct the Secret", id="wrong key"),
        pytest.param("half", {"accessKeyId": ACCESS}, "CredentialsMissing", "secretAccessKey", id="half a Secret"),
        pytest.param("absent", None, "CredentialsMissing", "is not there", id="no Secret"),
    ],
)
def test_what_keeps_a_run_out_of_a_bucket_is_said(
    bucket: tuple[Tenant, str], name: str, values: dict[str, str] | None, reason: str, words: str
) -> None:
    tenant, endpoint = bucket
    if values is not None:
        tenant.apply(secret(name, endpoint=endpoint, **values))
    tenant.apply(features(name, secretName=name))
    message = tenant.stalls("featuresets", name, reason)
    assert words in message
    assert SECRET not in message
