"""What happens on a connection, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest
import uvloop

from merkhet.workloads.server.http import Limits, Reply, Request, Response, Server
from tests.unit.workloads.server.served import DEADLINE, eventually

PATIENT = Limits(head=2048, headers=20, body=4096, buffered=64 << 10, connections=8, pipelined=8, sweep_seconds=0.05)


class Port:
    """A port whose application tells what it was asked; `/later` is answered when the test says so."""

    def __init__(self, limits: Limits) -> None:
        self.server = Server(self.answer, limits)
        self.later: list[Reply] = []
        self.started = threading.Event()
        self.thread = threading.Thread(target=lambda: uvloop.run(self.serve()), daemon=True)
        self.thread.start()
        assert self.started.wait(DEADLINE)

    def answer(self, request: Request, reply: Reply) -> Response | None:
        if request.target == b"/later":
            self.later.append(reply)
            return None
        if request.target.startswith(b"/large"):
            return Response(200, b"x" * (16 << 20))
        told = {"method": request.method.decode(), "target": request.target.decode(), "body": request.body.decode()}
        return Response(200, json.dumps(told).encode())

    async def serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.ending = asyncio.Event()
        self.server.tick(self.loop.time())
        listener = await self.loop.create_server(self.server.connection, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        sweeping = asyncio.ensure_future(self.server.sweep())
        self.started.set()
        await self.ending.wait()
        sweeping.cancel()
        listener.close()
        for connection in list(self.server.connections):
            connection.transport.abort()

    def reply(self, text: str) -> None:
        eventually(lambda: self.later)
        reply = self.later.pop(0)
        self.loop.call_soon_threadsafe(reply, Response(200, text.encode()))

    def later_by(self, seconds: float) -> None:
        """Let the server's connections believe that so much time has gone."""
        self.loop.call_soon_threadsafe(lambda: self.server.tick(self.loop.time() + seconds))

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.ending.set)
        self.thread.join(DEADLINE)


@contextlib.contextmanager
def port_with(limits: Limits) -> Iterator[Port]:
    port = Port(limits)
    try:
        yield port
    finally:
        port.end()


@pytest.fixture
def patient() -> Iterator[Port]:
    with port_with(PATIENT) as port:
        yield port


class Client:
    """A client that sends what it likes."""

    def __init__(self, port: Port) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port.port), DEADLINE)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def head(self) -> tuple[int, dict[str, str]]:
        status = int(self.file.readline().split()[1])
        headers = {}
        while (line := self.file.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def answer(self) -> tuple[int, Any]:
        status, headers = self.head()
        content = self.file.read(int(headers["content-length"]))
        return status, json.loads(content) if content.startswith(b"{") else content.decode()

    def is_closed(self) -> bool:
        """Whether the server has closed, and said nothing more."""
        return self.file.read() == b""


def get(target: str = "/", headers: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n".encode()


def post(body: bytes, headers: str = "", target: str = "/") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def test_a_connection_is_kept_for_the_next_request(patient: Port) -> None:
    with Client(patient) as client:
        for body in (b"one", b"", b"three"):
            client.send(post(body))
            assert client.answer() == (200, {"method": "POST", "target": "/", "body": body.decode()})


def test_requests_that_come_byte_by_byte_are_understood(patient: Port) -> None:
    with Client(patient) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in post(b"slow") + get("/b"):
            client.send(bytes([octet]))
        assert client.answer()[1]["body"] == "slow"
        assert client.answer()[1]["target"] == "/b"


def test_pipelined_requests_are_answered_in_order(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get("/1") + get("/later") + post(b"x", target="/3") + get("/4"))
        assert client.answer()[1]["target"] == "/1"
        patient.reply("two")
        assert [client.answer()[1] for _ in range(3)] == [
            "two",
            {"method": "POST", "target": "/3", "body": "x"},
            {"method": "GET", "target": "/4", "body": ""},
        ]


def test_more_pipelined_requests_than_fit_do_not_lose_the_earlier_ones(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get("/later") + get("/x") * 50)
        patient.reply("one")
        assert client.answer() == (200, "one")
        assert client.is_closed()


def test_chunked_bodies_are_put_together(patient: Port) -> None:
    chunks = b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    with Client(patient) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + get("/next"))
        assert client.answer()[1]["body"] == "abcde"
        assert client.answer()[1]["target"] == "/next"


def test_head_has_the_length_and_no_body(patient: Port) -> None:
    with Client(patient) as client:
        client.send(b"HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n" + get("/g"))
        status, headers = client.head()
        assert status == 200
        assert int(headers["content-length"]) > 0
        assert client.answer()[1]["target"] == "/g"


def test_a_client_that_asks_first_is_told_to_continue(patient: Port) -> None:
    with Client(patient) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert client.head()[0] == 100
        client.send(b"body")
        assert client.answer()[1]["body"] == "body"


def test_a_client_that_asks_first_for_too_much_need_not_send_it(patient: Port) -> None:
    with Client(patient) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n")
        assert client.answer()[0] == 413
        assert client.is_closed()


def test_a_half_closed_client_gets_its_answer(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get("/later") + get("/2"))
        client.socket.shutdown(socket.SHUT_WR)
        patient.reply("late")
        assert client.answer() == (200, "late")
        assert client.answer()[1]["target"] == "/2"
        assert client.is_closed()


def test_a_client_that_goes_before_its_answer_harms_nobody(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get("/later"))
        eventually(lambda: patient.later)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # go with a reset
    eventually(lambda: not patient.server.connections)
    patient.reply("to nobody")
    with Client(patient) as client:
        client.send(get("/still"))
        assert client.answer()[1]["target"] == "/still"


@pytest.mark.parametrize(
    ("request_", "closes"),
    [
        (get(headers="Connection: close\r\n"), True),
        (b"GET / HTTP/1.0\r\n\r\n", True),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (get(), False),
    ],
    ids=["told to close", "HTTP/1.0", "HTTP/1.0 told to keep", "HTTP/1.1"],
)
def test_the_connection_is_closed_as_the_client_wants(patient: Port, request_: bytes, closes: bool) -> None:
    with Client(patient) as client:
        client.send(request_)
        _, headers = client.head()
        assert (headers.get("connection") == "close") is closes
        client.file.read(int(headers["content-length"]))
        if closes:
            assert client.is_closed()
        else:
            client.send(get("/again"))
            assert client.answer()[1]["target"] == "/again"


def test_a_wish_for_http_2_is_passed_over(patient: Port) -> None:
    wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
    with Client(patient) as client:
        client.send(post(b"java", wish)[:-2])
        client.send(b"va" + get("/next"))
        assert client.answer()[1] == {"method": "POST", "target": "/", "body": "java"}
        assert client.answer()[1]["target"] == "/next"


REFUSED = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    "no such version": (b"GET / HTTP/9.9\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "length and chunks": (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "length no number": (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    "chunk no number": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "header without a colon": (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
    "long target": (get("/" + "a" * 3000), 431),
    "long header": (get(headers="X: " + "a" * 3000 + "\r\n"), 431),
    "many headers": (get(headers="X: y\r\n" * 30), 431),
    "long body announced": (post(b"x" * 5000), 413),
    "long body in chunks": (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n%b\r\n" % (b"x" * 1024) * 5, 413
    ),
    "unknown expectation": (get(headers="Expect: a-miracle\r\n"), 417),
    "chunks and another protocol": (
        b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_request_is_answered_with_an_error_and_the_end(patient: Port, content: bytes, status: int) -> None:
    with Client(patient) as client:
        client.send(content)
        found, body = client.answer()
        assert (found, list(body)) == (status, ["error"])
        assert client.is_closed()
    eventually(lambda: not patient.server.connections)
    assert patient.server.buffered == 0


def test_an_endless_header_is_refused_before_it_ends(patient: Port) -> None:
    with Client(patient) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(b"GET / HTTP/1.1\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(1 << 12):
                client.send(b"a" * 1024)
        eventually(lambda: not patient.server.connections)


def test_all_bodies_together_have_a_limit() -> None:
    limits = Limits(body=4096, buffered=6000, sweep_seconds=0.05)
    with port_with(limits) as port, Client(port) as first, Client(port) as second:
        first.send(post(b"x" * 4000)[:-1])
        eventually(lambda: port.server.buffered == 3999)
        second.send(post(b"x" * 4000)[:-1])
        assert second.answer()[0] == 503
        first.send(b"x")
        assert first.answer()[0] == 200


def test_a_connection_too_many_is_told_so(patient: Port) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(patient)) for _ in range(PATIENT.connections)]
        for client in clients:
            client.send(get())
            assert client.answer()[0] == 200
        late = stack.enter_context(Client(patient))
        status, headers = late.head()
        assert status == 503
        assert headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "content", [b"GET / HT", post(b"body")[:-1], get() + b"GET /"], ids=["headers", "body", "second request"]
)
def test_a_request_that_does_not_come_in_time_is_given_up(patient: Port, content: bytes) -> None:
    with Client(patient) as client:
        client.send(content)
        eventually(lambda: any(each.in_head or each.in_body for each in patient.server.connections))
        patient.later_by(61)
        told = client.file.read()
    assert re.search(rb"HTTP/1.1 408 .*{\"error\": ?\"the request did not come in time", told, re.DOTALL)


def test_a_connection_that_nobody_uses_is_closed_without_a_word(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get())
        assert client.answer()[0] == 200
        patient.later_by(121)
        assert client.is_closed()


def test_a_client_that_does_not_read_is_dropped(patient: Port) -> None:
    with Client(patient) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(get("/large") * 4)
        eventually(lambda: any(each.paused for each in patient.server.connections))
        patient.later_by(61)
        eventually(lambda: not patient.server.connections)


def test_a_client_that_reads_late_gets_everything(patient: Port) -> None:
    with Client(patient) as client:
        client.send(get("/large") + get("/large") + get("/after"))
        eventually(lambda: any(connection.paused for connection in patient.server.connections))
        for _ in range(2):
            assert client.answer() == (200, "x" * (16 << 20))
        assert client.answer()[1]["target"] == "/after"


def test_while_draining_each_answer_ends_its_connection(patient: Port) -> None:
    with Client(patient) as client:
        patient.server.draining = True
        client.send(get())
        status, headers = client.head()
        assert (status, headers["connection"]) == (200, "close")
        client.file.read(int(headers["content-length"]))
        assert client.is_closed()


def test_an_endless_trailer_is_refused_before_it_ends(patient: Port) -> None:
    with Client(patient) as client:
        client.send(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ")
        with contextlib.suppress(ConnectionError):
            for _ in range(1 << 12):
                client.send(b"a" * 1024)
        eventually(lambda: not patient.server.connections)
    assert patient.server.buffered == 0


def test_a_head_that_ends_in_one_piece_with_the_next_requests_beginning_is_no_long_head(patient: Port) -> None:
    connection = patient.server.connection()
    sent: list[bytes] = []
    connection.connection_made(Noting(sent))  # type: ignore[arg-type]
    content = post(b"x" * 3000) + get("/next")
    for piece in (content[:10], content[10:-5], content[-5:]):
        connection.data_received(piece)
    connection.connection_lost(None)
    assert [answer.split(b" ", 2)[1] for answer in sent] == [b"200", b"200"]


def test_a_connection_without_a_request_holds_no_body(patient: Port) -> None:
    with Client(patient) as client:
        client.send(post(b"x" * 3000))
        assert client.answer()[0] == 200
        (connection,) = patient.server.connections
        assert connection.body == []


class Noting:
    """A transport whose client reads at once."""

    def __init__(self, sent: list[bytes]) -> None:
        self.write = sent.append

    def is_closing(self) -> bool:
        return False

    def resume_reading(self) -> None:
        """Nothing was paused."""

    def write_eof(self) -> None:
        """Nothing more follows."""
