"""Servers that answer from the store: pods that stay until nobody asks them, replaced without a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from merkhet.api.meta import Body
from merkhet.contract.runs import TASK_VARIABLE
from merkhet.contract.serving import ADMIN_PORT, HTTP_PORT
from merkhet.manifests import deployments, volumes
from merkhet.manifests.pods import HOST, container, http, pod, probe

# Seconds a pod goes on serving after it was told to end, until nobody sends it new requests: endpoints and the rules
# of kube-proxy follow within a second or two on a healthy cluster.
STILL_SERVING_SECONDS = 5
GRACE_SECONDS = 30
ROLLOUT_SECONDS = 600
WITHOUT_A_GAP: Body = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


@dataclass(frozen=True, slots=True)
class Means:
    """How many servers there are, and what they run with."""

    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    replicas: int
    resources: Body
    template: Mapping[str, Any]
    beside_store: bool


@dataclass(frozen=True, slots=True)
class Program:
    """What each server does; ``role`` is the subcommand, ``features`` the FeatureSet whose pointer it follows.

    ``started`` is the path at the admin port that says that it has started, in ``start_seconds`` at the most.
    """

    role: str
    task: str
    features: str | None
    started: str
    start_seconds: int


def deployment(
    name: str, program: Program, means: Means, *, chosen: Mapping[str, str], marks: Mapping[str, str]
) -> Body:
    """The Deployment; its pods carry the labels ``marks`` and are chosen by some of them."""
    pods = pod(
        labels=marks,
        containers=[_server(program, means)],
        volumes=[volumes.store(), volumes.scratch()],
        template=means.template,
        beside_store=means.beside_store,
        grace_seconds=GRACE_SECONDS,
        pull_secrets=means.pull_secrets,
    )
    if not means.beside_store:
        pods["spec"]["topologySpreadConstraints"] = [_spread(chosen)]
    return deployments.deployment(
        name, chosen, pods, replicas=means.replicas, rollout_seconds=ROLLOUT_SECONDS, strategy=WITHOUT_A_GAP
    )


def _server(program: Program, means: Means) -> Body:
    features = [volumes.features_mount(program.features)] if program.features is not None else []
    return container(
        "server",
        means.image,
        [program.role],
        resources=means.resources,
        pull_policy=means.pull_policy,
        variables={TASK_VARIABLE: program.task},
        mounts=[volumes.blobs_mount(), *features, volumes.scratch_mount()],
        ports=[
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"},
        ],
        startupProbe=probe(http(program.started, ADMIN_PORT), period=1, failures=program.start_seconds),
        # Every second, so that a change of version takes no longer than the model needs.
        readinessProbe=probe(http("/ready", ADMIN_PORT), period=1, failures=3),
        livenessProbe=probe(http("/live", ADMIN_PORT), period=10, failures=3),
        lifecycle={"preStop": {"sleep": {"seconds": STILL_SERVING_SECONDS}}},
    )


def _spread(chosen: Mapping[str, str]) -> Body:
    """One node's end is not that of all servers, wherever there are several nodes."""
    return {
        "maxSkew": 1,
        "topologyKey": HOST,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(chosen)},
    }
