"""What is generated from the kinds: the CRDs and the rights of the operator.

``merkhet generate`` writes them, ``merkhet generate --check`` tells which are stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from merkhet.api.crd import MAX_BYTES, definition
from merkhet.api.meta import Api
from merkhet.engine import heartbeat
from merkhet.engine.events import EVENT
from merkhet.engine.lease import LEASE
from merkhet.kinds import apis
from merkhet.kinds.kind import Kind, Setup
from merkhet.kinds.registry import KINDS
from merkhet.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
CRDS = (Path("crds"), Path("charts/merkhet/files/crds"))  # for kubectl, for the chart
RULES = Path("charts/merkhet/files/operator-rules.yaml")
HEADER = "# Generated from operator/merkhet/kinds by `make generate`. Do not edit.\n"

READ = ("get", "list", "watch")
CHANGE = ("create", "patch", "delete")
# What is made and then never applied again, or never deleted.
CHANGES = {
    apis.MODELVERSION: ("create",),
    apis.CLAIM: ("create",),
    apis.JOB: ("create", "delete"),
}

Rule = dict[str, Any]


def main(argv: Sequence[str]) -> int:
    """Write or check the generated files; 1 if something is stale."""
    parser = argparse.ArgumentParser(prog="merkhet generate", description="Write CRDs and RBAC from the kinds.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout (default: where this program stands)")
    options = parser.parse_args(argv)
    wanted = files(KINDS)
    stale = _stale(options.root, wanted)
    if options.check:
        for path in stale:
            sys.stderr.write(f"{path} is stale: run `make generate` and commit it\n")
        return 1 if stale else 0
    for path in stale:
        _write(options.root / path, wanted.get(path))
    return 0


def files(kinds: Iterable[Kind]) -> dict[Path, str]:
    """Every generated file by its path in the checkout."""
    kinds = tuple(kinds)
    out = {RULES: HEADER + dump(rules(kinds))}
    for kind in kinds:
        if kind.custom:
            text = crd(kind)
            out |= {folder / f"{kind.api.plural}.yaml": text for folder in CRDS}
    return out


def crd(kind: Kind) -> str:
    """The CRD of a kind as YAML, small enough for ``kubectl apply``."""
    text = HEADER + dump(definition(kind))
    size = len(text.encode())
    if size > MAX_BYTES:
        raise ValueError(f"the CRD of {kind.api.kind} has {size} bytes; at most {MAX_BYTES} can be applied: shorten it")
    return text


def rules(kinds: Sequence[Kind]) -> dict[str, list[Rule]]:
    """What the operator may do: where it works, in the cluster, where it is elected, and where its heart beats."""
    verbs = _verbs(tuple(kinds))
    statuses = [_rule(kind.api.group, f"{kind.api.plural}/status", ("patch",)) for kind in kinds if kind.custom]
    return {
        "namespaces": [
            *_merged(_rule(api.group, api.plural, _ordered(verbs[api])) for api in _sorted(verbs) if api.namespaced),
            *_merged(statuses),
            _rule(EVENT.group, EVENT.plural, ("create", "patch")),
            _rule(LEASE.group, LEASE.plural, ("list", "watch")),  # the heartbeat comes back through the watch
        ],
        # Not watched but read by name: the approval policy and its binding.
        "cluster": [
            _rule(api.group, api.plural, ("get",)) | {"resourceNames": [Setup().approval_policy]}
            for api in _sorted(verbs)
            if not api.namespaced
        ],
        "leader": _leases(Settings().lease, "get", "patch"),
        "heartbeat": _leases(heartbeat.NAME, "patch"),
    }


def _verbs(kinds: Iterable[Kind]) -> dict[Api, set[str]]:
    """What is done to each kind of object."""
    verbs: dict[Api, set[str]] = {apis.POD: set(READ)}  # why a run failed stands in its pod
    for kind in kinds:
        for seen in (kind.api, *kind.reads):
            verbs.setdefault(seen, set()).update(READ)
        for child in kind.children:
            verbs.setdefault(child, set()).update(READ, CHANGES.get(child, CHANGE))
    return verbs


def _leases(name: str, *verbs: str) -> list[Rule]:
    """Making a lease cannot be limited to a name, changing one can."""
    group, plural = LEASE.group, LEASE.plural
    return [_rule(group, plural, ("create",)), _rule(group, plural, verbs) | {"resourceNames": [name]}]


def _rule(group: str, resource: str, verbs: Iterable[str]) -> Rule:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


def _merged(rules_: Iterable[Rule]) -> list[Rule]:
    """Rules of one group with the same verbs as one."""
    out: dict[tuple[str, ...], Rule] = {}
    for rule in rules_:
        same = out.setdefault((*rule["apiGroups"], *rule["verbs"]), {**rule, "resources": []})
        same["resources"].extend(rule["resources"])
    return list(out.values())


def _sorted(verbs: Iterable[Api]) -> list[Api]:
    return sorted(verbs, key=lambda api: (api.group, api.plural))


def _ordered(verbs: set[str]) -> list[str]:
    return [verb for verb in (*READ, *CHANGE) if verb in verbs]


def dump(value: Any) -> str:
    """YAML whose bytes depend on the value alone, without anchors."""
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _stale(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """What differs from what should stand there, and CRDs of kinds that are no more."""
    differing = [path for path, text in wanted.items() if not _stands(root / path, text)]
    left_over = [path.relative_to(root) for folder in CRDS for path in sorted((root / folder).glob("*.yaml"))]
    return differing + [path for path in left_over if path not in wanted]


def _stands(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
