"""An image's tag changes with what goes into the image, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from images.build import pip_settings, tag

BASE = "base:1"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in (
        "images/server/Dockerfile",
        "images/trainer/Dockerfile",
        "requirements/server.txt",
        "requirements/trainer.txt",
        "pyproject.toml",
        "README.md",
        "operator/merkhet/__init__.py",
        "operator/merkhet/cli.py",
    ):
        write(tmp_path / name, name)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: write(root / "operator/merkhet/cli.py", "changed"), id="a source file"),
        pytest.param(lambda root: write(root / "operator/merkhet/new.py", ""), id="a new source file"),
        pytest.param(lambda root: (root / "operator/merkhet/cli.py").unlink(), id="a deleted source file"),
        pytest.param(
            lambda root: (root / "operator/merkhet/cli.py").rename(root / "operator/merkhet/clj.py"), id="a new name"
        ),
        pytest.param(lambda root: write(root / "images/server/Dockerfile", "changed"), id="the recipe"),
        pytest.param(lambda root: write(root / "requirements/server.txt", "changed"), id="the pinned packages"),
        pytest.param(lambda root: write(root / "pyproject.toml", "changed"), id="the project's metadata"),
    ],
)
def test_a_change_of_what_goes_in_changes_the_tag(checkout: Path, change: Callable[[Path], object]) -> None:
    before = tag("server", BASE, checkout)
    change(checkout)
    assert tag("server", BASE, checkout) != before


@pytest.mark.parametrize("other", ["images/trainer/Dockerfile", "requirements/trainer.txt", "README.md"])
def test_another_roles_files_leave_the_tag_alone(checkout: Path, other: str) -> None:
    before = tag("server", BASE, checkout)
    write(checkout / other, "changed")
    assert tag("server", BASE, checkout) == before


def test_bytecode_leaves_the_tag_alone(checkout: Path) -> None:
    before = tag("server", BASE, checkout)
    write(checkout / "operator/merkhet/__pycache__/cli.cpython-313.pyc", "bytecode")
    assert tag("server", BASE, checkout) == before


def test_another_base_is_another_tag(checkout: Path) -> None:
    assert tag("server", "base:2", checkout) != tag("server", BASE, checkout)


def test_a_tag_is_twelve_hexadecimal_digits(checkout: Path) -> None:
    assert len(tag("server", BASE, checkout)) == 12
    assert int(tag("server", BASE, checkout), 16) >= 0


def test_of_pips_settings_only_those_that_hold_in_a_build_are_taken() -> None:
    listed = (
        ":env:.find-links='/opt/wheels'\n:env:.index-url='https://registry.example/simple'\n"
        "global.cert='/etc/ssl/ca.pem'\nglobal.timeout='60'\nlist.format='json'\n"
    )
    assert pip_settings(listed) == (
        {"index-url": "https://registry.example/simple", "timeout": "60"},
        "/etc/ssl/ca.pem",
    )
