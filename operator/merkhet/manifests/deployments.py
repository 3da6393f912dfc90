"""A Deployment of pods, and how many of them may go at once."""

from __future__ import annotations

from collections.abc import Mapping

from merkhet.api.meta import Body
from merkhet.manifests.pods import said


def deployment(
    name: str,
    chosen: Mapping[str, str],
    template: Body,
    *,
    replicas: int = 1,
    rollout_seconds: int | None = None,
    strategy: Body | None = None,
) -> Body:
    """The Deployment that keeps the pods which carry the labels ``chosen``; one former template is remembered."""
    spec: Body = {
        "replicas": replicas,
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": rollout_seconds,
        "selector": {"matchLabels": dict(chosen)},
        "strategy": strategy,
        "template": template,
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": said(spec)}


def disruption_budget(name: str, chosen: Mapping[str, str]) -> Body:
    """Nodes are emptied one pod at a time."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(chosen)}},
    }
