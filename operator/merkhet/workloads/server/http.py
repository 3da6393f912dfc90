"""How do requests and answers travel over a connection (HTTP/1.1)?

One `asyncio.Protocol` on httptools' parser: keep-alive, pipelining with answers in order, chunked bodies,
`Expect: 100-continue`, limits on sizes and on the time a client may take. An application answers at once, or later
through the function it is given.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import NoReturn, cast

import httptools

from merkhet.workloads.server.responses import error

logger = logging.getLogger(__name__)

FOREVER = float("inf")
WANTED_HEADERS = frozenset(
    {
        b"connection",
        b"content-encoding",
        b"expect",
        b"inference-header-content-length",
        b"transfer-encoding",
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may do. Units: bytes, seconds. ``buffered``: bodies being received, of all connections together."""

    head: int = 32 << 10
    headers: int = 100
    body: int = 32 << 20
    buffered: int = 128 << 20
    connections: int = 4096
    pipelined: int = 256
    head_seconds: float = 10.0  # from the first byte of a request to the end of its headers
    body_seconds: float = 60.0  # from there to the end of the body
    idle_seconds: float = 120.0  # longer than the pools of clients and proxies keep a connection
    write_seconds: float = 30.0  # for a client to read what waits for it
    linger_seconds: float = 5.0  # for a client to read an answer that came before its request was whole
    sweep_seconds: float = 1.0


@dataclass(slots=True)
class Request:
    """A whole request. Header names are in lower case; only those that anybody asks for are kept."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool = True


@dataclass(slots=True)
class Response:
    """An answer. ``extra``: whole header lines."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    extra: bytes = b""


Reply = Callable[[Response], None]
Application = Callable[[Request, Reply], Response | None]  # None: the answer comes through Reply, on the event loop


class Unacceptable(Exception):
    """What a client sends cannot become a request; the connection ends with this answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, eq=False)
class Server:
    """What the connections of a port share. ``now`` is refreshed by each sweep: nobody needs it finer."""

    application: Application
    limits: Limits = field(default_factory=Limits)
    connections: set[Connection] = field(default_factory=set)
    draining: bool = False
    buffered: int = 0
    now: float = 0.0
    date: bytes = b""

    def connection(self) -> Connection:
        """For `loop.create_server`."""
        return Connection(self)

    async def sweep(self) -> None:
        """Until cancelled: look for clients that took too long."""
        loop = asyncio.get_running_loop()
        while True:
            self.tick(loop.time())
            await asyncio.sleep(self.limits.sweep_seconds)

    def tick(self, now: float) -> None:
        """Let the connections know the time."""
        self.now = now
        self.date = b"date: " + formatdate(usegmt=True).encode() + b"\r\n"
        for connection in [each for each in self.connections if each.deadline < now]:
            connection.expire()


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "answering", "body", "body_left", "body_size", "closing", "deadline", "expects", "head_size", "header_count",
        "headers", "in_body", "in_head", "keep_alive", "length", "method", "parser", "paused", "refusal", "server",
        "target", "transport", "unparsed", "waiting",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self.server = server
        self.parser = httptools.HttpRequestParser(self)
        self.waiting: deque[Request] = deque()  # pipelined, while an answer is worked on or not read
        self.answering: Request | None = None
        self.paused = False  # the client does not read
        self.closing = False  # nothing more is taken from this client
        self.deadline = FOREVER
        self.in_head = self.in_body = False  # what of a request is awaited; neither: the next one
        self.unparsed = 0  # bytes of headers or trailers that the parser may keep to itself
        self.refusal: Unacceptable | None = None  # met inside the parser
        self.body_left: int | None = None  # of a body that the parser does not see
        self._forget()

    def _forget(self) -> None:
        self.method = self.target = b""
        self.keep_alive = True
        self.headers: dict[bytes, bytes] = {}
        self.body: list[bytes] = []
        self.length = self.body_size = self.head_size = self.header_count = 0
        self.expects = False

    # What the transport says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self.transport = cast("asyncio.Transport", transport)
        server = self.server
        self.deadline = server.now + server.limits.head_seconds
        server.connections.add(self)
        if len(server.connections) > server.limits.connections:
            self._refuse(Unacceptable(503, f"{server.limits.connections} connections are open; try again"))

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.closing:
            return
        message, in_head, body_size = self.headers, self.in_head, self.body_size
        if not in_head and not self.in_body:
            self._begin()
        try:
            if self.body_left is not None:
                data = self._take_body(data)
            if data:
                self._parse(data)
            # What went to neither a whole header nor a body stays with the parser: a header, or a trailer.
            waits = self.in_head if in_head else self.in_body and self.body_size == body_size
            if waits and self.headers is message:
                self.unparsed += len(data)
                if self.unparsed > self.server.limits.head:
                    self._refuse_head()
        except Unacceptable as refusal:
            if not self.closing:
                self._refuse(refusal)

    def eof_received(self) -> bool:
        """The client sends no more; it may still read."""
        if self.is_busy() and not self.closing:
            self.closing = True
            return True
        return False

    def pause_writing(self) -> None:
        """The client does not read what it asked for."""
        self.paused = True
        self.deadline = self.server.now + self.server.limits.write_seconds
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self.paused = False
        self.deadline = self.server.now + self.server.limits.idle_seconds
        self._go_on()

    def connection_lost(self, _: Exception | None) -> None:
        """The client has gone."""
        self.closing = True
        self.waiting.clear()
        self.server.buffered -= self.body_size
        self.body_size = 0
        self.server.connections.discard(self)

    # What the parser says

    def on_message_begin(self) -> None:
        """A request begins."""
        self._forget()
        self._begin()

    def on_url(self, part: bytes) -> None:
        """A part of the target."""
        self.target += part
        self.head_size += len(part)
        if self.head_size > self.server.limits.head:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind a chunked body."""
        self.header_count += 1
        self.head_size += len(name) + len(value)
        if self.head_size > self.server.limits.head or self.header_count > self.server.limits.headers:
            self._refuse_head()
        name = name.lower()
        if name == b"content-length":
            self.length = int(value)
        elif name in WANTED_HEADERS and not self.in_body:
            self.headers[name] = value

    def on_headers_complete(self) -> None:
        """The body follows, if there is one."""
        self.in_head = False
        self.in_body = True
        self.unparsed = 0
        self.method = self.parser.get_method()
        self.keep_alive = self.parser.should_keep_alive()
        headers, limits = self.headers, self.server.limits
        length = self.length
        if length > limits.body:
            self._stop(413, f"the body has {length} bytes; send at most {limits.body} at once")
        self.deadline = self.server.now + limits.body_seconds
        if b"expect" in headers:
            self._expect(headers[b"expect"])
        if self.parser.should_upgrade():
            if b"transfer-encoding" in headers:
                self._stop(400, "a request to change the protocol must have a content-length; send plain HTTP/1.1")
            self.body_left = length

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        server, size = self.server, len(part)
        self.body_size += size
        self.unparsed = 0
        server.buffered += size
        if self.body_size > server.limits.body:
            self._stop(413, f"the body has more than {server.limits.body} bytes; send at most that at once")
        if server.buffered > server.limits.buffered:
            self._stop(503, "more requests are being received than memory allows; try again")
        self.body.append(part)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.body_left is not None:
            return  # its body follows, unseen by the parser
        self._complete()

    # Inside

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Nobody must change the protocol (RFC 9110, 7.8), so the request is answered as if it did not ask; Java's
            # own client asks for HTTP/2 like this with each first request.
            self.parser = httptools.HttpRequestParser(self)
            rest = self._take_body(data[upgrade.args[0] :])
            if rest:
                self._parse(rest)
        except httptools.HttpParserError as failure:
            if self.refusal is not None:
                raise self.refusal from None
            if isinstance(failure, httptools.HttpParserCallbackError):
                logger.exception("a connection failed")
                raise Unacceptable(500, "the server failed; its log says why") from None
            raise Unacceptable(400, f"this is no HTTP/1.1 request: {failure}") from None

    def _take_body(self, data: bytes) -> bytes:
        """Take a body that the parser does not see; gives what follows it."""
        left = self.body_left or 0
        if data[:left]:
            self.on_body(data[:left])
        self.body_left = left - len(data[:left])
        if self.body_left:
            return b""
        self.body_left = None
        self._complete()
        return data[left:]

    def _begin(self) -> None:
        """The client has begun a request."""
        self.in_head = True
        self.unparsed = 0
        self.deadline = self.server.now + self.server.limits.head_seconds

    def _stop(self, status: int, message: str) -> NoReturn:
        """End the parser from inside; it tells its caller no reason of ours."""
        self.refusal = Unacceptable(status, message)
        raise self.refusal

    def _refuse_head(self) -> NoReturn:
        """The parser itself sets no limit, and keeps an endless header to itself until it ends."""
        limits = self.server.limits
        self._stop(431, f"the headers are too large; send at most {limits.headers} of {limits.head} bytes together")

    def _expect(self, expectation: bytes) -> None:
        if expectation.lower() != b"100-continue":
            self._stop(417, "there is no such expectation; send Expect: 100-continue or none")
        self.expects = True
        if not self.is_busy():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.expects = False

    def _complete(self) -> None:
        self.in_body = False
        self.server.buffered -= self.body_size
        self.body_size = 0
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body = []  # a connection that waits for its next request must not hold the last one's
        request = Request(self.method, self.target, self.headers, body, self.keep_alive)
        if self.closing:
            return  # what follows a request that closes the connection
        if self.answering is None and not self.paused:
            self._answer(request)
        elif len(self.waiting) < self.server.limits.pipelined:
            self.waiting.append(request)
            self.transport.pause_reading()
        else:
            self._stop(503, f"{len(self.waiting)} requests wait on this connection; read some answers first")

    def _answer(self, request: Request) -> None:
        self.answering = request
        self.deadline = FOREVER
        response = self.server.application(request, self.reply)
        if response is not None:
            self._send(response)

    def reply(self, response: Response) -> None:
        """Answer the request that is worked on; nothing happens when its client has gone."""
        if self.answering is None or self.transport.is_closing():
            return
        self._send(response)
        self._go_on()

    def _send(self, response: Response) -> None:
        request = self.answering
        assert request is not None
        self.answering = None
        server = self.server
        keep_alive = request.keep_alive and not server.draining and not (self.closing and not self.waiting)
        extra = response.extra
        if not keep_alive:
            extra += b"connection: close\r\n"
        elif b"connection" in request.headers:  # HTTP/1.0 clients keep a connection only when told
            extra += b"connection: keep-alive\r\n"
        self.deadline = server.now + server.limits.idle_seconds
        self.transport.write(written(response, server.date + extra, body=request.method != b"HEAD"))
        if not keep_alive:
            self.closing = True
            self.waiting.clear()
            self.transport.close()

    def _go_on(self) -> None:
        """Answer what was pipelined, then read on."""
        while self.waiting and self.answering is None and not self.paused:
            self._answer(self.waiting.popleft())
        if self.is_busy() or self.paused or self.transport.is_closing():
            return
        if self.closing:
            self.transport.close()
            return
        if self.expects:
            self.expects = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.transport.resume_reading()

    def _refuse(self, refusal: Unacceptable) -> None:
        """Answer and end. The client gets time to read before what it still sends makes its kernel drop the answer."""
        self.closing = True
        self.waiting.clear()
        self.server.buffered -= self.body_size
        self.body_size = 0
        if self.answering is not None:  # an earlier request comes first, and is the last
            return
        response = Response(refusal.status, error(str(refusal)), extra=b"connection: close\r\n" + self.server.date)
        if refusal.status == 503:
            response.extra += b"retry-after: 1\r\n"
        self.transport.write(written(response, response.extra))
        self.transport.write_eof()
        self.deadline = self.server.now + self.server.limits.linger_seconds

    def expire(self) -> None:
        """The client took too long."""
        if self.closing or self.paused:
            self.transport.abort()
        elif self.is_busy():
            self.deadline = FOREVER
        elif self.in_body or self.in_head:
            self._refuse(Unacceptable(408, "the request did not come in time; send it at once"))
        else:
            self.closing = True
            self.transport.close()

    def is_busy(self) -> bool:
        """Whether the client waits for an answer."""
        return self.answering is not None or bool(self.waiting)

    def end(self) -> None:
        """Close it now if nobody waits on it."""
        if not self.is_busy():
            self.closing = True
            self.transport.close()


def written(response: Response, extra: bytes, *, body: bool = True) -> bytes:
    """The bytes of a response."""
    return b"".join((
        START[response.status],
        response.content_type,
        b"\r\ncontent-length: %d\r\n" % len(response.body),
        extra,
        b"\r\n",
        response.body if body else b"",
    ))  # fmt: skip


START = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: ".encode() for status in HTTPStatus}
