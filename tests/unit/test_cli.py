"""One program, a role per subcommand."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from merkhet import cli
from merkhet.contract.runs import REFUSED

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("role", cli.ROLES)
def test_every_role_has_a_main(role: str) -> None:
    assert callable(importlib.import_module(cli.ROLES[role][0]).main)


def test_an_unknown_role_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    assert "there is no 'trian'; it is one of operator, features, train" in capsys.readouterr().err


def test_a_role_is_imported_only_when_it_is_asked_for() -> None:
    program = "import sys; from merkhet import cli; cli.main(['--help']); sys.exit('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment(), check=False, capture_output=True).returncode
        == 0
    )


def test_a_signal_ends_a_role_that_is_still_being_imported() -> None:
    program = (
        "import signal, sys, types; from merkhet import cli\n"
        "def main(_words):\n    print('imported', flush=True); signal.pause(); return 0\n"
        "sys.modules['slow'] = types.SimpleNamespace(main=main); cli.ROLES['slow'] = ('slow', '')\n"
        # What the first process of a container meets: without a handler the signal does nothing.
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); sys.exit(cli.main(['slow']))"
    )
    with subprocess.Popen([sys.executable, "-c", program], env=environment(), stdout=subprocess.PIPE) as role:
        assert role.stdout is not None
        assert role.stdout.readline() == b"imported\n"
        role.send_signal(signal.SIGTERM)
        assert role.wait(timeout=60) == 128 + signal.SIGTERM


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": "operator"}


@pytest.mark.parametrize("role", ["serve", "train"])
def test_no_role_lets_the_model_runtime_tell_others_or_write_to_the_home_folder(tmp_path: Path, role: str) -> None:
    # Where these are set the runtime holds back by itself.
    calm = {"CI", "TF_BUILD", "GITHUB_ACTIONS", "ORT_RUNNING_UNIT_TESTS", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in calm}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "operator"), "MERKHET_TASK": ""}
    done = subprocess.run([sys.executable, "-m", "merkhet", role], env=environment, capture_output=True, check=False)
    assert done.returncode == REFUSED
    assert not list(tmp_path.rglob("deviceid"))
