"""The certificates of the bare cluster, made with openssl, and the kubeconfigs that hold them."""

import base64
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.machine import run, write

DAYS = "3650"
# Python 3.13 verifies strictly: an authority says what its key is for, and a leaf who signed it.
AUTHORITY = "keyUsage=critical,keyCertSign,cRLSign,digitalSignature"
LEAF = """basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True)
class Pki:
    """A folder with one authority, the key that signs service accounts' tokens, and what the authority signed."""

    folder: Path

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-account.key"

    def cert(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def make_authority(self) -> None:
        """Make what is made once in a cluster's life."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.service_account_key.exists():
            make_signing_key(self.service_account_key)
        if not self.ca.exists():
            fresh = self.folder / "ca.fresh"
            subject = ("-subj", "/CN=merkhet-local", "-days", DAYS, "-addext", AUTHORITY)
            run("openssl", "req", "-x509", *EC_KEY, "-keyout", self.key("ca"), "-out", fresh, *subject)
            fresh.replace(self.ca)

    def issue(self, name: str, subject: str, names: str) -> None:
        """Sign a certificate for a subject ("/O=group/CN=user") and its names ("DNS:…,IP:…")."""
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        write(extensions, f"{LEAF}subjectAltName={names}\n")
        run("openssl", "req", *EC_KEY, "-keyout", self.key(name), "-out", request, "-subj", subject)
        ca = ("-CA", self.ca, "-CAkey", self.key("ca"), "-CAcreateserial", "-days", DAYS)
        run("openssl", "x509", "-req", "-in", request, *ca, "-out", self.cert(name), "-extfile", extensions)

    def write_kubeconfig(self, path: Path, server: str, name: str) -> None:
        user = f"{{client-certificate-data: {_base64(self.cert(name))}, client-key-data: {_base64(self.key(name))}}}"
        write(path, kubeconfig(server, self.ca.read_bytes(), user), mode=0o600)


def make_signing_key(path: Path) -> None:
    """An EC key with which an API server signs service accounts' tokens."""
    fresh = path.with_suffix(".fresh")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", fresh)
    fresh.replace(path)


def kubeconfig(server: str, authority: bytes, user: str) -> str:
    """A kubeconfig with one cluster and one user, the user as a YAML mapping."""
    return f"""apiVersion: v1
kind: Config
clusters:
- name: merkhet
  cluster: {{server: "{server}", certificate-authority-data: {base64.b64encode(authority).decode()}}}
users:
- name: merkhet
  user: {user}
contexts:
- name: merkhet
  context: {{cluster: merkhet, user: merkhet}}
current-context: merkhet
"""


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
