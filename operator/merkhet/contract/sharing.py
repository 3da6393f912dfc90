"""How a FeatureSet comes to another namespace: who is granted what, and where its bytes are fetched from.

The operator derives a token for each FeatureSet and namespace. The store that gives knows digests of tokens only.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

from pydantic import Field

from merkhet.contract.base import Message, canonical

GRANTS_PATH = "/var/run/merkhet/grants"
GRANTS_FILE = "grants.json"
TOKENS_VARIABLE = "MERKHET_SHARE_TOKENS"
PORT = 8080


class Grants(Message):
    """What a store gives: names of FeatureSets by the SHA-256 of the token that whoever asks has to show."""

    version: Literal[1] = 1
    grants: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def gives(self, token: str, feature_set: str) -> bool:
        """Whether who shows this token may have that FeatureSet."""
        return feature_set in self.grants.get(digest_of_token(token), ())


class Tokens(Message):
    """What a run shows to the stores of other namespaces: tokens by ``<namespace>/<FeatureSet>``."""

    version: Literal[1] = 1
    tokens: dict[str, str] = Field(default_factory=dict)


def token(key: str, giver: str, feature_set: str, taker: str) -> str:
    """What the runs of one namespace show for one FeatureSet of another; ``key`` is the installation's."""
    return hmac.new(key.encode(), canonical([giver, feature_set, taker]).encode(), hashlib.sha256).hexdigest()


def digest_of_token(shown: str) -> str:
    """How a store knows a token again."""
    return hashlib.sha256(shown.encode()).hexdigest()


def manifest_path(feature_set: str, digest: str) -> str:
    """Where a version's manifest is asked for."""
    return f"/featuresets/{feature_set}/{digest.removeprefix('sha256:')}"


def rows_path(feature_set: str, manifest: str, digest: str) -> str:
    """Where rows of a version are asked for."""
    return f"{manifest_path(feature_set, manifest)}/{digest.removeprefix('sha256:')}"
