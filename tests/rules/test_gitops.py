"""What GitOps controllers are told of our kinds is complete."""

from __future__ import annotations

import yaml

from merkhet.kinds.registry import KINDS
from tests.rules.tree import ROOT

FOLDER = ROOT / "docs" / "gitops"
CUSTOM = [kind.api for kind in KINDS if kind.custom]


def test_argo_cd_judges_every_kind_by_the_same_script() -> None:
    told = yaml.safe_load((FOLDER / "argocd-cm.yaml").read_text(encoding="utf-8"))["data"]
    script = (FOLDER / "health.lua").read_text(encoding="utf-8")
    assert told == {f"resource.customizations.health.{api.group}_{api.kind}": script for api in CUSTOM}


def test_flux_judges_every_kind() -> None:
    told = yaml.safe_load((FOLDER / "flux.yaml").read_text(encoding="utf-8"))["healthCheckExprs"]
    assert [(item["apiVersion"], item["kind"]) for item in told] == [(api.api_version, api.kind) for api in CUSTOM]
    assert all({"current", "inProgress", "failed"} <= item.keys() for item in told)
