"""What the engine asks of an API server, and what may come back instead of an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from merkhet.api.meta import Api, Body
from merkhet.errors import MerkhetError, Unavailable

# A mapping is a merge patch, a sequence a JSON patch.
Patch = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Propagation = Literal["Background", "Foreground"]


class ApiError(MerkhetError):
    """The API server answered that it will not."""

    reason = "ApiError"


class NotFound(ApiError):
    """There is no such object, or no such kind of object."""

    reason = "NotFound"


class AlreadyExists(ApiError):
    """An object of that name is there already."""

    reason = "AlreadyExists"


class Conflict(ApiError):
    """The object is not the one, or not in the state, that the write was meant for."""

    reason = "Conflict"


class Forbidden(ApiError):
    """Not allowed: RBAC, a quota, an admission policy, or a namespace that is being deleted."""

    reason = "Forbidden"


class Unprocessable(ApiError):
    """The object is not valid, or a field that never changes would change."""

    reason = "Refused"


class Expired(ApiError):
    """The list being continued is too old: it has to be begun again."""

    reason = "Expired"


class Unauthorized(ApiError):
    """The API server does not know who asks."""

    reason = "Unauthorized"


class TooManyRequests(Unavailable):
    """The API server asks to be left alone for a while.

    Units: ``retry_after`` is in seconds.
    """

    reason = "TooManyRequests"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list, and the state of the cluster that the whole list shows."""

    items: list[Body]
    resource_version: str


class Cluster(Protocol):
    """The API server.

    Raises: an ``ApiError`` where it refuses, ``Unavailable`` where it does not answer; a write may then have happened.
    """

    async def get(self, api: Api, namespace: str | None, name: str) -> Body:
        """The object as it is now."""

    def pages(self, api: Api, namespace: str | None, *, labels: str = "") -> AsyncIterator[Page]:
        """All objects of a kind, in one namespace or in all, page by page."""

    async def create(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Make an object that is not there."""

    async def apply(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Server-side apply, forced; with ``metadata.uid`` it changes that object or none."""

    async def patch(
        self, api: Api, namespace: str | None, name: str, patch: Patch, *, manager: str, part: str | None = None
    ) -> Body:
        """Change an object, or a subresource of it.

        A merge patch may carry uid and resourceVersion as conditions, though of a status no uid; a JSON patch tests.
        """

    async def delete(
        self, api: Api, namespace: str | None, name: str, *, uid: str, propagation: Propagation
    ) -> Body | None:
        """Delete the object of that uid; the object where it is not gone at once."""
