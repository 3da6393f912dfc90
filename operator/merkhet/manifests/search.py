"""What a search is to the cluster: one Job with a pod per trial, so that a lost pod loses its trial alone."""

from __future__ import annotations

from merkhet.api.meta import Body
from merkhet.contract.runs import SCRATCH_PATH, TASK_VARIABLE, Run
from merkhet.manifests import labels, pods, volumes
from merkhet.manifests.runs import GRACE_SECONDS, SCRATCH_SIZE, WORK, Means, failure_policy

SEARCH = "search"  # the part of a run that it is


def job(
    *, name: str, role: str, run: Run, spec: str, task: str, trials: int, parallelism: int, means: Means, digest: str
) -> Body:
    """The Job that tries the parameters of a run. ``role`` is the subcommand that does one trial, by its index.

    A trial writes what it found into the store and tells the cluster nothing: there is no reporter and no token.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {labels.RUN: run.key, labels.PART: SEARCH},
            "annotations": {labels.TRIGGER: run.trigger, labels.SPEC: spec, labels.MEANS: digest},
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": trials,
            "parallelism": min(parallelism, trials),
            "backoffLimitPerIndex": means.retries,
            "activeDeadlineSeconds": means.deadline_seconds,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": failure_policy(),
            "template": _pod(role, run, task, means),
        },
    }


def _pod(role: str, run: Run, task: str, means: Means) -> Body:
    return pods.pod(
        labels=labels.of_pod(run.origin.kind, run.origin.name, role, run=run.key, part=SEARCH),
        containers=[
            pods.container(
                WORK,
                means.image,
                [role],
                resources=means.resources,
                pull_policy=means.pull_policy,
                variables={TASK_VARIABLE: task, "HOME": SCRATCH_PATH},
                mounts=[volumes.store_mount(), volumes.scratch_mount()],
            )
        ],
        volumes=[volumes.store(), volumes.scratch(SCRATCH_SIZE)],
        template=means.template,
        beside_store=means.beside_store,
        restart="Never",
        grace_seconds=GRACE_SECONDS,
        pull_secrets=means.pull_secrets,
    )
