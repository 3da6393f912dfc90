"""The labels and annotations that mean something to Merkhet.

The engine labels every child with ``MANAGED_BY``, ``KIND`` and ``NAME``; builders add what selects pods.
"""

from __future__ import annotations

from merkhet import GROUP

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "merkhet"
KIND = f"{GROUP}/kind"
NAME = f"{GROUP}/name"
ROLE = f"{GROUP}/role"
REVISION = f"{GROUP}/revision"  # a label on the pods of a deployment, an annotation on what people apply (git sha)
MODEL = f"{GROUP}/model"
STORE = f"{GROUP}/store"  # on the one pod that all pods of the store stand beside
RUN = f"{GROUP}/run"  # a label on Jobs and their pods (the key), an annotation on what people apply (run again)
RESTART = f"{GROUP}/restart"  # an annotation on what people apply: a new revision of the same model
TRIGGER = f"{GROUP}/trigger"  # an annotation on Jobs: what started the run
SPEC = f"{GROUP}/spec"  # an annotation on Jobs: the spec trigger at the time
MEANS = f"{GROUP}/means"  # an annotation on Jobs: the digest of image, memory, deadline …
PART = f"{GROUP}/part"  # on a Job that does a part of a run and reports nothing, and on its pods
TRY = f"{GROUP}/try"  # an annotation on Jobs: how often this run was started because its report was lost


def of_pod(kind: str, name: str, role: str, **more: str) -> dict[str, str]:
    """The labels of a pod: whose it is and what it does; keywords name labels of our group."""
    own = {f"{GROUP}/{word}": value for word, value in more.items()}
    return {MANAGED_BY: MANAGER, KIND: kind.lower(), NAME: name, ROLE: role, **own}
