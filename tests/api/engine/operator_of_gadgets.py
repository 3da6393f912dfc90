"""The operator as it is, for gadgets: a program of its own, so that tests can start, stop and kill it."""

from __future__ import annotations

import os
import sys

from merkhet.engine import logs
from merkhet.engine.main import run
from merkhet.settings import from_environment
from tests.unit.engine import gadget

if __name__ == "__main__":
    settings = from_environment(os.environ)
    logs.set_up(settings.log_level)
    sys.exit(run([gadget.kind()], settings))
