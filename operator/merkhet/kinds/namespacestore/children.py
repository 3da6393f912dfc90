"""The volume claim of a namespace's store, and the pod through which people put and get files."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.contract.live import NAMESPACE_VARIABLE
from merkhet.contract.runs import SCRATCH_PATH, STORE_PATH
from merkhet.kinds.kind import Setup
from merkhet.manifests import labels, names, pods, volumes

ROLE = "store"
CONTAINER = "store"
# Copying and hashing files piece by piece; an estimate with room to spare, not a measurement.
AMOUNTS = pods.amounts("10m", "64Mi", cpu_limit="1", memory_limit="512Mi")
# Whether the store's folders are there: the gateway makes them, and a volume that hangs answers no more.
STANDS: Body = {"exec": {"command": ["test", "-d", f"{STORE_PATH}/blobs"]}}


def claim(setup: Setup) -> Body:
    """The claim that holds the store."""
    spec: Body = {
        "accessModes": [setup.store_access],
        "resources": {"requests": {"storage": setup.store_size}},
    }
    if setup.store_class is not None:
        spec["storageClassName"] = setup.store_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": names.STORE},
        "spec": spec,
    }


def gateway(setup: Setup, namespace: str) -> Body:
    """One pod that mounts the store: ``kubectl exec merkhet-store-0 -- merkhet store …``.

    Under ReadWriteOnce it is also what all other pods of the store stand beside.
    """
    chosen = {labels.ROLE: ROLE, labels.STORE: "true"}
    marks = {**labels.of_pod("configmap", names.STORE, ROLE), labels.STORE: "true"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": names.STORE},
        "spec": {
            "replicas": 1,
            "serviceName": names.STORE,
            "selector": {"matchLabels": chosen},
            "template": pods.pod(
                labels=marks,
                containers=[
                    pods.container(
                        CONTAINER,
                        setup.trainer_image,
                        ["gateway"],
                        resources=AMOUNTS,
                        pull_policy=setup.pull_policy,
                        variables={"HOME": SCRATCH_PATH, NAMESPACE_VARIABLE: namespace},
                        mounts=[volumes.store_mount(), volumes.scratch_mount(), volumes.live_mount()],
                        readinessProbe=pods.probe(STANDS, period=5),
                        livenessProbe=pods.probe(STANDS, period=60),
                    )
                ],
                volumes=[volumes.store(), volumes.scratch(), volumes.live()],
                grace_seconds=10,
                pull_secrets=setup.pull_secrets,
            ),
        },
    }
