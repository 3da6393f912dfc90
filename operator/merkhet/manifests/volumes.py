"""The volumes of our pods, and where containers see them."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.contract.live import LIVE_PATH
from merkhet.contract.runs import REPORT_FOLDER, SCRATCH_PATH, STORE_PATH, TOKEN_PATH
from merkhet.contract.sharing import GRANTS_PATH
from merkhet.manifests.names import GRANTS, LIVE, STORE
from merkhet.store import paths

# The kubelet renews a token at four fifths of its life; the shortest the API server allows is ten minutes.
TOKEN_SECONDS = 3600
# What a Secret says of a bucket.
CREDENTIALS = ("accessKeyId", "secretAccessKey", "sessionToken", "region", "endpoint")


def store() -> Body:
    """The namespace's store. Who may only read says so at the mount."""
    return {"name": "store", "persistentVolumeClaim": {"claimName": STORE}}


def scratch(size: str = "2Gi") -> Body:
    """Room of the pod's own, the only place besides the store where a read-only root may write."""
    return {"name": "scratch", "emptyDir": {"sizeLimit": size}}


def report() -> Body:
    """The folder in which the work leaves its report for the reporter."""
    return {"name": "report", "emptyDir": {"sizeLimit": "16Mi"}}


def credentials(number: int, secret: str) -> Body:
    """The credentials of a bucket, and nothing else of that Secret; the work says in words where it is not there."""
    items = [{"key": word, "path": word} for word in CREDENTIALS]
    return {
        "name": f"credentials-{number}",
        "secret": {"secretName": secret, "items": items, "defaultMode": 0o440, "optional": True},
    }


def credentials_mount(number: int, folder: str) -> Body:
    """Where the work sees them."""
    return {"name": f"credentials-{number}", "mountPath": folder, "readOnly": True}


def live() -> Body:
    """Who lives in the namespace, for the store's collector, which lets nothing go as long as it is not there."""
    return {"name": "live", "configMap": {"name": LIVE, "optional": True}}


def grants() -> Body:
    """Who may have which FeatureSets of this namespace."""
    return {"name": "grants", "configMap": {"name": GRANTS, "optional": True}}


def token() -> Body:
    """What a client needs to speak to the API server; mounted into the reporter's container alone."""
    return {
        "name": "token",
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ],
        },
    }


def mount(name: str, path: str, *, read_only: bool = False, part: str | None = None) -> Body:
    """Where a container sees a volume; ``part`` is the folder of it that alone is seen."""
    body: Body = {"name": name, "mountPath": path}
    if read_only:
        body["readOnly"] = True
    if part:
        body["subPath"] = part
    return body


def store_mount() -> Body:
    """The whole store, to read and write."""
    return mount("store", STORE_PATH)


def blobs_mount() -> Body:
    """What servers see of the store: blobs, and only to read."""
    return mount("store", f"{STORE_PATH}/blobs", read_only=True, part="blobs")


def features_mount(name: str) -> Body:
    """The folder of one FeatureSet, and only to read: the pointer to what is looked up stands there."""
    folder = paths.feature_sets(name)
    return mount("store", f"{STORE_PATH}/{folder}", read_only=True, part=folder)


def scratch_mount() -> Body:
    """The pod's own room, where programs expect one."""
    return mount("scratch", SCRATCH_PATH)


def live_mount() -> Body:
    """The list of who lives in the namespace."""
    return mount("live", LIVE_PATH, read_only=True)


def grants_mount() -> Body:
    """The list of who may have what."""
    return mount("grants", GRANTS_PATH, read_only=True)


def report_mount(*, read_only: bool = False) -> Body:
    """The folder of the report; the reporter only reads it."""
    return mount("report", REPORT_FOLDER, read_only=read_only)


def token_mount() -> Body:
    """The token and all that goes with it."""
    return mount("token", TOKEN_PATH, read_only=True)
