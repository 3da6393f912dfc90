"""One program with a role per subcommand; a role's code is imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence

# Role: module whose main takes the remaining arguments and gives an exit code, and what the role is.
ROLES = {
    "operator": ("merkhet.engine.main", "watch the cluster and make it so"),
    "features": ("merkhet.workloads.features.main", "make one version of a FeatureSet (in a Job)"),
    "train": ("merkhet.workloads.trainer.main", "fit, judge and export one model (in a Job)"),
    "try": ("merkhet.workloads.trainer.trial", "try one set of parameters (in a Job)"),
    "component": ("merkhet.workloads.components.main", "try a Component's examples and keep it (in a Job)"),
    "serve": ("merkhet.workloads.server.main", "answer predictions (in a Deployment)"),
    "lookup": ("merkhet.workloads.online.main", "answer look-ups of features by entity (in a Deployment)"),
    "report": ("merkhet.workloads.reporter.main", "tell the cluster how a run went (beside the work)"),
    "gateway": ("merkhet.workloads.gateway.main", "hold the namespace's store open (in a StatefulSet)"),
    "share": ("merkhet.workloads.gateway.share", "give shared FeatureSets to other namespaces (in a Deployment)"),
    "store": ("merkhet.workloads.gateway.store", "put, get and list files of the store"),
    "call": ("merkhet.workloads.gateway.call", "ask a deployment of this namespace (from the store's pod)"),
    "generate": ("merkhet.generate", "write CRDs and RBAC from the kinds"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the role that the first argument names."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in {"-h", "--help", "help"}:
        print(_help())
        return 0
    role, *rest = words
    if role not in ROLES:
        print(f"merkhet: there is no {role!r}; it is one of {', '.join(ROLES)}", file=sys.stderr)
        return 2
    # The first process of a container ignores what it has no handler for, and imports take seconds.
    signal.signal(signal.SIGTERM, _end)
    # ONNX Runtime tells its makers of every process, and looks at this alone, when it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    # Threads that wait by spinning take their core's share from those that work; measured: 40 times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    run: Callable[[Sequence[str]], int] = importlib.import_module(ROLES[role][0]).main
    return run(rest)


def _end(number: int, _frame: object) -> None:
    """End at once, as a process does that nobody asked to be the first one."""
    os._exit(128 + number)


def _help() -> str:
    lines = [f"  {role:<9} {purpose}" for role, (_, purpose) in ROLES.items()]
    return "\n".join(("usage: merkhet ROLE …", "", *lines, "", "People use `kubectl merkhet`."))


if __name__ == "__main__":
    sys.exit(main())
