"""Which request for features gets which answer?"""

from __future__ import annotations

import time
from time import perf_counter

import orjson

from merkhet.contract.online import PREFIX, LookupTask
from merkhet.workloads.online.metrics import Metrics
from merkhet.workloads.online.port import Found, Table
from merkhet.workloads.online.table import Current
from merkhet.workloads.server.dispatch import Route, dispatch, path_of
from merkhet.workloads.server.http import Reply, Request, Response
from merkhet.workloads.server.metrics import CONTENT_TYPE
from merkhet.workloads.server.refusal import Refusal
from merkhet.workloads.server.words import shown

NULL = b"null"


class Gateway:
    """The latest rows behind HTTP. Until there is a table it is alive and not ready."""

    def __init__(self, task: LookupTask, current: Current, metrics: Metrics) -> None:
        self.task = task
        self.current = current
        self.metrics = metrics
        self.draining = False
        self.head = b'{"featureSet":"%b","version":' % task.feature_set.encode()
        path = f"{PREFIX}/{task.feature_set}".encode()
        self.routes = {
            path: Route("get", b"GET", self._get),
            path + b":lookup": Route("lookup", b"POST", self._look_up),
        }
        self.admin_routes = {
            b"/live": Route("admin", b"GET", self._live),
            b"/ready": Route("admin", b"GET", self._ready),
            b"/metrics": Route("admin", b"GET", self._metrics),
        }
        self.unknown = Route("unknown", b"", self._refuse_unknown)

    @property
    def is_ready(self) -> bool:
        """Whether new callers should come."""
        return self.current.table is not None and not self.draining

    def answer(self, request: Request, reply: Reply) -> Response | None:
        """The port of look-ups."""
        return dispatch(self.routes, self.unknown, request, reply, self.metrics.answered)

    def answer_admin(self, request: Request, reply: Reply) -> Response | None:
        """The port of the kubelet and of Prometheus."""
        return dispatch(self.admin_routes, self.unknown, request, reply, self.metrics.answered)

    def _get(self, request: Request, _reply: Reply) -> Response:
        start = perf_counter()
        table = self._table()
        keys = table.keys.of_query(request.target.partition(b"?")[2])
        found = table.find(keys, time.time())
        response = self._written(table, found, start)
        if len(keys) == 1 and found.rows[0] is None:
            raise Refusal(self._absent(table, found), 404)
        return response

    def _look_up(self, request: Request, _reply: Reply) -> Response:
        start = perf_counter()
        table = self._table()
        found = table.find(table.keys.of_objects(entities_of(request.body)), time.time())
        return self._written(table, found, start)

    def _table(self) -> Table:
        table = self.current.table
        if table is None:
            raise Refusal(f"no version of {self.task.feature_set} can be looked up yet; try again", 503, retry_after=1)
        return table

    def _written(self, table: Table, found: Found, start: float) -> Response:
        rows = [row or NULL for row in found.rows]
        missing = found.rows.count(None) - found.stale
        body = b'%b%d,"rows":[%b],"stale":%d}' % (self.head, table.number, b",".join(rows), found.stale)
        self.metrics.looked_up(len(rows) - missing - found.stale, missing, found.stale, perf_counter() - start)
        return Response(200, body)

    def _absent(self, table: Table, found: Found) -> str:
        where = f"version {table.number} of {self.task.feature_set}"
        if found.stale:
            return f"the row of this entity in {where} is older than {self.task.ttl_seconds:g} s, spec.online.ttl"
        return f"{where} has no such entity"

    def _live(self, _request: Request, _reply: Reply) -> Response:
        return Response(200, b'{"live":true}')

    def _ready(self, _request: Request, _reply: Reply) -> Response:
        return Response(200 if self.is_ready else 503, orjson.dumps({"live": True, "ready": self.is_ready}))

    def _metrics(self, _request: Request, _reply: Reply) -> Response:
        return Response(200, self.metrics.text().encode(), CONTENT_TYPE)

    def _refuse_unknown(self, request: Request, _reply: Reply) -> Response:
        path = f"{PREFIX}/{self.task.feature_set}"
        told = f"there is nothing at {shown(path_of(request.target).decode(errors='replace'))}"
        raise Refusal(f"{told}; ask {path}?entity=… or POST {path}:lookup", 404)


def entities_of(body: bytes) -> object:
    """What a request for many asks for."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"the body is no JSON: {error}") from None
    if type(document) is not dict or "entities" not in document:
        raise Refusal('the body has no "entities"; send {"entities": [{…}, …]}')
    return document["entities"]
