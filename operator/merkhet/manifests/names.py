"""How the objects that Merkhet makes are named: from their owner's name alone, within Kubernetes' bounds."""

from __future__ import annotations

import hashlib

STORE = "merkhet-store"  # ConfigMap, claim and StatefulSet of a namespace
LIVE = "merkhet-live"  # ConfigMap: who lives in the namespace, for the store's collector
SHARE = "merkhet-share"  # Deployment and Service: what gives FeatureSets to other namespaces
GRANTS = "merkhet-grants"  # ConfigMap: who may have what
LABEL_LENGTH = 63  # of a label's value, and so of a Job's, Service's or StatefulSet's name

TRIAL_LENGTH = len("-999")  # of the 1 000 trials that a search has at most


def bounded(*words: str, limit: int = LABEL_LENGTH) -> str:
    """The words joined by dashes; a longer name is cut and ends in a digest of the whole."""
    name = "-".join(words)
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-')}-{digest}"


def report(owner: str, short: str) -> str:
    """The ConfigMap that an object's pods report into: ``employment-mt-report``."""
    return bounded(owner, short, "report")


def account(owner: str, short: str) -> str:
    """ServiceAccount, Role and RoleBinding of an object that runs things: ``employment-mt``."""
    return bounded(owner, short)


def job(owner: str, key: str, means: str, attempt: int = 1) -> str:
    """A run's Job: the same run with other means, or started again, is another Job."""
    again = (str(attempt),) if attempt > 1 else ()
    return bounded(owner, key[:10], means[:4], *again)


def search(owner: str, key: str, means: str) -> str:
    """A run's search: shorter than other Jobs, for its pods are named by their trials behind it."""
    return bounded(owner, key[:10], means[:4], "search", limit=LABEL_LENGTH - TRIAL_LENGTH)


def version(model: str, number: int) -> str:
    """A ModelVersion: ``employment-v3``."""
    return f"{model}-v{number}"


def online(features: str) -> str:
    """What answers look-ups of a FeatureSet: ``employment-online``."""
    return bounded(features, "online")
