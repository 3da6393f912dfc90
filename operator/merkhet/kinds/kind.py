"""What a kind is to the engine: a schema and three functions, two of them pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar

from merkhet.api.base import Part, StatusPart
from merkhet.api.conditions import Fact
from merkhet.api.meta import Api, Body, Meta

Spec = TypeVar("Spec", bound=Part)
Status = TypeVar("Status", bound=StatusPart)


@dataclass(frozen=True, slots=True)
class Setup:
    """What the installation decides and no object says: images, the store's volume, prices.

    Units: ``cpu_hour_price`` and ``gib_hour_price`` are in the currency the chart names, for one hour.
    """

    trainer_image: str = "merkhet/trainer"
    server_image: str = "merkhet/server"
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    store_class: str | None = None
    store_size: str = "10Gi"
    store_access: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    cpu_hour_price: float = 0.0
    gib_hour_price: float = 0.0
    currency: str = "EUR"
    approval_policy: str = "merkhet-approval"
    account: str = "system:serviceaccount:merkhet:merkhet"  # who the operator is to the API server
    cluster_domain: str = "cluster.local"
    share_key: str = ""  # what tokens for other namespaces' FeatureSets are derived from; without it none is shared


@dataclass(frozen=True, slots=True)
class Resource(Generic[Spec, Status]):
    """An object of one of our kinds, parsed."""

    meta: Meta
    spec: Spec
    status: Status


class World(Protocol):
    """What ``observe`` may read. Whatever it reads is remembered: when that changes, the reader is looked at again."""

    @property
    def setup(self) -> Setup:
        """What the installation decides."""

    def get(self, api: Api, namespace: str, name: str) -> Body | None:
        """An object from the cache, or None."""

    def select(self, api: Api, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        """The objects that carry all these labels, from the cache, by name."""

    def owned(self, api: Api, uid: str) -> list[Body]:
        """The objects of this kind whose controller has this uid, from the cache, by name."""

    async def read(self, api: Api, namespace: str | None, name: str) -> Body | None:
        """An object as the API server has it now, for kinds that are not watched; a minute old at most."""


# apply:  made if it is not there, then put right at each pass by server-side apply with our field manager.
# create: made if it is not there, and never written again (Jobs, ModelVersions).
# scale:  made if it is not there; later only ``spec.replicas`` is written (revisions of a deployment).
Rule = Literal["apply", "create", "scale"]


@dataclass(frozen=True, slots=True)
class Child:
    """An object that should exist because of another one.

    ``owned`` is False for what outlives its maker: no owner reference is set and nothing is pruned.
    ``shared`` is True for what several objects ask for alike (the namespace's store): an existing one is left alone.
    ``exact`` names paths that are compared and written whole, because an apply would merge what others added.
    """

    api: Api
    body: Body
    rule: Rule = "apply"
    owned: bool = True
    shared: bool = False
    exact: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """Its name, in the namespace of its owner."""
        return str(self.body["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class Plan:
    """What should exist, and when to look again even if nothing changes."""

    children: tuple[Child, ...] = ()
    look_again: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A child that could not be made as planned: ``reason`` is NameTaken, Refused or Forbidden."""

    api: Api
    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Live:
    """The children as the API server answered them after this pass's writes."""

    bodies: Mapping[tuple[str, str], Body] = field(default_factory=dict)  # by kind and name
    problems: tuple[Problem, ...] = ()

    def get(self, api: Api, name: str) -> Body | None:
        """A child of this pass."""
        return self.bodies.get((api.kind, name))


@dataclass(frozen=True, slots=True)
class Report:
    """What is said of an object: its status without conditions, and the facts the engine dates into conditions."""

    status: StatusPart
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``."""

    name: str
    path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Cel:
    """A rule the API server checks at apply, with the sentence a person reads when it is broken.

    ``at`` is the path of the schema node the rule stands on, from the root: ``("spec", "data")``.
    """

    rule: str
    message: str
    at: tuple[str, ...] = ("spec",)
    message_expression: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """Everything the engine, the CRDs, RBAC and docs need to know of a kind."""

    api: Api
    short: str
    purpose: str
    spec: type[Part]
    status: type[StatusPart]
    observe: Callable[[Any, World], Awaitable[Any]]
    plan: Callable[[Any, Any, datetime], Plan]
    report: Callable[[Any, Any, Live, datetime], Report]
    children: tuple[Api, ...] = ()
    reads: tuple[Api, ...] = ()
    columns: Sequence[Column] = ()
    rules: Sequence[Cel] = ()
    custom: bool = True  # False: the object is one of Kubernetes' own (a ConfigMap) and has neither CRD nor status
    selects: Callable[[Body], bool] | None = None  # which objects of a foreign kind are ours
    scale: tuple[str, str, str] | None = None  # paths of spec.replicas, status.replicas, status.selector
    name_length: int = 40

    @property
    def manager(self) -> str:
        """The field manager that its children are applied with."""
        return f"merkhet-{self.api.kind.lower()}"
