"""The bare cluster's network on its one node: addresses, the pods' interfaces, and the rules it adds to the kernel."""

import json
import socket
import struct
from pathlib import Path

from tests.cluster.machine import ClusterProblem, run, succeeds, write

SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/24"
DNS_PORT = 1053
NAME = "merkhet"

TABLES = (("ip", NAME), ("ip", "kube-proxy"), ("ip6", "kube-proxy"))


def node_address() -> str:
    """The machine's first IPv4 address that is not loopback: pods and the API server meet the node there.

    Raises: ClusterProblem when there is none.
    """
    for address in run("hostname", "-I").split():
        if ":" not in address:
            return address
    raise ClusterProblem("this machine has no IPv4 address besides loopback; give one of its interfaces an address")


def write_pod_network(folder: Path, state: Path) -> None:
    """Each pod gets a pair of interfaces and a route of its own.

    No bridge: between two pods on a bridge, answers pass by the rules that make Services, unless br_netfilter is there.
    """
    ipam = {"type": "host-local", "dataDir": str(state / "ipam"), "ranges": [[{"subnet": PODS}]]}
    plugin = {"type": "ptp", "ipam": {**ipam, "routes": [{"dst": "0.0.0.0/0"}]}}
    conflist = {"cniVersion": "1.0.0", "name": NAME, "plugins": [plugin]}
    write(folder / "10-pods.conflist", json.dumps(conflist))


def open_ways_out() -> None:
    """Let pods reach what is outside in the node's name."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    rule = f"ip saddr {PODS} ip daddr != {PODS} masquerade"
    # Adding before deleting: a table that is not there cannot be deleted.
    run(
        *("nft", "-f", "-"),
        text=f"""add table ip {NAME}
delete table ip {NAME}
table ip {NAME} {{
  chain ways-out {{
    type nat hook postrouting priority srcnat; policy accept;
    {rule}
  }}
}}
""",
    )


def remove_rules() -> None:
    for family, table in TABLES:
        if succeeds("nft", "list", "table", family, table):
            run("nft", "delete", "table", family, table)


def name_resolves(server: str, name: str) -> bool:
    """Whether the cluster's DNS answers for a name: a single question over UDP."""
    question = b"".join(struct.pack("B", len(label)) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + question + struct.pack(">B2H", 0, 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(query, (server, DNS_PORT))
            answer = client.recv(512)
        except OSError:
            return False
    _, flags, _, answers = struct.unpack(">4H", answer[:8])
    return not flags & 0xF and bool(answers)
