"""How each program of the bare cluster is set: its command line and its configuration file."""

import json
from pathlib import Path

from tests.cluster import cgroups, network
from tests.cluster.machine import write
from tests.cluster.pki import Pki
from tests.cluster.versions import PAUSE_IMAGE

NODE = "local"
API_PORT = 6443
ETCD_PORT = 12379  # not etcd's own, which a service of the machine may have
FRONT_PROXY = "front-proxy-client"
DNS = "kube-dns"


def etcd(state: Path, client_url: str) -> tuple[str, ...]:
    peer = client_url.replace(str(ETCD_PORT), str(ETCD_PORT + 1))
    return (
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={client_url}",
        f"--advertise-client-urls={client_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # Nobody's data: a power cut costs the cluster, a killed process does not.
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def api_server(pki: Pki, etcd_url: str, address: str) -> tuple[str, ...]:
    return (
        f"--etcd-servers={etcd_url}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={address}",
        f"--service-cluster-ip-range={network.SERVICES}",
        f"--tls-cert-file={pki.cert('apiserver')}",
        f"--tls-private-key-file={pki.key('apiserver')}",
        f"--client-ca-file={pki.ca}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki.service_account_key}",
        f"--service-account-signing-key-file={pki.service_account_key}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki.cert('admin')}",
        f"--kubelet-client-key={pki.key('admin')}",
        f"--requestheader-client-ca-file={pki.ca}",
        # The same authority signs the clients: without a name, each of them could speak for anybody.
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki.cert('front-proxy')}",
        f"--proxy-client-key-file={pki.key('front-proxy')}",
        "--enable-aggregator-routing",
    )


def controller_manager(state: Path, pki: Pki) -> tuple[str, ...]:
    return (
        f"--kubeconfig={state / 'admin.kubeconfig'}",
        f"--service-account-private-key-file={pki.service_account_key}",
        f"--root-ca-file={pki.ca}",
        "--use-service-account-credentials",
        f"--cluster-signing-cert-file={pki.ca}",
        f"--cluster-signing-key-file={pki.key('ca')}",
        f"--flex-volume-plugin-dir={state / 'volume-plugins'}",
        "--bind-address=127.0.0.1",
        # There is one of it: a start need not wait for the last one's Lease to expire.
        "--leader-elect=false",
    )


def scheduler(state: Path) -> tuple[str, ...]:
    return (f"--kubeconfig={state / 'admin.kubeconfig'}", "--bind-address=127.0.0.1", "--leader-elect=false")


def kubelet(state: Path, address: str) -> tuple[str, ...]:
    return (
        f"--config={state / 'kubelet.json'}",
        f"--kubeconfig={state / 'kubelet.kubeconfig'}",
        f"--hostname-override={NODE}",
        f"--root-dir={state / 'kubelet'}",
        # Not loopback: pods would get no address in EndpointSlices, exec and logs would fail.
        f"--node-ip={address}",
    )


def kube_proxy(state: Path) -> tuple[str, ...]:
    return (
        f"--kubeconfig={state / 'admin.kubeconfig'}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={network.PODS}",
        f"--hostname-override={NODE}",
        "--healthz-bind-address=127.0.0.1:10256",
        "--conntrack-max-per-core=0",
    )


def local_path(state: Path, helper_image: str) -> tuple[str, ...]:
    return (
        "start",
        *("--kubeconfig", str(state / "admin.kubeconfig"), "--namespace", "kube-system"),
        *("--configmap-name", "local-path-config", "--config", str(state / "local-path.json")),
        *("--helper-image", helper_image, "--service-account-name", "default"),
    )


def write_containerd(state: Path, socket: Path) -> None:
    """The runtime's configuration.

    `restrict_oom_score_adj`: without CAP_SYS_RESOURCE runc cannot lower the score, and sandboxes die with "can't get
    final child's PID from pipe: EOF". The network namespaces stand in our own folder, so that we know whose they are.
    """
    write(
        state / "containerd.toml",
        f"""version = 2
root = "{state / "containerd"}"
state = "{socket.parent / "containerd"}"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", \
"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{state / "containerd-opt"}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    Root = "{socket.parent / "runc"}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{state / "cni"}"
""",
    )


def write_kubelet(state: Path, pki: Pki, socket: Path, address: str) -> None:
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address,
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(pki.ca)},
            "webhook": {"enabled": True},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.cert("kubelet")),
        "tlsPrivateKeyFile": str(pki.key("kubelet")),
        "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.NAME}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "clusterDNS": [network.DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "podLogsDir": str(state / "pod-logs"),
        "volumePluginDir": str(state / "volume-plugins"),
        # The machine's disk is its owner's care, and an image that was garbage-collected could not be pulled again.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "nodeStatusReportFrequency": "1m",
    }
    write(state / "kubelet.json", json.dumps(configuration, indent=1))


def write_coredns(state: Path, address: str) -> None:
    resolvers = [line for line in Path("/etc/resolv.conf").read_text().splitlines() if line.startswith("nameserver")]
    write(
        state / "Corefile",
        f""".:{network.DNS_PORT} {{
  bind {address}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {state / "admin.kubeconfig"}
  }}
  {"forward . /etc/resolv.conf" if resolvers else ""}
  cache 5
}}
""",
    )


def write_local_path(state: Path) -> dict[str, object]:
    """The volume provisioner's settings: a folder of the state for each claim."""
    nodes = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(state / "volumes")]}]
    settings: dict[str, object] = {"nodePathMap": nodes}
    write(state / "local-path.json", json.dumps(settings))
    (state / "volumes").mkdir(exist_ok=True)
    return settings


def system_objects(address: str, volumes: dict[str, object], helper_image: str) -> str:
    """The cluster's DNS, which runs on the node itself, and the default StorageClass."""
    protocols = (("dns", "UDP"), ("dns-tcp", "TCP"))
    dns = {"namespace": "kube-system", "name": DNS}
    container = {"name": "helper-pod", "image": helper_image, "imagePullPolicy": "Never"}
    helper = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "helper-pod"},
        "spec": {"containers": [container]},
    }
    items: list[dict[str, object]] = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": dns,
            "spec": {
                "clusterIP": network.DNS_SERVICE,
                "ports": [
                    {"name": name, "port": 53, "protocol": protocol, "targetPort": network.DNS_PORT}
                    for name, protocol in protocols
                ],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**dns, "labels": {"kubernetes.io/service-name": DNS}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": name, "port": network.DNS_PORT, "protocol": protocol} for name, protocol in protocols],
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "rancher.io/local-path",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"namespace": "kube-system", "name": "local-path-config"},
            "data": {
                "config.json": json.dumps(volumes),
                "setup": '#!/bin/sh\nset -eu; mkdir -m 0777 -p "$VOL_DIR"\n',
                "teardown": '#!/bin/sh\nset -eu; rm -rf "$VOL_DIR"\n',
                "helperPod.yaml": json.dumps(helper),
            },
        },
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
