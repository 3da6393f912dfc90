"""``get fs/NAME``: rows of a version of a FeatureSet, personal columns masked."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from merkhet.errors import MerkhetError, Missing
from merkhet.plugin.kubectl import Kubectl, names

FEATURESET = {"fs", "featureset", "featuresets", "featureset.merkhet.dev", "featuresets.merkhet.dev"}


def show(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Print the rows that the gateway reads from the store."""
    kind, name = names([asked.what])
    if kind.lower() not in FEATURESET:
        raise MerkhetError(
            f"rows are those of a FeatureSet (fs/NAME) and files those of store://…; found {asked.what!r}"
        )
    body: Any = kubectl.find("featuresets.merkhet.dev", name)
    if body is None:
        raise Missing(f"FeatureSet {kubectl.current_namespace()}/{name} does not exist")
    number = asked.version or (body.get("status", {}).get("latest") or {}).get("version")
    if number is None:
        raise Missing(
            f"FeatureSet {kubectl.current_namespace()}/{name} has no version yet: kubectl merkhet why fs/{name}"
        )
    words = ["features", "rows", name, "--version", str(number), "--limit", str(asked.limit), "-o", asked.output]
    sys.stdout.buffer.write(kubectl.inside(*words))
    return 0
