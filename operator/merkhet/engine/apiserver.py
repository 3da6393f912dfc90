"""The cluster over HTTP: requests as the API server wants them, its answers as values and typed errors."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from merkhet.api.meta import Api, Body
from merkhet.engine.access import Access
from merkhet.engine.cluster import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Page,
    Patch,
    Propagation,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
)
from merkhet.engine.metrics import Metrics
from merkhet.errors import MerkhetError, Unavailable

PAGE_SIZE = 500  # as client-go's
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"
NOT_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# By status code, and where one code means two things by the reason, too.
ERRORS: Mapping[tuple[int, str], type[ApiError]] = {
    (400, ""): Unprocessable,
    (401, ""): Unauthorized,
    (403, ""): Forbidden,
    (404, ""): NotFound,
    (409, ""): Conflict,
    (409, "AlreadyExists"): AlreadyExists,
    (410, ""): Expired,
    (413, ""): Unprocessable,
    (415, ""): Unprocessable,
    (422, ""): Unprocessable,
}


class HttpCluster:
    """Implements ``cluster.Cluster``."""

    def __init__(self, access: Access, metrics: Metrics) -> None:
        self._access = access
        self._metrics = metrics

    async def get(self, api: Api, namespace: str | None, name: str) -> Body:
        """The object as it is now."""
        return await self._ask(_Request("GET", api.url(namespace, name)))

    async def pages(self, api: Api, namespace: str | None, *, labels: str = "") -> AsyncIterator[Page]:
        """All objects of a kind, in one namespace or in all, page by page."""
        query = {"limit": str(PAGE_SIZE)} | ({"labelSelector": labels} if labels else {})
        while True:
            answer = await self._ask(_Request("GET", api.url(namespace), query))
            yield Page(answer["items"], answer["metadata"]["resourceVersion"])
            following = answer["metadata"].get("continue")
            if not following:
                return
            query["continue"] = following

    async def create(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Make an object that is not there."""
        request = _Request("POST", api.url(namespace), {"fieldManager": manager}, _json(body), JSON)
        return await self._write("create", api, request)

    async def apply(self, api: Api, namespace: str | None, body: Body, *, manager: str) -> Body:
        """Server-side apply, forced; with ``metadata.uid`` it changes that object or none."""
        url = api.url(namespace, body["metadata"]["name"])
        query = {"fieldManager": manager, "force": "true"}
        return await self._write("apply", api, _Request("PATCH", url, query, _json(body), APPLY))

    async def patch(
        self, api: Api, namespace: str | None, name: str, patch: Patch, *, manager: str, part: str | None = None
    ) -> Body:
        """Change an object, or a subresource of it."""
        media = MERGE if isinstance(patch, Mapping) else JSON_PATCH
        url = api.url(namespace, name, part)
        return await self._write("patch", api, _Request("PATCH", url, {"fieldManager": manager}, _json(patch), media))

    async def delete(
        self, api: Api, namespace: str | None, name: str, *, uid: str, propagation: Propagation
    ) -> Body | None:
        """Delete the object of that uid; the object where it is not gone at once."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": propagation,
        }
        request = _Request("DELETE", api.url(namespace, name), None, _json(options), JSON)
        answer = await self._write("delete", api, request)
        return answer if answer.get("kind") == api.kind and answer["metadata"].get("deletionTimestamp") else None

    async def _write(self, verb: str, api: Api, request: _Request) -> Body:
        answer = await self._ask(request)
        self._metrics.wrote(verb, api.kind)
        return answer

    async def _ask(self, request: _Request) -> Body:
        try:
            try:
                return await self._send(request)
            except Unauthorized:
                await self._access.renew()
                return await self._send(request)
        except MerkhetError as error:
            self._metrics.failed(error.reason)
            raise
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._metrics.failed(Unavailable.reason)
            reason = str(error) or type(error).__name__
            raise Unavailable(
                f"{request}: the API server did not answer ({reason}); it is asked again later"
            ) from error

    async def _send(self, request: _Request) -> Body:
        session = await self._access.session()
        headers = self._access.headers()
        if request.media is not None:
            headers = {**headers, "Content-Type": request.media}
        url = URL(self._access.server + request.path)
        async with session.request(
            request.method, url, params=request.query, data=request.data, headers=headers
        ) as response:
            raw = await response.read()
            if response.status < 400:
                answer: Body = json.loads(raw)
                return answer
            raise _error(request, response.status, response.headers.get("Retry-After"), raw)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str] | None = None
    data: bytes | None = None
    media: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _json(value: Any) -> bytes:
    """JSON that means the same when it is read as YAML, as the API server reads an apply.

    YAML refuses control characters and the surrogate pairs of escaped JSON, and folds more line ends than JSON knows.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _is_of_another_state(request: _Request, answer: Mapping[str, Any]) -> bool:
    """Whether a condition of ours failed: a uid in a patch or apply, or the test of a JSON patch, which is not said."""
    causes = (answer.get("details") or {}).get("causes") or ()
    return any(cause.get("field") == "metadata.uid" for cause in causes) or (request.media == JSON_PATCH and not causes)


def _error(request: _Request, status: int, retry_after: str | None, raw: bytes) -> MerkhetError:
    try:
        answer = dict(json.loads(raw))
    except (ValueError, TypeError):
        answer = {"message": raw[:200].decode(errors="replace")}
    reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
    told = f"{request}: {message or status}"
    if status == 429:
        return TooManyRequests(told, retry_after=float(retry_after) if retry_after and retry_after.isdigit() else 1.0)
    if status >= 500:
        return Unavailable(told)
    if status == 422 and _is_of_another_state(request, answer):
        return Conflict(f"{told} (the object is not the one, or not in the state, that was meant)")
    return ERRORS.get((status, reason), ERRORS.get((status, ""), ApiError))(told)
