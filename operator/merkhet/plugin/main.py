"""``kubectl merkhet …``: one command a thing that people do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from merkhet.errors import MerkhetError
from merkhet.plugin import approve, export, imports, init, lineage, predict, transfer, validate, version, why
from merkhet.plugin import open as opening
from merkhet.plugin.kubectl import Kubectl

Command = Callable[[argparse.Namespace, Kubectl], int]
COMMANDS = (init, validate, transfer, opening, why, lineage, predict, approve, export, imports, version)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 is success, 1 a thing that is not so, 2 a command that was not understood."""
    asked = parser().parse_args(arguments)
    command: Command = asked.run
    try:
        return command(asked, Kubectl(namespace=asked.namespace, context=asked.context))
    except MerkhetError as found:
        print(f"error: {found}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


def parser() -> argparse.ArgumentParser:
    """All commands with their flags."""
    everything = argparse.ArgumentParser(prog="kubectl merkhet", description="The life of a model, from a terminal.")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-n", "--namespace", help="the namespace; default: that of the current context")
    shared.add_argument("--context", help="the context of the kubeconfig")
    commands = everything.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        module.add(commands, shared)
    return everything


if __name__ == "__main__":
    sys.exit(main())
