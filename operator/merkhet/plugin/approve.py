"""``approve``: a person's decision about a model version, with the figures before their eyes."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from merkhet.errors import MerkhetError, Missing
from merkhet.plugin.kubectl import Kubectl


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Declare the command."""
    command = commands.add_parser("approve", parents=[shared], help="approve or reject a model version")
    command.add_argument("name", help="of the ModelVersion, as in employment-v3")
    command.add_argument("--reject", action="store_true", help="reject it instead")
    command.add_argument("--reason", default="", help="why; kept with the decision")
    command.add_argument("--yes", action="store_true", help="do not ask")
    command.set_defaults(run=run)


def run(asked: argparse.Namespace, kubectl: Kubectl) -> int:
    """Show what is decided about, ask, and write the decision in the person's own name."""
    name = asked.name.removeprefix("mv/")
    body = kubectl.find("modelversions.merkhet.dev", name)
    if body is None:
        raise Missing(f"ModelVersion {kubectl.current_namespace()}/{name} does not exist: kubectl get modelversions")
    decision = "Rejected" if asked.reject else "Approved"
    print(summary(body))
    if body["spec"].get("approval", {}).get("decision") == decision:
        print(f"{name} is {decision.lower()} already")
        return 0
    if not asked.yes and not _agreed(f"{'Reject' if asked.reject else 'Approve'} {name}? [y/N] "):
        print("nothing was changed", file=sys.stderr)
        return 1
    me = kubectl.json("auth", "whoami")["status"]["userInfo"]["username"]
    patch = {"spec": {"approval": {"decision": decision, "by": me, "reason": asked.reason}}}
    kubectl.run("patch", "modelversions.merkhet.dev", name, "--type=merge", "-p", json.dumps(patch))
    print(f"{name} {decision.lower()} by {me}")
    return 0


def summary(body: dict[str, Any]) -> str:
    """What a person needs to see before deciding; of a model that was brought, what its evaluation found."""
    record = body["spec"]["record"]
    lineage, judged = record.get("lineage", {}), (body.get("status") or {}).get("evaluation") or {}
    found = {**record, "data": lineage.get("data"), **judged}
    told = {
        "metrics": [f"  {metric['name']:<12} {_figure(metric)}" for metric in found.get("metrics") or ()],
        "gates": [f"  {gate['result']:<12} {_asked(gate)}" for gate in found.get("gates") or ()],
        "data": [f"  {entry['featureSet']} version {entry['version']}" for entry in found.get("data") or ()],
        "worth knowing": [f"  {warning}" for warning in found.get("warnings") or ()],
    }
    brought = not lineage.get("training")
    how = f", brought{'' if judged else ' and not judged yet: a decision counts for nothing before'}" if brought else ""
    lines = [f"{record['model']} version {record['version']}, by {lineage.get('author') or 'nobody named'}{how}"]
    return "\n".join([*lines, *(line for title, part in told.items() if part for line in (title, *part))])


def _asked(gate: dict[str, Any]) -> str:
    whose = " (policy)" if gate.get("source") == "policy" else ""
    return f"{gate['name']}{whose} {gate.get('message', '')}".rstrip()


def _figure(metric: dict[str, Any]) -> str:
    interval = f"  ({metric['low']:.3f} to {metric['high']:.3f})" if metric.get("low") is not None else ""
    return f"{metric['value']:.4f}{interval}"


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise MerkhetError("there is nobody to ask; say --yes")
    return input(question).strip().lower() in {"y", "yes"}
