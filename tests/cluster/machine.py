"""What the local cluster takes from the machine: folders, commands, Debian packages, and a word on progress."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".cluster"
KUBECONFIG = STATE / "kubeconfig"
IMAGES = STATE / "images.json"

HEARTBEAT_SECONDS = 30.0
DEADLINE_SECONDS = 120.0


class ClusterProblem(Exception):
    """What keeps the local cluster from its work, in words for the person at the terminal."""


class CommandFailed(ClusterProblem):
    """A command that ended with an error; the message closes with the last lines it printed."""


class Progress:
    """Lines on stderr with the time since the start, so that stdout stays free for answers."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started:5.0f}s] {text}", file=sys.stderr, flush=True)


def cache(*parts: str) -> Path:
    """A folder that outlives the checkout: what is slow to make and depends on versions alone."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base, "merkhet", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(*command: str | Path, text: str = "", env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a short command prints.

    Raises: CommandFailed.
    """
    argv = [str(part) for part in command]
    done = subprocess.run(argv, input=text, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailed(_failure(argv, done.returncode, done.stdout + done.stderr))
    return done.stdout


def succeeds(*command: str | Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether a command is there and ends without an error."""
    argv = [str(part) for part in command]
    if not shutil.which(argv[0], path=env.get("PATH") if env else None):
        return False
    return subprocess.run(argv, env=env, capture_output=True, check=False).returncode == 0


def run_long(
    progress: Progress,
    what: str,
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run a command of minutes and say every half minute that it still works.

    Raises: CommandFailed.
    """
    progress.say(what)
    argv = [str(part) for part in command]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, cwd=cwd
        )
        try:
            while _still_runs(process):
                progress.say(f"  … {what}")
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise CommandFailed(_failure(argv, process.returncode, printed))


def wait_for(what: str, holds: Callable[[], bool], seconds: float = DEADLINE_SECONDS, interval: float = 0.1) -> None:
    """Look again and again until something holds.

    Raises: ClusterProblem when it does not within the time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise ClusterProblem(f"{what}: not so after {seconds:.0f} s")
        time.sleep(interval)


def install_debian_packages(progress: Progress, *packages: str) -> None:
    """Install those of the packages that are missing.

    Raises: ClusterProblem where there is no Debian or no root.
    """
    missing = [package for package in packages if not _package_is_installed(package)]
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise ClusterProblem(f"missing: {', '.join(missing)}; install them, or start Docker, or set KUBECONFIG")
    progress.say(f"installing Debian packages: {' '.join(missing)}")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # A third-party source that does not answer is no reason to stop: what is wanted is in Debian's own.
    subprocess.run(["apt-get", "update", "-qq"], env=env, capture_output=True, check=False)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=env)


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    """Put a file in place whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
    fresh.replace(path)
    return path


def _still_runs(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(HEARTBEAT_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _failure(argv: list[str], code: int, printed: str) -> str:
    tail = "\n".join(f"    {line}" for line in printed.strip().splitlines()[-15:])
    return f"`{' '.join(argv[:4])}{' …' if len(argv) > 4 else ''}` ended with {code}:\n{tail}"


def _package_is_installed(package: str) -> bool:
    return Path("/var/lib/dpkg/info", f"{package}.list").exists() or any(
        Path("/var/lib/dpkg/info").glob(f"{package}:*.list")
    )
