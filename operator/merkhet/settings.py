"""What the installation decides, from the environment that the chart sets (``MERKHET_*``)."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from merkhet.errors import InvalidSpec
from merkhet.kinds.kind import Setup


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the operator runs, what it watches, how fast, and what its kinds need to know.

    Units: ``resync`` is in seconds, ``rate`` in passes a second (0: no limit), ``burst`` in passes.
    """

    namespace: str = "merkhet"  # where the operator runs and its Lease stands
    namespaces: tuple[str, ...] = ()  # what it watches; none: the whole cluster
    identity: str = "merkhet"
    lease: str = "merkhet-operator"
    workers: int = 16
    rate: float = 200.0
    burst: int = 500
    resync: float = 600.0
    port: int = 8080
    log_level: str = "info"
    setup: Setup = field(default_factory=Setup)

    @property
    def scope(self) -> tuple[str | None, ...]:
        """The namespaces that are listed and watched; None is all of them."""
        return self.namespaces or (None,)

    @property
    def heartbeat_namespace(self) -> str:
        """Where the heartbeat is written: it must be seen by the watch."""
        if not self.namespaces or self.namespace in self.namespaces:
            return self.namespace
        return self.namespaces[0]


def from_environment(environment: Mapping[str, str]) -> Settings:
    """The settings that these variables make.

    Raises: InvalidSpec.
    """
    read = _Reader(environment)
    return Settings(
        namespace=read.text("NAMESPACE", "merkhet"),
        namespaces=read.words("WATCH_NAMESPACES"),
        identity=read.text("IDENTITY", environment.get("HOSTNAME") or socket.gethostname()),
        lease=read.text("LEASE", "merkhet-operator"),
        workers=int(read.number("WORKERS", 16, least=1)),
        rate=read.number("RATE", 200.0),
        burst=int(read.number("BURST", 500, least=1)),
        resync=read.number("RESYNC_SECONDS", 600.0, least=1),
        port=int(read.number("PORT", 8080)),
        log_level=read.choice("LOG_LEVEL", "info", ("debug", "info", "warning", "error")),
        setup=_setup(read),
    )


def _setup(read: _Reader) -> Setup:
    default = Setup()
    return Setup(
        trainer_image=read.text("TRAINER_IMAGE", default.trainer_image),
        server_image=read.text("SERVER_IMAGE", default.server_image),
        pull_policy=read.choice("PULL_POLICY", default.pull_policy, ("Always", "IfNotPresent", "Never")),
        pull_secrets=read.words("PULL_SECRETS"),
        store_class=read.text("STORE_CLASS", "") or None,
        store_size=read.text("STORE_SIZE", default.store_size),
        store_access=cast(
            "Literal['ReadWriteOnce', 'ReadWriteMany']",
            read.choice("STORE_ACCESS", default.store_access, ("ReadWriteOnce", "ReadWriteMany")),
        ),
        cpu_hour_price=read.number("CPU_HOUR_PRICE", default.cpu_hour_price),
        gib_hour_price=read.number("GIB_HOUR_PRICE", default.gib_hour_price),
        currency=read.text("CURRENCY", default.currency),
        approval_policy=read.text("APPROVAL_POLICY", default.approval_policy),
        cluster_domain=read.text("CLUSTER_DOMAIN", default.cluster_domain),
        account=read.text("ACCOUNT", default.account),
        share_key=read.text("SHARE_KEY", default.share_key),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        return self.environment.get(f"MERKHET_{name}", "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(self.text(name, "").replace(",", " ").split())

    def number(self, name: str, default: float, *, least: float = 0) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            raise InvalidSpec(f"MERKHET_{name} is {text!r}; set it to a number") from None
        if not least <= value < float("inf"):
            raise InvalidSpec(f"MERKHET_{name} is {text}; set it to {least:g} or more")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            raise InvalidSpec(f"MERKHET_{name} is {text!r}; set it to one of {', '.join(choices)}")
        return text
