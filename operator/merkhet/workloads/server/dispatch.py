"""Which handler answers a request, and what becomes of one that is refused or fails?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from merkhet.workloads.server.http import Reply, Request, Response
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.responses import error

logger = logging.getLogger(__name__)

Handler = Callable[[Request, Reply], Response | None]


@dataclass(frozen=True, slots=True)
class Route:
    """What a path answers, to which method. ``name`` is the label in metrics."""

    name: str
    method: bytes  # none: any
    handler: Handler

    def takes(self, method: bytes) -> bool:
        """Whether it answers this method."""
        return method == self.method or (method == b"HEAD" and self.method == b"GET") or not self.method


def dispatch(
    routes: Mapping[bytes, Route],
    unknown: Route,
    request: Request,
    reply: Reply,
    count: Callable[[str, int], None],
) -> Response | None:
    """The answer of the route that the path names; ``count`` takes the route's name and the status."""
    route = routes.get(request.target) or routes.get(path_of(request.target)) or unknown
    try:
        takes = route.takes(request.method)
        response = route.handler(request, reply) if takes else not_allowed(request, route)
    except Refusal as refusal:
        response = refused(refusal)
    except Exception:
        logger.exception("%s %s failed", request.method.decode(), path_of(request.target)[:200])
        response = failed()
    if response is not None:
        count(route.name, response.status)
    return response


def path_of(target: bytes) -> bytes:
    """The path in a request's target, decoded."""
    path = target.partition(b"?")[0]
    if path.startswith(b"http://"):  # a proxy's form
        path = b"/" + path[7:].partition(b"/")[2]
    return unquote_to_bytes(path) if b"%" in path else path


def not_allowed(request: Request, route: Route) -> Response:
    """405."""
    allowed = b"GET, HEAD" if route.method == b"GET" else route.method
    message = f"{request.method.decode()} is not for this path; use {allowed.decode()}"
    return Response(405, error(message), extra=b"allow: %b\r\n" % allowed)


def refused(refusal: Refusal) -> Response:
    """A refusal as an answer."""
    extra = b"" if refusal.retry_after is None else b"retry-after: %d\r\n" % refusal.retry_after
    return Response(refusal.status, error(str(refusal)), extra=extra)


def failed() -> Response:
    """500."""
    return Response(500, error("the server failed; its log says why"))
