"""What stays on the machine when the bare cluster's processes have ended, and how each piece is given back.

Programs have folders that no setting moves; of these only what is ours goes, since the machine may use them, too.
"""

import contextlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from tests.cluster import network, owner
from tests.cluster.machine import succeeds

SHIM_SOCKETS = Path("/run/containerd/s")
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins")
CNI_RESULTS = Path("/var/lib/cni/results")
LOG_LINKS = Path("/var/log/containers")
FOLDERS = (
    *(SHIM_SOCKETS, SHIM_SOCKETS.parent, DEVICE_PLUGINS, DEVICE_PLUGINS.parent, CNI_RESULTS, CNI_RESULTS.parent),
    LOG_LINKS,
)


def give_back(state: str) -> None:
    """Mounts, the pods' network namespaces with their interfaces, rules, sockets and records."""
    _unmount(state)
    network.remove_rules()
    _remove_dead_sockets()
    _remove_network_results()
    _remove_log_links(state)
    for folder in FOLDERS:
        with contextlib.suppress(OSError):  # somebody else's is in it, or it is not there
            folder.rmdir()
    shutil.rmtree(Path(state) / "ipam", ignore_errors=True)
    shutil.rmtree(owner.RUN, ignore_errors=True)


def _unmount(state: str) -> None:
    prefixes = (f"{state}/", f"{owner.RUN}/")
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = [point.encode().decode("unicode_escape") for point in points if point.startswith(prefixes)]
    for point in sorted(ours, reverse=True):
        succeeds("umount", "-l", point)


def _remove_dead_sockets() -> None:
    for path in (*_files(SHIM_SOCKETS), *_files(DEVICE_PLUGINS)):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue  # no socket, or gone by now


def _remove_network_results() -> None:
    for path in _files(CNI_RESULTS):
        if f"{owner.RUN}/" in path.read_text(errors="replace"):
            path.unlink(missing_ok=True)


def _remove_log_links(state: str) -> None:
    for path in LOG_LINKS.glob("*"):
        if path.is_symlink() and str(path.readlink()).startswith(f"{state}/"):
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*") if not path.is_dir())
