"""What Kubernetes says about any object, as far as we read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Api:
    """A kind of object the API server knows."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """The path that all objects of this kind stand under, without namespace."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def url(self, namespace: str | None = None, name: str | None = None, part: str | None = None) -> str:
        """The path of a collection, an object or a subresource."""
        where = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return "/".join((f"{self.path}{where}/{self.plural}", *(word for word in (name, part) if word)))


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Which object: kind, namespace and name. It hashes, sorts and prints."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Meta:
    """The metadata we decide by."""

    namespace: str
    name: str
    uid: str
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created: str = ""
    deleted: str | None = None

    @classmethod
    def of(cls, body: Body) -> Meta:
        """The metadata of an object as the API server answers it."""
        meta = body.get("metadata") or {}
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            uid=meta.get("uid", ""),
            generation=meta.get("generation", 0),
            resource_version=meta.get("resourceVersion", ""),
            labels=meta.get("labels") or {},
            annotations=meta.get("annotations") or {},
            created=meta.get("creationTimestamp", ""),
            deleted=meta.get("deletionTimestamp"),
        )


def controller_uid(body: Body) -> str | None:
    """The uid of the object that controls this one, if any does."""
    references = (body.get("metadata") or {}).get("ownerReferences") or ()
    return next((reference["uid"] for reference in references if reference.get("controller")), None)
