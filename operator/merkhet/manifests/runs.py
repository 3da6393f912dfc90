"""What an object that runs things needs: its Job, and the narrow way on which the pod's report comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.runs import REFUSED, SCRATCH_PATH, TASK_VARIABLE, Run
from merkhet.manifests import labels, names, pods, volumes

WORK, REPORTER = "work", "reporter"
REPORT_TO = "MERKHET_REPORT_TO"  # the variable that names the reporter's ConfigMap
# A small program of the standard library; an estimate with room to spare.
REPORTER_AMOUNTS = pods.amounts("10m", "64Mi", cpu_limit="200m", memory_limit="128Mi")
# What is downloaded and what a database spills stand there: a bound against filling the node, not what is needed.
SCRATCH_SIZE = "20Gi"
# What the reporter may need to tell the end of the work after it has ended.
GRACE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Means:
    """What a run works with: nothing of it changes the result, and a failed run is tried again when it changes."""

    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    resources: Body
    deadline_seconds: int
    retries: int
    template: Mapping[str, Any]
    beside_store: bool


def job(
    *,
    name: str,
    short: str,
    role: str,
    run: Run,
    spec: str,
    attempt: int,
    task: str,
    means: Means,
    digest: str,
    secrets: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> Body:
    """The Job of one run. ``role`` is the subcommand that does the work, ``digest`` that of the means.

    ``secrets`` are Secrets of the namespace by the folder that the work sees them at, ``variables`` what else stands in
    its environment.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {labels.RUN: run.key},
            "annotations": {
                labels.TRIGGER: run.trigger,
                labels.SPEC: spec,
                labels.MEANS: digest,
                labels.TRY: str(attempt),
            },
        },
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": means.retries,
            "activeDeadlineSeconds": means.deadline_seconds,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(),
            "template": _pod(
                short=short,
                role=role,
                run=run,
                task=task,
                means=means,
                secrets=secrets or {},
                variables=variables or {},
            ),
        },
    }


def failure_policy() -> Body:
    """Which ends of a pod are no failed try: what is refused now is refused again, and a drained node is no fault."""
    return {
        "rules": [
            {
                "action": "FailJob",
                "onExitCodes": {"containerName": WORK, "operator": "In", "values": [REFUSED]},
            },
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def known(name: str) -> Body:
    """A finished Job that stays for its logs: named, not described, so that it is never made again."""
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}


def report_map(owner: str, short: str) -> Body:
    """The one ConfigMap that an object's pods report into; without data, which is theirs."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": names.report(owner, short)}}


def account(owner: str, short: str) -> Body:
    """Who the pods of an object are."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": names.account(owner, short)},
        "automountServiceAccountToken": False,
    }


def role(owner: str, short: str) -> Body:
    """All that the pods of an object may do: read and patch that one ConfigMap."""
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [names.report(owner, short)],
        "verbs": ["get", "patch"],
    }
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": names.account(owner, short)},
        "rules": [rule],
    }


def role_binding(namespace: str, owner: str, short: str) -> Body:
    """Ties the account to the role."""
    name = names.account(owner, short)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def _pod(
    *,
    short: str,
    role: str,
    run: Run,
    task: str,
    means: Means,
    secrets: Mapping[str, str],
    variables: Mapping[str, str],
) -> Body:
    owner = run.origin.name
    environment = {**variables, TASK_VARIABLE: task, "HOME": SCRATCH_PATH}
    mounts = [volumes.credentials_mount(at, folder) for at, folder in enumerate(secrets)]
    credentials = [volumes.credentials(at, secret) for at, secret in enumerate(secrets.values())]
    return pods.pod(
        labels=labels.of_pod(run.origin.kind, owner, role, run=run.key),
        containers=[
            pods.container(
                WORK,
                means.image,
                [role],
                resources=means.resources,
                pull_policy=means.pull_policy,
                variables=environment,
                mounts=[volumes.store_mount(), volumes.scratch_mount(), volumes.report_mount(), *mounts],
            )
        ],
        sidecars=[
            pods.container(
                REPORTER,
                means.image,
                ["report"],
                resources=REPORTER_AMOUNTS,
                pull_policy=means.pull_policy,
                variables={REPORT_TO: names.report(owner, short)},
                mounts=[volumes.report_mount(read_only=True), volumes.token_mount()],
            )
        ],
        volumes=[volumes.store(), volumes.scratch(SCRATCH_SIZE), volumes.report(), volumes.token(), *credentials],
        template=means.template,
        beside_store=means.beside_store,
        account=names.account(owner, short),
        restart="Never",
        grace_seconds=GRACE_SECONDS,
        pull_secrets=means.pull_secrets,
    )
