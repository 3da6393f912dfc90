"""Builds the images of operator, trainer and server: `python3 -m images.build`.

With Docker, Podman or Buildah, whichever is there. Buildah alone, which serves machines without a registry, gets a base
image made from Debian's packages. A tag is the digest of what goes in, so what is there need not be built again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import versions
from tests.cluster.machine import (
    CHECKOUT,
    IMAGES,
    ClusterProblem,
    Progress,
    cache,
    install_debian_packages,
    run,
    run_long,
    succeeds,
    write,
)

ROLES = ("operator", "trainer", "server")
# Names in full: Podman and Buildah take a short one of their own images for localhost's, and Kubernetes for this.
REGISTRY = "docker.io"
OFFICIAL_BASE = f"{REGISTRY}/library/python:3.13-slim"
BASE_PACKAGES = ("python3", "python3-venv", "ca-certificates")
# Of a Debian without a package manager's memory, what no program of ours reads.
BASE_WITHOUT = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/bug"),
    *("var/cache/apt", "var/cache/debconf", "var/lib/apt/lists", "var/log"),
)
# Layers are found again by their content; a file's time is no part of it.
FIXED_TIME = 1_767_225_600  # 2026-01-01, since a wheel's files cannot be older than 1980
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")


def main() -> int:
    """The command line; 1 when an image cannot be built."""
    parser = argparse.ArgumentParser(prog="python3 -m images.build", description=__doc__)
    parser.add_argument("role", nargs="*", help=f"of {', '.join(ROLES)}; all when none is named")
    roles: list[str] = parser.parse_args().role or list(ROLES)
    progress = Progress()
    try:
        build(roles, progress)
    except ClusterProblem as problem:
        progress.say(str(problem))
        return 1
    return 0


def build(roles: Iterable[str], progress: Progress) -> dict[str, str]:
    """Build what is not there yet, and write the images' names where the installer looks for them.

    Raises: ClusterProblem.
    """
    engine = builder(progress)
    with tempfile.TemporaryDirectory(prefix="merkhet-context-") as folder:
        context = Path(folder)
        # Told from the copy: a file that is saved meanwhile must not go in under the tag of what it was before.
        _stage(CHECKOUT, context)
        names = {role: f"merkhet/{role}:{tag(role, engine.base, context)}" for role in roles}
        missing = {role: name for role, name in names.items() if not engine.has(name)}
        if missing:
            engine.prepare_base()
        for role, name in missing.items():
            engine.build(role, name, context)
    known = json.loads(IMAGES.read_text()) if IMAGES.exists() else {}
    write(IMAGES, json.dumps({**known, **names}, indent=2) + "\n")
    for name in names.values():
        progress.say(f"{name} is {'built' if name in missing.values() else 'there already'}")
    return names


def tag(role: str, base: str, checkout: Path) -> str:
    """The digest of all that goes into a role's image: base, recipe, pinned packages, our code."""
    recipe = (checkout / "images" / role / "Dockerfile", checkout / "requirements" / f"{role}.txt")
    parts = [base.encode(), *(path.read_bytes() for path in recipe), (checkout / "pyproject.toml").read_bytes()]
    for path in _sources(checkout):
        parts += [str(path.relative_to(checkout)).encode(), path.read_bytes()]
    return versions.key(parts)


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker or Podman, on the official base image."""

    program: str
    progress: Progress
    base: str = field(default_factory=lambda: os.environ.get("BASE_IMAGE") or OFFICIAL_BASE)

    def has(self, name: str) -> bool:
        """Whether the image is there."""
        return succeeds(self.program, "image", "inspect", _full(name))

    def prepare_base(self) -> None:
        """Nothing: the base image comes from its registry."""

    def build(self, role: str, name: str, context: Path) -> None:
        """Build a role's image from the staged context."""
        with _pip_secrets() as secrets:
            arguments = _build_arguments(role, name, self.base, context)
            command = (self.program, "build", "--network=host", *secrets, *arguments)
            # An attestation beside the image would make it a list, which a node cannot always import.
            env = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
            run_long(self.progress, f"building {name}", *command, env=env)

    def save(self, name: str, archive: Path) -> None:
        """Write the image as a docker-archive."""
        run(self.program, "save", "-o", archive, _full(name))

    def push(self, name: str, target: str) -> None:
        """Send the image to a registry under another name."""
        run(self.program, "tag", _full(name), target)
        run_long(self.progress, f"pushing {target}", self.program, "push", target)


@dataclass(frozen=True, slots=True)
class Buildah:
    """Buildah as root, its storage in the cache, on a base image made from Debian's packages."""

    progress: Progress
    base: str = field(default_factory=lambda: os.environ.get("BASE_IMAGE") or _debian_base())

    def has(self, name: str) -> bool:
        """Whether the image is there."""
        return self._has(_full(name))

    def prepare_base(self) -> None:
        """Make the base image of Debian's packages, unless BASE_IMAGE names another."""
        if not self.base.startswith("localhost/") or self._has(self.base):
            return
        install_debian_packages(self.progress, "debootstrap")
        with tempfile.TemporaryDirectory(prefix="merkhet-base-", dir=cache("images")) as folder:
            _debootstrap(Path(folder, "root"), self.progress)
            env = self._environment()
            container = run(*self._buildah("from", "scratch"), env=env).strip()
            add = self._buildah("add", container, f"{folder}/root", "/")
            run_long(self.progress, f"storing {self.base}", *add, env=env)
            run(*self._buildah("config", "--cmd", "python3", container), env=env)
            run(*self._buildah("commit", "--rm", container, self.base), env=env)

    def build(self, role: str, name: str, context: Path) -> None:
        """Build a role's image from the staged context."""
        with _pip_secrets() as secrets:
            arguments = _build_arguments(role, name, self.base, context)
            command = self._buildah("build", "--layers", "--pull-never", "--network=host", *secrets, *arguments)
            run_long(self.progress, f"building {name}", *command, env=self._environment())

    def save(self, name: str, archive: Path) -> None:
        """Write the image as a docker-archive."""
        image = _full(name)
        run(*self._buildah("push", "--quiet", image, f"docker-archive:{archive}:{image}"), env=self._environment())

    def push(self, name: str, target: str) -> None:
        """Send the image to a registry under another name."""
        push = self._buildah("push", "--quiet", _full(name), f"docker://{target}")
        run_long(self.progress, f"pushing {target}", *push, env=self._environment())

    def _has(self, image: str) -> bool:
        return succeeds(*self._buildah("inspect", "--type", "image", image), env=self._environment())

    def _buildah(self, *arguments: str) -> tuple[str, ...]:
        storage = cache("images")
        where = ("--root", str(storage / "storage"), "--runroot", str(storage / "run"), "--storage-driver", "overlay")
        return ("buildah", *where, *arguments)

    def _environment(self) -> dict[str, str]:
        # Its cache of packages is in the folder for temporary files; this one stays.
        return {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(cache("images", "tmp"))}


def builder(progress: Progress) -> Engine | Buildah:
    """What this machine can build images with.

    Raises: ClusterProblem when there is nothing, nor a Debian to install it on.
    """
    if succeeds("docker", "info"):
        return Engine("docker", progress)
    if succeeds("podman", "info"):
        return Engine("podman", progress)
    if not shutil.which("buildah"):
        install_debian_packages(progress, "buildah")
    return Buildah(progress)


def _full(name: str) -> str:
    return f"{REGISTRY}/{name}"


def _build_arguments(role: str, name: str, base: str, context: Path) -> tuple[str, ...]:
    dockerfile = str(context / "images" / role / "Dockerfile")
    return ("--build-arg", f"BASE_IMAGE={base}", "--file", dockerfile, "--tag", _full(name), str(context))


def _debian_base() -> str:
    made_of = [versions.DEBIAN_SUITE, *BASE_PACKAGES, *BASE_WITHOUT]
    return f"localhost/merkhet/python:{versions.key(part.encode() for part in made_of)}"


def _debootstrap(root: Path, progress: Progress) -> None:
    include = f"--include={','.join(BASE_PACKAGES)}"
    command = ("debootstrap", "--variant=minbase", include, versions.DEBIAN_SUITE, str(root), *_debian_mirror())
    run_long(progress, f"making a base image of Debian {versions.DEBIAN_SUITE} (about a minute)", *command)
    for folder in BASE_WITHOUT:
        for entry in (root / folder).glob("*"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


def _debian_mirror() -> tuple[str, ...]:
    """Where this machine has its own Debian packages from; debootstrap's default when that cannot be told."""
    targets = ("indextargets", "--format", "$(REPO_URI) $(LABEL)", "Created-By: Packages")
    lines = run("apt-get", *targets).splitlines() if shutil.which("apt-get") else []
    return next(((line.split()[0],) for line in lines if line.endswith(" Debian")), ())


def _stage(checkout: Path, context: Path) -> None:
    """Copy what goes into the images to a folder, with times that do not change."""
    wanted = [*(checkout / name for name in ("pyproject.toml", "README.md", "LICENSE")), *_sources(checkout)]
    for role in ROLES:
        wanted += [checkout / "images" / role / "Dockerfile", checkout / "requirements" / f"{role}.txt"]
    for path in wanted:
        copy = context / path.relative_to(checkout)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for path in (context, *context.rglob("*")):
        os.utime(path, (FIXED_TIME, FIXED_TIME))


def _sources(checkout: Path) -> list[Path]:
    paths = (checkout / "operator").rglob("*")
    return sorted(path for path in paths if path.is_file() and "__pycache__" not in path.parts)


@contextmanager
def _pip_secrets() -> Iterator[tuple[str, ...]]:
    """The machine's own settings of pip as arguments of a build, and for it only: no layer keeps a secret."""
    command = (sys.executable, "-m", "pip", "config", "list")
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings, authorities = pip_settings(listed)
    authorities = authorities or os.environ.get("SSL_CERT_FILE", "")
    with tempfile.TemporaryDirectory() as folder:
        secrets = {"pip": str(write(Path(folder, "pip.conf"), _pip_conf(settings, authorities)))}
        if authorities:
            secrets["ca"] = authorities
        yield tuple(f"--secret=id={name},src={source}" for name, source in secrets.items())


def pip_settings(listed: str) -> tuple[dict[str, str], str]:
    """Of what `pip config list` prints: what also holds inside a build, and the file of trusted authorities."""
    found = dict(re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE))
    return {name: value for name, value in found.items() if name in PIP_SETTINGS}, found.get("cert", "")


def _pip_conf(settings: dict[str, str], authorities: str) -> str:
    trust = ["cert = /run/secrets/ca"] if authorities else []
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), *trust, ""])


if __name__ == "__main__":
    sys.exit(main())
